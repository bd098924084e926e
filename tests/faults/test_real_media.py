"""Real media that fail under the buffer: full, no room to format, errors of writing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import subprocess
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.buffer.store import Settings
from gateway.buffer.writer_cpython import open_buffer
from gateway.core.reading import BULK, CRIT, RINGS, Gap, Point, Reading
from tests.support.mounting import fill, need_mounts
from tools.powercut import media

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from typing import Any

    from gateway.buffer.buffer import Buffer

SEGMENT = 65_536
SETTINGS = Settings(4 * SEGMENT, 6 * SEGMENT, SEGMENT, 10_000)
POINTS = [Point("writer/number", "", "", BULK, 0)]
IMAGE_BYTES = 12 << 20


@pytest.fixture
def brittle() -> Iterator[media.Brittle]:
    need_mounts()
    with media.workplace() as place, media.Brittle(place, IMAGE_BYTES) as medium:
        yield medium


def lived(work: Callable[[Buffer], Coroutine[Any, Any, Any]], path: Path) -> Any:
    """Open the buffer on `path` in a process of its own and return what `work` returns there."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException), os.fdopen(theirs, "wb") as pipe:
            try:
                pipe.write(pickle.dumps(asyncio.run(_life(work, path))))
            except BaseException:  # the parent tells it
                pipe.write(pickle.dumps(AssertionError(traceback.format_exc())))
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        answer = pickle.loads(pipe.read())
    os.waitpid(child, 0)
    if isinstance(answer, AssertionError):
        raise answer
    return answer


async def _life(work: Callable[[Buffer], Coroutine[Any, Any, Any]], path: Path) -> Any:
    return await work(await open_buffer(str(path / "buffer"), SETTINGS, POINTS, "0"))


async def take(buffer: Buffer, value: int, count: int = 10) -> int:
    """Commit `count` readings and return the last value."""
    values = range(value + 1, value + 1 + count)
    buffer.add(BULK, [Reading("writer/number", f"{one:>80}", one) for one in values])
    await buffer.commit()
    return values[-1]


async def drained(buffer: Buffer) -> tuple[list[int], dict[str, int]]:
    """Return the values of all readings from the cursors on, and what gaps tell of by reason."""
    values: list[int] = []
    gaps: dict[str, int] = {}
    for ring in RINGS:
        after = buffer.cursor(ring)
        while (batch := await buffer.next_batch(ring, after, 256, 1 << 16)) is not None:
            for item in batch.items:
                if isinstance(item, Gap):
                    gaps[item.reason] = gaps.get(item.reason, 0) + item.count
                else:
                    values.append(int(str(item.value)))
            after = batch.seq + len(batch.items) - 1
    return values, gaps


async def told(buffer: Buffer) -> tuple[list[int], dict[str, int], dict[str, Any]]:
    """Return what `drained` returns, and the counts."""
    assert buffer.durable
    return *await drained(buffer), buffer.counts()


def test_real_full_disk_does_not_stop_a_ring_that_rolls_evicts_and_restarts(
    brittle: media.Brittle,
) -> None:
    value = 0

    async def life(buffer: Buffer) -> int:
        last = value
        for turn in range(turns):
            last = await take(buffer, last)
            if turn % 7 == 0:
                buffer.acked(CRIT, buffer.log_id(CRIT), buffer.last(CRIT))
        assert buffer.durable
        return last

    turns = 10
    value = lived(life, brittle.point)
    fill(brittle.point)
    turns = 400
    for _ in range(3):
        value = lived(life, brittle.point)
    brittle.again()
    values, _, counts = lived(told, brittle.point)
    assert values == list(range(values[0], value + 1)), "the newest are there, without a hole"
    assert counts["sampled"] == value == 3 * 4000 + 100
    assert counts["gaps"] == values[0] - 1 > 5000


