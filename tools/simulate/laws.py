"""The laws of time and room: what must happen soon, whatever is wrong, and what must not grow.

Looks at one life after the other of a world's agent; the laws of readings are the ledger's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.reading import BULK, RINGS
from gateway.health import unaccounted
from tools.simulate.bounds import Seen, exceeded
from tools.simulate.history import EPOCH_MS

if TYPE_CHECKING:
    from gateway.agent.agent import Agent
    from gateway.uplink.uplink import Uplink
    from tools.simulate.ledger import Taken
    from tools.simulate.world import World

START_S = 45  # from the start of a life to its buffer, where no storage stalls
LOSS_MS = 2_000  # beside the commit interval: what a power cut may take, where nothing is wrong
STUCK_S = 240  # a reading that is not durable by then: the watchdog should have bitten
# A bus is asked again so long after its trouble: its back-off, and the longest wait of a silent
# unit (49 times the second and a half that a poll of it costs), and a look of the world's.
BUS_S = 30 + 75 + 60
WAITS = 24  # waits before connecting, of which none was shorter than the one before: no dice

OF_THE_BUS = ("noise", "silence", "garbage", "late", "babble", "unplug")
OF_THE_DISK = ("slow-disk", "read-eio", "disk-full", "read-only", "hang", "sync-eio", "write-eio")


class Laws:
    """`begin` a life; `look` at it now and then."""

    def __init__(self, world: World) -> None:
        self.peaks: dict[str, int] = {}  # the most seen of each queue
        self.uplink: Uplink | None = None
        self.pulses_each = 1  # of so many pulses one looks at all bounds; every batch sent does
        self._pulses = 0
        self._world = world
        self._agent: Agent
        self._began_s = 0.0
        self._opened_s: float | None = None
        self._asked: dict[str, tuple[int, float]] = {}  # bus → (requests, when that changed)
        self._failed_s: float | None = None  # when connecting failed last
        self._waits: list[float] = []

    def begin(self, agent: Agent) -> None:
        """A life begins."""
        self._agent = agent
        self.uplink = None
        self._began_s = self._now_s()
        self._opened_s = None
        self._asked = {}
        self._failed_s, self._waits = None, []

    def opened(self) -> None:
        """It has its buffer: from here on it works."""
        self._opened_s = self._now_s()

    def look(self) -> None:
        """See whether what must have happened by now has."""
        if self._opened_s is None:
            since_s = max(self._began_s, self._world.faults.ended_s(OF_THE_DISK))
            if self._now_s() > since_s + START_S:
                self._world.broken(f"no buffer {self._now_s() - since_s:.0f} s after the start")
            return
        self._look_at_buses(self._opened_s)
        self._look_at_ram()

    def pulse(self) -> None:
        """See whether the accounts add up, and nothing has grown beyond its bound."""
        world = self._world
        self._pulses += 1
        if self._pulses % self.pulses_each == 0:
            self.room()
        counts = self._agent._buffer.counts()
        if unaccounted(counts):
            world.broken(f"the accounts do not add up: {counts}")
        if min(counts[name] for name in ("sampled", "delivered", "gaps", "buffered")) < 0:
            world.broken(f"less than nothing: {counts}")

    def room(self) -> None:
        """See whether anything has grown beyond its bound."""
        found = exceeded(Seen(self._agent, self.uplink, self._world.disk), self.peaks)
        if found:
            self._world.broken(found)

    def committed(self, one: Taken) -> None:
        """A reading has become durable."""
        world = self._world
        limit_ms = LOSS_MS + (world.settings.commit_ms if one.ring == BULK else 0)
        waited_ms = EPOCH_MS + world.now_ms - one.true_ms
        calm_s = max(world.faults.last_s, self._began_s) + STUCK_S
        if waited_ms > limit_ms and one.true_ms > EPOCH_MS + 1000 * calm_s:
            if not {"late-answer", "ram-full"} & set(world.rare.shares):
                world.broken(f"not durable for {waited_ms} ms: {one}")

    def connects(self) -> None:
        """The agent tries to connect."""
        if self._failed_s is None:
            return
        self._waits = [*self._waits[1 - WAITS :], self._now_s() - self._failed_s]
        self._failed_s = None
        if len(self._waits) == WAITS and self._waits == sorted(self._waits):
            self._world.broken(f"{WAITS} waits, none shorter than the one before: {self._waits}")

    def failed(self) -> None:
        """It could not."""
        self._failed_s = self._now_s()

    def _now_s(self) -> float:
        return self._world.now_ms / 1000

    def _look_at_buses(self, opened_s: float) -> None:
        world = self._world
        for bus in world.site.buses:
            asked = sum(world.gauges[bus.name].given.values())
            before, since_s = self._asked.get(bus.name, (-1, opened_s))
            if asked != before:
                self._asked[bus.name] = asked, self._now_s()
                continue
            every_s = max(device.every_ms or 0 for device in bus.devices) / 1000
            since_s = max(since_s, world.faults.ended_s(OF_THE_BUS))
            if self._now_s() > since_s + BUS_S + 2 * every_s:
                world.broken(f"{bus.name} is not polled for {self._now_s() - since_s:.0f} s")

    def _look_at_ram(self) -> None:
        world = self._world
        if not self._agent._buffer.durable:
            return
        for ring in RINGS:
            oldest = world.ledger.oldest_in_ram(ring)
            if oldest and EPOCH_MS + world.now_ms > oldest.true_ms + 1000 * STUCK_S:
                world.broken(f"still not durable: {oldest}")
