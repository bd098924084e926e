"""One bus of the agent: its devices polled in turn; what fails is left alone for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.line import Line, silence_us
from drivers.window import Window
from gateway.agent.plan import TCP, char_bits
from gateway.core import aio, log
from gateway.core.errors import BadReply, TidegateError
from gateway.health import POLL_LIMIT_MS
from gateway.poll import ALARM, ORDINARY, Item, Schedule, poll_bus

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from drivers.opener import Transport
    from gateway.agent.plan import Refused, WiredBus
    from gateway.core.reading import Reading
    from gateway.health import Beats

RESTART_MS = 1_000  # after a failure of our own making; doubled each time …
RESTART_MAX_MS = 300_000  # … up to this, so that a broken profile costs its neighbours nothing
_HOUR_MS = 3_600_000  # what counts as a period for a bus that is only asked once


class Bus:
    """The devices of `wired` over what `open_transport` gives; readings go to `sink`."""

    def __init__(
        self,
        wired: WiredBus,
        open_transport: Callable[[], Awaitable[Transport]],
        sink: Callable[[list[Reading]], None],
        beats: Beats,
        refused: Refused,
    ) -> None:
        self.name = wired.bus.name
        if wired.bus.framing == TCP:
            self._line: Line | Window = Window(open_transport, wired.width)
        else:
            gap_us = silence_us(wired.line["baud"], char_bits(wired.line))
            self._line = Line(open_transport, gap_us)
        self._devices = wired.devices(self._line, refused)
        self._digests = {one.device.name: one.digest.hex() for one in wired.wired}
        self._alarms = {one.device.name: bool(one.device.alarm) for one in wired.wired}
        self._sink = sink
        self._beats = beats
        self._schedule = Schedule([], 0)
        self._wake = aio.Event()
        self._failures = 0
        self._fallen: dict[str, tuple[int, int]] = {}  # device → failures in a row, not before ms

    async def run(self) -> None:
        """Poll for ever; a failure is told once, and polling begins anew after a while."""
        try:
            await self._run()
        finally:
            self._line.close()

    def facts(self) -> dict[str, Any]:
        """Return what the health message says of this bus."""
        items = self._schedule.items
        devices = {}
        for device in self._devices:
            mine = [item for item in items if item.key[0] is device and item.period_ms]
            facts: dict[str, Any] = dict(device.unit.counts)
            facts["silent"] = device.unit.silent
            facts["every_ms"] = [[item.period_ms, item.effective_ms] for item in mine]
            if device.notes:
                facts["notes"] = sorted(device.notes.values())
            devices[device.name] = facts
        overruns = sum([item.overruns for item in items])
        found = {"devices": devices, "failures": self._failures, "overruns": overruns}
        notes = [self._line.note] if self._line.note else []
        if self._devices:  # all on one bus
            bus = self._devices[0].bus
            found["use"] = round(bus.use.share(aio.now_us()), 3)
            notes += bus.notes
        if notes:
            found["notes"] = notes
        return found

    def refused(self) -> Refused:
        """Return what the devices have refused so far, to be known at the next start."""
        found: Refused = {}
        for device in self._devices:
            places = sorted([[one.table, one.address, one.count] for one in device.refused])
            if places:
                found[f"{device.name} {self._digests[device.name]}"] = places
        return found

    async def _run(self) -> None:
        restarts = 0
        while True:
            try:
                await self._poll()
            except Exception as error:  # noqa: BLE001 - a mistake in one bus must not stop another
                wait_ms = min(RESTART_MS << min(restarts, 16), RESTART_MAX_MS)
                restarts += 1
                self._tell(error, wait_ms)
                self._line.close()
                self._beats.expect(self.name, wait_ms + POLL_LIMIT_MS, aio.now_ms())
                await aio.sleep_ms(wait_ms)

    async def _poll(self) -> None:
        items = []
        for device in self._devices:
            for period_ms in device.periods:
                lane = ALARM if self._alarms[device.name] else ORDINARY
                items.append(Item((device, period_ms), period_ms, lane, owner=device.name))
        now_ms = aio.now_ms()
        shortest_ms = min([item.period_ms for item in items if item.period_ms] or [_HOUR_MS])
        self._beats.expect(self.name, max(POLL_LIMIT_MS, 3 * shortest_ms), now_ms)
        self._schedule = Schedule(items, now_ms)
        await poll_bus(self._schedule, self._ask, self._sink, self._wake, self._line.width)

    async def _ask(self, item: Item) -> list[Reading]:
        device, period_ms = item.key
        self._beats.beat(self.name, aio.now_ms())
        failures, again_ms = self._fallen.get(device.name, (0, 0))
        if aio.now_ms() < again_ms:
            return []
        try:
            readings: list[Reading] = await device.poll(period_ms)
        except TidegateError:
            raise
        except Exception as error:  # noqa: BLE001 - a mistake in one profile must not stop another
            wait_ms = min(RESTART_MS << min(failures, 16), RESTART_MAX_MS)
            self._fallen[device.name] = failures + 1, aio.now_ms() + wait_ms
            self._tell(error, wait_ms, device=device.name)
            raise BadReply(f"{device.name}: {error!r}")
        finally:
            self._beats.beat(self.name, aio.now_ms())
        self._fallen.pop(device.name, None)
        return readings

    def _tell(self, error: Exception, wait_ms: int, **who: str) -> None:
        self._failures += 1
        why = f"{type(error).__name__}: {error}"
        log.event(log.ERROR, "bus-failed", bus=self.name, why=why, again_in_ms=wait_ms, **who)
