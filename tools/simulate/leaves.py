"""What a gateway stands on, simulated: ports, card, broker, clock and watchdog of one life.

Also where the buffer is listened to: the calls that the laws speak of pass through here.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateway.buffer.buffer import Buffer
from gateway.core.clock import NTP, RTC
from gateway.core.errors import LinkError
from gateway.core.reading import CRIT, RINGS
from gateway.uplink.deflate_cpython import deflate
from tools.simulate.bus import Port
from tools.simulate.history import EPOCH_MS

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random
    from typing import Any

    from gateway.agent.plan import WiredBus
    from gateway.core.reading import Batch, Point, Reading
    from gateway.site import Site, Storage
    from gateway.uplink.uplink import Ear
    from tools.simulate.broker import Link
    from tools.simulate.world import World

DAY_MS = 86_400_000
RTC_ERROR_MS = 60_000
WATCHDOG_MS = 60_000  # not fed for so long, the agent is killed
POLL_MS_MAX = 30_000  # the longest poll of a device whose every request times out


class Leaves:
    """One life's surroundings; `boot_ms` is the true time at which its clock stood at 0."""

    def __init__(self, world: World, boot_ms: int, kernel: str, dice: Random) -> None:
        self.buffer: Buffer | None = None
        self._ports: dict[str, Port] = {}
        self._hung = False
        self.fed_ms = 0
        self._world = world
        self._boot_ms = boot_ms
        self._kernel = kernel
        self._dice = dice

    async def open_transport(self, wired: WiredBus) -> Port:
        world = self._world
        await asyncio.sleep(0.001)
        if world.faults.on("unplug"):
            raise LinkError(f"{wired.bus.port} is not there")
        name = wired.bus.name
        framing = wired.bus.framing
        port = self._ports[name] = Port(
            world.loop, world.faults, self._dice, world.gauges[name], framing, world.echoes[name]
        )
        port.babble()
        return port

    async def open_buffer(self, storage: Storage, points: list[Point]) -> Buffer:  # noqa: ARG002
        world = self._world
        buffer = await Buffer.open(
            world.disk,
            world.settings,
            points,
            kernel=self._kernel,
            version="0",
            random=self._dice.randbytes,
            job=self._job,
        )
        self.buffer = buffer
        world.opened(buffer)
        Listener(world, buffer, self._boot_ms)
        return buffer

    async def open_link(self, site: Site, ear: Ear) -> Link:  # noqa: ARG002
        world = self._world
        world.laws.uplink = ear._uplink
        world.laws.connects()
        await asyncio.sleep(self._dice.uniform(0.01, 0.5))
        try:
            link = world.broker.connect(ear)
        except LinkError:
            world.laws.failed()
            raise
        world.note("connected", link.receive_max, link.packet_max)
        return link

    def observe(self, trust_system: bool) -> tuple[int, int, str] | None:  # noqa: ARG002
        faults = self._world.faults
        if faults.on("clock-lost"):
            return None
        if faults.on("clock-step"):
            if self.buffer:
                self._world.ledger.wrong_clocks.add(self._world.ledger.card)
            return self.wall_ms(), RTC_ERROR_MS, RTC
        if self.buffer:
            self._world.ledger.synced.add((self._world.ledger.card, self.buffer.boot))
        return self.wall_ms(), 1, NTP

    def wall_ms(self) -> int:
        faults = self._world.faults
        if faults.on("clock-lost"):
            return int(self._world.loop.time() * 1000)  # a clock without a battery: 1970
        step_ms = 0
        if faults.on("clock-step"):
            step_ms = DAY_MS if faults.until_s("clock-step") % 2 < 1 else -DAY_MS
        return self._boot_ms + int(self._world.loop.time() * 1000) + step_ms

    def random(self) -> float:
        return self._dice.random()

    def deflate(self, data: bytes, dictionary: bytes) -> bytes:
        return deflate(data, dictionary)

    def alive(self, status: str, fed: bool) -> None:  # noqa: ARG002
        if fed:
            self.fed_ms = self._world.now_ms
        self._world.laws.pulse()

    def begin(self, kind: str) -> None:
        """Let something happen to ports or storage."""
        if kind == "hang":
            self._hung = True
        for name in sorted(self._ports):
            self._ports[name].babble()

    def watch(self) -> bool:
        """Return whether the watchdog must bite."""
        return self._world.now_ms - self.fed_ms > WATCHDOG_MS

    def recall(self) -> dict[str, Any]:
        return dict(self._world.learned)

    def remember(self, learned: dict[str, Any]) -> None:
        self._world.learned = learned

    async def _job(self, work: Callable[..., Any], *given: Any) -> Any:
        # As from a thread: others run before the work, and before its answer is seen.
        while self._hung:
            await asyncio.sleep(3600)
        mood = self._dice.random()
        await asyncio.sleep(0 if mood < 0.8 else self._dice.uniform(0, 0.05))
        if self._world.faults.strikes("slow-disk", 0.5):
            await asyncio.sleep(self._world.faults.dice("slow-disk").uniform(0.1, 20))
        answer = work(*given)
        await asyncio.sleep(0 if mood < 0.9 else 0.005)
        return answer