@pytest.mark.parametrize("left_bytes", [0, 100_000, 700_000])
def test_real_full_disk_at_the_first_start_is_refused_cleanly(
    brittle: media.Brittle, left_bytes: int
) -> None:
    async def life(buffer: Buffer) -> tuple[bool, list[int]]:
        await take(buffer, 0)
        return buffer.durable, (await drained(buffer))[0]

    (brittle.point / "soon").write_bytes(bytes(left_bytes))
    fill(brittle.point)
    (brittle.point / "soon").unlink()
    durable, values = lived(life, brittle.point)
    assert values == list(range(1, 11)), "a reading was refused"
    assert durable == (left_bytes > SEGMENT * 6), "three files for each ring"
    (brittle.point / "others").unlink()
    durable_then, values = lived(life, brittle.point)
    assert durable_then, "room was made, and it does not help"
    assert values == (2 if durable else 1) * list(range(1, 11))


def with_errors(medium: media.Brittle, everywhere: bool) -> tuple[list[int], list[int], Any]:
    """Write on while nothing new can be written, everywhere or in the open segment only.

    Return the values handed out as durable, those that a good medium with the same bytes holds,
    and whether the buffer was durable at the end.
    """

    async def life(buffer: Buffer) -> tuple[list[int], bool]:
        claimed: list[int] = []
        log_id = buffer.log_id(BULK)
        value = await take(buffer, 0)
        medium.fail(None if everywhere else medium.point / "buffer/bulk/s-00000001.sgl")
        for _ in range(20):
            value = await take(buffer, value)
            if buffer.log_id(BULK) == log_id:
                claimed = (await drained(buffer))[0]
        waiting, gaps = await drained(buffer)
        assert waiting[-1] == value, "the uplink does not go on"
        assert not gaps
        counts = buffer.counts()
        assert counts["sampled"] == counts["buffered"] == value
        return claimed, buffer.durable

    claimed, durable = lived(life, medium.point)
    medium.again()
    values, _, _ = lived(told, medium.point)
    assert len(claimed) >= 10
    return claimed, values, durable


@pytest.mark.parametrize("everywhere", [False, True])
def test_real_write_errors_cost_nothing_that_was_called_durable(
    brittle: media.Brittle, everywhere: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = brittle.point.parent / "failures"
    real = os.fdatasync

    def noted(descriptor: int) -> None:
        try:
            real(descriptor)
        except OSError:
            with failures.open("a") as file:
                print(Path(f"/proc/self/fd/{descriptor}").readlink().name[:5], file=file)
            raise

    monkeypatch.setattr(os, "fdatasync", noted)
    claimed, values, durable = with_errors(brittle, everywhere)
    assert values[: len(claimed)] == claimed, "was called durable, and is not there"
    assert durable is not everywhere
    if durable:
        assert claimed == list(range(1, 211))
    # Asked once of each file: of the segment, and of the spare that was to take its place.
    assert failures.read_text().split() == (["s-000", "spare"] if everywhere else ["s-000"])


def test_real_write_errors_catch_the_mutant_that_asks_again(
    brittle: media.Brittle, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fdatasync

    def again(descriptor: int) -> None:
        try:
            real(descriptor)
        except OSError:
            real(descriptor)

    monkeypatch.setattr(os, "fdatasync", again)
    claimed, values, durable = with_errors(brittle, everywhere=False)
    assert durable
    assert values[: len(claimed)] != claimed, "the kernel forgot the pages, and said nothing"


def test_real_media_of_a_killed_rig_are_taken_away_by_the_next() -> None:
    need_mounts()
    script = (
        "import time; from tools.powercut import media\n"
        "with media.workplace() as place:\n"
        "    media.make_ext4(place / 'disk.img', 8 << 20)\n"
        "    with media.Exported(place / 'disk.img', 'exporter', recorded=True) as disk:\n"
        "        with media.mounted(disk.device, place / 'mnt'):\n"
        "            print(place, flush=True)\n"
        "            time.sleep(60)\n"
    )
    rig = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert rig.stdout is not None
    place = rig.stdout.readline().strip()
    rig.kill()
    rig.wait()
    assert f"{place}/mnt" in Path("/proc/self/mounts").read_text()
    assert len(media.loops(place)) == 1
    media.sweep()
    assert place not in Path("/proc/self/mounts").read_text()
    assert not Path(place).exists()
    assert not media.loops(place)
