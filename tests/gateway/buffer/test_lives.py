"""What a life leaves for the next one to know: how it ended, and how much room there is."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING

import pytest

from gateway.buffer.buffer import Buffer
from gateway.buffer.store import Settings
from gateway.core import aio
from gateway.core.errors import LinkError
from gateway.core.reading import BULK, CRIT, Point, Reading
from tests.support import virtual
from tests.support.disk import SimDisk

if TYPE_CHECKING:
    from collections.abc import Coroutine

POINTS = [Point("device/channel", "", "V", BULK, 1000)]
SETTINGS = Settings(4 * 65_536, 16 * 65_536, 65_536, 10_000)
HOUR_MS = 3_600_000


async def opened(disk: SimDisk, kernel: str = "k", room: Settings = SETTINGS) -> Buffer:
    return await Buffer.open(
        disk, room, POINTS, kernel=kernel, version="0", random=Random(1).randbytes
    )


def some(count: int, size: int = 0) -> list[Reading]:
    return [Reading("device/channel", "x" * size, step) for step in range(count)]


async def how_ended(disk: SimDisk, kernel: str = "k") -> str:
    buffer = await opened(disk.copy(), kernel)
    return buffer.ended


def run(story: Coroutine[None, None, None]) -> None:
    virtual.run(story)


def test_life_before_the_first_one_was_none() -> None:
    async def story() -> None:
        assert (await opened(SimDisk())).ended == "first"

    run(story())


def test_life_without_a_mark_was_a_crash_or_a_power_cut_by_the_kernels_boot_id() -> None:
    async def story() -> None:
        disk = SimDisk()
        await opened(disk, "one")
        assert await how_ended(disk, "one") == "crashed"
        assert await how_ended(disk, "two") == "power"
        assert await how_ended(disk, "") == "power", "a board has no boot id"

    run(story())


def test_life_that_was_told_to_stop_says_so_once() -> None:
    async def story() -> None:
        disk = SimDisk()
        buffer = await opened(disk)
        buffer.add(BULK, some(3))
        await buffer.commit()
        await buffer.stopped()
        for kernel in ("k", "other"):
            assert await how_ended(disk, kernel) == "stopped"
        buffer = await opened(disk.copy())
        assert buffer.counts()["buffered"] == 3
        disk = disk.copy()
        await opened(disk)
        assert await how_ended(disk) == "crashed", "the mark is of the life before that"

    run(story())


def test_life_the_mark_of_which_could_not_be_written_looks_like_a_crash() -> None:
    async def story() -> None:
        disk = SimDisk()
        buffer = await opened(disk)

        def fails(operation: str, path: str) -> None:
            if operation == "write":
                raise LinkError(f"{path}: Input/output error")

        disk.hook = fails
        await buffer.stopped()
        assert await how_ended(disk) == "crashed"

    run(story())


@pytest.mark.parametrize("torn", range(1, 40, 7))
def test_life_the_mark_of_which_was_torn_keeps_its_cursor(torn: int) -> None:
    async def story() -> None:
        disk = SimDisk()
        buffer = await opened(disk)
        buffer.add(CRIT, some(9))
        await buffer.commit()
        buffer.acked(CRIT, buffer.log_id(CRIT), 7)
        buffer._store.acked(CRIT, 7)
        buffer._store.save_cursors()
        before = bytes(disk.names_seen["crit/cursor"].seen)
        await buffer.stopped()
        after = disk.names_seen["crit/cursor"].seen
        place = next(at for at in range(8192) if before[at] != after[at]) & 4096
        after[place + torn : place + 40] = before[place + torn : place + 40]
        again = await opened(disk.copy())
        assert (again.ended, again.cursor(CRIT)) == ("crashed", 7)

    run(story())


def test_room_is_unknown_at_first_and_then_told_in_hours() -> None:
    async def story() -> None:
        buffer = await opened(SimDisk())
        task = asyncio.create_task(buffer.run())
        assert (buffer.counts()["fill"], buffer.counts()["hours_left"]) == (0.0, None)
        told = []
        for minute in range(240):
            buffer.add(BULK, some(1, 400))
            await aio.sleep_ms(60_000)
            counts = buffer.counts()
            told.append((minute, counts["fill"], counts["hours_left"]))
        assert [one for one in told if one[2] is None][-1][0] == 4, "five minutes tell a pace"
        # 15 files of 64 KiB; a reading of 400 characters takes some 450 bytes a minute.
        _, fill, first = told[30]
        assert first == pytest.approx(15 * 65_536 / 450 / 60, rel=0.1)
        for minute, fill, hours in told[60:]:
            assert hours + minute / 60 == pytest.approx(first, rel=0.05)
            assert fill == pytest.approx(minute * 450 / (15 * 65_536), abs=0.02)
        buffer.acked(BULK, buffer.log_id(BULK), buffer.last(BULK))
        await aio.sleep_ms(20_000)
        assert buffer.counts()["fill"] == 0.0
        assert buffer.counts()["hours_left"] == pytest.approx(first, rel=0.1)
        task.cancel()

    run(story())


def test_room_a_full_ring_has_no_hours_left() -> None:
    async def story() -> None:
        buffer = await opened(SimDisk())
        while buffer.counts()["gaps"] == 0:
            buffer.add(BULK, some(50, 400))
            await buffer.commit()
            await aio.sleep_ms(60_000)
            assert 0 <= buffer.counts()["fill"] <= 1
        assert buffer.counts()["fill"] > 0.9
        assert buffer.counts()["hours_left"] < 1

    run(story())


def test_room_follows_a_change_of_pace_within_an_hour() -> None:
    async def story() -> None:
        buffer = await opened(SimDisk(), room=Settings(4 * 65_536, 64 * 65_536, 65_536, 10_000))
        hours = []
        for minute in range(150):
            buffer.add(BULK, some(1 if minute < 80 else 10, 400))
            await buffer.commit()
            buffer.acked(BULK, buffer.log_id(BULK), buffer.last(BULK))
            hours.append(buffer.counts()["hours_left"])
            await aio.sleep_ms(60_000)
        assert hours[149] == pytest.approx(hours[79] / 10, rel=0.15)

    run(story())


def test_room_of_a_buffer_in_ram_counts_what_it_holds() -> None:
    async def story() -> None:
        disk = SimDisk()

        def fails(operation: str, path: str) -> None:
            raise LinkError(f"{operation} {path}: gone")

        disk.hook = fails
        buffer = await opened(disk)
        buffer.add(BULK, some(2000))
        await buffer.commit()
        counts = buffer.counts()
        assert (counts["durable"], counts["fill"], counts["hours_left"]) == (False, 0.2, None)

    run(story())
