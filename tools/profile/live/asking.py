"""Asking one Modbus unit over a line: framing, a second try, how long it took.

Knows no profile. Unlike drivers.modbus_unit it gives no unit up and writes no log: a person waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.modbus_unit import BEHIND_A_GATEWAY, TRIES
from drivers.protocol import ascii as ascii_frames
from drivers.protocol import mbap, rtu
from gateway.core import aio
from gateway.core.errors import BadReply, NoReply, Refused

if TYPE_CHECKING:
    from types import ModuleType

    from drivers.line import Line
    from drivers.profile.plan import Cost
    from drivers.protocol.pdu import Request

FRAMINGS: dict[str, ModuleType] = {"rtu": rtu, "ascii": ascii_frames, "tcp": mbap}
FRAME_MAX = 2 * 256  # bytes on the wire of the longest exchange's one direction, in ASCII


class Asker:
    """One `unit` on `line`; `slowest_ms` is the longest it took to answer."""

    def __init__(
        self, line: Line, framing: str, unit: int, cost: Cost, timeout_ms: int, pause_ms: int = 0
    ) -> None:
        self._line = line
        self._frames = FRAMINGS[framing]
        self._frames.frame(unit, b"")  # ConfigError if this framing cannot name the unit
        self._unit = unit
        # The line's own time: a serial server passes nothing on before all of it came.
        self._timeout_ms = timeout_ms + cost.byte_us * FRAME_MAX // 1000
        self._pause_ms = pause_ms
        self._number = 0
        self.slowest_ms = 0

    async def ask(self, request: Request) -> bytes:
        """Return the payload of the reply; raises NoReply, BadReply, Refused, LinkError."""
        for left in range(TRIES - 1, -1, -1):
            try:
                return await self._once(request)
            except (NoReply, BadReply):
                if not left:
                    raise
        raise AssertionError

    async def _once(self, request: Request) -> bytes:
        self._number += 1
        frame = self._frames.frame(self._unit, request.encode(), self._number)
        reader = self._frames.ReplyReader(self._unit, request, self._number)
        reply = await self._line.exchange(frame, reader, self._timeout_ms, 1000 * self._pause_ms)
        self.slowest_ms = max(self.slowest_ms, (aio.now_us() - self._line.sent_at_us) // 1000)
        try:
            payload: bytes = request.parse(reply)
        except Refused as error:
            if error.code in BEHIND_A_GATEWAY:
                raise NoReply(str(error))
            raise
        return payload
