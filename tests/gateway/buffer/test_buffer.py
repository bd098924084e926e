"""The agent's side of the buffer, in virtual time over a simulated disk, and once on a real one."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.buffer.buffer import CURSOR_MS, GROUP_READINGS_MAX, READINGS_MAX, Buffer
from gateway.buffer.store import Settings
from gateway.buffer.writer_cpython import open_buffer
from gateway.core import aio
from gateway.core.clock import Anchor
from gateway.core.errors import LinkError
from gateway.core.reading import BULK, CRIT, RINGS, Gap, Point, Reading
from tests.support import virtual
from tests.support.disk import SimDisk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from gateway.buffer.buffer import Job

POINTS = [Point("device/channel", "", "V", BULK, 1000)]
SETTINGS = Settings(8 * 65_536, 16 * 65_536, 65_536, 10_000)


async def opened(disk: SimDisk, job: Job | None = None, room: Settings = SETTINGS) -> Buffer:
    more = {} if job is None else {"job": job}
    return await Buffer.open(
        disk, room, POINTS, kernel="k", version="0", random=Random(1).randbytes, **more
    )


async def stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def some(first: int, count: int) -> list[Reading]:
    return [Reading("device/channel", first + step, first) for step in range(count)]


async def numbers(buffer: Buffer, ring: str) -> list[Any]:
    found: list[Any] = []
    after = buffer.cursor(ring)
    while True:
        batch = await buffer.next_batch(ring, after)
        if batch is None:
            return found
        found += [item if isinstance(item, Gap) else item.value for item in batch.items]
        after = batch.seq + len(batch.items) - 1


def identity(buffer: Buffer) -> dict[str, Any]:
    counts = buffer.counts()
    assert counts["sampled"] == counts["delivered"] + counts["gaps"] + counts["buffered"]
    return counts


def test_buffer_alarms_are_durable_at_once_and_bulk_after_ten_seconds() -> None:
    async def story() -> None:
        disk = SimDisk()
        buffer = await opened(disk)
        task = asyncio.create_task(buffer.run())
        buffer.add(BULK, some(0, 3))
        buffer.add(CRIT, some(10, 2))
        await aio.sleep_ms(0)
        await buffer.changed.wait()
        assert await numbers(buffer, CRIT) == [10, 11]
        assert await numbers(buffer, BULK) == [], "an alarm must not cost a bulk commit as well"
        buffer.changed.clear()
        await buffer.changed.wait()
        assert await numbers(buffer, BULK) == [0, 1, 2]
        buffer.changed.clear()
        syncs = disk.syncs
        started_ms = aio.now_ms()
        buffer.add(BULK, some(20, 3))
        await aio.sleep_ms(5000)
        buffer.add(BULK, some(30, 3))
        assert buffer.last(BULK) == 3, "nothing is handed out before it is durable"
        assert await buffer.next_batch(BULK, 3) is None
        await buffer.changed.wait()
        assert 9990 <= aio.now_ms() - started_ms <= 10_010
        assert disk.syncs == syncs + 1
        assert await numbers(buffer, BULK) == [0, 1, 2, 20, 21, 22, 30, 31, 32]
        await stopped(task)

    virtual.run(story())


def test_buffer_many_readings_bring_the_commit_forward() -> None:
    async def story() -> None:
        buffer = await opened(SimDisk())
        task = asyncio.create_task(buffer.run())
        started_ms = aio.now_ms()
        buffer.add(BULK, some(0, GROUP_READINGS_MAX))
        await buffer.changed.wait()
        assert aio.now_ms() - started_ms < 10
        await stopped(task)

    virtual.run(story())


def test_buffer_cursor_is_written_every_ten_seconds_and_not_for_nothing() -> None:
    async def story() -> None:
        disk = SimDisk()
        buffer = await opened(disk)
        task = asyncio.create_task(buffer.run())
        buffer.add(CRIT, some(0, 100))
        await buffer.changed.wait()
        await aio.sleep_ms(3 * CURSOR_MS)
        before = disk.syncs
        for seq in range(1, 101):
            buffer.acked(CRIT, buffer.log_id(CRIT), seq)
            await aio.sleep_ms(500)
        assert buffer.cursor(CRIT) == 100
        assert 5 <= disk.syncs - before <= 6
        assert identity(buffer)["delivered"] == 100
        await aio.sleep_ms(CURSOR_MS)
        before = disk.syncs
        await aio.sleep_ms(10 * CURSOR_MS)
        assert disk.syncs == before
        await stopped(task)
        again = await opened(disk.copy())
        assert again.cursor(CRIT) == 100

    virtual.run(story())


def test_buffer_ignores_and_counts_forged_and_future_acknowledgements() -> None:
    async def story() -> None:
        buffer = await opened(SimDisk())
        buffer.add(BULK, some(0, 5))
        await buffer.commit()
        log_id = buffer.log_id(BULK)
        buffer.acked(BULK, bytes(8), 3)
        buffer.acked(BULK, buffer.log_id(CRIT), 3)
        buffer.acked(BULK, log_id, 6)
        assert (buffer.cursor(BULK), buffer.acks_ignored) == (0, 3)
        buffer.acked(BULK, log_id, 4)
        buffer.acked(BULK, log_id, 2)
        assert buffer.cursor(BULK) == 4
        await buffer.commit()
        assert identity(buffer)["delivered"] == 4
        assert await numbers(buffer, BULK) == [4]

    virtual.run(story())


def test_buffer_overflow_drops_the_oldest_bulk_and_says_how_many() -> None:
    async def story() -> None:
        disk = SimDisk()
        buffer = await opened(disk)
        buffer.add(CRIT, some(0, 1))
        for start in range(0, 4200, 100):
            buffer.add(BULK, some(start, 100))
        total = 4201
        counts = identity(buffer)
        assert (counts["sampled"], counts["gaps"]) == (total, 105)
        assert counts["buffered"] == READINGS_MAX
        await buffer.commit()
        counts = identity(buffer)
        assert counts["sampled"] == total
        held = await numbers(buffer, BULK)
        assert held == list(range(counts["gaps"], total - 1))
        told = [item for item in await numbers(buffer, CRIT) if isinstance(item, Gap)]
        log_id = buffer.log_id(BULK)
        assert told == [Gap(BULK, log_id, 0, 0, counts["gaps"], "overflow")]
        again = await opened(disk.copy())
        assert identity(again)["sampled"] == total

    virtual.run(story())


def test_buffer_one_batch_is_of_one_boot_and_within_its_limits() -> None:
    async def story() -> None:
        disk = SimDisk()
        for boot in (1, 2):
            buffer = await opened(disk)
            assert buffer.boot == boot
            buffer.add(BULK, some(0, 100))
            buffer.add(BULK, [Reading("device/channel", "x" * 3000, 0)] * 3)
            await buffer.commit()
            await buffer.close()
        buffer = await opened(disk)
        after = 0
        sizes = []
        while (batch := await buffer.next_batch(BULK, after)) is not None:
            sizes.append((batch.boot, batch.seq, len(batch.items)))
            after = batch.seq + len(batch.items) - 1
        assert sizes == [
            (1, 1, 64), (1, 65, 38), (1, 103, 1),
            (2, 104, 64), (2, 168, 38), (2, 206, 1),
        ]  # fmt: skip

    virtual.run(story())


def test_buffer_a_flood_of_alarms_evicts_and_stays_durable() -> None:
    """One commit larger than a segment: there is always room to note what it pushes out."""

    async def story() -> None:
        small = Settings(3 * 16_384, 3 * 16_384, 16_384, 10_000)
        buffer = await opened(SimDisk(), room=small)
        for _ in range(5):
            buffer.add(CRIT, [Reading("device/channel", step * 1.1, step) for step in range(4000)])
            await buffer.commit()
            assert buffer.durable
            assert identity(buffer)["buffered"] > 1000

    virtual.run(story())


def test_buffer_long_texts_fit_into_the_segments_of_a_board() -> None:
    async def story() -> None:
        small = Settings(4 * 16_384, 4 * 16_384, 16_384, 10_000)
        buffer = await opened(SimDisk(), room=small)
        buffer.add(BULK, [Reading("device/channel", "x" * 4000, step) for step in range(8)])
        await buffer.commit()
        assert buffer.durable
        assert identity(buffer)["buffered"] == 8

    virtual.run(story())


def test_buffer_a_medium_that_dies_within_a_commit_loses_no_reading() -> None:
    async def story(steps_left: int) -> bool:
        small = Settings(3 * 65_536, 3 * 65_536, 65_536, 10_000)
        disk = SimDisk()
        buffer = await opened(disk, room=small)

        def fail(_operation: str, _path: str) -> None:
            nonlocal steps_left
            steps_left -= 1
            if steps_left < 0:
                raise LinkError("gone")

        disk.hook = fail
        # Records of eight, and a note of what was pushed out after every other one.
        buffer.add(CRIT, [Reading("device/channel", "x" * 4000, step) for step in range(100)])
        await buffer.commit()
        identity(buffer)
        return buffer.durable

    steps = 0
    while not virtual.run(story(steps)):
        steps += 1
    assert steps > 25, "so many ways to die"


def test_buffer_damage_found_while_reading_is_told_at_once() -> None:
    async def story() -> None:
        disk = SimDisk()
        buffer = await opened(disk)
        for step in range(3):
            buffer.add(BULK, some(step, 1))
            await buffer.commit()
        buffer.changed.clear()
        name = next(name for name in disk.names("bulk") if name.startswith("s-"))
        seen = disk.names_seen[f"bulk/{name}"].seen
        seen[seen.rindex(b"\x03\x81\x83") + 5] ^= 1
        seen[seen.rindex(b"\x03\x81\x83", 0, seen.rindex(b"\x03\x81\x83")) + 5] ^= 1
        assert await numbers(buffer, BULK) == [0]
        assert buffer.changed.is_set(), "the gap waits in crit"
        assert [item.reason for item in await numbers(buffer, CRIT)] == ["corrupt"]

    virtual.run(story())


def test_buffer_anchors_come_back() -> None:
    async def story() -> None:
        disk = SimDisk()
        anchor = Anchor(1, 5000, 1_800_000_000_000, 10, "ntp")
        buffer = await opened(disk)
        buffer.anchor(anchor)
        await buffer.commit()
        assert (await opened(disk.copy())).anchors() == [anchor]

    virtual.run(story())


def test_buffer_a_stalled_card_does_not_stop_the_loop() -> None:
    """The storage thread hangs; the loop adds, drops beyond its limit, and answers."""

    async def story() -> None:
        gate = threading.Event()
        loop = asyncio.get_running_loop()

        async def job(work: Callable[..., Any], *given: Any) -> Any:
            return await loop.run_in_executor(None, work, *given)

        disk = SimDisk()
        buffer = await opened(disk, job)

        def stall(operation: str, path: str) -> None:
            if operation == "sync":
                assert gate.wait(10)

        disk.hook = stall
        buffer.add(BULK, some(0, 100))
        commit = asyncio.create_task(buffer.commit())
        await asyncio.sleep(0)
        for start in range(0, 2 * READINGS_MAX, 64):
            buffer.add(BULK, some(start, 64))
            counts = identity(buffer)
            assert counts["buffered"] <= READINGS_MAX
        assert counts["sampled"] == 100 + 2 * READINGS_MAX
        assert counts["gaps"] == 100 + READINGS_MAX
        assert await buffer.next_batch(BULK, 0) is None, "not durable, so not handed out"
        gate.set()
        await commit
        await buffer.commit()
        counts = identity(buffer)
        assert counts["sampled"] == 100 + 2 * READINGS_MAX
        assert len(await numbers(buffer, BULK)) == counts["buffered"] == READINGS_MAX

    asyncio.run(story())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abckrx"), st.integers(1, 300)), max_size=40))
def test_buffer_identity_holds_at_every_moment(steps: list[tuple[str, int]]) -> None:
    async def story() -> None:
        disk = SimDisk()
        buffer = await opened(disk)
        delivered = durable = 0
        for kind, count in steps:
            if kind in "ab":
                buffer.add(BULK if kind == "b" else CRIT, some(0, count))
            elif kind == "c":
                await buffer.commit()
                durable = identity(buffer)["sampled"]
            elif kind == "k":
                for ring in RINGS:
                    batch = await buffer.next_batch(ring, buffer.cursor(ring))
                    if batch is not None:
                        last = batch.seq + len(batch.items) - 1
                        buffer.acked(ring, batch.log_id, last)
                        delivered += sum(isinstance(item, Reading) for item in batch.items)
            elif kind == "r":
                ring = RINGS[count % 2]
                await buffer.reject(ring, buffer.cursor(ring) + count % 9, "rejected")
            else:
                disk = disk.copy()
                buffer = await opened(disk)
                assert identity(buffer)["sampled"] == durable, "RAM of a dead process is no promise"
                delivered = identity(buffer)["delivered"]
            identity(buffer)
        await buffer.commit()
        counts = identity(buffer)
        assert counts["delivered"] == delivered
        held = [item for ring in RINGS for item in await numbers(buffer, ring)]
        assert len([item for item in held if not isinstance(item, Gap)]) == counts["buffered"]

    virtual.run(story())


def test_buffer_on_a_disk_that_turned_read_only_goes_on_in_ram(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    async def story() -> None:
        buffer = await open_buffer(str(tmp_path / "buffer"), SETTINGS, POINTS, "0.1")
        assert not buffer.durable

    for name in ("pwrite", "unlink"):
        monkeypatch.setattr(os, name, fails)
    asyncio.run(story())


def test_buffer_on_a_real_disk_with_its_thread(tmp_path: Path) -> None:
    async def story() -> None:
        threads = set()
        for boot in (1, 2, 3):
            buffer = await open_buffer(str(tmp_path / "buffer"), SETTINGS, POINTS, "0.1")
            assert (buffer.boot, buffer.durable) == (boot, True)
            buffer.add(BULK, some(boot * 10, 10))
            buffer.add(CRIT, some(boot * 10, 1))
            await buffer.commit()
            assert len(await numbers(buffer, BULK)) == 10 * boot
            threads |= {thread.name for thread in threading.enumerate()}
            await buffer.close()
        assert "storage_0" in threads

    asyncio.run(story())
    names = {path.name for path in (tmp_path / "buffer").iterdir()}
    assert names == {"LOCK", "crit", "bulk"}
