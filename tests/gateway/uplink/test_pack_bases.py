"""What is said once for many records is never said of the wrong one."""

from __future__ import annotations

from decimal import Decimal as PlainDecimal
from typing import TYPE_CHECKING, NamedTuple

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.clock import BOUNDED, SYNCED, Stamp
from gateway.core.decimal import Decimal, decimal
from gateway.core.reading import BULK, GOOD, NO_REPLY, STALE, Batch, Gap, Reading
from gateway.uplink import pack

if TYPE_CHECKING:
    from typing import Any

GW = "330482-0017"
LOG = b"logbulk1"
WALL_MS = 1_800_000_000_000
DEVICES = ("meter-1", "meter-12", "meter-21", "river-3", "gateway")
CHANNELS = ("level", "power/active", "u1", "1")
UNITS = {
    f"{device}/{channel}": unit
    for device in DEVICES
    for channel, unit in zip(CHANNELS, ("m", "kW", "V", ""), strict=True)
}
POINTS = [*UNITS, "lonely", "odd/", "meter-1"]


class Told(NamedTuple):
    name: str
    unit: str
    value: Any
    time_s: PlainDecimal | None
    quality: str


def resolve(data: bytes) -> list[Told]:
    """RFC 8428 §4.6 by the letter, with another CBOR reader and nothing of ours."""
    base: dict[int, Any] = {}
    found = []
    for record in cbor2.loads(data):
        base.update({label: record[label] for label in (-1, -2, -3, -4) if label in record})
        assert base.get(-1, 10) in (10, 26)
        values = [record[label] for label in (2, 3, 4, 8) if label in record]
        assert len(values) == 1
        absolute = base.get(-3, 0) + record.get(6, 0) if -3 in base or 6 in record else None
        name = base.get(-2, "") + record.get(0, "")
        unit = record.get(1, base.get(-4, ""))
        found.append(Told(name, unit, values[0], absolute, record.get("q", GOOD)))
    return found


def stamp(boot: int, at_ms: int) -> Stamp:
    return Stamp(WALL_MS + at_ms, WALL_MS + at_ms, SYNCED)


def plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return PlainDecimal(value.mantissa).scaleb(value.exponent)
    return b"" if value is None else value


numbers = st.one_of(
    st.integers(-(1 << 64), (1 << 64) - 1),
    st.sampled_from([0, 23, 24, 255, 256, 65_535, 65_536, 1 << 32, -1, -24, -25, -257]),
    st.builds(decimal, st.integers(-(10**9), 10**9), st.integers(-9, 0)),
)
values = st.one_of(
    numbers, numbers, st.booleans(), st.text(max_size=5), st.binary(min_size=1, max_size=5)
)
readings = st.builds(
    lambda point, value, at_ms, quality: Reading(
        point, None if quality == NO_REPLY else value, at_ms, quality
    ),
    st.sampled_from(POINTS),
    values,
    st.sampled_from([0, 1, 97, 97, 97, 10_000, 123_456_789]),
    st.sampled_from([GOOD, GOOD, GOOD, STALE, NO_REPLY]),
)
polls = st.builds(  # as a bus brings them: all channels of a device at one moment
    lambda device, at_ms, value: [
        Reading(f"{device}/{channel}", value, at_ms) for channel in CHANNELS
    ],
    st.sampled_from(DEVICES),
    st.integers(0, 10**9),
    numbers,
)
gaps = st.builds(lambda first: [Gap(BULK, LOG, first, first, 1, "evicted")], st.integers(1, 99))
batches = st.lists(st.one_of(polls, readings.map(lambda one: [one]), gaps), min_size=1, max_size=20)


@given(batches)
def test_pack_every_item_comes_back_as_it_was(parts: list[list[Reading | Gap]]) -> None:
    items = [item for part in parts for item in part]
    data = pack.encode(Batch(BULK, LOG, 7, 1, 3, items), stamp, GW, UNITS)
    found = pack.decode(data)
    assert (found.seq, found.log_id, len(found.items)) == (7, LOG, len(items))
    for item, told in zip(items, found.items, strict=True):
        if isinstance(item, Gap):
            assert told == item
            continue
        assert isinstance(told, pack.Sample)
        assert (told.point, told.unit) == (item.point, UNITS.get(item.point, ""))
        assert (told.value, told.quality) == (item.value, item.quality)
        assert type(told.value) is type(item.value)
        assert told.low_ms == WALL_MS + item.at_ms


@given(batches)
def test_pack_says_the_same_to_a_reader_that_knows_senml_only(
    parts: list[list[Reading | Gap]],
) -> None:
    items = [item for part in parts for item in part]
    data = pack.encode(Batch(BULK, LOG, 7, 1, 3, items), stamp, GW, UNITS)
    for item, told in zip(items, resolve(data), strict=True):
        if isinstance(item, Gap):
            assert told.name == f"urn:dev:tidegate:{GW}:gateway/gap"
            continue
        assert told.name == f"urn:dev:tidegate:{GW}:{item.point}"
        assert told.unit == UNITS.get(item.point, "")
        assert told.value == plain(item.value)
        assert told.time_s == PlainDecimal(WALL_MS + item.at_ms) / 1000
        assert told.quality == item.quality


def test_pack_bounded_times_hold_where_base_times_change() -> None:
    def bounded(boot: int, at_ms: int) -> Stamp:
        return Stamp(WALL_MS + at_ms, WALL_MS + at_ms + 500, BOUNDED)

    items: list[Reading | Gap] = [
        Reading(f"meter-1/{channel}", 1, at_ms) for at_ms in (0, 97) for channel in CHANNELS
    ]
    found = pack.decode(pack.encode(Batch(BULK, LOG, 1, 1, 3, items), bounded, GW, {})).items
    told = [(one.low_ms, one.high_ms, one.uptime_ms) for one in found]  # type: ignore[union-attr]
    expected = [(WALL_MS + at, WALL_MS + at + 500, at) for at in (0, 97) for _ in CHANNELS]
    assert told == expected


@pytest.mark.parametrize(("channels", "named"), [(8, 2), (1, 1)])
def test_pack_names_a_device_once_where_that_is_shorter(channels: int, named: int) -> None:
    items: list[Reading | Gap] = [
        Reading(f"meter-{device}/c{channel}", 1, device)
        for device in (1, 2)
        for channel in range(channels)
    ]
    records = cbor2.loads(pack.encode(Batch(BULK, LOG, 1, 1, 3, items), stamp, GW, {}))
    assert len([record for record in records if -2 in record]) == named
    assert len([record for record in records if -3 in record]) == named
    assert len([record for record in records if 6 in record]) == 2 - named
