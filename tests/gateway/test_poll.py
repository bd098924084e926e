"""The schedule under any load, and the loop in virtual time."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.aio import Event, now_ms, sleep_ms
from gateway.core.errors import LinkError, Refused
from gateway.core.reading import NO_REPLY, Reading
from gateway.poll import ALARM, ONCE, ORDINARY, Item, Schedule, poll_bus
from tests.support import virtual

LOADS = st.lists(
    st.tuples(st.sampled_from([100, 250, 1000, 7000]), st.sampled_from([ALARM, ORDINARY])),
    min_size=1,
    max_size=8,
)


@given(LOADS, st.integers(1, 400), st.integers(0, 10**9))
def test_schedule_every_tick_is_run_once_or_counted_as_overrun(
    load: list[tuple[int, int]], cost_ms: int, start_ms: int
) -> None:
    items = [Item(place, period, lane) for place, (period, lane) in enumerate(load)]
    schedule = Schedule(items, start_ms)
    at_ms = start_ms
    while at_ms < start_ms + 20_000:
        item, wait_ms = schedule.next(at_ms)
        if item is None:
            assert wait_ms
            at_ms += wait_ms
        else:
            at_ms += cost_ms
            schedule.done(item, at_ms)
    for item in items:
        ticks = (at_ms - start_ms) / item.period_ms
        waiting = 1 + max(0, -(item.wait_ms(at_ms) or 0)) / item.period_ms
        assert abs(item.polls + item.overruns - ticks) <= 1 + waiting


@given(LOADS, st.integers(1, 400))
def test_schedule_a_bus_that_is_not_overloaded_misses_nothing(
    load: list[tuple[int, int]], cost_ms: int
) -> None:
    busy = sum(cost_ms / period for period, _ in load)
    items = [Item(place, period) for place, (period, _) in enumerate(load)]
    if busy > 0.5 or cost_ms * len(load) > min(period for period, _ in load):
        return
    schedule = Schedule(items, 0)
    at_ms = 0
    while at_ms < 20_000:
        item, wait_ms = schedule.next(at_ms)
        if item:
            schedule.done(item, at_ms + cost_ms)
        at_ms += cost_ms if item else wait_ms or 0
    assert [item.overruns for item in items] == [0] * len(items)


def test_poll_bus_hands_on_readings_and_survives_every_failure() -> None:
    schedule = Schedule([Item("bad", 1000), Item("no", ONCE), Item("late", ONCE)], 0)
    got: list[Reading] = []
    late = [NO_REPLY, "good"]

    async def poll(item: Item) -> list[Reading]:
        await sleep_ms(5)
        if item.key == "bad":
            raise LinkError("gone")
        if item.key == "no":
            raise Refused("never", 2)
        return [Reading("late", None, now_ms(), late.pop(0))]

    async def main() -> None:
        wake = Event()
        task = asyncio.create_task(poll_bus(schedule, poll, got.extend, wake))
        await sleep_ms(10_500)
        schedule.close()
        wake.set()
        await task

    virtual.run(main())
    bad, no, _ = schedule.items
    assert [(one.quality, one.at_ms // 1000) for one in got] == [(NO_REPLY, 0), ("good", 1)]
    assert bad.polls == 11
    assert bad.overruns == 0
    assert no.polls == 1


def test_poll_bus_a_command_does_not_wait_for_the_next_poll() -> None:
    schedule = Schedule([Item("hourly", 3_600_000)], 0)
    ran: list[tuple[object, int]] = []

    async def poll(item: Item) -> list[Reading]:
        ran.append((item.key, now_ms()))
        return []

    async def main() -> None:
        wake = Event()
        task = asyncio.create_task(poll_bus(schedule, poll, lambda _: None, wake))
        await sleep_ms(5000)
        assert schedule.submit("open the gate")
        wake.set()
        await sleep_ms(1)
        schedule.close()
        wake.set()
        await task

    virtual.run(main())
    assert ran == [("hourly", 0), ("open the gate", 5000)]
