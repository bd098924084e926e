"""What a commit costs a real block device, counted by the kernel."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

import gateway.buffer.buffer as buffer_module
from gateway.buffer.store import Settings
from gateway.buffer.writer_cpython import open_buffer
from gateway.core.reading import BULK, Point, Reading
from tests.support.mounting import need_mounts
from tools.bench.disk import Written, written
from tools.powercut import media

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMITS = 300
BYTES_MAX = 5_000
FLUSHES_MAX = 1.1
SETTINGS = Settings(12 << 20, 12 << 20, 4 << 20, 10_000)
POINTS = [Point("meter/value", "", "V", BULK, 1000)]


@pytest.fixture
def point() -> Iterator[Path]:
    need_mounts()
    with media.workplace() as place:
        media.make_ext4(place / "disk.img", 64 << 20)
        with media.mounted(place / "disk.img", place / "mnt") as found:
            yield found


async def commits(point: Path, confirmed: bool) -> Written:
    """Return what one commit of ten readings writes."""
    buffer = await open_buffer(str(point / "buffer"), SETTINGS, POINTS, "0")
    media.call("sync", "-f", str(point))
    before = written(point)
    for turn in range(COMMITS):
        buffer.add(BULK, [Reading("meter/value", 230.1 + n, turn * 1000 + n) for n in range(10)])
        await buffer.commit()
        if confirmed:
            buffer.acked(BULK, buffer.log_id(BULK), buffer.last(BULK))
    after = written(point)
    await buffer.close()
    size_bytes = (after.size_bytes - before.size_bytes) // COMMITS
    return Written(size_bytes, round((after.flushes - before.flushes) / COMMITS, 2))


def test_real_commit_writes_one_block_and_one_flush(point: Path) -> None:
    found = asyncio.run(commits(point, confirmed=False))
    assert 1_000 < found.size_bytes <= BYTES_MAX
    assert 0.9 < found.flushes <= FLUSHES_MAX


def test_real_cursor_writes_one_block_and_one_flush_more(
    point: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buffer_module, "CURSOR_MS", 0)
    found = asyncio.run(commits(point, confirmed=True))
    assert BYTES_MAX < found.size_bytes <= 2 * BYTES_MAX
    assert 1.9 < found.flushes <= 2 * FLUSHES_MAX
