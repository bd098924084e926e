import asyncio

from gateway.core import aio
from gateway.core.clock import SYNCED, Stamp
from gateway.core.reading import BULK, CRIT, Batch, Reading
from gateway.uplink import pack, topics
from gateway.uplink.uplink import Ear, Uplink

GW = "gw-1"
LOG = b"logbulk1"
HELD = 300


class Source:
    """Holds HELD bulk readings."""

    boot = 1

    def __init__(self) -> None:
        self.changed = aio.Event()
        self.cursors = {CRIT: 0, BULK: 0}

    def log_id(self, ring: str) -> bytes:
        return LOG

    def cursor(self, ring: str) -> int:
        return self.cursors[ring]

    def last(self, ring: str) -> int:
        return HELD if ring == BULK else 0

    def acked(self, ring: str, log_id: bytes, seq: int) -> None:
        self.cursors[ring] = seq

    async def reject(self, ring: str, seq: int, reason: str) -> None:
        raise AssertionError("nothing here is unfit")

    async def next_batch(
        self, ring: str, after_seq: int, readings_max: int, bytes_max: int
    ) -> "Batch | None":
        last = min(after_seq + readings_max, self.last(ring))
        if last <= after_seq:
            return None
        items = [Reading("river-3/level", seq, seq) for seq in range(after_seq + 1, last + 1)]
        return Batch(ring, LOG, after_seq + 1, 1, 1, items)

    def birth(self) -> dict:
        return {"state": "online"}

    def latest(self) -> list:
        return []

    def health(self) -> dict:
        return {}


class Link:
    """Broker and platform in one: answers and acknowledges what it is given."""

    receive_max = 20
    packet_max = 10_000
    blocked = False

    def __init__(self, ear: Ear) -> None:
        self.ear = ear
        self.closed = False

    def subscribe(self, topic: str) -> None:
        assert topic == "sensing/1/gw-1/ack"

    def publish(
        self, token: int, topic: str, payload: bytes, content_type: str, *, retain: bool
    ) -> None:
        self.ear.puback(token, 0)
        gw, kind, ring = topics.split(topic)
        if kind == "up":
            found = pack.decode(payload)
            ack = topics.Ack(ring, found.log_id, found.seq + len(found.items) - 1)
            self.ear.message(topics.of(gw, topics.ACK), topics.encode_ack(ack))

    def close(self) -> None:
        self.closed = True


def test_uplink_delivers_on_either_python() -> None:
    source = Source()
    links: list = []

    async def open_link(ear: Ear) -> Link:
        links.append(Link(ear))
        return links[-1]

    def stamp(boot: int, at_ms: int) -> Stamp:
        return Stamp(1_800_000_000_000 + at_ms, 1_800_000_000_000 + at_ms, SYNCED)

    async def run() -> None:
        units = {"river-3/level": "m"}
        uplink = Uplink(
            GW, source, source, units, stamp, open_link, lambda: 0.0, window=4, items_max=20
        )
        task = asyncio.create_task(uplink.run())
        for _ in range(1_000):
            if source.cursors[BULK] == HELD:
                break
            await asyncio.sleep(0)
        assert source.cursors[BULK] == HELD
        assert uplink.counts()["packs"] == 15
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            pass
        assert links[0].closed

    asyncio.run(run())
