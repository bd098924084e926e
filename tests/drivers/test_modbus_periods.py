"""A device of several periods: what is due together comes in one request, as often as asked."""

from __future__ import annotations

import asyncio
import random
from itertools import pairwise
from math import ceil, log2
from typing import TYPE_CHECKING

import pytest

from drivers.profile.plan import Range
from gateway.core import aio
from gateway.core.reading import GOOD, REFUSED
from gateway.poll import Item, Schedule, poll_bus
from tests.drivers.wire import THIRTY, Wire, device, holding, qualities
from tests.support import virtual
from tools.sim.modbus import Slave

if TYPE_CHECKING:
    from gateway.core.reading import Reading

PACES = """channels:
  fast: {at: 0}
  slow: {at: 1, every: 3s}
  far: {at: 50, every: 6s}
  sum: {calc: fast + far, every: 6s}"""
ODD = "channels:\n  fast: {at: 0, every: 2s}\n  odd: {at: 1, every: 5s}"
BRIDGE = "channels:\n  left: {at: 0}\n  slow: {at: 1, every: 9s}\n  right: {at: 2}"


def bank() -> Slave:
    return Slave({1: {"holding": {address: 1000 + address for address in range(60)}}})


def test_modbus_periods_that_are_due_together_share_their_requests() -> None:
    wire = Wire(bank())

    async def main() -> None:
        dev = device(wire, PACES)
        assert dev.periods == [1000]
        asked, named = [], []
        for _ in range(7):
            found = await dev.poll(1000)
            named.append("".join(one.point[5] for one in found))
            asked.append([(address, count) for _, address, count in wire.asked(1)])
            assert {one.quality for one in found} == {GOOD}
            await aio.sleep_ms(1000)
        both, all_ = [(0, 2)], [(0, 2), (50, 1)]
        assert asked == [all_, [(0, 1)], [(0, 1)], both, [(0, 1)], [(0, 1)], all_]
        assert named == ["fsfs", "f", "f", "fs", "f", "f", "fsfs"]  # fast slow far sum

    virtual.run(main())


def test_modbus_periods_a_value_is_read_early_rather_than_asked_for_alone() -> None:
    wire = Wire(bank())

    async def main() -> None:
        dev = device(wire, ODD)
        assert dev.periods == [2000]
        assert [period for period, _ in dev.plans()] == [2000, 4000]  # 5 s are asked for
        found = []
        for _ in range(10):
            found += [(one.point, one.at_ms) for one in await dev.poll(2000)]
            await aio.sleep_ms(2000)
        times = [at_ms for point, at_ms in found if point == "dev1/odd"]
        assert len(times) == 5
        assert all(b - a <= 5000 for a, b in pairwise(times))

    virtual.run(main())


def test_modbus_periods_a_value_read_along_to_save_a_request_is_no_reading() -> None:
    wire = Wire(bank())

    async def main() -> None:
        dev = device(wire, BRIDGE)
        first, second = await dev.poll(1000), await dev.poll(1000)
        assert [one.point for one in first] == ["dev1/left", "dev1/slow", "dev1/right"]
        assert [one.point for one in second] == ["dev1/left", "dev1/right"]
        assert wire.asked(1) == [(3, 0, 3), (3, 0, 3)]

    virtual.run(main())


def test_modbus_periods_of_a_schedule_come_as_often_as_asked() -> None:
    """Two devices on one line, as the agent polls them: no channel ever comes late."""
    wire = Wire(Slave({unit: dict(bank().tables[1]) for unit in (1, 2)}))
    times: dict[str, list[int]] = {}

    async def main() -> None:
        bus = wire.bus()
        devices = [device(wire, PACES, bus, 1), device(wire, ODD, bus, 2)]
        items = [Item((one, period), period) for one in devices for period in one.periods]
        schedule = Schedule(items, aio.now_ms())
        wake = aio.Event()

        def sink(readings: list[Reading]) -> None:
            for one in readings:
                times.setdefault(one.point, []).append(one.at_ms)

        polling = asyncio.ensure_future(
            poll_bus(schedule, lambda item: item.key[0].poll(item.key[1]), sink, wake)
        )
        await aio.sleep_ms(120_000)
        schedule.close()
        wake.set()
        await polling

    virtual.run(main())
    asked_ms = {"fast": 1000, "slow": 3000, "far": 6000, "sum": 6000, "odd": 5000}
    assert len(times) == 6
    for point, found in times.items():
        name = point.partition("/")[2]
        period_ms = 2000 if point == "dev2/fast" else asked_ms[name]
        assert len(found) >= 120_000 // period_ms
        assert all(b - a <= period_ms + 60 for a, b in pairwise(found))


def test_modbus_periods_what_is_refused_at_one_tick_is_known_at_all() -> None:
    slave = bank()
    del slave.tables[1]["holding"][1]  # type: ignore[union-attr]
    wire = Wire(slave)

    async def main() -> None:
        dev = device(wire, BRIDGE)
        assert qualities(await dev.poll(1000)) == {"left": GOOD, "slow": REFUSED, "right": GOOD}
        wire.asked(1)
        await aio.sleep_ms(1000)
        assert qualities(await dev.poll(1000)) == {"left": GOOD, "right": GOOD}
        assert wire.asked(1) == [(3, 0, 1), (3, 2, 1)]  # never across what is refused
        assert dev.refused == {Range("holding", 1, 1)}

    virtual.run(main())


def halving_max(registers: int, holes: int) -> int:
    """The most requests for so many holes in one range: each halving of a hole's part asks two."""
    return 1 + 2 * holes * ceil(log2(registers))


@pytest.mark.parametrize("holes", [0, 1, 2, 3, 7])
def test_modbus_holes_are_found_in_a_bounded_number_of_requests_and_once(holes: int) -> None:
    rng = random.Random(holes)

    async def main() -> None:
        for _ in range(12):
            missing = rng.sample(range(30), holes)
            slave = holding(30)
            for one in missing:
                del slave.tables[1]["holding"][one]  # type: ignore[union-attr]
            wire = Wire(slave)
            dev = device(wire, THIRTY)
            found = qualities(await dev.poll(1000))
            assert sorted(name for name in found if found[name] == REFUSED) == sorted(
                f"r{one}" for one in missing
            )
            assert len(wire.asked(1)) <= halving_max(30, holes)
            await dev.poll(1000)
            asked = wire.asked(1)
            assert len(asked) <= holes + 1
            assert sum(count for _, _, count in asked) == 30 - holes
            assert dev.refused == {Range("holding", one, 1) for one in missing}

    virtual.run(main())


@pytest.mark.parametrize("missing", [0, 3, 29])
def test_modbus_holes_are_found_though_at_first_everything_was_refused(missing: int) -> None:
    slave = Slave({1: {"holding": {}}})
    wire = Wire(slave)

    async def main() -> None:
        dev = device(wire, THIRTY)
        for _ in range(4):
            assert set(qualities(await dev.poll(1000)).values()) == {REFUSED}
        slave.tables = holding(30).tables  # it has started up
        del slave.tables[1]["holding"][missing]  # type: ignore[union-attr]
        await dev.poll(1000)
        found = qualities(await dev.poll(1000))
        assert [name for name in found if found[name] == REFUSED] == [f"r{missing}"]
        assert dev.refused == {Range("holding", missing, 1)}

    virtual.run(main())
