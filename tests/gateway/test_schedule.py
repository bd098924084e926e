"""What the schedule promises, over random loads in virtual time: deadlines, shares, waits."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import assume, example, given
from hypothesis import strategies as st

from gateway.feasible import WHOLE, Task, load_us, too_late
from gateway.poll import ALARM, ORDINARY, URGENT_MAX, Item, Schedule

if TYPE_CHECKING:
    from collections.abc import Callable

PERIODS_MS = st.sampled_from([50, 80, 100, 120, 200, 250, 300, 500, 700, 1000, 1500, 3000])
LOADS = st.lists(st.tuples(PERIODS_MS, st.integers(1, 300)), min_size=1, max_size=8)


def tasks_of(load: list[tuple[int, int]]) -> list[Task]:
    return [Task(str(n), period * 1000, cost * 1000) for n, (period, cost) in enumerate(load)]


def fitted(
    load: list[tuple[int, int]], fits: Callable[[list[tuple[int, int]]], bool]
) -> list[tuple[int, int]]:
    """`load` with all costs made shorter, bit by bit, until it fits."""
    while not fits(load):
        load = [(period, cost * 15 // 16) for period, cost in load if cost > 1] or [(3000, 1)]
    return load


def feasible(load: list[tuple[int, int]], *beside: Task) -> bool:
    tasks = tasks_of(load)
    return load_us(tasks) < WHOLE and too_late([*tasks, *beside]) is None


class Played:
    """A schedule of (period, cost) by lane on a bus, played in whole milliseconds."""

    def __init__(self, lanes: dict[int, list[tuple[int, int]]], until_ms: int) -> None:
        self.costs = [cost for lane in lanes for _, cost in lanes[lane]]
        loads = [(lane, period) for lane in lanes for period, _ in lanes[lane]]
        self.items = [Item(n, period, lane) for n, (lane, period) in enumerate(loads)]
        self.runs: list[list[tuple[int, int]]] = [[] for _ in self.items]  # (start, end) of each
        self.schedule = Schedule(self.items, 0)
        self.settled: dict[int, tuple[int, int]] = {}  # lane: when all was paid back, overruns
        idle_ms = dict.fromkeys((ALARM, ORDINARY), 0)  # of each lane
        at_ms = 0
        while at_ms < until_ms:
            self._settle(at_ms, idle_ms)
            item, wait_ms = self.schedule.next(at_ms)
            if item is None:
                assert wait_ms
                for lane in idle_ms:
                    idle_ms[lane] += wait_ms
                at_ms += wait_ms
                continue
            start_ms, at_ms = at_ms, at_ms + self.costs[item.key]
            self.runs[item.key].append((start_ms, at_ms))
            self.schedule.done(item, at_ms)
        self.until_ms = at_ms

    def _settle(self, at_ms: int, idle_ms: dict[int, int]) -> None:
        for lane in {ALARM, ORDINARY} - self.settled.keys():
            mine = [item for item in self.items if item.lane == lane]
            lost_ms = max((item.overruns * item.period_ms for item in mine), default=0)
            waits = any((item.wait_ms(at_ms) or 0) <= 0 for item in mine)
            if not waits and idle_ms[lane] >= lost_ms:
                self.settled[lane] = at_ms, sum(item.overruns for item in mine)

    def late(self, lane: int) -> int:
        """Runs of `lane` that ended after the tick that follows theirs, and ticks without any.

        Counted from when all that is asked for at once at the start is done, and idle time has
        paid back what was missed meanwhile.
        """
        if lane not in self.settled:  # nothing but the start, all along
            return 0
        from_ms, before = self.settled[lane]
        found = -before
        for item, runs in zip(self.items, self.runs, strict=True):
            if item.lane == lane:
                phase_ms = (item.wait_ms(0) or 0) % item.period_ms
                runs = [run for run in runs if run[0] >= from_ms]
                ticks = [(end - 1 - phase_ms) // item.period_ms for _, end in runs]
                starts = [(start - phase_ms) // item.period_ms for start, _ in runs]
                found += item.overruns + sum(a != b for a, b in zip(ticks, starts, strict=True))
        return found

    def shares(self) -> list[float]:
        """How much of what each item asked for it got."""
        return [item.polls * item.period_ms / self.until_ms for item in self.items]


@given(LOADS)
@example([(80, 44), (120, 19), (200, 35), (250, 24)])  # 98 %: the start's miss is paid back late
def test_schedule_what_passes_the_test_misses_no_deadline(load: list[tuple[int, int]]) -> None:
    load = fitted(load, feasible)
    assert Played({ORDINARY: load}, 30_000).late(ORDINARY) == 0


def test_schedule_a_load_at_the_limit_settles_and_is_then_in_time() -> None:
    load = [(80, 44), (120, 19), (200, 35), (250, 24)]
    played = Played({ORDINARY: load}, 60_000)
    assert feasible(load)
    assert 0 < played.settled[ORDINARY][0] < 20_000
    assert played.late(ORDINARY) == 0


def test_schedule_the_test_is_not_idle() -> None:
    """Loads near the limit pass it, and those it stops do miss deadlines in some phasing."""
    assert too_late(tasks_of([(100, 50), (200, 50), (400, 50), (800, 50)])) is None
    assert load_us(tasks_of([(100, 50), (200, 50), (400, 50), (800, 50)])) == 937_500
    short, long = tasks_of([(100, 50), (1000, 51)])
    assert too_late([short, long]) == (short, long)
    assert too_late(tasks_of([(100, 50), (1000, 50)])) is None
    assert too_late(tasks_of([(100, 50), (100, 50)])) is None


@given(LOADS)
def test_schedule_an_overloaded_bus_gives_all_the_same_share(load: list[tuple[int, int]]) -> None:
    # A poll longer than another's period stops that one whatever the order.
    shortest = min(period for period, _ in load)
    load = [(period, min(cost, shortest)) for period, cost in load]
    demand = load_us(tasks_of(load)) / WHOLE
    assume(demand > 1)
    longest = max(period for period, _ in load)
    shares = Played({ORDINARY: load}, 100 * longest).shares()
    assert min(shares) >= 0.97 / demand - 0.02  # two polls, one at each end
    if demand > 1.1:  # never idle for long: whatever one has above another is a few polls
        assert max(shares) - min(shares) <= 0.07


@given(LOADS, LOADS)
def test_schedule_alarms_are_in_time_whatever_else_is_asked_for(
    alarms: list[tuple[int, int]], others: list[tuple[int, int]]
) -> None:
    # Of each URGENT_MAX alarm polls one lets another poll through, and one may just have begun.
    slowest = max(cost for _, cost in others)
    blocking = Task("others", 10**9, 2 * slowest * 1000)
    toll = -(-slowest // URGENT_MAX)

    def fits(load: list[tuple[int, int]]) -> bool:
        return feasible([(period, cost + toll) for period, cost in load], blocking)

    assume(fits([(period, 1) for period, _ in alarms]))
    alarms = fitted(alarms, fits)
    assert Played({ALARM: alarms, ORDINARY: others}, 20_000).late(ALARM) == 0


@given(LOADS, LOADS)
def test_schedule_a_flood_of_alarms_leaves_the_others_their_turn(
    alarms: list[tuple[int, int]], others: list[tuple[int, int]]
) -> None:
    played = Played({ALARM: alarms, ORDINARY: others}, 20_000)
    slowest = max(played.costs)
    first = len(alarms)
    starts = sorted(start for runs in played.runs[first:] for start, _ in runs)
    waits = [after - before for before, after in pairwise(starts)]
    shortest = min(period for period, _ in others)
    assert max(waits, default=0) <= shortest + (URGENT_MAX + 2) * slowest


def test_schedule_after_a_moments_trouble_deadlines_alone_count_again() -> None:
    schedule = Schedule([Item("a", 100), Item("b", 1000)], 0)
    at_ms = 0
    for turn in range(200):
        item, wait_ms = schedule.next(at_ms)
        at_ms += wait_ms or 0
        if item:
            at_ms += 5000 if turn in (20, 21) else 1
            schedule.done(item, at_ms)
    assert sorted(item.overruns for item in schedule.items)[1] >= 48
    assert [item.rank(10**6) - (item.wait_ms(0) or 0) for item in schedule.items] == [100, 1000]


def test_schedule_a_thousand_items_cost_a_turn_no_more_than_ten_do_each() -> None:
    """Counted in calls of `wait_ms`, which any look at an item needs: no machine's pace matters."""
    looked = [0]

    class Counted(Item):
        __slots__ = ()

        def wait_ms(self, now_ms: int) -> int | None:
            looked[0] += 1
            return super().wait_ms(now_ms)

    def per_turn(count: int) -> float:
        schedule = Schedule([Counted(n, 10 * count) for n in range(count)], 0)
        looked[0] = at_ms = turns = 0
        while turns < 5 * count:
            item, wait_ms = schedule.next(at_ms)
            at_ms += wait_ms or 0
            if item:
                at_ms += 5
                schedule.done(item, at_ms)
                turns += 1
        return looked[0] / turns

    assert per_turn(1000) <= 1.5 * per_turn(10)


def test_schedule_polls_start_when_they_should_on_a_bus_that_keeps_up() -> None:
    """The period from one poll to the next, ninety-nine of a hundred times, is right to 5 %."""
    load = [(1000, 30)] * 10 + [(5000, 30)] * 20 + [(10_000, 40)] * 20 + [(60_000, 40)] * 30
    assert load_us(tasks_of(load)) / WHOLE < 0.6
    off = sorted(
        abs(after[0] - before[0] - item.period_ms) / item.period_ms
        for item, runs in zip(*_played(load), strict=True)
        for before, after in pairwise(runs[2:])
    )
    assert len(off) > 10_000
    assert off[len(off) * 99 // 100] <= 0.05


def _played(load: list[tuple[int, int]]) -> tuple[list[Item], list[list[tuple[int, int]]]]:
    played = Played({ORDINARY: load}, 1_000_000)
    return played.items, played.runs
