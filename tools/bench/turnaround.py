"""How long the line waits for us: from a reply's last byte to the next request's first.

The slave is a process of its own that answers at once and holds the clock. What must be is taken
off: the silence between frames. A bare loop of reads, sleeps and writes is the floor: what the
kernel, its pseudo-terminal and the slave's own waking take.
"""

from __future__ import annotations

import asyncio
import os
import pty
import select
import subprocess
import sys
import time
import tty
from typing import TYPE_CHECKING

from drivers.line import Line, silence_us
from drivers.modbus_unit import ModbusBus
from drivers.profile.plan import serial_cost
from drivers.protocol import pdu, rtu
from drivers.transport.serial_cpython import open_serial
from gateway.core import aio, loop_cpython
from gateway.poll import Item, Schedule, poll_bus
from tools.bench.bus import CHAR_BITS, REGISTERS, bench_device
from tools.bench.rows import row

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

EXCHANGES = 2_000
WARM_UP = 100  # the first polls load what later ones have
THINKS_S = 0.003  # what the slave takes to answer: long enough for both sides to fall asleep
BUDGET_US = 1_000
TIMERS_S = 4.0
_REQUEST_BYTES = 8


class Timed:
    """A slave on a pty at `path` that notes how long it waited for each next request."""

    def __init__(self, thinks_s: float = THINKS_S) -> None:
        self._master, slave = pty.openpty()
        tty.setraw(slave)
        self.path = os.ttyname(slave)
        self._slave = slave  # held open, so that the line's end is ours to tell
        argv = [sys.executable, "-m", "tools.bench.turnaround", str(self._master), str(thinks_s)]
        self._process = subprocess.Popen(
            argv, pass_fds=[self._master], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        self._process.stdout.readline()  # it is there

    def waits_us(self, silence: int) -> list[float]:
        """End it; return how long it waited beyond `silence` microseconds, sorted."""
        told, _ = self._process.communicate(b"\n")
        os.close(self._slave)
        os.close(self._master)
        waits = [1e6 * float(one) - silence for one in told.split()]
        return sorted(waits[WARM_UP:])


def run() -> list[dict[str, Any]]:
    """Measure at two speeds; return the figures with their budgets."""
    rows = []
    for baud in (9_600, 115_200):
        for name, way in (("bare loop", _bare), ("agent", _whole)):
            waits = measure(way, baud)
            budget = BUDGET_US if way is _whole else None
            text = f"turnaround at {baud} baud beyond the silence, {name}"
            rows.append(row(f"{text}, median", waits[len(waits) // 2], "us", budget))
            # No budget: how long a process waits for a core is not ours; the bare loop tells it.
            rows.append(row(f"{text}, p99", waits[len(waits) * 99 // 100], "us"))
    for rate in (10, 1_000):
        for name, new_loop in (("asyncio's", asyncio.SelectorEventLoop), ("our", _ours)):
            share = round(100 * _cpu_share(new_loop, rate), 2)
            rows.append(row(f"CPU that {rate} timers a second take, {name} loop", share, "%"))
    return rows


def measure(way: Callable[[str, int], None], baud: int) -> list[float]:
    """Return the turnarounds of `way` (path, baud), microseconds beyond the silence, sorted."""
    slave = Timed()
    way(slave.path, baud)
    return slave.waits_us(silence_us(baud, CHAR_BITS))


def _bare(path: str, baud: int) -> None:
    """Ask in a loop that does nothing else."""
    request = pdu.read(3, 0, REGISTERS)
    frame = rtu.frame(1, request.encode())
    size = 5 + 2 * REGISTERS
    port = os.open(path, os.O_RDWR | os.O_NOCTTY)
    for _ in range(EXCHANGES):
        os.write(port, frame)
        got = 0
        while got < size:
            got += len(os.read(port, size))
        time.sleep(silence_us(baud, CHAR_BITS) / 1e6)
    os.close(port)


def _whole(path: str, baud: int) -> None:
    """Poll as the agent does, on its loop."""
    loop_cpython.run(_polled(path, baud))


async def _polled(path: str, baud: int) -> None:
    line = Line(lambda: open_serial(path, baud), silence_us(baud, CHAR_BITS), False)
    bus = ModbusBus("bench", line, "rtu", serial_cost("rtu", baud, CHAR_BITS))
    schedule = Schedule([Item(bench_device(bus, 1, REGISTERS), 1)], aio.now_ms())
    wake = aio.Event()
    polls = [0]

    def count(_: object) -> None:
        polls[0] += 1
        if polls[0] == EXCHANGES:
            schedule.close()
            wake.set()

    await poll_bus(schedule, lambda item: item.key.poll(50), count, wake)
    line.close()


def _ours() -> asyncio.AbstractEventLoop:
    loop_cpython.be_punctual()
    return loop_cpython.new_loop()


def _cpu_share(new_loop: Callable[[], asyncio.AbstractEventLoop], rate: int) -> float:
    """Return the share of a core that a task waking so often takes."""

    async def wake() -> None:
        loop = asyncio.get_running_loop()
        at_s = loop.time()
        for _ in range(int(rate * TIMERS_S)):
            at_s += 1 / rate
            await asyncio.sleep(at_s - loop.time())

    before_s = time.process_time()
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(wake())
    return (time.process_time() - before_s) / TIMERS_S


def _answer(master: int, thinks_s: float) -> None:
    """Answer each request; when told to end, print how long each but the first took to come."""
    reply = rtu.frame(1, bytes([3, 2 * REGISTERS]) + bytes(2 * REGISTERS))
    waits = []
    answered_s = 0.0
    print(flush=True)
    while True:
        ready, _, _ = select.select([master, 0], [], [])
        if master not in ready:
            break
        now_s = time.monotonic()
        got = len(os.read(master, _REQUEST_BYTES))
        if answered_s:
            waits.append(now_s - answered_s)
        while got < _REQUEST_BYTES:
            got += len(os.read(master, _REQUEST_BYTES - got))
        time.sleep(thinks_s)
        answered_s = time.monotonic()
        os.write(master, reply)
    print(*waits)


if __name__ == "__main__":
    _answer(int(sys.argv[1]), float(sys.argv[2]))
