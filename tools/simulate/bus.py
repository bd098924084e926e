"""Simulated Modbus devices and the ports they hang on, with all that a line does to frames.

Every answer of a device carries a number it never gave before, so that each reading can be told
from every other. Knows no agent.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from drivers.profile import model
from drivers.profile.compile_cpython import compile_text
from drivers.protocol import mbap, rtu
from drivers.transport.inbox import Inbox
from gateway.agent.plan import TCP
from gateway.core.errors import BadReply, LinkError
from gateway.site import Bus, Device
from tools.sim.modbus import Slave

if TYPE_CHECKING:
    import asyncio
    from random import Random

    from drivers.profile.model import Profile
    from tools.simulate.history import Faults

PROFILE = "tidegate/simulated"
COUNTER, ALARM = "answers", "flood"
_PROFILE = """\
name: Simulated gauge
maker: Tidegate
models: [SIM]
every: 10s
modbus: {baud: 19200}
channels:
  answers: {at: 0, type: u32}
  level: {at: 2, scale: 0.001}
  flood: {at: 3}
tests:
  - {holding: {0: "0001 0002 0003 0004"}, gives: {answers: 65538, level: 0.003, flood: 4}}
"""
REGISTERS = 4
EVERY_MS = (5_000, 20_000, 60_000, 300_000)
EVERY_LONG_MS = (60_000, 300_000, 600_000, 900_000)  # of worlds of days, as rivers are gauged
_LONG_WEIGHTS = (1, 20, 20, 20)  # nearly all their cost is polls


def profile() -> Profile:
    """Return the profile of every device here."""
    return model.load(_compiled())


def buses(dice: Random, long: bool) -> list[Bus]:
    """Return the buses of a site: one serial, one TCP, with one to three devices each."""
    every_ms = dice.choice(EVERY_MS)
    if long:
        every_ms = dice.choices(EVERY_LONG_MS, _LONG_WEIGHTS)[0]
    found = []
    for name, port, framing in (
        ("rs485-1", "/dev/serial/by-id/sim-0", "rtu"),
        ("lan-1", "tcp://10.0.0.7:502", TCP),
    ):
        devices = []
        for unit in range(1, dice.randint(1, 3) + 1):
            alarm = [ALARM] if dice.random() < 0.5 else []
            one = Device(f"{name}-{unit}", PROFILE, unit, every_ms, {}, alarm, "")
            devices.append(one)
        found.append(Bus(name, port, framing, {}, devices))
    return found


class Gauges(Slave):
    """The devices of one bus; `given[unit]` is the highest number a device gave."""

    def __init__(self, bus: Bus) -> None:
        super().__init__({device.unit or 1: {"holding": {}} for device in bus.devices})
        self.given = dict.fromkeys(self.tables, 0)

    def answer(self, unit: int, message: bytes) -> bytes | None:
        if unit in self.given:
            self.given[unit] += 1
            number = self.given[unit]
            words = (number >> 16, number & 0xFFFF, number % 50_000, number % 10)
            self.tables[unit]["holding"] = dict(enumerate(words))
        return super().answer(unit, message)


class Port:
    """One opened port; it is never opened again, as a real handle is not."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        faults: Faults,
        dice: Random,
        gauges: Gauges,
        framing: str,
        echo: bool,
    ) -> None:
        self._loop = loop
        self._faults = faults
        self._dice = dice
        self._gauges = gauges
        self._tcp = framing == TCP
        self._echo = echo
        self._requests = mbap.RequestReader() if self._tcp else rtu.RequestReader()
        self._inbox = Inbox()
        self._babbling = False
        self._free_s = 0.0

    async def read(self, size_max: int) -> bytes:
        self._check()
        return await self._inbox.take(size_max)

    async def write(self, data: bytes) -> None:
        self._check()
        if self._echo:
            self._later(0.001, data)
        if not self._tcp:
            self._requests = rtu.RequestReader()
        try:
            found = self._requests.feed(data)
        except BadReply:
            found = None
        if found is None:
            return
        reply = self._gauges.answer(*found)
        if reply is None or self._faults.strikes("silence", 0.7):
            return
        unit, _ = found
        number = getattr(self._requests, "number", 0)
        frame = (mbap if self._tcp else rtu).frame(unit, reply, number)
        after_s = self._dice.uniform(0.005, 0.04)
        if self._faults.strikes("late", 0.4):
            after_s += self._faults.dice("late").uniform(0.2, 3.0)
        self._later(after_s, frame if self._tcp else self._spoiled(frame))

    def drop_input(self) -> bytes:
        self._check()
        return self._inbox.drop()

    def close(self) -> None:
        self._inbox.lose(LinkError("closed"))

    def babble(self) -> None:
        """Say things that no device means, while that is the trouble."""
        self._babbling = self._faults.on("babble") and not self._tcp
        if self._babbling:
            self._inbox.put(b"U" * 40)
            self._loop.call_later(0.1, self.babble)

    def _check(self) -> None:
        if self._faults.on("unplug"):
            self._inbox.lose(LinkError("unplugged"))

    def _later(self, after_s: float, data: bytes) -> None:
        cut = self._dice.randrange(1, len(data)) if self._dice.random() < 0.2 else len(data)
        if self._babbling:  # between two pieces, what is added may fit a CRC once in 65 536 times
            cut = len(data)
        # One after the other: two replies may be late, but not within each other.
        at_s = max(self._free_s, self._loop.time() + after_s)
        self._loop.call_at(at_s, self._inbox.put, data[:cut])
        self._free_s = at_s + 0.001
        if cut < len(data):
            self._loop.call_at(at_s + 0.01, self._inbox.put, data[cut:])
            self._free_s += 0.01

    def _spoiled(self, frame: bytes) -> bytes:
        if self._faults.strikes("noise", 0.5):
            dice = self._faults.dice("noise")
            spoiled = bytearray(frame)
            # A CRC-16 shows every change of one, two or three bits of a short frame.
            for place in dice.sample(range(8 * len(frame)), dice.randint(1, 3)):
                spoiled[place // 8] ^= 1 << place % 8
            frame = bytes(spoiled)
        if self._faults.strikes("garbage", 0.5):
            dice = self._faults.dice("garbage")
            frame = dice.randbytes(dice.randint(1, 6)) + frame
        return frame


@cache
def _compiled() -> bytes:
    return compile_text(_PROFILE, PROFILE)
