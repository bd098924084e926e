"""What the program costs before it has done anything: start-up times and resident memory."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gateway.core.errors import LinkError
from tools.demo.world import World

RUNS = 21
SETTLE_S = 20.0  # by then every device was polled, packs were sent and acknowledged
HELP_MS_MAX = 60
IMPORT_MS_MAX = 150
RSS_MIB_MAX = 40


def run() -> list[dict[str, object]]:
    """Measure and return a row per figure."""
    bare_ms = _median_ms("-c", "pass")
    help_ms = _median_ms("-m", "gateway", "--help")
    import_ms = _median_ms("-c", "import gateway.agent.agent")
    rss_mib = _idle_rss_mib()
    return [
        {"figure": "start of bare Python", "value": bare_ms, "unit": "ms"},
        _row("tidegate --help", help_ms, "ms", HELP_MS_MAX),
        _row("import of the agent", import_ms - bare_ms, "ms", IMPORT_MS_MAX),
        _row("agent, 4 devices, 84 points, RSS", rss_mib, "MiB", RSS_MIB_MAX),
    ]


def _row(figure: str, value: float, unit: str, budget: float) -> dict[str, object]:
    return {"figure": figure, "value": round(value, 1), "unit": unit, "budget": budget}


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
            agent = world.process("agent")
            if not agent.alive:
                raise LinkError(f"the agent ended: {agent.last_words()}")
            status = Path(f"/proc/{agent.pid}/status").read_text()
    kib = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(kib) / 1024
