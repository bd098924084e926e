"""The first start: readings are durable at once, while the ring is still being filled."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING

import pytest

from gateway.buffer.buffer import FILL_MS, Buffer
from gateway.buffer.store import Settings, Store
from gateway.buffer.writer_cpython import open_buffer
from gateway.core import aio
from gateway.core.errors import LinkError
from gateway.core.reading import BULK, CRIT, Point, Reading
from tests.support import virtual
from tests.support.disk import SimDisk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from gateway.buffer.buffer import Job

SIZE = 1 << 20
POINTS = [Point("device/channel", "", "V", BULK, 1000)]
SETTINGS = Settings(8 * SIZE, 16 * SIZE, SIZE, 10_000, at_once_bytes=0)


async def opened(disk: SimDisk, job: Job | None = None, room: Settings = SETTINGS) -> Buffer:
    more = {} if job is None else {"job": job}
    return await Buffer.open(
        disk, room, POINTS, kernel="k", version="0", random=Random(1).randbytes, **more
    )


def files(disk: SimDisk, ring: str, start: str) -> int:
    return len([name for name in disk.names(ring) if name.startswith(start)])


def some(count: int, size: int = 0) -> list[Reading]:
    return [Reading("device/channel", "x" * size, step) for step in range(count)]


def slow_card(disk: SimDisk, bytes_per_ms: int) -> Callable[..., Any]:
    """Return a job that takes as long as a card of that speed."""

    async def job(work: Callable[..., Any], *given: Any) -> Any:
        before = disk.written_bytes
        answer = work(*given)
        await aio.sleep_ms((disk.written_bytes - before) // bytes_per_ms)
        return answer

    return job


def test_first_start_fills_the_ring_behind_running_commits() -> None:
    async def story() -> None:
        disk = SimDisk()
        buffer = await opened(disk)
        assert (files(disk, BULK, "grow-"), files(disk, CRIT, "grow-")) == (13, 5)
        task = asyncio.create_task(buffer.run())
        for _ in range(60):
            buffer.add(BULK, some(3))
            await aio.sleep_ms(1000)
        assert (files(disk, BULK, "grow-"), files(disk, CRIT, "grow-")) == (0, 0)
        assert len(disk.names(BULK)) == 16 + 1
        assert len(disk.names(CRIT)) == 8 + 1
        assert buffer.last(BULK) >= 150
        syncs = disk.syncs
        await aio.sleep_ms(60_000)
        assert disk.syncs <= syncs + 1, "there is nothing left to fill"
        task.cancel()

    virtual.run(story())


@pytest.mark.parametrize("bytes_per_ms", [1000, 10_000, 100_000])
def test_first_start_never_makes_an_alarm_wait_for_more_than_a_slice(bytes_per_ms: int) -> None:
    async def story() -> None:
        disk = SimDisk()
        buffer = await opened(disk)
        buffer._job = slow_card(disk, bytes_per_ms)
        task = asyncio.create_task(buffer.run())
        waits = []
        for step in range(300):
            await aio.sleep_ms(37 + step % 11)
            buffer.changed.clear()
            started_ms = aio.now_ms()
            buffer.add(CRIT, some(1))
            await buffer.changed.wait()
            waits.append(aio.now_ms() - started_ms)
        assert max(waits) <= 2 * FILL_MS
        # It goes on: a third of the card's time is for zeros, while there are any left.
        seconds = 0
        while files(disk, BULK, "grow-"):
            seconds += 1
            await aio.sleep_ms(1000)
        assert seconds <= 18 * SIZE / bytes_per_ms / 1000 * 4 + 1
        task.cancel()

    virtual.run(story())


def test_first_start_cut_half_way_goes_on_at_the_next() -> None:
    dice = Random(4)
    for cut in range(1, 200, 7):
        disk = SimDisk()

        async def story(disk: SimDisk, cut: int) -> None:
            buffer = await opened(disk)
            buffer.add(BULK, some(5))
            await buffer.commit()
            for _ in range(cut):
                if isinstance(buffer._store, Store):
                    buffer._store.fill(200_000)
            cursor = buffer.log_id(BULK)
            left = disk.after_power_cut(dice)
            again = await opened(left)
            assert again.durable
            assert again.log_id(BULK) == cursor
            assert again.counts()["buffered"] == 5
            assert len(left.names(BULK)) == 16 + 1
            assert files(left, BULK, "grow-") <= files(disk, BULK, "grow-") + 1
            while isinstance(again._store, Store) and again._store.fill(SIZE):
                pass
            assert files(left, BULK, "grow-") == files(left, CRIT, "grow-") == 0

        virtual.run(story(disk, cut))


def test_first_start_readings_that_come_faster_take_files_that_are_not_filled() -> None:
    async def story() -> None:
        disk = SimDisk()
        buffer = await opened(disk)
        while files(disk, BULK, "grow-"):
            buffer.add(BULK, some(200, 900))
            await buffer.commit()
            assert buffer.counts()["gaps"] == 0, "evicted while there was room"
        assert buffer.counts()["fill"] > 0.8
        assert len(disk.names(BULK)) == 16 + 1

    virtual.run(story())


def test_first_start_on_a_disk_too_small_takes_less_and_says_so(
    capfd: pytest.CaptureFixture[str],
) -> None:
    async def story() -> None:
        disk = SimDisk(12 * SIZE)
        disk.free_bytes = lambda: 1 << 40  # type: ignore[method-assign] # it promises more
        buffer = await opened(disk)
        assert buffer.durable
        assert len(disk.names(CRIT)) == 8 + 1
        assert len(disk.names(BULK)) == 3 + 1
        buffer.add(BULK, some(5))
        await buffer.commit()
        assert buffer.durable

    virtual.run(story())
    assert "bulk: 3145728 bytes: disk full" in capfd.readouterr().err


def test_first_start_a_card_that_fails_while_filling_does_not_stop_the_buffer() -> None:
    async def story() -> None:
        disk = SimDisk()
        buffer = await opened(disk)

        def fails(operation: str, path: str) -> None:
            if "grow-" in path and operation == "write":
                raise LinkError(f"{path}: Input/output error")

        disk.hook = fails
        task = asyncio.create_task(buffer.run())
        buffer.add(CRIT, some(5))
        await aio.sleep_ms(20_000)
        assert buffer.durable
        assert buffer.counts()["buffered"] == 5
        assert files(disk, BULK, "grow-") == 13
        task.cancel()

    virtual.run(story())


def test_first_start_on_a_real_disk_reserves_and_fills(tmp_path: Path) -> None:
    async def story() -> None:
        folder = tmp_path / "buffer"
        buffer = await open_buffer(str(folder), SETTINGS, POINTS, "0")
        grown = sorted(folder.glob("*/grow-*"))
        assert len(grown) == 13 + 5
        assert all(one.stat().st_size == SIZE <= one.stat().st_blocks * 512 for one in grown)
        task = asyncio.create_task(buffer.run())
        for _ in range(400):
            await asyncio.sleep(0.05)
            if not list(folder.glob("*/grow-*")):
                break
        assert not list(folder.glob("*/grow-*"))
        assert len(list(folder.glob("bulk/*.sgl"))) == 16
        task.cancel()
        await buffer.close()

    asyncio.run(story())
