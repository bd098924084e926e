"""Starts that are killed, a thousand of them: the boot count rises, and the buffer comes back."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from gateway.buffer.buffer import Buffer
from gateway.buffer.store import Settings
from gateway.core.reading import BULK, CRIT, GOOD, Gap, Point, Reading
from tests.sim.mutants import boot_count_used_again
from tools.simulate.disk import SimDisk

STARTS = 1_000
OPERATIONS_MAX = 160  # a start takes 66: four in ten are killed
SETTINGS = Settings(4 * 8192, 6 * 8192, 8192, 10_000)
POINTS = [Point("pump/level", "level", "m", BULK, 1000), Point("pump/flood", "", "", CRIT, 1000)]


class Killed(BaseException):
    """In the middle of a start."""


async def opened(disk: SimDisk, kernel: str, dice: Random) -> Buffer:
    return await Buffer.open(
        disk, SETTINGS, POINTS, kernel=kernel, version="0", random=dice.randbytes
    )


async def live(buffer: Buffer, number: int) -> None:
    """Keep two readings, durably."""
    for ring, name in ((BULK, "pump/level"), (CRIT, "pump/flood")):
        buffer.add(ring, [Reading(name, number, number, GOOD)])
    await buffer.commit()


def kept(buffer: Buffer) -> list[int]:
    """Return the values of what is still in the crit ring, in order."""
    found: list[int] = []

    async def read() -> None:
        after = buffer.cursor(CRIT)
        while batch := await buffer.next_batch(CRIT, after):
            found.extend([int(str(one.value)) for one in batch.items if isinstance(one, Reading)])
            assert all(isinstance(one, (Reading, Gap)) for one in batch.items)
            after = batch.seq + len(batch.items) - 1

    asyncio.run(read())
    return found


def starts(seed: int, count: int) -> int:
    """Start so often, each time after a kill or a power cut; return how many starts were killed."""
    dice = Random(seed)
    disk = SimDisk()
    boots: list[int] = []
    killed = 0
    for number in range(count):
        left = [dice.randint(1, OPERATIONS_MAX)]

        def hook(_operation: str, _path: str, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise Killed

        disk.hook = hook
        try:
            buffer = asyncio.run(opened(disk, f"kernel-{number}", dice))
        except Killed:
            killed += 1
        else:
            assert buffer.durable
            boots.append(buffer.boot)
            left[0] = 0
            asyncio.run(live(buffer, len(boots)))
            values = kept(buffer)
            assert values == list(range(len(boots) - len(values) + 1, len(boots) + 1))
        disk.hook = None
        disk = disk.copy() if dice.random() < 0.5 else disk.after_power_cut(dice)
    assert boots == sorted(set(boots)), "a boot count was used twice"
    return killed


@pytest.mark.parametrize("seed", [1, 2])
def test_starts_killed_a_thousand_times_count_up_and_lose_nothing(seed: int) -> None:
    killed = starts(seed, STARTS // 2)
    assert STARTS // 8 < killed < STARTS // 2 - STARTS // 8


def test_starts_would_show_a_boot_count_used_again() -> None:
    with boot_count_used_again(), pytest.raises(AssertionError, match="used twice"):
        starts(1, 40)
