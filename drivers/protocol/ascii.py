"""Modbus ASCII frames (Modbus over Serial Line V1.02 §2.5.2): colon, hex digits, LRC, CR LF.

Knows no port and no clock.
"""

from __future__ import annotations

from binascii import hexlify, unhexlify
from typing import TYPE_CHECKING

from drivers.protocol import pdu
from drivers.protocol.rtu import check_unit
from gateway.core.errors import BadReply, NoReply

if TYPE_CHECKING:
    from gateway.core.errors import TidegateError

SIZE_MAX = 2 * (pdu.SIZE_MAX + 2) + 3
INPUT_MAX = 4 * SIZE_MAX  # an echo, a late reply, noise and the reply
_HEX = b"0123456789ABCDEFabcdef"


def frame(unit: int, message: bytes, number: int = 0) -> bytes:  # noqa: ARG001 - as in mbap
    """Return a PDU's frame from or to `unit` 1..255; `number` has no place in it."""
    check_unit(unit)
    body = bytes((unit,)) + message
    return b":" + hexlify(body + bytes((lrc(body),))).upper() + b"\r\n"


def lrc(data: bytes) -> int:
    """Return the byte that makes the sum of all bytes 0 (§6.2.1)."""
    return -sum(data) & 0xFF


class _Scanner:
    """Finds the next frame with a right LRC; lives for one exchange."""

    def __init__(self) -> None:
        self._got = b""
        self._at = 0  # what lies before is decided

    def _next(self, data: bytes) -> bytes | None:
        """Return the next frame as bytes, unit first; None if more is needed."""
        self._got += data
        if len(self._got) > INPUT_MAX:
            raise BadReply(f"{len(self._got)} bytes came and no frame is among them", self._got)
        while True:
            end = self._got.find(b"\r\n", self._at)
            if end < 0:
                return None
            start = self._got.rfind(b":", self._at, end)
            self._at = end + 2
            body = _bytes(self._got[start + 1 : end]) if start >= 0 else b""
            if body:
                return body


class ReplyReader(_Scanner):
    """Finds the reply to one request in what comes in; lives for that exchange only."""

    def __init__(self, unit: int, request: pdu.Request, number: int = 0) -> None:  # noqa: ARG002
        super().__init__()
        self._unit = unit
        self._expected = pdu.Expected(request)
        self._stranger = ""

    def feed(self, data: bytes) -> bytes | None:
        """Return the next reply PDU, None if more is needed; BadReply beyond INPUT_MAX."""
        found = self._next(data)
        while found:
            reply = found[1:]
            if found[0] == self._unit and self._expected.size(reply) == len(reply):
                return reply
            self._stranger = f"unit {found[0]} answered instead, to function {found[1] & 0x7F}"
            found = self._next(b"")
        return None

    def give_up(self) -> TidegateError:
        """Return why there was no reply: NoReply if nothing came, else BadReply with all of it."""
        if not self._got:
            return NoReply(f"unit {self._unit} is silent")
        why = self._stranger or "its reply is damaged or cut short"
        return BadReply(f"unit {self._unit}: {why}", self._got)


class RequestReader(_Scanner):
    """Finds one request in what comes in, for a server; lives for that request only."""

    def feed(self, data: bytes) -> tuple[int, bytes] | None:
        """Return (unit, request PDU), None if more is needed; BadReply beyond INPUT_MAX."""
        found = self._next(data)
        return (found[0], found[1:]) if found else None


def _bytes(digits: bytes) -> bytes:
    """Return the bytes before the LRC; none if anything about `digits` is wrong."""
    if len(digits) < 6 or len(digits) % 2:
        return b""
    for digit in digits:
        if digit not in _HEX:
            return b""
    body = unhexlify(digits)
    return body[:-1] if sum(body) & 0xFF == 0 else b""
