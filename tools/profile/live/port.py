"""Where a device hangs: a serial port or pty by its path, or tcp://HOST:PORT, and its unit number.

Knows how to open it and how its line is set; knows no protocol and no profile.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from drivers.line import Line, silence_us
from drivers.profile.plan import serial_cost, tcp_cost
from gateway.agent.plan import LINE, MODBUS_PORT, TCP, char_bits
from gateway.core.errors import ConfigError
from gateway.core.record import Record

if TYPE_CHECKING:
    from typing import Any

    from drivers.opener import Transport
    from drivers.profile.plan import Cost

SCHEME = "tcp://"


class Port(Record):
    """A `place` (path, or host:number behind `tcp`), the `unit` named with it or None."""

    __slots__ = ("host", "number", "place", "tcp", "unit")

    def __init__(self, text: str) -> None:
        self.tcp = text.startswith(SCHEME)
        self.host, self.number = "", 0
        self.unit: int | None = None
        if self.tcp:
            self._network(text)
        else:
            self._serial(text)

    def _network(self, text: str) -> None:
        host, *numbers = text[len(SCHEME) :].split(":")
        if not host or len(numbers) > 2 or not all(one.isdecimal() for one in numbers):
            raise ConfigError(f"{text!r}: write tcp://HOST:PORT or tcp://HOST:PORT:UNIT")
        self.host = host
        self.number = _bounded(numbers[0], 65535, text) if numbers else MODBUS_PORT
        self.unit = _bounded(numbers[1], 255, text) if len(numbers) == 2 else None
        self.place = f"{SCHEME}{self.host}:{self.number}"

    def _serial(self, text: str) -> None:
        path, colon, unit = text.rpartition(":")
        # Stable names hold colons (…usb-0:1.2:1.0-port0): what exists is no unit.
        named = bool(colon) and unit.isdecimal() and not Path(text).exists()
        self.unit = _bounded(unit, 255, text) if named else None
        self.place = path if named else text
        if "/" not in self.place and not Path(self.place).exists():
            self.place = f"/dev/{self.place}"


class Wiring(Record):
    """How a line is set: `baud`, `parity`, `data`, `stop`, and the `framing` of Modbus."""

    __slots__ = ("baud", "data", "framing", "parity", "stop")

    def __init__(self, given: dict[str, Any], framing: str = "rtu") -> None:
        line = {**LINE, **{key: given[key] for key in LINE if given.get(key) is not None}}
        self.baud: int = line["baud"]
        self.parity: str = line["parity"]
        self.data: int = line["data"]
        self.stop: int = line["stop"]
        self.framing = framing

    @property
    def line(self) -> dict[str, Any]:
        """As a profile and a transport have it."""
        return {name: getattr(self, name) for name in LINE}

    @property
    def text(self) -> str:
        """As people write it: 9600 8N1."""
        if self.framing == TCP:
            return "Modbus TCP"
        return f"{self.baud} {self.data}{self.parity[0].upper()}{self.stop}"

    @property
    def cost(self) -> Cost:
        """What a request takes."""
        if self.framing == TCP:
            return tcp_cost()
        return serial_cost(self.framing, self.baud, char_bits(self.line))

    async def transport(self, port: Port) -> Transport:
        """Return the open port; raises LinkError, ConfigError."""
        if port.tcp:
            from drivers.transport.tcp import open_tcp

            return await open_tcp(port.host, port.number)
        from drivers.transport.serial_cpython import open_serial

        return await open_serial(port.place, **self.line)

    def open(self, port: Port) -> Line:
        """Return the line of a port; it is opened when it is first used."""
        if self.framing == TCP:
            return Line(lambda: self.transport(port), echoes=False)
        return Line(lambda: self.transport(port), silence_us(self.baud, char_bits(self.line)))


def _bounded(text: str, most: int, whole: str) -> int:
    number = int(text) if len(text) <= 5 else most + 1
    if number > most:
        raise ConfigError(f"{whole!r}: {text} is more than {most}")
    return number
