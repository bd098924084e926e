"""A whole gateway on a medium that fails under it, fills up, or is remounted read-only."""

from __future__ import annotations

import errno
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.mounting import fill, need_mounts
from tests.support.scene import GW, Scene, scene
from tools.demo.account import Disk
from tools.powercut import media

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.system

IMAGE_BYTES = 64 << 20  # both rings of three segments of 4 MiB, twice: they take half of a disk
PER_S = 50
VOLATILE_S = 10.0
SLOW_S = 60.0  # where the machine lets everybody wait, which is not counted
IN_FLIGHT_S = 0.5  # from a request to its reply, on a machine that lets everybody wait
UNSURE_S = 1.5  # before a kill: not committed yet; before a failure: told under both logs


@pytest.fixture
def medium(tmp_path: Path) -> Iterator[media.Brittle]:
    """A medium with the gateway's buffer folder on it."""
    need_mounts()
    with media.workplace() as place, media.Brittle(place, IMAGE_BYTES) as found:
        (found.point / "buffer").mkdir()
        (tmp_path / GW).mkdir()
        (tmp_path / GW / "buffer").symlink_to(found.point / "buffer")
        yield found


def started(stage: Scene) -> Path:
    """Start everything and return the site once readings arrive."""
    stage.broker()
    stage.fusion()
    site = stage.site(stage.bus("river", f"{1000 // PER_S}ms"), announce="1s")
    stage.agent(site)
    stage.until(lambda: stage.delivered() > PER_S)
    return site


def harm(medium: media.Brittle, how: str) -> None:
    if how == "errors":
        medium.fail()
        return
    trigger = Path(f"/sys/fs/ext4/{Path(medium.device).name}/trigger_fs_error")
    try:
        trigger.write_text("1")  # as ext4 does when it meets an error itself
    except OSError as error:
        pytest.skip(f"{trigger}: {error.strerror}")
    with pytest.raises(OSError) as refused:
        (medium.point / "anything").touch()
    assert refused.value.errno == errno.EROFS


def durable(stage: Scene) -> bool | None:
    found: bool | None = stage.health().get("durable")
    return found


def unkept(stage: Scene) -> int:
    """Return how many readings arrived under a log of the disk that are not on the disk."""
    disk = Disk(stage.folder / GW / "buffer")
    count = 0
    for log, ring, seq in stage.asked(
        "SELECT log, ring, seq FROM readings JOIN streams USING (stream_id)"
    ):
        key = int.from_bytes(log[:4], "little"), ring
        count += key in disk.readings and seq not in disk.readings[key]
    assert disk.readings
    return count


def arrived(stage: Scene) -> list[int]:
    """Return the numbers of the device that the platform holds, as often as it does."""
    rows = stage.asked("SELECT value FROM readings WHERE value IS NOT NULL ORDER BY value")
    return [int(row[0]) for row in rows]


def outside(stage: Scene, spans_s: list[tuple[float, float]], numbers: set[int]) -> set[int]:
    """Return those of `numbers` that the device was not asked for within any of these spans."""
    asked = stage.log("river").asked
    return {
        number
        for number in numbers
        if not any(from_s <= asked[number][0] <= to_s for from_s, to_s in spans_s)
    }


@pytest.mark.parametrize("how", ["errors", "read-only"])
def test_disk_that_fails_leaves_the_gateway_delivering_and_saying_so(
    tmp_path: Path, medium: media.Brittle, how: str
) -> None:
    with scene(tmp_path) as stage:
        site = started(stage)
        agent = stage.stage.processes[GW]
        paused_s = time.monotonic()
        agent.pause()
        harm(medium, how)
        agent.resume()
        failed_s = time.monotonic()
        stage.until(lambda: durable(stage) is False, SLOW_S)
        volatile_s = time.monotonic() - failed_s
        waited_s = stage.log("river").machine_late_s(failed_s, failed_s + volatile_s)
        before = stage.delivered()
        stage.until(lambda: stage.delivered() > before + 2 * PER_S)
        agent.kill()
        killed_s = time.monotonic()
        time.sleep(0.5)
        medium.again()
        assert unkept(stage) == 0, "sent as durable, and not on the disk"
        stage.agent(site)
        stage.until(lambda: durable(stage) is True)
        before = stage.delivered()
        stage.until(lambda: stage.delivered() > before + PER_S)
        agent.kill()
        ended_s = time.monotonic()
        time.sleep(0.5)
        found = arrived(stage)
        asked = set(stage.log("river").asked)
    missing = asked - set(found)
    twice = {number for number, times in Counter(found).items() if times > 1}
    print(f"{how}: volatile after {volatile_s:.1f} s; {len(asked)} asked, {len(missing)} missing")
    assert volatile_s - waited_s <= VOLATILE_S
    assert set(found) <= asked
    kills = [(killed_s - UNSURE_S, killed_s), (ended_s - UNSURE_S, ended_s)]
    unread = outside(stage, kills, missing)  # its reply came while the agent stood still
    assert len(unread) <= 1, unread
    assert not outside(stage, [(paused_s - IN_FLIGHT_S, failed_s)], unread)
    assert not outside(stage, [(failed_s - UNSURE_S, failed_s + volatile_s)], twice)


def test_disk_filled_by_others_does_not_disturb_the_gateway(
    tmp_path: Path, medium: media.Brittle
) -> None:
    with scene(tmp_path) as stage:
        site = started(stage)
        fill(medium.point)
        before = stage.delivered()
        stage.until(lambda: stage.delivered() > before + 4 * PER_S)
        stage.stage.processes[GW].kill()
        stage.agent(site)  # also the start needs no room
        before = stage.delivered()
        stage.until(lambda: stage.delivered() > before + 2 * PER_S)
        assert durable(stage)
        stage.settle(buffered_max=PER_S)
        assert not [line for line in stage.said() if "volatile" in line]
