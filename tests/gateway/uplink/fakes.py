"""The two ends of an uplink: a source that holds what a test says, a platform that remembers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateway.core import aio
from gateway.core.clock import SYNCED, Stamp
from gateway.core.reading import BULK, CRIT, RINGS, Batch, Gap, Reading
from gateway.uplink import pack, topics
from gateway.uplink.deflate_cpython import inflate, is_deflated

if TYPE_CHECKING:
    from typing import Any

    from gateway.uplink.uplink import Link

GW = "330482-0017"
POINT = "river-3/level"
UNITS = {POINT: "m"}
LOGS = {CRIT: b"logcrit1", BULK: b"logbulk1"}
WALL_MS = 1_800_000_000_000


def stamp(boot: int, at_ms: int) -> Stamp:
    return Stamp(WALL_MS + at_ms, WALL_MS + at_ms, SYNCED)


class FakeSource:
    """Holds readings whose value is their number; what is not in `durable` is not handed out."""

    boot = 1

    def __init__(self, crit: int = 0, bulk: int = 0) -> None:
        self.changed = aio.Event()
        self.durable = {CRIT: crit, BULK: bulk}
        self.logs = dict(LOGS)
        self.cursors = {CRIT: 0, BULK: 0}
        self.rejected: list[tuple[str, int]] = []
        self.values: dict[int, object] = {}  # instead of the number
        self.wrong_acks = 0

    def add(self, ring: str, count: int = 1) -> None:
        self.durable[ring] += count
        self.changed.set()

    def log_id(self, ring: str) -> bytes:
        return self.logs[ring]

    def cursor(self, ring: str) -> int:
        return self.cursors[ring]

    def last(self, ring: str) -> int:
        return self.durable[ring]

    def acked(self, ring: str, log_id: bytes, seq: int) -> None:
        if log_id != self.logs[ring] or not self.cursors[ring] < seq <= self.durable[ring]:
            self.wrong_acks += 1
            return
        self.cursors[ring] = seq

    async def reject(self, ring: str, seq: int, reason: str) -> None:
        assert reason == "rejected"
        self.rejected.append((ring, seq))

    async def next_batch(
        self, ring: str, after_seq: int, readings_max: int, bytes_max: int
    ) -> Batch | None:
        last = min(after_seq + readings_max, self.durable[ring])
        if last <= after_seq:
            return None
        numbers = range(after_seq + 1, last + 1)
        items = [self._item(ring, seq) for seq in numbers]
        low = self.cursors[ring] + 1
        return Batch(ring, self.logs[ring], after_seq + 1, low, self.boot, items)

    def _item(self, ring: str, seq: int) -> Reading | Gap:
        if (ring, seq) in self.rejected:
            return Gap(ring, self.logs[ring], seq, seq, 1, "rejected")
        value = self.values.get(seq, seq) if ring == BULK else seq
        return Reading(POINT, value, seq * 100)  # type: ignore[arg-type]


class FakeAbout:
    """The agent's words about itself."""

    def birth(self) -> dict[str, Any]:
        return {"state": "online", "gw": GW}

    def latest(self) -> list[Reading]:
        return [Reading(POINT, 7, 1)]

    def health(self) -> dict[str, Any]:
        return {"sampled": 0}


class FakePlatform:
    """An Ear that takes packs and acknowledges what it holds without a hole, at once."""

    def __init__(self) -> None:
        self.link: Link | None = None
        self.held: dict[str, dict[int, object]] = {CRIT: {}, BULK: {}}
        self.high = {CRIT: 0, BULK: 0}
        self.duplicates = 0
        self.retained: dict[str, bytes] = {}
        self.lost_because: list[str] = []
        self.silent = False

    def puback(self, token: int, code: int) -> None:
        pass

    def clear(self) -> None:
        pass

    def lost(self, why: str, code: int = 0) -> None:
        self.link = None
        self.lost_because.append(why)

    def message(self, topic: str, payload: bytes) -> None:
        gw, kind, ring = topics.split(topic)
        if kind != "up":
            self.retained[kind] = payload
            return
        if self.silent:
            return
        found = pack.decode(inflate(payload, 1 << 16) if is_deflated(payload) else payload)
        logs = {ring: found.log_id}
        for seq, item in enumerate(found.items, found.seq):
            self.duplicates += seq in self.held[ring]
            self.held[ring][seq] = item
            if isinstance(item, Gap):  # explains numbers, perhaps of the other ring
                logs[item.ring] = item.log_id
                for lost in range(item.first, item.last + 1):
                    self.held[item.ring].setdefault(lost, None)
        for moved, log_id in logs.items():
            while self.high[moved] + 1 in self.held[moved]:
                self.high[moved] += 1
            ack = topics.encode_ack(topics.Ack(moved, log_id, self.high[moved]))
            # Not from here: this runs inside the MQTT library, which may hold its locks.
            asyncio.get_running_loop().call_soon(self._answer, gw, ack)

    def _answer(self, gw: str, data: bytes) -> None:
        if self.link is not None:
            self.link.publish(0, topics.of(gw, topics.ACK), data, topics.CONTENT_TYPE, retain=False)

    def missing(self, ring: str, last: int) -> list[int]:
        return [seq for seq in range(1, last + 1) if seq not in self.held[ring]]


def everything(source: FakeSource, platform: FakePlatform) -> bool:
    """Return whether the source knows that the platform holds all of it."""
    return all(
        source.cursors[ring] == source.durable[ring] == platform.high[ring] for ring in RINGS
    )
