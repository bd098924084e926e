"""What has come in and was not read yet: bounded, and it remembers that the link is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core import aio
from gateway.core.buggify import buggify

if TYPE_CHECKING:
    from gateway.core.errors import LinkError

SIZE_MAX = 4096  # over ten of the longest replies; beyond it nobody reads, and the oldest is stale


class Inbox:
    """Bytes between a source that never waits and one reader that does."""

    def __init__(self) -> None:
        self._bytes = b""
        self._lost: LinkError | None = None
        self._news = aio.Event()

    def put(self, data: bytes) -> None:
        """Add what came in; the oldest bytes beyond SIZE_MAX are forgotten."""
        self._bytes = (self._bytes + data)[-SIZE_MAX:]
        self._news.set()

    def lose(self, error: LinkError) -> None:
        """Note that nothing will come any more; what came before can still be read."""
        self._lost = self._lost or error
        self._news.set()

    async def take(self, size_max: int) -> bytes:
        """Wait for 1..size_max bytes; LinkError when the link is gone."""
        while not self._bytes:
            if self._lost:
                raise self._lost
            self._news.clear()
            await self._news.wait()
        if buggify("one-byte"):
            size_max = 1
        data = self._bytes[:size_max]
        self._bytes = self._bytes[size_max:]
        return data

    def drop(self) -> bytes:
        """Throw away and return what came in; LinkError when the link is gone."""
        if self._lost:
            raise self._lost
        stale = self._bytes
        self._bytes = b""
        return stale
