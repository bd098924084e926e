"""The preset dictionary: both ends make the same of a birth certificate, and never a near one."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import cbor
from gateway.core.clock import SYNCED, Stamp
from gateway.core.decimal import decimal
from gateway.core.errors import BadReply
from gateway.core.reading import BULK, CRIT, Batch, Gap, Reading
from gateway.uplink import pack
from gateway.uplink.deflate_cpython import deflate, inflate, is_deflated
from gateway.uplink.dictionary import BODY_BYTES_MAX, dictionary, identity, wanted

if TYPE_CHECKING:
    from typing import Any

GW = "330482-0017"
LOGS = {CRIT: b"logcrit1", BULK: b"logbulk1"}
WALL_MS = 1_800_000_000_000
CHANNELS = ("voltage_l1", "voltage_l2", "frequency")


def birth(devices: list[str], logs: dict[str, bytes] = LOGS) -> dict[str, Any]:
    points = [
        [f"{device}/{channel}", "", "V", BULK, 10_000] for device in devices for channel in CHANNELS
    ]
    return {"state": "online", "gw": GW, "logs": logs, "points": points}


def packed(devices: list[str], first: int = 1) -> bytes:
    items: list[Reading | Gap] = [
        Reading(f"{device}/{channel}", decimal(23_000 + place, -2), 97 * place)
        for place, device in enumerate(devices)
        for channel in CHANNELS
    ]
    units = {one[0]: one[2] for one in birth(devices)["points"]}
    return pack.encode(Batch(BULK, LOGS[BULK], first, 1, 3, items), _stamp, GW, units)


def _stamp(_: int, at_ms: int) -> Stamp:
    return Stamp(WALL_MS + at_ms, WALL_MS + at_ms, SYNCED)


def test_dictionary_is_the_same_at_both_ends() -> None:
    told = birth(["meter-1", "meter-2"])
    assert dictionary(cbor.decode(cbor.encode(told))) == dictionary(told)


def test_dictionary_id_is_the_adler_32_that_zlib_writes() -> None:
    known = dictionary(birth(["meter-1", "meter-2"]))
    data = deflate(packed(["meter-2"]), known)
    assert identity(known) == zlib.adler32(known) == wanted(data)
    assert identity(b"") == 1
    assert is_deflated(data)
    assert wanted(deflate(packed(["meter-2"]))) is None
    assert wanted(packed(["meter-2"])) is None
    assert [wanted(data[:size]) for size in range(6)] == 6 * [None]


def test_dictionary_makes_a_pack_smaller_than_deflate_alone() -> None:
    names = [f"meter-{number}" for number in range(1, 8)]
    data = packed(names)
    known = dictionary(birth(names))
    assert inflate(deflate(data, known), 65_536, known) == data
    assert len(deflate(data, known)) < 0.8 * len(deflate(data))
    assert len(deflate(packed(["meter-3"]), known)) < 0.5 * len(packed(["meter-3"]))


def test_dictionary_of_a_large_site_stays_within_what_deflate_looks_back() -> None:
    names = [f"a-device-with-a-long-name-{number}" for number in range(1_200)]
    known = dictionary(birth(names))
    assert len(known) == 16 + BODY_BYTES_MAX
    data = packed(names[-5:])
    assert inflate(deflate(data, known), 65_536, known) == data
    # What was cut off still tells sites apart.
    assert dictionary(birth(["another", *names])) != known


def test_dictionary_of_an_empty_or_strange_birth_is_one_all_the_same() -> None:
    for told in ({"gw": GW}, {"gw": GW, "points": []}, birth([], {"tank": b"x"})):
        known = dictionary(told)
        assert inflate(deflate(b"abc", known), 3, known) == b"abc"


def test_dictionary_ids_of_swapped_names_differ_where_adler_32_alone_would_not_see_it() -> None:
    """Adler-32 sums bytes by their place: 12…21 and 21…12 sum to the same."""
    one, other = ["meter-12", "meter-21"], ["meter-21", "meter-12"]
    bodies = [dictionary(birth(names))[16:] for names in (one, other)]
    assert bodies[0] != bodies[1]
    assert zlib.adler32(bodies[0]) == zlib.adler32(bodies[1])
    assert identity(dictionary(birth(one))) != identity(dictionary(birth(other)))


devices = st.lists(
    st.sampled_from(["meter-1", "meter-2", "meter-12", "meter-21", "m", "river-3"]),
    min_size=1,
    max_size=6,
    unique=True,
)


@given(devices, devices, st.integers(0, 3))
def test_dictionary_of_another_site_never_gives_another_pack(
    sent: list[str], known: list[str], change: int
) -> None:
    data = packed(sent)
    mine = dictionary(birth(sent))
    logs = LOGS if change else {CRIT: b"logcrit2", BULK: b"logbulk2"}
    theirs = dictionary(birth(known, logs))
    wire = deflate(data, mine)
    if mine == theirs:
        assert inflate(wire, 65_536, theirs) == data
        return
    with pytest.raises(BadReply):
        inflate(wire, 65_536, theirs)
    with pytest.raises(BadReply):
        inflate(wire, 65_536)
