"""How devices without Modbus talk on a line: by themselves, or when a request came.

Knows pace and faults; the bytes are those of whoever plays the device.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any, Protocol

    from tools.sim.faults import Faults
    from tools.sim.ports import Pace

    class Player(Protocol):
        """Who plays a device that is asked."""

        def answer(self, got: bytes, now_s: float) -> tuple[bytes, str] | None:
            """Return (answer or nothing, source) once `got` ends with a request, else None."""

        def sends(self, now_s: float) -> list[tuple[bytes, str]]:
            """Return what it says by itself each period."""


STREAM_S = 1.0  # between frames of a device that sends by itself, as most of them do
REQUEST_MAX = 256  # bytes kept of what may become a request


class FrameTalk:
    """Lets `player` talk; `told(request, answer or None, source)` hears every exchange."""

    def __init__(
        self,
        player: Player,
        faults: Faults,
        pace: Pace,
        told: Callable[[bytes, bytes | None, str], None],
    ) -> None:
        self._player = player
        self._faults = faults
        self._pace = pace
        self._told = told
        self._began_s: float | None = None  # the player's time begins with the first client

    async def run(
        self, read: Callable[[], Coroutine[Any, Any, bytes]], write: Callable[[bytes], None]
    ) -> None:
        """Talk until nothing more can come."""
        speaking = asyncio.create_task(self._speak(write))
        try:
            got = b""
            while True:
                data = await read()
                if not data:
                    return
                got = (got + data)[-REQUEST_MAX:]
                found = self._player.answer(got, self._since_s())
                if found is not None:
                    await self._send(write, *found, got)
                    got = b""
        finally:
            speaking.cancel()

    async def _speak(self, write: Callable[[bytes], None]) -> None:
        while True:
            for frame, source in self._player.sends(self._since_s()):
                await self._send(write, frame, source, b"")
            await asyncio.sleep(STREAM_S)

    async def _send(
        self, write: Callable[[bytes], None], frame: bytes, source: str, request: bytes
    ) -> None:
        if request and self._faults.strikes("echo"):
            await self._pace.send(write, request, self._now_s())
        if self._faults.delay_s:
            await asyncio.sleep(self._faults.delay_s)
        spoiled = self._faults.spoil(frame) if frame else b""
        self._told(request, spoiled or None, source)
        await self._pace.send(write, spoiled, self._now_s())

    def _since_s(self) -> float:
        if self._began_s is None:
            self._began_s = self._now_s()
        return self._now_s() - self._began_s

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()
