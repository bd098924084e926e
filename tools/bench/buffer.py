"""What the buffer costs: bytes and syncs per commit, CPU per reading, time to start.

Bytes are counted in pages of 4 KiB, as the device gets them: every page touched since the last
sync counts once per sync. What the file system adds for itself (journal, inode times) is not in
it: on ext4 that was measured as half a page per commit more.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from typing import TYPE_CHECKING

from gateway.buffer.buffer import Buffer
from gateway.buffer.files_cpython import DiskFile, DiskFiles
from gateway.buffer.ring import CURSOR, GROWING
from gateway.buffer.store import Settings
from gateway.core.reading import BULK, CRIT, RINGS, Point, Reading
from tools.bench.rows import row

if TYPE_CHECKING:
    from typing import Any

PAGE_BYTES = 4096
_MIB = 1 << 20
_POINTS = [Point(f"meter-{n // 10}/value_{n % 10}", "", "V", BULK, 10_000) for n in range(100)]
_HOUR_S = 3600
_DAY_HOURS = 24


class _CountingFile(DiskFile):
    def __init__(self, path: str, files: _CountingFiles) -> None:
        super().__init__(path)
        self._files = files
        self._pages: set[int] = set()

    def write(self, at: int, data: bytes) -> None:
        super().write(at, data)
        self._files.written_bytes += len(data)
        self._pages |= set(range(at // PAGE_BYTES, (at + len(data) - 1) // PAGE_BYTES + 1))

    def sync(self) -> None:
        super().sync()
        self._files.syncs += 1
        self._files.pages += len(self._pages)
        if self._path.endswith(CURSOR):
            self._files.cursor_pages += len(self._pages)
            self._files.cursor_syncs += 1
        self._pages = set()


class _CountingFiles(DiskFiles):
    """The real directory, with every write and sync counted."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self._top = root
        self.written_bytes = self.pages = self.syncs = self.cursor_pages = self.cursor_syncs = 0

    def open(self, path: str) -> DiskFile:
        return _CountingFile(os.path.join(self._top, path), self)


def run() -> list[dict[str, Any]]:
    """Measure and return the rows."""
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as root:
        return asyncio.run(_measure(root))


async def _measure(root: str) -> list[dict[str, Any]]:
    rows = await _an_hour(os.path.join(root, "hour"))
    rows += await _in_bulk(os.path.join(root, "bulk"))
    rows += await _as_sold(os.path.join(root, "sold"))
    return rows


