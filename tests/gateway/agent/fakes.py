"""The agent's surroundings in one process: a slave behind each port, a disk, a platform."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.protocol import mbap
from drivers.transport.inbox import Inbox
from gateway import __version__
from gateway.buffer.buffer import Buffer
from gateway.buffer.store import Settings
from gateway.core import aio, cbor
from gateway.core.errors import LinkError
from gateway.uplink import pack, topics
from gateway.uplink.deflate_cpython import deflate, inflate, is_deflated
from tests.support.disk import SimDisk

if TYPE_CHECKING:
    from gateway.agent.plan import WiredBus
    from gateway.core.reading import Point
    from gateway.site import Site, Storage
    from gateway.uplink.uplink import Ear
    from tools.sim.modbus import Slave

WALL_MS = 1_800_000_000_000
REPLY_MS = 5


class SlavePort:
    """A Modbus TCP connection that ends in a slave."""

    def __init__(self, slave: Slave) -> None:
        self._slave = slave
        self._requests = mbap.RequestReader()
        self._inbox = Inbox()

    async def read(self, size_max: int) -> bytes:
        await aio.sleep_ms(REPLY_MS)
        return await self._inbox.take(size_max)

    async def write(self, data: bytes) -> None:
        found = self._requests.feed(data)
        assert found is not None
        reply = self._slave.answer(*found)
        if reply is not None:
            self._inbox.put(mbap.frame(found[0], reply, self._requests.number))

    def drop_input(self) -> bytes:
        return self._inbox.drop()

    def close(self) -> None:
        self._inbox.lose(LinkError("closed"))


class Platform:
    """Remembers what arrived and acknowledges it at once."""

    receive_max = 20
    packet_max = 65_536
    blocked = False

    def __init__(self) -> None:
        self.arrived: dict[tuple[str, int], pack.Sample | object] = {}
        self.repeats = 0
        self.deflated = 0
        self.retained: dict[str, bytes] = {}
        self._ear: Ear | None = None

    def attach(self, ear: Ear) -> Platform:
        self._ear = ear
        return self

    def subscribe(self, topic: str) -> None:
        assert topic.endswith("/ack")

    def publish(
        self, token: int, topic: str, payload: bytes, content_type: str, *, retain: bool
    ) -> None:
        assert self._ear is not None
        gw, kind, ring = topics.split(topic)
        self._ear.puback(token, 0)
        if retain:
            self.retained[kind] = payload
            return
        self.deflated += is_deflated(payload)
        found = pack.decode(inflate(payload, 65_536) if is_deflated(payload) else payload)
        for place, item in enumerate(found.items, found.seq):
            self.repeats += (ring, place) in self.arrived
            self.arrived[ring, place] = item
        last = found.seq + len(found.items) - 1
        ack = topics.encode_ack(topics.Ack(ring, found.log_id, last))
        self._ear.message(topics.of(gw, topics.ACK), ack)

    def close(self) -> None:
        self._ear = None

    def told(self, kind: str) -> dict[str, object]:
        """Return the newest retained message of a kind, decoded."""
        found = cbor.decode(self.retained[kind])
        assert isinstance(found, dict)
        return found


class FakeLeaves:
    """A gateway's surroundings, all of them in virtual time."""

    def __init__(self, slaves: dict[str, Slave], platform: Platform) -> None:
        self.slaves = slaves
        self.platform = platform
        self.disk = SimDisk()
        self.heard: list[tuple[str, bool]] = []
        self.stuck = False
        self.learned: dict[str, object] = {}

    async def open_transport(self, wired: WiredBus) -> SlavePort:
        if wired.bus.name not in self.slaves:
            raise LinkError(f"{wired.bus.port} is not there")
        return SlavePort(self.slaves[wired.bus.name])

    async def open_buffer(self, storage: Storage, points: list[Point]) -> Buffer:
        settings = Settings(
            storage.crit_bytes, storage.bulk_bytes, 1 << 16, commit_ms=storage.commit_ms
        )
        return await Buffer.open(
            self.disk,
            settings,
            points,
            kernel="boot",
            version=__version__,
            random=lambda size: bytes(range(size)),
            job=self._job,
        )

    async def open_link(self, site: Site, ear: Ear) -> Platform:
        return self.platform.attach(ear)

    def observe(self, trust_system: bool) -> tuple[int, int, str] | None:
        return (self.wall_ms(), 0, "system") if trust_system else None

    def wall_ms(self) -> int:
        return WALL_MS + aio.now_ms()

    def deflate(self, data: bytes, dictionary: bytes) -> bytes:
        return deflate(data, dictionary)

    def random(self) -> float:
        return 0.5

    def alive(self, status: str, fed: bool) -> None:
        self.heard.append((status, fed))

    def recall(self) -> dict[str, object]:
        return self.learned

    def remember(self, learned: dict[str, object]) -> None:
        self.learned = learned

    async def _job(self, work: object, *given: object) -> object:
        while self.stuck:
            await aio.sleep_ms(1000)
        assert callable(work)
        return work(*given)
