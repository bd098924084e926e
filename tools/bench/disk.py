"""Bytes and flushes that reach a block device, counted by the kernel under a real ext4.

In real time, because the file system adds its own: the journal every few seconds (each write gives
the file a new time), and what it writes back after half a minute. Two minutes; only root may mount.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gateway.buffer.store import Settings
from gateway.buffer.writer_cpython import open_buffer
from gateway.core.reading import BULK, Point, Reading
from tools.bench.rows import row
from tools.powercut import media

if TYPE_CHECKING:
    from gateway.buffer.buffer import Buffer

SECONDS = 120
DAY_S = 86_400
SECTOR_BYTES = 512
IMAGE_BYTES = 160 << 20
SETTINGS = Settings(12 << 20, 32 << 20, 4 << 20, 10_000)
POINTS = [Point(f"meter-{n // 10}/value_{n % 10}", "", "V", BULK, 10_000) for n in range(100)]
DAY_MB_MAX = 100
COMMIT_BYTES_MAX = 7_000
FLUSHES_MAX = 1.5


class Pace(NamedTuple):
    """10 readings/s committed every `commit_s`, on a file system mounted with `options`."""

    commit_s: int
    confirmed: bool  # by a platform, which costs a cursor every 10 s
    options: tuple[str, ...] = ()


# The budget is for a journal that is written once a minute: every promise of the buffer rests on
# fdatasync and fsync, which wait for no journal timer. (`lazytime` changes nothing: ext4 counts a
# version of the inode with each new time.)
DAY = "10 s, ext4 with commit=60"
FAST = "1 s"
PACES = {
    "10 s, ext4 as it is": Pace(10, True),
    DAY: Pace(10, True, ("commit=60",)),
    FAST: Pace(1, False),
}


class Written(NamedTuple):
    """What a device counted."""

    size_bytes: int
    flushes: int


def run() -> list[dict[str, object]]:
    """Measure and return the rows."""
    why = media.refusal()
    if why:
        why = f"not measured: {why}"
        return [{"figure": "bytes reaching the device", "value": "-", "unit": why}]
    with media.workplace() as place, contextlib.ExitStack() as stack:
        points = {}
        for number, (name, pace) in enumerate(PACES.items()):
            image = place / f"{number}.img"
            media.make_ext4(image, IMAGE_BYTES)
            point = place / str(number)
            points[name] = stack.enter_context(media.mounted(image, point, *pace.options))
        found = asyncio.run(_all(points))
    day = SECONDS / DAY_S * 1e6
    rows: list[dict[str, object]] = []
    for name in PACES:
        size_mb = round(found[name].size_bytes / day, 1)
        budget = DAY_MB_MAX if name == DAY else None
        rows.append(row(f"10 readings/s, commits of {name}", size_mb, "MB/day", budget))
    commits = SECONDS / PACES[FAST].commit_s
    size_bytes, flushes = found[FAST]
    told = "per commit of 10 readings, one a second"
    rows.append(row(f"bytes {told}", round(size_bytes / commits), "B", COMMIT_BYTES_MAX))
    rows.append(row(f"flushes {told}", round(flushes / commits, 2), "", FLUSHES_MAX))
    return rows


async def _all(points: dict[str, Path]) -> dict[str, Written]:
    found = await asyncio.gather(*[_paced(points[name], PACES[name]) for name in points])
    return dict(zip(points, found, strict=True))


async def _paced(point: Path, pace: Pace) -> Written:
    buffer = await open_buffer(str(point / "buffer"), SETTINGS, POINTS, "0")
    await asyncio.to_thread(media.call, "sync", "-f", str(point))
    before = written(point)
    running = asyncio.create_task(_live(buffer, pace))
    await asyncio.sleep(SECONDS)
    after = written(point)
    running.cancel()
    await buffer.close()
    return Written(after.size_bytes - before.size_bytes, after.flushes - before.flushes)


async def _live(buffer: Buffer, pace: Pace) -> None:
    clock = asyncio.get_running_loop()
    began_s = clock.time()
    turn = 0
    while True:
        turn += 1
        await asyncio.sleep(began_s + turn * pace.commit_s - clock.time())
        at_ms = turn * pace.commit_s * 1000
        buffer.add(
            BULK,
            [
                Reading(point.name, 230.1 + place, at_ms + place * 100)
                for place, point in enumerate(POINTS[: 10 * pace.commit_s])
            ],
        )
        await buffer.commit()
        if pace.confirmed:
            buffer.acked(BULK, buffer.log_id(BULK), buffer.last(BULK))


def written(point: Path) -> Written:
    """Return what the kernel has counted for the device mounted at `point`."""
    device = media.call("findmnt", "-no", "SOURCE", str(point))
    fields = Path(f"/sys/block/{Path(device).name}/stat").read_text().split()
    # Documentation/block/stat.rst: sectors written are the 7th, flushes the 16th field.
    return Written(int(fields[6]) * SECTOR_BYTES, int(fields[15]))
