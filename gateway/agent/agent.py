"""The agent: buses fill the buffer, the uplink empties it, and everything shows that it moves.

Joins rooms and decides nothing of theirs. What differs between platforms comes in as `Leaves`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway import __version__
from gateway.agent.bus import Bus
from gateway.core import aio
from gateway.core.clock import SYSTEM, Clock
from gateway.core.reading import BULK, RINGS
from gateway.health import STORE_LIMIT_MS, UPLINK_LIMIT_MS, Beats, summary, unaccounted
from gateway.uplink.uplink import Uplink

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any, Protocol

    from drivers.opener import Transport
    from gateway.agent.plan import Plan, WiredBus
    from gateway.core.clock import Stamp
    from gateway.core.reading import Point, Reading
    from gateway.site import Site, Storage
    from gateway.uplink.uplink import Ear, Link

    class Leaves(Protocol):
        """What the platform gives: ports, storage, broker, wall clock, and who watches over us."""

        async def open_transport(self, wired: WiredBus) -> Transport: ...
        async def open_buffer(self, storage: Storage, points: list[Point]) -> Any: ...
        async def open_link(self, site: Site, ear: Ear) -> Link: ...
        def observe(self, trust_system: bool) -> tuple[int, int, str] | None: ...
        def random(self) -> float: ...
        def deflate(self, data: bytes, dictionary: bytes) -> bytes: ...
        def alive(self, status: str, fed: bool) -> None: ...
        def recall(self) -> dict[str, Any]: ...
        def remember(self, learned: dict[str, Any]) -> None: ...


STOP_MS = 2_000  # for the one page that says so; systemd waits longer
# How often the watchdog is fed, the status line renewed, the clock looked at and the storage asked.
# Twice that and STORE_LIMIT_MS are less than the watchdog's minute.
PULSE_MS = 14_000


class Agent:
    """One gateway at work: `run` it."""

    def __init__(self, site: Site, plan: Plan, leaves: Leaves) -> None:
        self._site = site
        self._plan = plan
        self._leaves = leaves
        self._beats = Beats()
        self._rings = {point.name: point.ring for point in plan.points}
        self._order = [point.name for point in plan.points]
        self._latest: dict[str, Reading] = {}
        self._learned = leaves.recall()
        self._buses = [
            Bus(wired, self._opener(wired), self._take, self._beats, self._learned)
            for wired in plan.buses
        ]

    async def run(self) -> None:
        """Recover the buffer, then poll, store and deliver until cancelled."""
        points = self._plan.points
        self._buffer = await self._leaves.open_buffer(self._site.storage, points)
        self._clock = Clock(self._buffer.boot, self._buffer.anchors())
        self._observe()
        uplink = Uplink(
            self._site.gateway,
            self._buffer,
            self,
            {point.name: point.unit for point in points},
            self._stamp,
            self._open_link,
            self._leaves.random,
            deflate=self._leaves.deflate if self._site.platform.deflate != "false" else None,
            deflate_early=self._site.platform.deflate == "true",
            rate=self._site.platform.rate,
            announce_ms=self._site.platform.announce_ms,
        )
        now_ms = aio.now_ms()
        self._beats.expect("store", STORE_LIMIT_MS, now_ms)
        self._beats.expect("uplink", UPLINK_LIMIT_MS, now_ms)
        try:
            await self._work(uplink)
        except aio.CancelledError:  # told to stop; what is offline says so already
            await self._mark_stop()
            raise

    def birth(self) -> dict[str, Any]:
        """Return the birth certificate: who this is, and what its points mean."""
        return {
            "state": "online",
            "gw": self._site.gateway,
            "version": __version__,
            "boot": self._buffer.boot,
            "ended": self._buffer.ended,
            "logs": {ring: self._buffer.log_id(ring) for ring in RINGS},
            "devices": {
                one.device.name: {"profile": one.device.profile, "digest": one.digest}
                for bus in self._plan.buses
                for one in bus.wired
            },
            "points": [
                [point.name, point.kind, point.unit, point.ring, point.every_ms]
                for point in self._plan.points
            ],
        }

    def latest(self) -> list[Reading]:
        """Return the newest reading of every point that had one, in the order of the site."""
        return [self._latest[name] for name in self._order if name in self._latest]

    def health(self) -> dict[str, Any]:
        """Return the counters; sampled = delivered + gaps + buffered."""
        found: dict[str, Any] = self._buffer.counts()
        found["boot"] = self._buffer.boot
        found["uptime_ms"] = aio.now_ms()
        found["late"] = self._beats.late(aio.now_ms())
        found["unaccounted"] = unaccounted(found)
        found["buses"] = {bus.name: bus.facts() for bus in self._buses}
        return found

    async def _work(self, uplink: Uplink) -> None:
        async with aio.TaskGroup() as group:
            group.start(self._buffer.run())
            group.start(uplink.run())
            group.start(self._pulse(uplink))
            group.start(self._watch_store())
            for bus in self._buses:
                group.start(bus.run())

    async def _mark_stop(self) -> None:
        try:
            await aio.within(STOP_MS, self._buffer.stopped())
        except aio.TimeoutError:  # a card that hangs: the next start calls it a crash
            return

    def _take(self, readings: list[Reading]) -> None:
        rings, latest = self._rings, self._latest
        found: dict[str, list[Reading]] = {ring: [] for ring in RINGS}
        for one in readings:
            found[rings.get(one.point, BULK)].append(one)
            latest[one.point] = one
        for ring in RINGS:
            if found[ring]:
                self._buffer.add(ring, found[ring])

    def _opener(self, wired: WiredBus) -> Callable[[], Awaitable[Transport]]:
        return lambda: self._leaves.open_transport(wired)

    async def _open_link(self, ear: Ear) -> Link:
        link = await self._leaves.open_link(self._site, ear)
        # The way may be open only because the clock was set: the backlog must not leave undated.
        self._observe()
        return link

    def _stamp(self, boot: int, at_ms: int) -> Stamp:
        return self._clock.wall(boot, at_ms)

    def _observe(self) -> None:
        seen = self._leaves.observe(self._site.clock == SYSTEM)
        if seen is not None:
            anchor = self._clock.observe(aio.now_ms(), *seen)
            if anchor is not None:
                self._buffer.anchor(anchor)

    async def _pulse(self, uplink: Uplink) -> None:
        """Feed the watchdog, but only while poll, store and uplink have all moved."""
        turns = -1
        while True:
            self._observe()
            now_ms = aio.now_ms()
            if uplink.turns != turns:
                turns = uplink.turns
                self._beats.beat("uplink", now_ms)
            late = self._beats.late(now_ms)
            if late:
                # Said to whoever asks systemd, which then restarts us.
                self._leaves.alive("stalled: " + ", ".join(late), fed=False)
            else:
                self._leaves.alive(summary(self._buffer.counts()), fed=True)
            self._keep_learned()
            await aio.sleep_ms(PULSE_MS)

    async def _watch_store(self) -> None:
        # Not in `_pulse`: a card that hangs must not silence who tells of it.
        answers = -1
        while True:
            if self._buffer.answers == answers:  # nothing else was asked of it meanwhile
                await self._buffer.answered()
            answers = self._buffer.answers
            self._beats.beat("store", aio.now_ms())
            await aio.sleep_ms(PULSE_MS)

    def _keep_learned(self) -> None:
        learned = {}
        for bus in self._buses:
            learned.update(bus.refused())
        if learned != self._learned:
            self._learned = learned
            self._leaves.remember(learned)
