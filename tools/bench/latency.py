"""How late the agent's event loop runs while its disk stalls: in the process itself, under load.

A metronome in the agent's loop wants to beat every 5 ms and notes how late it does. Meanwhile the
block device under the buffer stands still for 5 s, several times (root); where we may not mount,
`fdatasync` takes that long. `python -m tools.bench.latency BEATS STALL VERB …` is the agent with
such a metronome; without a verb it only beats, which shows what the machine itself does.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gateway import __main__ as command_line
from gateway.agent.agent import Agent
from tools.bench.rows import row
from tools.demo.account import account
from tools.demo.world import World
from tools.powercut import media

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

BEAT_S = 0.005
SETTLE_S = 8.0  # the agent has connected, polled everything, and loads nothing more
STALLS = 3
STALL_S = 5.0
BETWEEN_S = 3.0
P99_MS_MAX = 20
MS_MAX = 200
IMAGE_BYTES = 64 << 20


class Found(NamedTuple):
    """Lateness (ms) of the agent's loop and of a bare one, and the account afterwards."""

    agent_ms: list[float]
    bare_ms: list[float]
    account: dict[str, Any]
    slowest_ms: float  # the longest write or sync seen


def run() -> list[dict[str, object]]:
    """Measure and return the rows."""
    real = not media.refusal()
    found = measure(STALLS, real)
    how = "device stopped" if real else "slow fdatasync"
    told = f"{STALLS} stalls of {STALL_S:.0f} s ({how})"
    return [
        row(
            f"loop of the agent late, p99, {told}",
            _percentile(found.agent_ms, 99),
            "ms",
            P99_MS_MAX,
        ),
        row("loop of the agent late, max", max(found.agent_ms), "ms", MS_MAX),
        row("an idle loop beside it late, p99", _percentile(found.bare_ms, 99), "ms"),
        row("an idle loop beside it late, max", max(found.bare_ms), "ms"),
        row("longest write or sync meanwhile", round(found.slowest_ms), "ms"),
        row("readings lost", found.account["lost"], "readings", 0),
        row("readings in gaps", found.account["gaps"], "readings", 0),
        row("readings twice", found.account["duplicates"], "readings", 0),
    ]


def measure(stalls: int, real: bool) -> Found:
    """Stall the disk under a running agent `stalls` times; `real`: by its block device."""
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as folder:
        top = Path(folder)
        with _buffer_on(top, real) as device, World(top, seed=1) as world:
            world.start()
            world.process("agent").kill()
            beats, stall = top / "beats", top / "stall"
            here = ("-m", "tools.bench.latency")
            site = ("run", "--site", str(world.site))
            world.stage.python("agent", *here, str(beats), str(stall), *site)
            world.stage.python("bare", *here, str(top / "bare"), str(stall))
            time.sleep(SETTLE_S)
            settled_s = time.monotonic()
            for _ in range(stalls):
                with _stalled(device, stall):
                    time.sleep(STALL_S)
                time.sleep(BETWEEN_S)
            world.process("bare").kill()
            found = account(world, 0.0)
        agent_ms, slow_ms = _late_ms(beats, settled_s)
        return Found(agent_ms, _late_ms(top / "bare", settled_s)[0], found, max(slow_ms))


@contextlib.contextmanager
def _buffer_on(top: Path, real: bool) -> Iterator[media.Exported | None]:
    """Put the buffer's folder on a device that can be stopped, if `real`."""
    if not real:
        yield None
        return
    with media.workplace() as place:
        image = place / "disk.img"
        media.make_ext4(image, IMAGE_BYTES)
        with media.Exported(image, "exporter") as device:
            with media.mounted(device.device, place / "mnt") as point:
                (point / "buffer").mkdir()
                (top / "buffer").symlink_to(point / "buffer")
                yield device


@contextlib.contextmanager
def _stalled(device: media.Exported | None, stall: Path) -> Iterator[None]:
    if device is not None:
        device.process.pause()
    else:
        stall.touch()
    try:
        yield
    finally:
        if device is not None:
            device.process.resume()
        stall.unlink(missing_ok=True)


def _late_ms(path: Path, from_s: float) -> tuple[list[float], list[float]]:
    """Return what a metronome noted from `from_s` on: lateness, and how long the disk took."""
    late: list[float] = []
    slow: list[float] = []
    for line in path.read_text().splitlines():
        kind, at_s, ms = line.split()
        if float(at_s) >= from_s:
            (late if kind == "late" else slow).append(float(ms))
    return late, slow or [0.0]


def _percentile(values: list[float], percent: int) -> float:
    return sorted(values)[len(values) * percent // 100]


async def _beat(path: Path) -> None:
    clock = asyncio.get_running_loop()
    lines: list[str] = []
    while True:
        due_s = clock.time() + BEAT_S
        await asyncio.sleep(BEAT_S)
        now_s = clock.time()
        lines.append(f"late {now_s} {(now_s - due_s) * 1000:.2f}\n")
        if len(lines) == 100:  # rarely: noting must not be what is noted
            with path.open("a") as file:
                file.writelines(lines)
            lines.clear()


def _watch_disk(path: Path, stall: Path) -> None:
    """Note how long each write and sync takes; while the file `stall` is there, none comes back."""

    def watched(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any) -> Any:
            began_s = time.monotonic()
            while stall.exists():
                time.sleep(BEAT_S)
            answer = real(*given)
            now_s = time.monotonic()
            with path.open("a") as file:
                print("disk", now_s, f"{(now_s - began_s) * 1000:.2f}", file=file)
            return answer

        return call

    # A write waits as well: for the journal, to which it gives the file's new time.
    os.pwrite = watched(os.pwrite)
    os.fdatasync = watched(os.fdatasync)


def main(argv: list[str]) -> int:
    """Be an agent, or nothing, with a metronome."""
    beats, stall, *words = argv
    if not words:
        asyncio.run(_beat(Path(beats)))
    _watch_disk(Path(beats), Path(stall))
    real = Agent.run

    async def run(agent: Agent) -> None:
        beating = asyncio.ensure_future(_beat(Path(beats)))
        try:
            await real(agent)
        finally:
            beating.cancel()

    Agent.run = run  # type: ignore[method-assign,assignment]
    return command_line.main(words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