async def _an_hour(root: str) -> list[dict[str, Any]]:
    """10 readings/s for an hour, committed every 10 s and confirmed at once."""
    files = _CountingFiles(root)
    buffer = await _opened(files, Settings(12 * _MIB, 16 * _MIB, 4 * _MIB))
    files.written_bytes = files.pages = files.syncs = files.cursor_pages = files.cursor_syncs = 0
    commits = readings = 0
    for second in range(0, _HOUR_S, 10):
        readings += 100
        buffer.add(BULK, _some(second * 1000))
        buffer._saved_ms = -(1 << 40)  # in life ten seconds have passed since the last cursor
        await buffer.commit()
        commits += 1
        for seq in range(buffer.last(BULK) - 99, buffer.last(BULK) + 1, 10):
            buffer.acked(BULK, buffer.log_id(BULK), seq)
            await buffer.commit(telemetry=False)
    pages, syncs, written = files.pages, files.syncs, files.written_bytes
    cursors = files.cursor_syncs
    await buffer.close()
    day_mb = pages * PAGE_BYTES * _DAY_HOURS / 1e6
    return [
        row("bytes reaching the disk, 10 readings/s, 10 s", round(day_mb, 1), "MB/day", 100),
        row("bytes written per commit of 100, cursor included", written // commits, "B"),
        row("pages of 4 KiB per commit, cursor included", round(pages / commits, 2), "pages"),
        row("fdatasync per commit, cursor included", round(syncs / commits, 2), "calls", 2),
        row("bytes stored per reading", round(written / readings, 1), "B"),
        row("bytes per cursor write", files.cursor_pages * PAGE_BYTES // cursors, "B", 5000),
        row("cursor writes in 10 s of acknowledgements", cursors / commits, "calls", 1),
    ]


async def _in_bulk(root: str) -> list[dict[str, Any]]:
    """Write many readings, and read them back."""
    settings = Settings(12 * _MIB, 64 * _MIB, 4 * _MIB)
    buffer = await _opened(DiskFiles(root), settings)
    started = time.process_time()
    written = 0
    while written < 200_000:
        buffer.add(BULK, _some(written))
        buffer.add(BULK, _some(written + 500))
        await buffer.commit()
        written += 200
    write_us = (time.process_time() - started) / written * 1e6
    started = time.process_time()
    after = read = 0
    while (batch := await buffer.next_batch(BULK, after)) is not None:
        after = batch.seq + len(batch.items) - 1
        read += len(batch.items)
    read_us = (time.process_time() - started) / read * 1e6
    await buffer.close()
    return [
        row("CPU to take and commit a reading", round(write_us, 2), "us"),
        row("CPU to read a reading back for the uplink", round(read_us, 2), "us"),
    ]


async def _as_sold(root: str) -> list[dict[str, Any]]:
    """The rings of the default size: the first start, and one with 512 MiB full of readings."""
    settings = Settings()
    started = time.perf_counter()
    buffer = await _opened(DiskFiles(root), settings)
    buffer.add(BULK, _some(0))
    await buffer.commit()
    first_ms = (time.perf_counter() - started) * 1000
    task = asyncio.create_task(buffer.run())
    started, longest_ms = time.perf_counter(), 0.0
    while _growing(root):
        asked = time.perf_counter()
        buffer.add(CRIT, _some(0)[:1])
        await buffer.commit(telemetry=False)
        longest_ms = max(longest_ms, (time.perf_counter() - asked) * 1000)
        await asyncio.sleep(0.1)
    fill_s = time.perf_counter() - started
    task.cancel()
    # To the brim, and beyond, with large readings: what a start costs depends on its being full.
    text = "x" * 3000
    while buffer.counts()["gaps"] == 0:
        buffer.add(BULK, [Reading(_POINTS[0].name, text, place) for place in range(1000)])
        await buffer.commit()
    buffered = buffer.counts()["buffered"]
    await buffer.close()
    cold_ms, _ = await _restarted(root, settings, cold=True)
    warm_ms, again = await _restarted(root, settings, cold=False)
    assert again == buffered
    return [
        row("first start to the first commit, 544 MiB", round(first_ms), "ms", 5000),
        row("… until the ring is filled with zeros behind it", round(fill_s, 1), "s"),
        row("… longest an alarm waited for its commit meanwhile", round(longest_ms, 1), "ms"),
        row("start with a full ring of 512 MiB", round(warm_ms, 1), "ms", 2000),
        row("… with none of its files cached", round(cold_ms, 1), "ms", 2000),
    ]


def _growing(root: str) -> bool:
    return any(name.startswith(GROWING) for ring in RINGS for name in DiskFiles(root).names(ring))


async def _restarted(root: str, settings: Settings, *, cold: bool) -> tuple[float, int]:
    """Return how long a start takes in ms, and how many readings it finds."""
    for folder, _, names in os.walk(root):
        for name in names if cold else []:
            descriptor = os.open(os.path.join(folder, name), os.O_RDONLY)
            os.fsync(descriptor)  # only clean pages can be dropped
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)
    started = time.perf_counter()
    buffer = await _opened(DiskFiles(root), settings)
    took_ms = (time.perf_counter() - started) * 1000
    found: int = buffer.counts()["buffered"]
    await buffer.close()
    return took_ms, found


async def _opened(files: DiskFiles, settings: Settings) -> Buffer:
    return await Buffer.open(
        files, settings, _POINTS, kernel="bench", version="0", random=os.urandom
    )


def _some(at_ms: int) -> list[Reading]:
    return [
        Reading(point.name, 230.1 + place, at_ms + place * 100)
        for place, point in enumerate(_POINTS)
    ]
