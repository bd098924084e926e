"""A Modbus TCP device that keeps its own log: which number it gave to whom, and when.

Its register pair 0 counts the requests, so a reading that arrives names the moment it was made.
`python -m tests.support.device PORT LOG` serves; `Log` reads what it wrote. A metronome notes how
late this machine itself was, so that no gateway is blamed for that.
"""

from __future__ import annotations

import asyncio
import select
import sys
import threading
import time
from pathlib import Path
from typing import IO

from tools.sim.modbus import Slave, serve_tcp

PROFILE = """\
name: Counter
maker: Test
models: [C1]
every: 1s
modbus: {}
channels:
  count: {at: 0, type: u32}
tests:
  - holding: {0: "0001 0002"}
    gives: {count: 65538}
"""
BEAT_S = 0.005
NOTABLE_S = 0.005
AROUND_S = 0.5  # a late exchange is asked again, and moves the next


class Counter(Slave):
    """Unit 1: two registers that say how often they were asked for."""

    def __init__(self, log: IO[str]) -> None:
        super().__init__({1: {"holding": self._register}})
        self._log = log
        self._count = 0

    def answer(self, unit: int, message: bytes) -> bytes | None:
        """Count the request and note its moment."""
        self._count += 1
        self._log.write(f"asked {time.monotonic_ns()} {time.time_ns()} {self._count}\n")
        return super().answer(unit, message)

    def _register(self, address: int) -> int | None:
        return (self._count >> 16, self._count & 0xFFFF)[address] if address < 2 else None


class Log:
    """What a device and metronomes wrote: `asked` (monotonic s, Unix ms) by number, and lapses."""

    def __init__(self, *paths: Path) -> None:
        self.asked: dict[int, tuple[float, float]] = {}
        self.lapses: list[tuple[float, float]] = []  # (from, to) monotonic s
        for row in [row for path in paths for row in path.read_text().splitlines()]:
            words = row.split()
            if words[0] == "asked" and len(words) == 4:
                self.asked[int(words[3])] = int(words[1]) / 1e9, int(words[2]) / 1e6
            elif words[0] == "late" and len(words) == 3:
                self.lapses.append((float(words[1]), float(words[2])))

    def machine_late_s(self, from_s: float, to_s: float) -> float:
        """Return for how long the machine let somebody wait around this span, at the most."""
        from_s, to_s = from_s - AROUND_S, to_s + AROUND_S
        return sum(end - begin for begin, end in self.lapses if begin < to_s and end > from_s)


def beat(path: Path) -> None:
    """Note for ever when this thread was let run too late: the machine's doing, not the loop's."""
    with path.open("a", buffering=1) as log:
        while True:
            due_s = time.monotonic() + BEAT_S
            select.select([], [], [], BEAT_S)  # libfaketime breaks sleep() where the clock steps
            now_s = time.monotonic()
            if now_s - due_s > NOTABLE_S:
                log.write(f"late {due_s} {now_s}\n")


async def _serve(port: int, log: IO[str]) -> None:
    await serve_tcp(Counter(log), "127.0.0.1", port)


if __name__ == "__main__":
    place = Path(sys.argv[2])
    threading.Thread(target=beat, args=(place,), daemon=True).start()
    with place.open("a", buffering=1) as file:
        asyncio.run(_serve(int(sys.argv[1]), file))
