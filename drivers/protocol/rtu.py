"""Modbus RTU frames (Modbus over Serial Line V1.02 §2.5.1): unit, PDU, CRC.

A frame's end is computed from its content, never from silence: USB adapters deliver in lumps of
up to 16 ms, so that the 3.5 characters of the standard cannot be seen. Where a frame is damaged
the search goes on at the next byte. Knows no port and no clock.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from drivers.protocol import pdu
from gateway.core.errors import BadReply, ConfigError, NoReply

if TYPE_CHECKING:
    from gateway.core.errors import TidegateError

UNIT_MAX = 255  # the standard reserves 248..255; some sensors live there all the same
SIZE_MAX = pdu.SIZE_MAX + 3
INPUT_MAX = 4 * SIZE_MAX  # an echo, a late reply, noise and the reply


def frame(unit: int, message: bytes, number: int = 0) -> bytes:  # noqa: ARG001 - as in mbap
    """Return a PDU's frame from or to `unit` 1..255; `number` has no place in it."""
    check_unit(unit)
    body = bytes((unit,)) + message
    return body + crc(body)


def crc(data: bytes) -> bytes:
    """Return the CRC as it is sent, low byte first (polynomial 0xA001, start 0xFFFF; §6.2.2)."""
    rest = _crc(data)
    return bytes((rest & 0xFF, rest >> 8))


def check_unit(unit: int) -> None:
    """ConfigError unless one unit can answer to this number (0 is for all, who stay silent)."""
    if not 1 <= unit <= UNIT_MAX:
        raise ConfigError(f"unit {unit} is not 1..{UNIT_MAX}")


class _Scanner:
    """Finds the first frame with a wanted head and a right CRC; lives for one exchange."""

    def __init__(self) -> None:
        self._got = b""
        self._at = 0  # what lies before is decided
        self._damaged_to = 0  # where the last frame with a wanted head and a wrong CRC would end

    def _size(self, head: bytes) -> int | None:
        """Return the size of the wanted frame that begins with `head`; 0: not one; None: more."""
        raise NotImplementedError

    def _next(self, data: bytes) -> bytes | None:
        """Return the next frame without its CRC; None if more is needed."""
        self._got += data
        if len(self._got) > INPUT_MAX:
            raise BadReply(f"{len(self._got)} bytes came and no frame is among them", self._got)
        while self._at < len(self._got):
            at = self._at
            size = self._size(self._got[at : at + SIZE_MAX])
            if size is None or at + size > len(self._got):
                return None
            end = at + size
            if size and _crc(self._got[at:end]) != 0:
                self._damaged_to = max(self._damaged_to, end)
            # What lies within a damaged frame and looks like one is that frame's payload.
            elif end > self._damaged_to and size:
                self._at = end
                return self._got[at : end - 2]
            self._at += 1
        return None


class ReplyReader(_Scanner):
    """Finds the reply to one request in what comes in; lives for that exchange only."""

    def __init__(self, unit: int, request: pdu.Request, number: int = 0) -> None:  # noqa: ARG002
        super().__init__()
        self._unit = unit
        self._expected = pdu.Expected(request)
        own = request.encode()
        # RS-485 adapters may echo; where reply and request are alike, only the line can tell.
        self._echo = frame(unit, own) if self._expected.size(own) != len(own) else b""

    def feed(self, data: bytes) -> bytes | None:
        """Return the next reply PDU, None if more is needed; BadReply beyond INPUT_MAX."""
        found = self._next(data)
        return found[1:] if found else None

    def give_up(self) -> TidegateError:
        """Return why there was no reply: NoReply if nothing came, else BadReply with all of it."""
        if not self._got:
            return NoReply(f"unit {self._unit} is silent")
        return BadReply(f"unit {self._unit}: {self._reason()}", self._got)

    def _size(self, head: bytes) -> int | None:
        if head[0] != self._unit or (self._echo and head.startswith(self._echo)):
            return 0
        size = self._expected.size(head[1:])
        return size + 3 if size else size

    def _reason(self) -> str:
        if self._damaged_to:
            return "its reply is damaged or cut short"
        rest = 0xFFFF
        for size in range(1, len(self._got) + 1):
            rest = _crc(self._got[size - 1 : size], rest)
            if rest == 0 and size > 4:
                unit, function = self._got[0], self._got[1] & 0x7F
                return f"unit {unit} answered instead, to function {function}"
        return f"{len(self._got)} bytes came, but no reply"


class RequestReader(_Scanner):
    """Finds one request in what comes in, for a server; lives for that request only."""

    def feed(self, data: bytes) -> tuple[int, bytes] | None:
        """Return (unit, request PDU), None if more is needed; BadReply beyond INPUT_MAX."""
        found = self._next(data)
        return (found[0], found[1:]) if found else None

    def _size(self, head: bytes) -> int | None:
        size = pdu.request_size(head[1:])
        if size == 0:  # only its end can tell how long a request of unknown function is
            return len(head) if len(head) > 3 and _crc(head) == 0 else 0
        return size + 3 if size else size


def _crc(data: bytes, rest: int = 0xFFFF) -> int:
    for byte in data:
        rest = rest >> 8 ^ _TABLE[(rest ^ byte) & 0xFF]
    return rest


def _table() -> array[int]:
    table = array("H", [0] * 256)
    for byte in range(256):
        rest = byte
        for _ in range(8):
            rest = rest >> 1 ^ (0xA001 if rest & 1 else 0)
        table[byte] = rest
    return table


_TABLE = _table()
