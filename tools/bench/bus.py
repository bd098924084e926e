"""What the bus engine asks for, how full it keeps a line, and what a dead unit costs the others.

Lines are pseudo-terminals paced to their baud rate, with the slaves in processes of their own.
All lines of a figure run at the same time, so that a busy machine slows them alike.
"""

from __future__ import annotations

import asyncio
import importlib.util
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.breaker import CAP_MS, STEP_MS, Breaker, Patience
from drivers.line import Line, silence_us
from drivers.modbus import ModbusDevice
from drivers.modbus_unit import TIMEOUT_MS, ModbusBus
from drivers.profile.compile_cpython import compile_text
from drivers.profile.model import load
from drivers.profile.plan import serial_cost, tcp_cost
from drivers.protocol import mbap
from drivers.transport.serial_cpython import open_serial
from gateway.core import loop_cpython
from gateway.core.aio import Event, now_ms
from gateway.core.reading import GOOD
from gateway.poll import Item, Schedule, poll_bus
from tools.bench.rows import row
from tools.sim.modbus import Slave
from tools.sim.process import Process, Stage

if TYPE_CHECKING:
    from typing import Any

    from gateway.core.reading import Reading

SECONDS = 20.0
PEER_SECONDS = 10.0
# libmodbus leaves no silence between frames: a strict unit hears no second request of it.
SATURATING = ("pymodbus", "minimalmodbus")
CHAR_BITS = 11  # as the simulated line has them
FAST_BAUD = 115_200
SLOW_BAUD = 9_600
EVERY_MS = 50  # more than any line here can do: it is never idle
REGISTERS = 30
BABBLE_MS = 2000  # he hits a saturated line nearly always: one exchange and its time-out each


class Arm:
    """One line with `units`, of which `dead` are wired to nothing; `rate` is that of the living.

    `odd` are more options of the simulator; `wrong` counts good readings of other values.
    """

    def __init__(
        self, baud: int, units: int, dead: int = 0, registers: int = 10, odd: str = ""
    ) -> None:
        self.baud = baud
        self.units = units
        self.dead = dead
        self.registers = registers
        self.odd = odd.split()
        self.good: dict[str, int] = {}
        self.wrong = 0
        self.seconds = 0.0

    def start(self, stage: Stage, place: Path) -> None:
        """Start its slaves."""
        values = ",".join(str(number) for number in range(self.registers))
        argv = ["-m", "gateway", "sim", "modbus", "--pty", str(place), "--baud", str(self.baud)]
        argv += self.odd
        for unit in range(1, self.units - self.dead + 1):
            argv += ["--unit", str(unit), "--holding", f"0={values}"]
        process = stage.python(place.name, *argv)
        process.until(place.exists, "open its line")
        self._place = str(place)

    async def run(self, seconds: float) -> None:
        """Poll as often as the line lets us, for so many seconds."""
        # Whether a line echoes is learned; not where ratios to bare lines are told.
        line = Line(
            lambda: open_serial(self._place, self.baud),
            silence_us(self.baud, CHAR_BITS),
            None if self.odd else False,
        )
        bus = ModbusBus("bench", line, "rtu", serial_cost("rtu", self.baud, CHAR_BITS))
        devices = [bench_device(bus, unit + 1, self.registers) for unit in range(self.units)]
        schedule = Schedule([Item(device, EVERY_MS) for device in devices], now_ms())
        self.good = {device.name: 0 for device in devices[: self.units - self.dead]}

        def count(readings: list[Reading]) -> None:
            name = readings[0].point.partition("/")[0]
            if readings[0].quality == GOOD:
                self.good[name] += 1
            found = [reading.value for reading in readings if reading.quality == GOOD]
            self.wrong += found != list(range(len(found)))

        wake = Event()
        start_s = time.monotonic()
        polling = asyncio.create_task(
            poll_bus(schedule, lambda item: item.key.poll(EVERY_MS), count, wake)
        )
        await asyncio.sleep(seconds)
        schedule.close()
        wake.set()
        await polling
        self.seconds = time.monotonic() - start_s
        line.close()

    @property
    def rate(self) -> float:
        """Polls per second of the slowest living unit."""
        return min(self.good.values()) / self.seconds

    @property
    def utilisation(self) -> float:
        """The share of the time in which the line carried what it must for the polls made."""
        return sum(self.good.values()) * poll_s(self.baud, self.registers) / self.seconds


def poll_s(baud: int, registers: int) -> float:
    """Return how long a poll of so many registers must take: its bytes and two silences."""
    char_s = CHAR_BITS / baud
    return (8 + 5 + 2 * registers) * char_s + 2 * max(3.5 * char_s, 0.00175)


def together(arms: list[Arm], folder: Path, seconds: float = SECONDS) -> None:
    """Run all `arms` at the same time, their lines and slaves' output in `folder`."""

    async def poll() -> None:
        await asyncio.gather(*[arm.run(seconds) for arm in arms])

    with Stage(folder) as stage:
        for number, arm in enumerate(arms):
            arm.start(stage, folder / f"line-{number}")
        loop_cpython.run(poll())


