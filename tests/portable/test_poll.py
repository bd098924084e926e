from gateway.core import aio
from gateway.core.errors import NoReply
from gateway.core.reading import Reading
from gateway.poll import (
    ALARM,
    COMMANDS_MAX,
    ONCE,
    RETRY_FIRST_MS,
    RETRY_MAX_MS,
    URGENT_MAX,
    Item,
    Schedule,
    phases_ms,
    poll_bus,
)


def run(schedule, until_ms, cost_ms, now_ms=0):
    """Run the schedule on a bus where a poll takes `cost_ms`; return (key, start) of each."""
    log = []
    while now_ms < until_ms:
        item, wait_ms = schedule.next(now_ms)
        if item is None:
            if wait_ms is None:
                break
            assert wait_ms > 0
            now_ms += wait_ms
            continue
        log.append((item.key, now_ms))
        now_ms += cost_ms
        schedule.done(item, now_ms)
    return log


def test_schedule_polls_everything_at_once_and_then_each_at_its_own_phase():
    schedule = Schedule([Item(i, 1000) for i in range(4)], 0)
    log = run(schedule, 3000, 10)
    assert log[:4] == [(3, 0), (2, 10), (1, 20), (0, 30)]  # each well before its first tick
    assert log[4:8] == [(3, 250), (2, 500), (1, 750), (0, 1000)]
    assert log[8:12] == [(3, 1250), (2, 1500), (1, 1750), (0, 2000)]


def test_phases_never_bunch_within_a_period_nor_across_periods():
    phases = phases_ms([1000] * 5 + [10000] * 3)
    assert sorted(phases[:5]) == [200, 400, 600, 800, 1000]
    assert len({phase % 1000 for phase in phases}) == 8
    assert all(phase > 0 for phase in phases)


def test_schedule_the_earliest_deadline_goes_first():
    schedule = Schedule([Item("slow", 5000), Item("fast", 1000), Item("tight", 5000, 2, 500)], 0)
    assert [key for key, _ in run(schedule, 30, 10)] == ["tight", "fast", "slow"]


def test_schedule_alarms_overtake():
    schedule = Schedule([Item("a", 100), Item("b", 5000, ALARM)], 0)
    assert [key for key, _ in run(schedule, 20, 10)] == ["b", "a"]


def test_schedule_a_flood_of_alarms_leaves_room_for_the_others():
    schedule = Schedule([Item("poll", 10), Item("alarm", 10, ALARM)], 0)
    keys = [key for key, _ in run(schedule, 1000, 10)]
    assert keys.index("poll") == URGENT_MAX
    assert 11 <= keys.count("poll") <= 12


def test_schedule_commands_come_in_turn_and_not_too_many():
    schedule = Schedule([], 0)
    for i in range(COMMANDS_MAX):
        assert schedule.submit(i)
    assert not schedule.submit("one too many")
    assert [schedule.command().key for _ in range(COMMANDS_MAX)] == list(range(COMMANDS_MAX))
    assert schedule.command() is None


def test_schedule_who_misses_a_period_is_put_forward_by_it():
    schedule = Schedule([Item("a", 100), Item("b", 100), Item("c", 1000)], 0)
    run(schedule, 100_000, 100)  # asks for twice what the bus can
    shares = [item.polls * item.period_ms for item in schedule.items]
    assert max(shares) - min(shares) <= 1100


def test_schedule_of_one_owner_only_one_item_runs_at_a_time():
    items = [Item("a1", 100, owner="a"), Item("a2", 1000, owner="a"), Item("b", 5000, owner="b")]
    schedule = Schedule(items, 0)
    first, _ = schedule.next(0)
    second, _ = schedule.next(0)
    assert {first.owner, second.owner} == {"a", "b"}
    assert schedule.next(0)[0] is None
    schedule.done(first, 5)
    third, _ = schedule.next(5)
    assert {first.key, third.key} == {"a1", "a2"}


def test_schedule_missed_ticks_are_counted_and_never_queued():
    schedule = Schedule([Item("a", 1000)], 0)
    log = run(schedule, 34_000, 1700)
    assert [start for _, start in log] == [1700 * i for i in range(20)]  # always busy, no backlog
    item = schedule.items[0]
    assert item.polls == 20
    assert item.polls + item.overruns in (33, 34)
    assert 1650 <= item.effective_ms <= 1700


def test_schedule_a_poll_that_had_to_wait_for_long_is_run_once():
    schedule = Schedule([Item("a", 1000)], 0)
    item, _ = schedule.next(0)
    schedule.done(item, 0)
    item, _ = schedule.next(2500)  # for the tick at 2000; a silent device takes no time at all
    schedule.done(item, 2500)
    assert schedule.next(2500) == (None, 500)
    assert (item.polls, item.overruns) == (2, 1)


def test_schedule_a_first_poll_that_had_to_wait_until_its_first_tick_misses_nothing():
    item = Item("a", 100)
    item.start(0, 23)
    item.began(27)
    item.ended(36, True)
    assert (item.overruns, item.wait_ms(36)) == (0, 87)


def test_schedule_a_late_poll_does_not_shift_the_grid():
    schedule = Schedule([Item("a", 1000)], 0)
    item, _ = schedule.next(0)
    schedule.done(item, 300)
    assert schedule.next(300) == (None, 700)
    item, _ = schedule.next(1000)
    schedule.done(item, 1999)
    assert schedule.next(1999) == (None, 1)
    assert item.overruns == 0
    item, _ = schedule.next(2500)
    schedule.done(item, 5200)
    assert item.overruns == 2  # 3000 and 4000; 5000 is run late
    assert schedule.next(5200)[0] is item


def test_schedule_what_is_asked_once_is_asked_until_it_succeeds():
    item = Item("name", ONCE)
    schedule = Schedule([item], 0)
    now_ms = 0
    waits = []
    for _ in range(10):
        assert schedule.next(now_ms)[0] is item
        schedule.done(item, now_ms, ok=False)
        found, wait_ms = schedule.next(now_ms)
        assert found is None
        waits.append(wait_ms)
        now_ms += wait_ms
    assert waits[:3] == [RETRY_FIRST_MS, 2 * RETRY_FIRST_MS, 4 * RETRY_FIRST_MS]
    assert waits[-1] == RETRY_MAX_MS
    assert schedule.next(now_ms)[0] is item
    schedule.done(item, now_ms)
    assert schedule.next(now_ms + 10**9) == (None, None)
    schedule.again("name", now_ms)
    assert schedule.next(now_ms)[0] is item


def test_schedule_equal_items_share_a_busy_bus_evenly():
    schedule = Schedule([Item(i, 1000) for i in range(5)], 0)
    run(schedule, 100_000, 400)
    polls = [item.polls for item in schedule.items]
    assert max(polls) - min(polls) <= 2
    assert sum(polls) == 250


def test_poll_bus_polls_commands_and_ends():
    schedule = Schedule([Item("a", 20), Item("b", ONCE)], 0)
    wake = aio.Event()
    got = []

    async def poll(item):
        if item.key == "b":
            raise NoReply("silent")
        if item.key == "set":
            schedule.close()
        return [Reading(item.key, 1, aio.now_ms())]

    async def main():
        async with aio.TaskGroup() as group:
            group.start(poll_bus(schedule, poll, got.extend, wake))
            group.start(disturb())

    async def disturb():
        await aio.sleep_ms(50)
        schedule.submit("set")
        wake.set()

    aio.run(main())
    points = [one.point for one in got]
    assert points[-1] == "set" and points.count("set") == 1
    assert points.count("a") >= 2
    assert schedule.items[1].wait_ms(0) > 0  # the silent one is asked again
