"""What the program costs before it has done anything, and with a full buffer: time and memory."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gateway.buffer.store import Settings
from gateway.buffer.writer_cpython import open_buffer
from gateway.core.errors import LinkError
from gateway.core.reading import BULK, Point, Reading
from tools.bench.rows import row
from tools.demo.world import World
from tools.fusion.schema import open_readonly

RUNS = 21
SETTLE_S = 20.0  # by then every device was polled, packs were sent and acknowledged
HELP_MS_MAX = 60
IMPORT_MS_MAX = 150
RSS_MIB_MAX = 40
FULL = Settings()  # the sizes a site has that names none
FULL_MIB_MAX = 128
START_MS_MAX = 2000
FILLER = "x" * 200  # ten times what a number takes: the ring is full in seconds
DRAINED_MIN = 50_000  # by then every part of a drain has been at work
DRAIN_S = 120.0  # of which it may wait half before it connects again


def run() -> list[dict[str, object]]:
    """Measure and return a row per figure."""
    bare_ms = _median_ms("-c", "pass")
    help_ms = _median_ms("-m", "gateway", "--help")
    import_ms = _median_ms("-c", "import gateway.agent.agent")
    rss_mib = _idle_rss_mib()
    start_ms, full_mib, drain_mib = _full()
    return [
        {"figure": "start of bare Python", "value": bare_ms, "unit": "ms"},
        row("tidegate --help", help_ms, "ms", HELP_MS_MAX),
        row("import of the agent", import_ms - bare_ms, "ms", IMPORT_MS_MAX),
        row("agent, 4 devices, 84 points, RSS", rss_mib, "MiB", RSS_MIB_MAX),
        row("start of a full buffer of 512 MiB", start_ms, "ms", START_MS_MAX),
        row("agent with it and no broker, most RSS ever", full_mib, "MiB", FULL_MIB_MAX),
        row("agent while it drains, most RSS ever", drain_mib, "MiB", FULL_MIB_MAX),
    ]


def _median_ms(*arguments: str) -> float:
    times = []
    for _ in range(RUNS):
        before_s = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        times.append((time.perf_counter() - before_s) * 1000)
    return round(statistics.median(times), 1)


def _idle_rss_mib() -> float:
    with tempfile.TemporaryDirectory() as directory:
        with World(Path(directory), seed=1) as world:
            world.start()
            time.sleep(SETTLE_S)
            return _mib(world, "VmRSS")


def _full() -> tuple[float, float, float]:
    """Return how long a start on a full ring takes, and the memory on it: idle, draining."""
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as directory:
        with World(Path(directory), seed=1) as world:
            start_ms = asyncio.run(_fill(world.buffer))
            world.start()
            for name in ("agent", "broker"):
                world.process(name).kill()
            text = world.site.read_text()
            assert "crit: 4MiB, bulk: 16MiB, " in text
            world.site.write_text(text.replace("crit: 4MiB, bulk: 16MiB, ", ""))
            world.process("agent").start()
            time.sleep(SETTLE_S)
            full_mib = _mib(world, "VmHWM")
            world.process("broker").start()
            agent = world.process("agent")
            agent.until(lambda: _arrived(world) > DRAINED_MIN, "drain", DRAIN_S)
            return start_ms, full_mib, _mib(world, "VmHWM")


def _arrived(world: World) -> int:
    with contextlib.closing(open_readonly(world.database)) as database:
        return int(database.execute("SELECT count(*) FROM readings").fetchone()[0])


async def _fill(path: Path) -> float:
    """Fill the ring until it evicts, and return how long the next start takes (ms)."""
    points = [Point("filler/text", "", "", BULK, 0)]
    buffer = await open_buffer(str(path), FULL, points, "0")
    turn = 0
    while not buffer.counts()["gaps"]:
        turn += 1
        buffer.add(BULK, [Reading("filler/text", FILLER, turn * 1000 + n) for n in range(2000)])
        await buffer.commit()
    await buffer.close()
    before_s = time.perf_counter()
    buffer = await open_buffer(str(path), FULL, points, "0")
    start_ms = (time.perf_counter() - before_s) * 1000
    await buffer.close()
    return start_ms


def _mib(world: World, what: str) -> float:
    agent = world.process("agent")
    if not agent.alive:
        raise LinkError(f"the agent ended: {agent.last_words()}")
    status = Path(f"/proc/{agent.pid}/status").read_text()
    kib = next(line.split()[1] for line in status.splitlines() if line.startswith(f"{what}:"))
    return int(kib) / 1024