def run() -> list[dict[str, Any]]:
    """Measure; return the figures with their budgets."""
    whole, one_dead, four = Arm(SLOW_BAUD, 5), Arm(SLOW_BAUD, 5, 1), Arm(SLOW_BAUD, 4)
    slow, fast = Arm(SLOW_BAUD, 5, 0, REGISTERS), Arm(FAST_BAUD, 5, 0, REGISTERS)
    calm, echo = Arm(SLOW_BAUD, 5, odd="--seed 1"), Arm(SLOW_BAUD, 5, odd="--echo")
    babble = Arm(SLOW_BAUD, 5, odd=f"--babble {BABBLE_MS}")
    for arms in ([whole, one_dead, four], [calm, babble, echo], [slow], [fast]):
        with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as folder:
            together(arms, Path(folder))
    beside = [fill(peer, baud) for baud in (SLOW_BAUD, FAST_BAUD) for peer in SATURATING]
    requests, cpu_us = asyncio.run(_in_memory())
    return [
        row(f"requests for {REGISTERS} adjacent registers", requests, "", 1),
        row("CPU per reading, request to value, 30 a reply", round(cpu_us, 1), "us"),
        row("polls per second and unit, five units, 9600 baud", round(whole.rate, 2), "/s"),
        row("the same with one of the five dead", round(one_dead.rate, 2), "/s"),
        row("cost of one dead unit of five", _loss(whole, one_dead), "%", 2),
        row("cost against four units alone, while it is found", _loss(four, one_dead), "%"),
        row("share of its line a dead unit takes after that", _dead_share(), "%", 2),
        row("cost of an adapter that echoes", _loss(calm, echo), "%", 10),
        row(f"cost of who talks unasked every {BABBLE_MS} ms", _loss(calm, babble), "%", 10),
        row("wrong values of these two", echo.wrong + babble.wrong, "", 0),
        row("line in use at 9600 baud", round(100 * slow.utilisation, 1), "%", 97, at_least=True),
        row("line in use at 115200 baud", round(100 * fast.utilisation, 1), "%", 97, at_least=True),
        *beside,
    ]


def fill(library: str, baud: int, seconds: float = PEER_SECONDS) -> dict[str, Any]:
    """Return how much of a line another library uses that only polls, as fast as it can."""
    label = f"line in use at {baud} baud by {library}"
    absent = "" if importlib.util.find_spec(library) else f"pip install {library}"
    if absent:
        return {"figure": f"{label}: not measured, {absent}", "value": "-", "unit": ""}
    arm = Arm(baud, 5, 0, REGISTERS)
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as name, Stage(Path(name)) as stage:
        line = Path(name) / "line"
        arm.start(stage, line)
        numbers = [str(baud), str(arm.units), str(arm.registers)]
        argv = [sys.executable, "-m", "tools.bench.peers.saturate", library, str(line), *numbers]
        peer = stage.add(Process(library, argv, Path(name)))
        peer.start()
        peer.until(lambda: peer.out_path.stat().st_size > 0, "read its first value")
        start_s, before = time.monotonic(), peer.out_path.read_bytes().count(b"\n")
        time.sleep(seconds)
        polls = peer.out_path.read_bytes().count(b"\n") - before
        used = polls * poll_s(baud, REGISTERS) / (time.monotonic() - start_s)
    return row(label, round(100 * used, 1), "%")


async def _in_memory() -> tuple[int, float]:
    """Return (requests of one poll, CPU microseconds per reading) without any wire."""
    slave = Slave({1: {"holding": {address: address for address in range(REGISTERS)}}})
    wire = _Memory(slave)
    bus = ModbusBus("memory", Line(wire.open, 0, echoes=False), "tcp", tcp_cost())
    device = bench_device(bus, 1, REGISTERS)
    await device.poll(EVERY_MS)
    requests = slave.asked[1]
    polls = 2000
    answers_s = -wire.spent_s
    start_s = time.process_time()
    for _ in range(polls):
        await device.poll(EVERY_MS)
    answers_s += wire.spent_s
    spent_s = time.process_time() - start_s - answers_s
    return requests, 1e6 * spent_s / polls / REGISTERS


class _Memory:
    """A transport that answers at once; what the slave spends is set apart."""

    def __init__(self, slave: Slave) -> None:
        self._slave = slave
        self._reply = b""
        self.spent_s = 0.0

    async def open(self) -> _Memory:
        return self

    async def write(self, data: bytes) -> None:
        start_s = time.process_time()
        reader = mbap.RequestReader()
        unit, message = reader.feed(data) or (0, b"")
        self._reply = mbap.frame(unit, self._slave.answer(unit, message) or b"", reader.number)
        self.spent_s += time.process_time() - start_s

    async def read(self, size_max: int) -> bytes:
        return self._reply[:size_max]

    def drop_input(self) -> bytes:
        return b""

    def close(self) -> None:
        pass


def bench_device(bus: ModbusBus, unit: int, registers: int) -> ModbusDevice:
    text = f"""name: Bench
every: {EVERY_MS}ms
modbus: {{}}
channels:
  r[1..{registers}]: {{at: 0}}
tests: [{{holding: {{0: "0001"}}, gives: {{r1: 1}}}}]"""
    profile = load(compile_text(text, "bench.yaml"))
    return ModbusDevice(f"unit-{unit}", bus, profile.device(), unit)


def _dead_share() -> float:
    """Return the percentage a unit costs that never answers, once its probes are at their cap."""
    breaker, patience = Breaker(), Patience(TIMEOUT_MS)
    at_ms = spent_ms = found_ms = 0
    for probe in range(1000):
        while not breaker.allows(at_ms):
            at_ms += 1
        if probe == 2 * CAP_MS // STEP_MS:
            found_ms, spent_ms = at_ms, 0
        cost_ms = patience.timeout_ms()
        at_ms += cost_ms
        spent_ms += cost_ms
        breaker.missed(at_ms, cost_ms)
        patience.missed()
    return round(100 * spent_ms / (at_ms - found_ms), 2)


def _loss(before: Arm, after: Arm) -> float:
    return round(100 * (1 - after.rate / before.rate), 1)
