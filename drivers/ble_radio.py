"""One radio: scans for ever, begins anew when the air goes silent, and tells what silence means.

Knows no stack: what opens a scan comes in. Knows no site and no profile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.protocol import advert
from gateway.core import aio, log
from gateway.core.errors import LinkError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any, Protocol

    from drivers.ble_listener import Listener
    from gateway.core.reading import Reading

    class Scan(Protocol):
        """A running scan."""

        async def close(self) -> None: ...


TICK_MS = 1_000  # how soon silence is told
QUIET_MS = 60_000  # without any advert a scan is taken for dead; no street is silent that long …
QUIET_MAX_MS = 960_000  # … but a field may be: after each vain restart, twice as long, up to this
RETRY_MS = 1_000  # after a scan that did not begin; doubled each time …
RETRY_MAX_MS = 60_000  # … up to this: an adapter that is plugged in again is soon in use


class Radio:
    """Adverts from what `open_scan` gives go to `listener`, readings to `sink`.

    `open_scan` takes what is called for each advert, with what `advert.told` takes. `scans` were
    begun, `failures` did not begin, `silences` ended one.
    """

    def __init__(
        self,
        name: str,
        listener: Listener,
        open_scan: Callable[[Any], Awaitable[Scan]],
        sink: Callable[[list[Reading]], None],
    ) -> None:
        self.listener = listener
        self.scans = self.failures = self.silences = 0
        self._open_scan = open_scan
        self._sink = sink
        self._presence = log.Presence(name)

    async def run(self) -> None:
        """Listen until cancelled; what fails is tried again."""
        async with aio.TaskGroup() as group:
            group.start(self._tick())
            group.start(self._listen())

    def facts(self) -> dict[str, Any]:
        """Return what the health message says of this radio."""
        found = self.listener.facts()
        found["scans"] = self.scans
        found["failures"] = self.failures
        found["silences"] = self.silences
        return found

    async def _tick(self) -> None:
        while True:
            found = self.listener.tick(aio.now_ms())
            if found:
                self._sink(found)
            await aio.sleep_ms(TICK_MS)

    async def _listen(self) -> None:
        quiet_ms, wait_ms = QUIET_MS, RETRY_MS
        while True:
            before = self.listener.adverts
            try:
                scan = await self._open_scan(self._hear)
            except LinkError as error:
                self.failures += 1
                self._presence.lose(str(error), aio.now_ms())
                await aio.sleep_ms(wait_ms)
                wait_ms = min(2 * wait_ms, RETRY_MAX_MS)
                continue
            self.scans += 1
            wait_ms = RETRY_MS
            try:
                await self._until_silent(quiet_ms)
            finally:
                await scan.close()
            self.silences += 1
            self._presence.lose(f"no advert for {quiet_ms // 1000} s", aio.now_ms())
            heard = self.listener.adverts != before
            quiet_ms = QUIET_MS if heard else min(2 * quiet_ms, QUIET_MAX_MS)

    async def _until_silent(self, quiet_ms: int) -> None:
        count, since_ms = self.listener.adverts, aio.now_ms()
        while aio.now_ms() - since_ms < quiet_ms:
            await aio.sleep_ms(TICK_MS)
            if self.listener.adverts != count:
                count, since_ms = self.listener.adverts, aio.now_ms()
                self._presence.find(since_ms)

    def _hear(self, *heard: Any) -> None:
        found = self.listener.heard(advert.told(*heard), aio.now_ms())
        if found:
            self._sink(found)
