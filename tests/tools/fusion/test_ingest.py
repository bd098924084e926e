"""What the platform makes of what gateways, and strangers, publish."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import cbor
from gateway.core.clock import BOUNDED, Stamp
from gateway.core.decimal import decimal
from gateway.core.reading import BULK, CRIT, Gap, Reading
from gateway.uplink import pack, topics
from gateway.uplink.deflate_cpython import deflate
from gateway.uplink.topics import Ack
from tests.support.fuzz import parser
from tests.tools.fusion import fake
from tests.tools.fusion.fake import GW, LOG, WALL_MS, gap, gap_message, message, state
from tests.tools.fusion.platform import NOW, Platform
from tools.fusion import store
from tools.fusion.ingest import Ingest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def platform() -> Platform:
    return Platform()


def test_ingest_acknowledges_what_is_committed_and_nothing_before(platform: Platform) -> None:
    platform.ingest.receive(*message(1), NOW)
    assert platform.rows("SELECT high FROM streams") == [(0,)]
    assert platform.ingest.commit(NOW) == [(GW, Ack(BULK, LOG, 4))]
    assert platform.rows("SELECT high FROM streams") == [(4,)]
    assert platform.ingest.commit(NOW) == []


def test_ingest_stores_every_form_of_value_exactly(platform: Platform) -> None:
    values = [decimal(2340, -3), 7, -(1 << 63), (1 << 64) - 1, 0.25, True, False, "up", b"\x00\xff"]
    items = [Reading("a/b", value, 0) for value in values]
    items.append(Reading("a/b", None, 0, "no-reply"))
    platform.take(message(1, items=items))
    assert platform.rejections() == []
    assert platform.rows("SELECT value, exact, quality FROM readings ORDER BY seq") == [
        (2.34, "2.34", None),
        (7, None, None),
        (-(1 << 63), None, None),
        (float((1 << 64) - 1), "18446744073709551615", None),
        (0.25, None, None),
        (1, "true", None),
        (0, "false", None),
        ("up", None, None),
        (b"\x00\xff", None, None),
        (None, None, "no-reply"),
    ]


def test_ingest_keeps_both_bounds_of_a_time_that_is_only_bounded(platform: Platform) -> None:
    made = pack.encode(
        fake.batch(1, 1), lambda *_: Stamp(WALL_MS, WALL_MS + 5_000, BOUNDED), GW, {}
    )
    platform.take((topics.up(GW, BULK), made), message(2, 1))
    assert platform.rows("SELECT at_ms, until_ms, clock FROM readings ORDER BY seq") == [
        (WALL_MS, WALL_MS + 5_000, BOUNDED),
        (WALL_MS + fake.EVERY_MS, None, None),
    ]


def test_ingest_takes_packs_that_were_deflated(platform: Platform) -> None:
    topic, payload = message(1)
    assert platform.take((topic, deflate(payload))) == {(GW, BULK): 4}
    assert platform.take((topic, deflate(bytes(10_000_000)))) == {}
    assert len(platform.rejections()) == 1
    assert platform.numbers() == [1, 2, 3, 4]


def test_ingest_counts_duplicates_stores_them_once_and_acknowledges_again(
    platform: Platform,
) -> None:
    assert platform.take(message(1), message(1)) == {(GW, BULK): 4}
    assert platform.take(message(1, 2), message(3, 4)) == {(GW, BULK): 6}
    assert platform.numbers() == [1, 2, 3, 4, 5, 6]
    assert platform.rows("SELECT duplicates FROM streams") == [(4 + 2 + 2,)]


def test_ingest_holds_what_came_early_and_acknowledges_below_the_hole(platform: Platform) -> None:
    assert platform.take(message(1), message(9), message(13)) == {(GW, BULK): 4}
    assert platform.rows("SELECT high, islands FROM streams") == [(4, "9-16")]
    assert platform.take(message(5)) == {(GW, BULK): 16}
    assert platform.numbers() == list(range(1, 17))


def test_ingest_gives_up_only_what_the_gateway_no_longer_holds(platform: Platform) -> None:
    platform.take(message(1))
    assert platform.take(message(9, low=7)) == {(GW, BULK): 6}  # 7 and 8 may still come
    assert platform.rows("SELECT first, last, why FROM holes") == [(5, 6, store.LOST)]


def test_ingest_passes_over_a_hole_once_the_gateway_holds_nothing_below(platform: Platform) -> None:
    platform.take(message(1))
    assert platform.take(message(9, low=9)) == {(GW, BULK): 12}
    assert platform.rows("SELECT first, last, why FROM holes") == [(5, 8, store.LOST)]


def test_ingest_fills_a_hole_when_the_late_pack_comes_after_all(platform: Platform) -> None:
    platform.take(message(1), message(9, low=9))
    assert platform.take(message(6, 2)) == {(GW, BULK): 12}
    assert platform.rows("SELECT first, last FROM holes ORDER BY first") == [(5, 5), (8, 8)]
    platform.take(message(1, 9))
    assert platform.rows("SELECT first, last FROM holes") == []
    assert platform.numbers() == list(range(1, 13))


def test_ingest_tells_what_was_before_its_time_from_what_is_lost(platform: Platform) -> None:
    assert platform.take(message(501, low=501)) == {(GW, BULK): 504}
    assert platform.rows("SELECT first, last, why FROM holes") == [(1, 500, store.BEFORE)]


@pytest.mark.parametrize("gap_first", [True, False])
def test_ingest_takes_a_gap_of_the_other_ring_as_the_explanation(
    platform: Platform, gap_first: bool
) -> None:
    told = gap_message(1, gap(5, 8))
    platform.take(message(1))
    if gap_first:
        assert platform.take(told) == {(GW, CRIT): 1, (GW, BULK): 8}
        assert platform.take(message(9)) == {(GW, BULK): 12}
    else:
        assert platform.take(message(9)) == {(GW, BULK): 4}
        assert platform.take(told) == {(GW, CRIT): 1, (GW, BULK): 12}
    assert platform.rows("SELECT * FROM holes") == []
    assert platform.rows("SELECT first, last, count, reason FROM gaps") == [(5, 8, 4, "evicted")]


def test_ingest_lets_a_gap_explain_a_hole_already_called_lost(platform: Platform) -> None:
    platform.take(message(1), message(9, low=9), gap_message(1, gap(5, 7)))
    assert platform.rows("SELECT first, last, why FROM holes") == [(8, 8, store.LOST)]


def test_ingest_remembers_a_gap_of_a_log_it_has_not_seen_yet(platform: Platform) -> None:
    platform.take(gap_message(1, gap(1, 500)))
    assert platform.take(message(501, low=501)) == {(GW, BULK): 504}
    assert platform.rows("SELECT * FROM holes") == []


def test_ingest_bridges_gaps_that_follow_one_another(platform: Platform) -> None:
    platform.take(message(1), gap_message(1, gap(9, 12)), gap_message(2, gap(17, 20)))
    assert platform.take(message(21)) == {(GW, BULK): 4}
    assert platform.take(gap_message(3, gap(5, 8))) == {(GW, CRIT): 3, (GW, BULK): 12}
    assert platform.take(message(13)) == {(GW, BULK): 24}


def test_ingest_keeps_a_reading_that_arrives_although_a_gap_gave_it_up(platform: Platform) -> None:
    platform.take(message(1), gap_message(1, gap(5, 8)), message(5, 2))
    assert platform.numbers() == [1, 2, 3, 4, 5, 6]


def test_ingest_takes_a_gap_that_never_had_numbers(platform: Platform) -> None:
    told = Gap(BULK, LOG, 0, 0, 17, "overflow")
    assert platform.take(message(1), message(5, items=[told])) == {(GW, BULK): 5}
    assert platform.rows("SELECT count, reason FROM gaps") == [(17, "overflow")]


def test_ingest_opens_a_new_stream_for_a_card_that_was_flashed_again(platform: Platform) -> None:
    platform.take(message(1))
    assert platform.take(message(1, log=b"LOG-0002")) == {(GW, BULK): 4}
    assert platform.numbers() == [1, 2, 3, 4, 1, 2, 3, 4]


def test_ingest_goes_on_after_a_restart_from_what_was_committed(tmp_path: Path) -> None:
    first = Platform(tmp_path / "fusion.db")
    first.take(message(1), message(9))
    first.ingest.receive(*message(5), NOW)  # never committed: the process dies here
    first.database.close()
    second = Platform(tmp_path / "fusion.db")
    assert second.numbers() == [1, 2, 3, 4, 9, 10, 11, 12]
    assert second.take(message(9)) == {(GW, BULK): 4}
    assert second.take(message(5)) == {(GW, BULK): 12}


def test_ingest_series_of_a_point_never_changes_its_unit(platform: Platform) -> None:
    platform.take(message(1))
    topic, _ = message(5)
    platform.take((topic, pack.encode(fake.batch(5, 4), fake.stamp, GW, {"river-3/level": "cm"})))
    assert platform.rows(
        "SELECT unit, count(*) FROM readings JOIN points USING (point_id)"
        " WHERE name = 'river-3/level' GROUP BY unit ORDER BY unit"
    ) == [("cm", 2), ("m", 2)]


def test_ingest_learns_devices_and_points_from_the_birth_message(platform: Platform) -> None:
    platform.take(message(1), state())
    assert platform.rejections() == []
    assert platform.rows("SELECT state, version, boot FROM gateways") == [("online", "0.1.0", 7)]
    assert platform.rows("SELECT name, profile, digest FROM devices") == [
        ("river-3", "acme/wl200", b"12345678")
    ]
    assert ("river-3/level", "m", "hydro.level", CRIT, 10_000) in platform.rows(
        "SELECT name, unit, kind, ring, every_ms FROM points"
    )
    platform.take((topics.of(GW, topics.STATE), topics.OFFLINE))
    assert platform.rows("SELECT state, version FROM gateways") == [("offline", "0.1.0")]


def test_ingest_keeps_one_health_row_a_minute_for_a_day(platform: Platform) -> None:
    for minute in range(store.HEALTH_MINUTES + 5):
        body = cbor.encode({"sampled": minute, "free": decimal(15, -1), "id": b"\x01"})
        platform.take((topics.of(GW, topics.HEALTH), body), now_ms=minute * 60_000)
    rows = platform.rows("SELECT body FROM health ORDER BY minute")
    assert len(rows) == store.HEALTH_MINUTES
    assert rows[-1] == ('{"free": 1.5, "id": "01", "sampled": 1444}',)


def test_ingest_keeps_the_latest_snapshot(platform: Platform) -> None:
    made = pack.Packer(GW, fake.UNITS).snapshot([fake.reading(1), fake.reading(2)], 1, fake.stamp)
    platform.take((topics.of(GW, topics.NOW), made))
    made = pack.Packer(GW, fake.UNITS).snapshot([fake.reading(4)], 1, fake.stamp)
    platform.take((topics.of(GW, topics.NOW), made))
    assert platform.rejections() == []
    assert platform.rows("SELECT name, unit, exact FROM latest") == [
        ("river-3/level", "m", "1.004")
    ]


BAD = {
    "not CBOR": (topics.up(GW, BULK), b"\xff\xff"),
    "another gateway's name": (topics.up("other", BULK), message(1)[1]),
    "no labels": (topics.up(GW, BULK), bytes.fromhex("81a300617801190100020a")),
    "gap the wrong way round": message(1, items=[Gap(BULK, LOG, 9, 5, 3, "evicted")]),
    "a number no column holds": message((1 << 63) - 2, items=[fake.reading(n) for n in range(4)]),
    "too far ahead": message(1 << 40, 4),
    "a name of 300 letters": message(1, items=[Reading("a/" + "b" * 300, 1, 0)]),
    "after the year 9999": message(1, items=[Reading("a/b", 1, 1 << 60)]),
    "its own acknowledgement": (topics.of(GW, topics.ACK), b"\xa0"),
    "an unknown topic": ("sensing/1/x/y/z", b""),
    "a birth of somebody else": state(gw="other"),
    "a birth with a wild point": state(points=[["river 3", "", "", BULK, 1]]),
    "a birth with a wild ring": state(points=[["a/b", "", "", "warm", 1]]),
    "a birth without digest": state(devices={"river-3": {"profile": "x"}}),
    "health that is a list": (topics.of(GW, topics.HEALTH), b"\x80"),
    "health of 9 kB": (topics.of(GW, topics.HEALTH), cbor.encode({"x": "y" * 9_000})),
}


@pytest.mark.parametrize("name", BAD)
def test_ingest_keeps_what_it_refuses_and_never_acknowledges_it(
    platform: Platform, name: str
) -> None:
    platform.take(state())
    assert platform.take(BAD[name]) == {}
    assert len(platform.rejections()) == 1
    assert platform.numbers() == []
    assert platform.take(message(1)) == {(GW, BULK): 4}
    mine = 0 if BAD[name][0].split("/")[2] != GW else 1
    assert platform.rows("SELECT rejected FROM gateways WHERE name = ?", GW) == [(mine,)]


def test_ingest_keeps_a_bounded_number_of_rejects_and_only_their_heads(platform: Platform) -> None:
    for _ in range(store.REJECTED_MAX + 10):
        platform.ingest.receive(topics.up(GW, BULK), b"\xff" * 500, NOW)
    platform.take()
    assert platform.rows("SELECT count(*), max(length(head)), min(size) FROM rejected") == [
        (store.REJECTED_MAX, store.REJECTED_BYTES, 500)
    ]


def test_ingest_takes_so_many_new_gateways_a_minute_and_no_more(platform: Platform) -> None:
    strangers = [message(1, gw=f"x-{n}") for n in range(store.NEW_GATEWAYS_MAX + 3)]
    assert len(platform.take(*strangers)) == store.NEW_GATEWAYS_MAX
    assert len(platform.rejections()) == 3
    assert len(platform.take(*strangers[-3:], now_ms=NOW + 60_000)) == 3


def test_ingest_refuses_one_point_too_many(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "POINTS_MAX", 3)
    items = [Reading(f"a/b{n}", n, 0) for n in range(4)]
    assert platform.take(message(1, items=items)) == {}
    assert len(platform.rejections()) == 1
    assert platform.numbers() == []


TOPICS = [topics.up(GW, BULK), topics.up(GW, CRIT)]
TOPICS += [topics.of(GW, kind) for kind in (topics.STATE, topics.NOW, topics.HEALTH, topics.ACK)]
SEEDS = [
    message(1)[1],
    deflate(message(1)[1]),
    gap_message(1, gap(5, 8))[1],
    state()[1],
    topics.OFFLINE,
]


@parser
@given(st.lists(st.tuples(st.sampled_from(TOPICS), st.binary(max_size=60)), max_size=5))
def test_ingest_never_raises_for_random_bytes(messages: list[tuple[str, bytes]]) -> None:
    platform = Platform()
    platform.take(*messages)
    assert platform.numbers() == []


@given(
    st.sampled_from(TOPICS),
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_ingest_never_raises_for_damaged_messages(
    topic: str, seed: bytes, damages: list[tuple[int, int]]
) -> None:
    damaged = bytearray(seed)
    for at, byte in damages:
        damaged[at % len(damaged)] = byte
    platform = Platform()
    platform.take((topic, bytes(damaged)))
    platform.take((topic, seed))
    assert len(platform.numbers()) <= 8


@parser
@given(st.text(max_size=20))
def test_ingest_never_raises_for_random_topics(topic: str) -> None:
    Platform().take((topic, b""), ("sensing/1/" + topic, message(1)[1]))


@given(st.data())
def test_ingest_ends_with_every_reading_once_whatever_the_link_does(data: st.DataObject) -> None:
    """A go-back-N sender over a link that drops, repeats and reorders, and a platform that dies."""
    platform, cursor, committed, total = Platform(), 0, 0, 24
    for _ in range(20):
        window = [message(n, 4, low=cursor + 1) for n in range(cursor + 1, total + 1, 4)][:4]
        if data.draw(st.booleans()):
            window = data.draw(st.permutations(window))
        kept = data.draw(st.lists(st.booleans(), min_size=len(window), max_size=len(window)))
        window = [one for one, stays in zip(window, kept, strict=True) if stays]
        for one in window:
            platform.ingest.receive(*one, NOW)
        if data.draw(st.integers(0, 3)) == 0:  # it dies before the commit: nothing is acknowledged
            if platform.ingest.pending:
                platform.database.execute("ROLLBACK")
            platform.ingest = Ingest(platform.database)
            continue
        acked = platform.take().get((GW, BULK), committed)
        committed = max(committed, acked)
        if data.draw(st.booleans()):  # the acknowledgement may be lost
            cursor = committed
    platform.take(*[message(n, 4, low=cursor + 1) for n in range(cursor + 1, total + 1, 4)])
    assert platform.numbers() == list(range(1, total + 1))
    assert platform.rows("SELECT * FROM holes") == []
