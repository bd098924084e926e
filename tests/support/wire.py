"""A transport played by a script: what comes in after each request, and when."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from drivers.transport.inbox import Inbox
from gateway.core import aio

if TYPE_CHECKING:
    from gateway.core.errors import LinkError


class Wire:
    """Answers the n-th request with the n-th list of (delay in ms, bytes or LinkError)."""

    def __init__(self, *answers: list[tuple[int, bytes | LinkError]]) -> None:
        self._answers = list(answers)
        self._tasks: list[object] = []
        self.inbox = Inbox()
        self.sent: list[tuple[int, bytes]] = []
        self.closed = False

    async def read(self, size_max: int) -> bytes:
        return await self.inbox.take(size_max)

    async def write(self, data: bytes) -> None:
        self.sent.append((aio.now_ms(), data))
        answer = self._answers.pop(0) if self._answers else []
        self._tasks.append(asyncio.create_task(self._play(answer)))

    def drop_input(self) -> bytes:
        return self.inbox.drop()

    def close(self) -> None:
        self.closed = True

    async def _play(self, answer: list[tuple[int, bytes | LinkError]]) -> None:
        for delay_ms, what in answer:
            await aio.sleep_ms(delay_ms)
            if isinstance(what, bytes):
                self.inbox.put(what)
            else:
                self.inbox.lose(what)
