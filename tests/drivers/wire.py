"""A line in virtual time: our frames reach a simulated slave, its replies take their time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from drivers.line import Line, silence_us
from drivers.modbus import ModbusDevice
from drivers.modbus_unit import ModbusBus
from drivers.profile import model
from drivers.profile.compile_cpython import compile_text
from drivers.profile.plan import serial_cost, tcp_cost
from drivers.transport.inbox import Inbox
from gateway.core import aio
from gateway.core.errors import LinkError
from tools.sim.modbus import FRAMINGS, Slave

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.core.reading import Reading

BAUD = 9600
THIRTY = "channels:\n  r[0..29]: {at: 0}"
FAR = "channels:\n  near: {at: 0}\n  far: {at: 500}"
_TESTS = 'tests: [{holding: {0: "0000"}, gives: nothing}]'  # a profile must have some


class Wire:
    """A transport; `log` holds (unit, request PDU), `latency_ms(unit)` may change, or be None."""

    def __init__(self, slave: Slave, framing: str = "rtu") -> None:
        self.slave = slave
        self.log: list[tuple[int, bytes]] = []
        self.dead: set[int] = set()
        self.latency_ms: Callable[[int], int] = lambda _unit: 20
        self.spoil: Callable[[bytes], bytes] = lambda reply: reply
        self.gone = False
        self.framing = framing
        self._inbox = Inbox()
        self._free_s = 0.0
        self.byte_s = 0.0 if framing == "tcp" else 11 / BAUD
        self.lump_bytes = 16 if self.byte_s else 300  # what an adapter hands over at a time

    async def open(self) -> Wire:
        if self.gone:
            raise LinkError("unplugged")
        self._inbox = Inbox()
        return self

    async def read(self, size_max: int) -> bytes:
        return await self._inbox.take(size_max)

    async def write(self, data: bytes) -> None:
        if self.gone:
            raise LinkError("unplugged")
        loop = asyncio.get_running_loop()
        reader = FRAMINGS[self.framing].RequestReader()
        unit, message = reader.feed(data)
        self.log.append((unit, message))
        reply = self.slave.answer(unit, message)
        if unit in self.dead or reply is None:
            return
        frame = FRAMINGS[self.framing].frame(unit, reply, getattr(reader, "number", 0))
        # A device takes up one request after the other.
        start_s = max(self._free_s, loop.time() + len(data) * self.byte_s)
        self._free_s = start_s + self.latency_ms(unit) / 1000 + len(frame) * self.byte_s
        spoiled = self.spoil(frame)
        for start in range(0, len(spoiled), self.lump_bytes):
            lump = spoiled[start : start + self.lump_bytes]
            at_s = self._free_s - (len(spoiled) - start - len(lump)) * self.byte_s
            loop.call_at(at_s, self._inbox.put, lump)

    def drop_input(self) -> bytes:
        return self._inbox.drop()

    def close(self) -> None:
        pass

    def bus(self, whole: bool = False) -> ModbusBus:
        if self.framing == "tcp":
            return ModbusBus("bus", Line(self.open, 0, echoes=False), "tcp", tcp_cost())
        line = Line(self.open, silence_us(BAUD), echoes=False)
        return ModbusBus("bus", line, self.framing, serial_cost(self.framing, BAUD, 11), whole)

    def asked(self, unit: int) -> list[tuple[int, int, int]]:
        """(function, address, count) of what `unit` was asked since this was called last."""
        mine = [one for number, one in self.log if number == unit]
        self.log = [one for one in self.log if one[0] != unit]
        return [
            (one[0], int.from_bytes(one[1:3], "big"), int.from_bytes(one[3:5], "big"))
            for one in mine
        ]


def device(
    wire: Wire, channels: str, bus: ModbusBus | None = None, unit: int = 1, pause: str = "0ms"
) -> ModbusDevice:
    """A device named dev1, dev2 … with a profile whose text, from `channels` on, is given."""
    text = f"name: Test\nevery: 1s\nmodbus: {{max: 125, pause: {pause}}}\n{channels}\n{_TESTS}"
    profile = model.load(compile_text(text, "test.yaml"))
    return ModbusDevice(f"dev{unit}", bus or wire.bus(), profile.device(), unit)


def holding(count: int) -> Slave:
    """Unit 1 with registers 0, 1 … that hold 1000, 1001 …"""
    return Slave({1: {"holding": {address: 1000 + address for address in range(count)}}})


def qualities(readings: list[Reading]) -> dict[str, str]:
    """Quality by channel."""
    return {one.point.partition("/")[2]: one.quality for one in readings}


async def polls(dev: ModbusDevice, count: int) -> list[Reading]:
    """Poll every second; return the readings of the last poll."""
    found: list[Reading] = []
    for _ in range(count):
        found = await dev.poll(1000)
        await aio.sleep_ms(1000)
    return found
