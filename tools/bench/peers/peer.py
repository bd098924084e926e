"""The face all programs beside ours have: start, stop, CPU time, readings they brought."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.core.errors import LinkError
from tools.bench.cpu import process_cpu_s
from tools.sim.process import Process, program

if TYPE_CHECKING:
    from tools.bench.work import Work
    from tools.sim.process import Stage

# What npm, venv and gcc made for measurements: it is no part of the project.
CACHE = Path.home() / ".cache" / "tidegate" / "bench"


class Peer:
    """One program. What it publishes under `topic` is counted by `values`, told to `heard`."""

    name = ""
    topic = ""
    serial = False  # whether it wants a serial line, knowing no TCP

    def __init__(self) -> None:
        self.count = 0
        self._process: Process | None = None

    def absent(self) -> str:
        """Return why it cannot run here, "" if it can."""
        return ""

    def argv(self, folder: Path, work: Work, slave: str, broker_port: int) -> list[str]:
        """Return what to run, having written into `folder` what that reads.

        `slave` is "host:port", or the path of a serial line.
        """
        raise NotImplementedError

    def start(self, stage: Stage, work: Work, slave: str, broker_port: int) -> None:
        """Start it on `stage`, in a folder of its own."""
        folder = stage.directory / self.name.split()[0]
        folder.mkdir(exist_ok=True)
        process = Process(self.name.split()[0], self.argv(folder, work, slave, broker_port), folder)
        self._process = stage.add(process)
        process.start()

    def stop(self) -> None:
        self._running().stop()

    @property
    def pid(self) -> int:
        return self._running().pid

    def cpu_s(self) -> float:
        """Return its CPU time so far; LinkError with its last words if it ended."""
        return process_cpu_s(self._running().pid)

    def readings(self) -> int:
        """Return how many readings it has delivered so far."""
        return self.count

    def sample(self) -> tuple[float, int]:
        """Return (CPU time, readings) of one moment."""
        return self.cpu_s(), self.readings()

    def heard(self, topic: str, payload: bytes) -> None:
        """Take what came under its topic."""
        if topic.startswith(self.topic):
            self.count += self.values(payload)

    def values(self, payload: bytes) -> int:
        """Return how many readings a payload holds."""
        return len(json.loads(payload))

    def _running(self) -> Process:
        if self._process is None or not self._process.alive:
            words = self._process.last_words() if self._process else "never started"
            raise LinkError(f"{self.name} does not run: {words}")
        return self._process


class Script(Peer):
    """A peer that is a plain Python program beside this file, run as `python FILE TAGS …`."""

    file = ""
    packages: tuple[str, ...] = ()

    def absent(self) -> str:
        missing = [name for name in self.packages if importlib.util.find_spec(name) is None]
        return f"pip install {' '.join(missing)}" if missing else ""

    def argv(self, folder: Path, work: Work, slave: str, broker_port: int) -> list[str]:
        tags = folder / "tags.json"
        work.write_tags(tags)
        script = str(Path(__file__).with_name(self.file))
        return [sys.executable, script, str(tags), slave, str(broker_port)]


def needs(*programs: str) -> str:
    """Return which of these programs are not installed, as a sentence; "" if all are."""
    missing = [name for name in programs if program(name) is None]
    return f"{' and '.join(missing)} not installed" if missing else ""
