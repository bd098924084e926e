"""The ways to a device that `profile try` knows: Modbus, and frames that the profile declares.

Each opens the port, looks once and closes it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from drivers.modbus_unit import TIMEOUT_MS
from drivers.profile.bus import MODBUS
from drivers.protocol import pdu
from gateway.core.errors import BadReply, ConfigError, NoReply, Refused
from tools.profile.live.asking import Asker
from tools.profile.live.listen import FrameLook
from tools.profile.live.poll_once import READ, ModbusLook, wanted

if TYPE_CHECKING:
    from typing import Protocol

    from drivers.line import Line
    from drivers.profile.map import Map
    from tools.profile.live.look import Look
    from tools.profile.live.port import Port, Wiring

    class Way(Protocol):
        """How to look at one device, and how to find out whether it answers."""

        async def look(self, wiring: Wiring, everything: bool) -> Look: ...
        async def answers(self, wiring: Wiring) -> bool: ...


SCAN_MS = 300  # for a unit that would answer: slow ones take 100 to 200
FRAMES_MS = 3000  # devices that send by themselves do so every second or so
SLOW_MS = 3000  # a person who waits longer wants to know for what
SCAN_FRAMES_MS = 1500  # most of them within this


def way(device: Map, port: Port, unit: int, timeout_ms: int | None) -> Way:
    """Return the way to a device; ConfigError if there is none yet for its bus."""
    bus = device.profile.bus
    own_ms: int | None = device.profile.line.get("timeout_ms")
    if bus == MODBUS:
        return ModbusWay(device, port, unit, timeout_ms or own_ms or TIMEOUT_MS)
    if bus == "serial":
        return FrameWay(device, port, unit, timeout_ms or max(own_ms or 0, FRAMES_MS))
    raise ConfigError(
        f"this version cannot try {bus} devices: it asks Modbus units, and serial devices whose "
        "frames the profile declares; `profile test` and `profile simulate` know the others"
    )


class ModbusWay:
    """Requests to one Modbus unit."""

    def __init__(self, device: Map, port: Port, unit: int, timeout_ms: int) -> None:
        self._device = device
        self._port = port
        self._unit = unit
        self._timeout_ms = timeout_ms

    async def look(self, wiring: Wiring, everything: bool) -> Look:
        """Return what was seen; raises NoReply, BadReply, LinkError."""
        line = wiring.open(self._port)
        look = ModbusLook(self._device, self._unit, self._asker(line, wiring, self._timeout_ms).ask)
        try:
            await look.run(everything)
        finally:
            line.close()
        return look

    async def answers(self, wiring: Wiring) -> bool:
        """Return whether the unit answers at all on a line set like this."""
        field = (self._device.identify_fields() or wanted(self._device))[0]
        request = pdu.read(READ[field.table], field.address, field.count)
        line = wiring.open(self._port)
        try:
            await self._asker(line, wiring, SCAN_MS).ask(request)
        except Refused:
            return True
        except (NoReply, BadReply):
            return False
        finally:
            line.close()
        return True

    def _asker(self, line: Line, wiring: Wiring, timeout_ms: int) -> Asker:
        pause_ms = self._device.profile.line.get("pause_ms", 0)
        return Asker(line, wiring.framing, self._unit, wiring.cost, timeout_ms, pause_ms)


class FrameWay:
    """Frames of a device that sends by itself, or is asked as its profile says."""

    def __init__(self, device: Map, port: Port, unit: int, wait_ms: int) -> None:
        self._device = device
        self._port = port
        self._wait_ms = wait_ms
        is_text = all("as" in row for row in device.profile.messages)
        self._address = str(unit).encode() if is_text else bytes((unit,))

    async def look(self, wiring: Wiring, everything: bool) -> Look:  # noqa: ARG002 - as others do
        """Return what was seen; raises NoReply, BadReply, LinkError."""
        wake = self._device.profile.line.get("wake")
        if wake and wake[1] >= SLOW_MS:
            print(f"waking it takes {wake[1] / 1000:g} s", file=sys.stderr, flush=True)
        return await self._within(wiring, self._wait_ms)

    async def answers(self, wiring: Wiring) -> bool:
        """Return whether a frame comes on a line set like this."""
        try:
            await self._within(wiring, SCAN_FRAMES_MS)
        except (NoReply, BadReply):
            return False
        return True

    async def _within(self, wiring: Wiring, wait_ms: int) -> Look:
        transport = await wiring.transport(self._port)
        try:
            look = FrameLook(self._device, transport, self._address, wait_ms)
            await look.run()
        finally:
            transport.close()
        return look
