"""Power cuts under a whole gateway: nothing was sent that is not there, and little was not yet."""

from __future__ import annotations

import asyncio
import contextlib
import time
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import pytest

from gateway.buffer.store import Settings
from gateway.buffer.writer_cpython import open_buffer
from gateway.core.reading import BULK, Reading
from tests.support.mounting import need_mounts
from tests.support.scene import GW, Scene, scene
from tools.powercut import media
from tools.powercut.blocklog import ENDINGS, Cuts, read_log

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system

IMAGE_BYTES = 40 << 20
PER_S = 50
LIFE_S = 10.0
CUTS = 40
COMMIT_S = 0.2
WINDOW_S = COMMIT_S + 1.0  # what a cut may cost: the commit interval, and a second


class Look(NamedTuple):
    """At `at_s` the platform held `log` up to `seq`, a `value`; the block log had `size` bytes."""

    at_s: float
    log: bytes
    seq: int
    value: int
    size: int


class Left(NamedTuple):
    """What a buffer tells after a cut."""

    log: bytes
    last: int
    value: int  # the newest reading's, 0 if the platform has acknowledged all


def test_power_cuts_under_a_gateway_take_nothing_that_was_sent_and_at_most_the_loss_window(
    tmp_path: Path,
) -> None:
    need_mounts()
    with media.workplace() as place:
        image = place / "disk.img"
        media.make_ext4(image, IMAGE_BYTES)
        base = image.read_bytes()
        looks, asked_s, log = lived(tmp_path, image)
        entries = read_log(log)
        doubtful = [n for n, entry in enumerate(entries, 1) if entry.data]
        moments = [n for n in doubtful if looks[0].size <= entries[n - 1].end <= looks[-1].size]
        dice = Random(1)
        cuts = Cuts(base, entries, media.BLOCK_BYTES)
        worst_s = 0.0
        for moment in sorted(dice.sample(moments, min(CUTS, len(moments)))):
            left = started_on(place, cuts.left(moment, dice.choice(ENDINGS), dice))
            seen = [look for look in looks if look.size <= entries[moment - 1].end]
            assert all(look.log == left.log and look.seq <= left.last for look in seen), (
                "was sent, and is not there: its number will name something else"
            )
            kept = max(left.value, seen[-1].value)
            lost_s = [at for value, at in asked_s.items() if kept < value]
            worst_s = max([worst_s, *(seen[-1].at_s - at for at in lost_s)])
    print(f"{len(moments)} moments, {len(looks)} looks; at most the last {worst_s:.2f} s were lost")
    assert 0 < worst_s <= WINDOW_S
    assert len(moments) >= 20


def lived(folder: Path, image: Path) -> tuple[list[Look], dict[int, float], bytes]:
    """Run a gateway with its buffer on `image`; return looks, when values were asked, the log."""
    with contextlib.ExitStack() as stack:
        disk = stack.enter_context(media.Exported(image, "recorder", recorded=True))
        point = stack.enter_context(media.mounted(disk.device, image.with_suffix(".mnt")))
        (point / "buffer").mkdir()
        (folder / GW).mkdir()
        (folder / GW / "buffer").symlink_to(point / "buffer")
        with scene(folder) as stage:
            stage.broker()
            stage.fusion()
            bus = stage.bus("river", f"{1000 // PER_S}ms")
            stage.agent(stage.site(bus, commit=f"{COMMIT_S * 1000:.0f}ms"))
            stage.until(lambda: stage.delivered() > 0)
            looks = []
            end_s = time.monotonic() + LIFE_S
            while time.monotonic() < end_s:
                looks.append(look(stage, disk.log_path))
                time.sleep(0.05)
            stage.stage.processes[GW].kill()
            asked = stage.log("river").asked
    return looks, {value: at[0] for value, at in asked.items()}, disk.log_path.read_bytes()


def look(stage: Scene, log_path: Path) -> Look:
    """Ask the platform first: what it holds was sent before the log was this long."""
    at_s = time.monotonic()
    held = "SELECT log, max(seq), max(value) FROM readings JOIN streams USING (stream_id)"
    log, seq, value = stage.asked(f"{held} WHERE ring = ?", BULK)[0]
    return Look(at_s, log, seq, int(value), log_path.stat().st_size)


def started_on(place: Path, disk: bytearray) -> Left:
    """Start a buffer on what is left of a disk."""

    async def told(path: Path) -> Left:
        buffer = await open_buffer(str(path), Settings(1 << 20, 4 << 20), [], "0")
        value, after = 0, 0
        while (batch := await buffer.next_batch(BULK, after, 256, 1 << 16)) is not None:
            values = [int(str(item.value)) for item in batch.items if isinstance(item, Reading)]
            value = max([value, *values])
            after = batch.seq + len(batch.items) - 1
        found = Left(buffer.log_id(BULK), buffer.last(BULK), value)
        await buffer.close()
        return found

    image = place / f"cut-{time.monotonic_ns()}.img"
    image.write_bytes(disk)
    with media.mounted(image, place / "cut", "barrier=0") as point:
        found = asyncio.run(told(point / "buffer"))
    image.unlink()
    return found
