"""What the platform can inflate, whatever it learned, in whatever order, and after a restart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import cbor
from gateway.core.reading import BULK, Reading
from gateway.uplink import pack, topics
from gateway.uplink.deflate_cpython import deflate
from gateway.uplink.dictionary import dictionary, identity, wanted
from tests.gateway.uplink.test_dictionary import GW, birth, packed
from tests.tools.fusion.fake import stamp
from tests.tools.fusion.platform import NOW, Platform
from tools.fusion import dictionaries
from tools.fusion.dictionaries import KEPT_MAX

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.uplink.topics import Ack

UP = topics.up(GW, BULK)
STATE = topics.of(GW, topics.STATE)
NOW_TOPIC = topics.of(GW, topics.NOW)


def told(devices: list[str]) -> tuple[str, bytes]:
    return STATE, cbor.encode({**birth(devices), "version": "1", "boot": 3, "devices": {}})


def squeezed(devices: list[str], first: int = 1) -> tuple[str, bytes]:
    return UP, deflate(packed(devices, first), dictionary(birth(devices)))


def acks(platform: Platform, *messages: tuple[str, bytes]) -> list[Ack]:
    for topic, payload in messages:
        platform.ingest.receive(topic, payload, NOW)
    return [ack for _, ack in platform.ingest.commit(NOW)]


def test_dictionary_is_learned_from_a_birth_and_named_in_acknowledgements() -> None:
    platform = Platform()
    (before,) = acks(platform, (UP, packed(["meter-1"])))
    assert before.dictionary is None
    (after,) = acks(platform, told(["meter-1", "meter-2"]), (UP, packed(["meter-1"], 4)))
    assert after.dictionary == identity(dictionary(birth(["meter-1", "meter-2"])))


def test_pack_of_an_unknown_dictionary_is_counted_and_neither_acknowledged_nor_lost() -> None:
    platform = Platform()
    assert platform.take((UP, packed(["meter-1"])), squeezed(["meter-1"], 4)) == {(GW, BULK): 3}
    assert "is not known yet" in platform.rejections()[0]
    assert platform.rows("SELECT rejected FROM gateways") == [(1,)]
    assert platform.take(told(["meter-1"]), squeezed(["meter-1"], 4)) == {(GW, BULK): 6}
    assert platform.numbers() == [1, 2, 3, 4, 5, 6]


def test_dictionary_survives_the_platform_and_a_changed_site(tmp_path: Path) -> None:
    path = tmp_path / "fusion.db"
    Platform(path).take(told(["meter-1"]))
    assert Platform(path).take(told(["meter-2"]), squeezed(["meter-1"])) == {(GW, BULK): 3}
    platform = Platform(path)
    (ack,) = acks(platform, squeezed(["meter-2"], 4))
    assert ack.seq == 6
    assert ack.dictionary == identity(dictionary(birth(["meter-2"])))
    names = platform.rows("SELECT name FROM points JOIN readings USING (point_id) ORDER BY seq")
    assert [name.split("/")[0] for (name,) in names] == 3 * ["meter-1"] + 3 * ["meter-2"]


def test_dictionaries_are_kept_for_the_last_sites_only() -> None:
    platform = Platform()
    for number in range(KEPT_MAX + 3):
        platform.take(told([f"meter-{number}"]))
    assert platform.rows("SELECT count(*) FROM dictionaries") == [(KEPT_MAX,)]
    assert platform.take(squeezed([f"meter-{KEPT_MAX + 2}"])) == {(GW, BULK): 3}
    assert platform.take(squeezed(["meter-3"], 4)) == {(GW, BULK): 6}
    assert platform.take(squeezed(["meter-2"], 7)) == {}


def test_two_dictionaries_of_one_id_are_both_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = squeezed(["meter-12"])
    monkeypatch.setattr(dictionaries, "identity", lambda _: wanted(wire[1]))
    platform = Platform()
    platform.take(told(["meter-12"]))
    (ack,) = acks(platform, (UP, packed(["meter-21"])))
    assert ack.dictionary is not None
    (ack,) = acks(platform, told(["meter-21"]), (UP, packed(["meter-21"], 4)))
    assert ack.dictionary is None
    assert acks(platform, wire) == []


def test_snapshot_of_some_points_leaves_the_others() -> None:
    packer = pack.Packer(GW, {})
    platform = Platform()
    both = [Reading("meter-1/u", 1, 0), Reading("meter-2/u", 1, 0)]
    platform.take((NOW_TOPIC, packer.snapshot(both, 1, stamp)))
    some = packer.snapshot([Reading("meter-2/u", 2, 900)], 1, stamp, partial=True)
    platform.take((NOW_TOPIC, some))
    rows = "SELECT name, value FROM latest ORDER BY name"
    assert platform.rows(rows) == [("meter-1/u", 1), ("meter-2/u", 2)]
    platform.take((NOW_TOPIC, packer.snapshot(both[:1], 1, stamp)))
    assert platform.rows(rows) == [("meter-1/u", 1)]


sites = st.permutations(["meter-12", "meter-21", "river-3"]).map(lambda all_: all_[:2])


@given(st.lists(st.tuples(sites, st.sampled_from(["birth", "pack", "both"])), max_size=12))
def test_whatever_sites_follow_each_other_no_reading_gets_another_name(
    story: list[tuple[list[str], str]],
) -> None:
    platform = Platform()
    expected: list[str] = []
    known: set[tuple[str, ...]] = set()
    for site, what in story:
        if what != "pack":
            platform.take(told(site))
            known.add(tuple(site))
        if what != "birth":
            platform.take(squeezed(site, len(expected) + 1))
            if tuple(site) in known:
                expected += [device for device in site for _ in range(3)]
    names = platform.rows("SELECT name FROM points JOIN readings USING (point_id) ORDER BY seq")
    assert [name.split("/")[0] for (name,) in names] == expected