class Listener:
    """Stands before the calls of a buffer and tells the ledger what went through them."""

    def __init__(self, world: World, buffer: Buffer, boot_ms: int) -> None:
        self._world = world
        self._buffer = buffer
        self._boot_ms = boot_ms
        self._add, self._commit = buffer.add, buffer.commit
        self._next, self._acked = buffer.next_batch, buffer.acked
        self._really_do = buffer._do
        self._marks: dict[str, int] = {}
        for name in ("add", "commit", "next_batch", "acked", "_do"):
            setattr(buffer, name, getattr(self, name))

    def add(self, ring: str, readings: list[Reading]) -> None:
        world = self._world
        for one in readings:
            true_ms = self._boot_ms + one.at_ms
            age_ms = EPOCH_MS + world.now_ms - true_ms
            if not 0 <= age_ms <= POLL_MS_MAX:
                world.broken(f"{one.point} is of {age_ms} ms ago when it is taken")
            world.sampled(one)
            world.ledger.took(self._buffer.boot, ring, one, true_ms)
        self._add(ring, readings)

    async def commit(self, telemetry: bool = True) -> None:
        await self._commit(telemetry)
        if self._buffer.durable:
            for ring in RINGS if telemetry else (CRIT,):
                for one in self._world.ledger.committed(ring, self._marks[ring]):
                    self._world.laws.committed(one)

    async def _do(self, work: Callable[..., Any], *given: Any) -> Any:
        if work == self._buffer._store_work:  # what was taken up to now is in it
            self._marks = self._world.ledger.marks()
        return await self._really_do(work, *given)

    async def next_batch(
        self, ring: str, after_seq: int, readings_max: int = 64, bytes_max: int = 8192
    ) -> Batch | None:
        batch = await self._next(ring, after_seq, readings_max, bytes_max)
        if batch is None:
            return None
        if self._buffer.durable:
            unsafe = self._world.disk.unsafe(f"{ring}/s-")
            if unsafe and not self._buffer._one.locked():
                self._world.broken(f"{ring} {batch.seq} is handed out, {unsafe} is not durable")
        else:
            self._world.ledger.volatile.add(batch.log_id)
        self._world.ledger.handed_out(batch)
        self._world.laws.room()
        return batch

    def acked(self, ring: str, log_id: bytes, seq: int) -> None:
        high = self._world.platform.highs.get(log_id, 0)
        if log_id == self._buffer.log_id(ring) and high < seq <= self._buffer.last(ring):
            self._world.broken(f"{ring} {seq} counts as delivered, the platform holds {high}")
        self._world.note("acked", ring, seq)
        self._acked(ring, log_id, seq)
