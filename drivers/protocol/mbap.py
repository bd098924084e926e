"""Modbus TCP frames (Modbus Messaging on TCP/IP V1.0b §3.1.3): transaction, 0, length, unit, PDU.

Knows no socket and no clock; the caller numbers its exchanges.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from drivers.protocol import pdu
from gateway.core.errors import BadReply, ConfigError, NoReply

if TYPE_CHECKING:
    from gateway.core.errors import TidegateError

UNIT_MAX = 255  # 0 and 255 mean the TCP device itself (§4.4.1.2.1)
SIZE_MAX = 7 + pdu.SIZE_MAX
INPUT_MAX = 8 * SIZE_MAX  # late replies of exchanges that were given up, and the reply


def frame(unit: int, message: bytes, number: int = 0) -> bytes:
    """Return a PDU's frame from or to `unit` 0..255; the lower 16 bits of `number` identify it."""
    if not 0 <= unit <= UNIT_MAX:
        raise ConfigError(f"unit {unit} is not 0..{UNIT_MAX}")
    head = struct.pack(">HHHB", number & 0xFFFF, 0, len(message) + 1, unit)
    return head + message


class _Scanner:
    """Cuts what comes in into frames: TCP damages nothing, so a wrong head ends it."""

    def __init__(self) -> None:
        self._got = b""
        self._at = 0

    def _next(self, data: bytes) -> tuple[int, int, bytes] | None:
        """Return (transaction, unit, PDU); None if more is needed; BadReply for a wrong head."""
        self._got += data
        if len(self._got) > INPUT_MAX:
            raise BadReply(f"{len(self._got)} bytes came and no reply is among them", self._got)
        head = self._got[self._at : self._at + 7]
        length = int.from_bytes(head[4:6], "big")
        if head[2:4] != bytes(len(head[2:4])) or (
            len(head) > 5 and not 2 <= length <= pdu.SIZE_MAX + 1
        ):
            raise BadReply("not Modbus TCP", self._got)
        end = self._at + 6 + length
        if len(head) < 7 or len(self._got) < end:
            return None
        message = self._got[self._at + 7 : end]
        self._at = end
        return int.from_bytes(head[:2], "big"), head[6], message


class ReplyReader(_Scanner):
    """Finds the reply to one request in what comes in; lives for that exchange only."""

    def __init__(self, unit: int, request: pdu.Request, number: int = 0) -> None:
        super().__init__()
        self._unit = unit
        self._expected = pdu.Expected(request)
        self._transaction = number & 0xFFFF

    def feed(self, data: bytes) -> bytes | None:
        """Return the reply PDU, None if more is needed; BadReply as soon as it cannot come."""
        found = self._next(data)
        while found and found[0] != self._transaction:  # late, or of another exchange
            found = self._next(b"")
        if not found:
            return None
        _, unit, message = found
        if unit != self._unit:
            raise BadReply(f"unit {unit} answered for {self._unit}", self._got)
        if self._expected.size(message) != len(message):
            raise BadReply(f"unit {unit}: no reply to what was asked", self._got)
        return message

    def give_up(self) -> TidegateError:
        """Return why there was no reply: NoReply if nothing came, else BadReply with all of it."""
        if not self._got:
            return NoReply(f"unit {self._unit} is silent")
        late = self._at == len(self._got)
        why = "only replies to earlier requests came" if late else "its reply is cut short"
        return BadReply(f"unit {self._unit}: {why}", self._got)


class RequestReader(_Scanner):
    """Finds the requests in what comes in, for a server; lives as long as the connection."""

    number = 0  # of the request found last, for its reply

    def feed(self, data: bytes) -> tuple[int, bytes] | None:
        """Return (unit, request PDU), None if more is needed; BadReply for a wrong head."""
        found = self._next(data)
        if not found:
            return None
        self._got = self._got[self._at :]
        self._at = 0
        self.number, unit, message = found
        return unit, message
