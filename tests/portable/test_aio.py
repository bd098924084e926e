from gateway.core import aio


def test_aio_a_failing_task_cancels_its_group_and_is_raised() -> None:
    ended = []

    async def fail() -> None:
        await aio.sleep_ms(1)
        raise ValueError("first")

    async def wait() -> None:
        try:
            await aio.sleep_ms(60_000)
        finally:
            ended.append("cancelled")

    async def main() -> None:
        async with aio.TaskGroup() as group:
            group.start(wait())
            group.start(fail())

    try:
        aio.run(main())
    except ValueError as error:
        assert str(error) == "first"
        assert ended == ["cancelled"]
    else:
        assert False


def test_aio_a_group_does_not_wait_for_a_task_that_was_cancelled_from_within() -> None:
    async def stop() -> None:
        raise aio.CancelledError

    async def group_of_one() -> None:
        async with aio.TaskGroup() as group:
            group.start(stop())

    async def main() -> None:
        await aio.within(1000, group_of_one())

    aio.run(main())


def test_aio_a_group_ends_when_all_its_tasks_have() -> None:
    done = []

    async def work(name: str) -> None:
        await aio.sleep_ms(1)
        done.append(name)

    async def main() -> None:
        async with aio.TaskGroup() as group:
            group.start(work("a"))
            group.start(work("b"))

    aio.run(main())
    assert sorted(done) == ["a", "b"]


def test_aio_within_gives_up_in_time() -> None:
    async def main() -> int:
        async def never() -> None:
            await aio.sleep_ms(60_000)

        before = aio.now_ms()
        try:
            await aio.within(20, never())
        except aio.TimeoutError:
            return aio.now_ms() - before
        return -1

    assert 10 <= aio.run(main()) < 5_000


def test_aio_rest_ends_when_woken_or_when_time_is_up() -> None:
    async def main() -> list[bool]:
        wake = aio.Event()
        began = aio.now_ms()
        await aio.rest(20, wake)  # nobody wakes us
        slept = aio.now_ms() - began >= 10
        wake.set()
        await aio.rest(60_000, wake)
        await aio.rest(0, wake)
        return [slept, wake.is_set(), aio.now_ms() - began < 10_000]

    assert aio.run(main()) == [True, False, True]


def test_aio_microseconds_go_with_milliseconds_and_a_sleep_is_never_short() -> None:
    async def main() -> list[bool]:
        found = []
        before_us, before_ms = aio.now_us(), aio.now_ms()
        for us in (1, 300, 1_750, 4_011):
            began_us = aio.now_us()
            await aio.sleep_us(us)
            found.append(aio.now_us() - began_us >= us - 1)  # two truncated readings of a clock
        passed_us, passed_ms = aio.now_us() - before_us, aio.now_ms() - before_ms
        return found + [abs(passed_us - 1000 * passed_ms) <= 2_000]

    assert aio.run(main()) == [True] * 5
