"""A transport that is opened when it is first needed, and opened anew after it was lost.

Knows when it may be tried again; knows no bytes.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from gateway.core import aio
from gateway.core.errors import ConfigError, LinkError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Protocol

    class Transport(Protocol):
        """What drivers.transport opens."""

        async def read(self, size_max: int) -> bytes: ...
        async def write(self, data: bytes) -> None: ...
        def drop_input(self) -> bytes: ...
        def close(self) -> None: ...


BACK_OFF_MIN_MS = 500  # reopening: a random time up to this, doubled at each failure …
BACK_OFF_MAX_MS = 30_000  # … up to this, so that a plugged adapter works again within half a minute


class Opener:
    """Keeps `transport`, None while it is closed; `openings` counts.

    `note` says in a sentence what about the transport costs speed, "" if nothing does.
    """

    def __init__(self, open_transport: Callable[[], Awaitable[Transport]]) -> None:
        self._open_transport = open_transport
        self._worked = False  # a reply came since the transport was opened
        self._failures = 0
        self._why = ""
        self._retry_at_ms = 0
        self.transport: Transport | None = None
        self.openings = 0
        self.note = ""

    async def open(self) -> Transport:
        """Open the transport; LinkError while it must be left alone, ConfigError for a person."""
        left_ms = self._retry_at_ms - aio.now_ms()
        if left_ms > 0:
            raise LinkError(f"{self._why} (next try in {left_ms / 1000:.1f} s)")
        try:
            self.transport = await self._open_transport()
        except (LinkError, ConfigError) as error:
            self.lose(error)
            raise
        self.openings += 1
        self.note = getattr(self.transport, "note", "")  # only a serial port has any
        return self.transport

    def worked(self) -> None:
        """Note that a reply came: should the transport be lost, it is opened anew at once."""
        self._worked = True
        self._failures = 0

    def lose(self, error: LinkError | ConfigError) -> None:
        """Close the transport for this reason; unless it had worked, leave it for a while."""
        self.close()
        self._why = str(error)
        self._retry_at_ms = aio.now_ms()
        if not self._worked:
            ceiling_ms = min(BACK_OFF_MAX_MS, BACK_OFF_MIN_MS << min(self._failures, 10))
            self._retry_at_ms += int(random.random() * ceiling_ms)
            self._failures += 1
        self._worked = False

    def close(self) -> None:
        """Close the transport."""
        if self.transport:
            self.transport.close()
        self.transport = None
