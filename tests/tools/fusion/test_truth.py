"""Completeness against what really happened: the real buffer, cuts, evictions and a lossy link.

The world knows the fate of every slot; the platform has only the packs and the birth certificates.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from gateway.buffer.buffer import Buffer
from gateway.buffer.store import Settings
from gateway.core import cbor
from gateway.core.clock import SYNCED, Stamp
from gateway.core.reading import BULK, CRIT, GOOD, NO_REPLY, RINGS, SENTINEL, Point, Reading
from gateway.uplink import topics
from gateway.uplink.pack import Packer
from tests.support import virtual
from tests.support.disk import SimDisk
from tests.tools.fusion.fake import GW
from tests.tools.fusion.history import MIDNIGHT_MS, check
from tests.tools.fusion.platform import Platform
from tools.fusion import complete
from tools.fusion.days import Days, local_date

if TYPE_CHECKING:
    from tools.fusion.complete import Document

POINTS = [
    Point("river/level", "", "m", CRIT, 20_000),
    Point("box/level", "", "m", BULK, 10_000),
    Point("box/power", "", "W", BULK, 30_000),
]
PACKER = Packer(GW, {point.name: point.unit for point in POINTS})
KIB = 1024
SMALL = Settings(64 * KIB, 48 * KIB, 16 * KIB)
SEEDS = int(os.environ.get("TIDEGATE_TRUTHS", "6"))
CAUSE = {"power": "power", "crashed": "crash", "stopped": "operator"}


class World:
    """A gateway whose points are read on the beat of their periods, whenever it lives."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.disk = SimDisk()
        self.platform = Platform()
        self.second = 0
        self.kernel = 0
        self.wall_ms: dict[int, int] = {}  # when each boot began
        self.fate: Counter[str] = Counter()  # of every slot, but for what is evicted
        self.waiting: list[str] = []  # fates of what is not durable yet

    async def start(self) -> None:
        self.buffer = await Buffer.open(
            self.disk,
            SMALL,
            POINTS,
            kernel=f"kernel-{self.kernel}",
            version="0",
            random=self.chance.randbytes,
        )
        self.wall_ms[self.buffer.boot] = MIDNIGHT_MS + self.second * 1000

    def birth(self) -> None:
        told = {
            "state": "online",
            "gw": GW,
            "version": "0",
            "boot": self.buffer.boot,
            "ended": self.buffer.ended,
            "logs": {ring: self.buffer.log_id(ring) for ring in RINGS},
            "points": [[p.name, p.kind, p.unit, p.ring, p.every_ms] for p in POINTS],
        }
        self.platform.take((topics.of(GW, topics.STATE), cbor.encode(told)), now_ms=self.now_ms)

    @property
    def now_ms(self) -> int:
        return MIDNIGHT_MS + self.second * 1000

    async def live(self, seconds: int, durable: bool = True) -> None:
        """Read what falls due; make it durable at the end, or not."""
        at_ms = self.now_ms - self.wall_ms[self.buffer.boot]
        for offset in range(seconds):
            for point in POINTS:
                if (self.second + offset) * 1000 % point.every_ms == 0:
                    roll = self.chance.random()
                    quality = NO_REPLY if roll < 0.02 else SENTINEL if roll < 0.03 else GOOD
                    value = self.second if quality == GOOD else None
                    reading = Reading(point.name, value, at_ms + offset * 1000, quality)
                    self.buffer.add(point.ring, [reading])
                    self.waiting.append(quality)
        self.second += seconds
        if durable:
            await self.buffer.commit()
            self.fate.update(self.waiting)
            self.waiting.clear()

    async def die(self, how: str, seconds: int) -> None:
        """End this life; the next begins `seconds` later, on the beat of all points."""
        self.fate[CAUSE[how]] += len(self.waiting)
        self.waiting.clear()
        if how == "stopped":
            await self.buffer.stopped()
        self.kernel += how == "power"
        seconds += -(self.second + seconds) % 60
        for second in range(self.second, self.second + seconds):
            due = sum(second * 1000 % point.every_ms == 0 for point in POINTS)
            self.fate[CAUSE[how]] += due
        self.second += seconds
        self.disk = self.disk.after_power_cut(self.chance)
        await self.start()
        assert self.buffer.ended == how

    async def exchange(self, loss: float) -> bool:
        sent = False
        self.birth()
        for ring in RINGS:
            after = self.buffer.cursor(ring)
            while (batch := await self.buffer.next_batch(ring, after, 64)) is not None:
                sent = True
                after = batch.seq + len(batch.items) - 1
                if self.chance.random() >= loss:
                    made = topics.up(GW, ring), PACKER.pack(batch, self.stamp)
                    self.platform.ingest.receive(*made, self.now_ms)
            for _, ack in self.platform.ingest.commit(self.now_ms):
                if self.chance.random() >= loss:
                    self.buffer.acked(ack.ring, ack.log_id, ack.seq)
        return sent

    def stamp(self, boot: int, at_ms: int) -> Stamp:
        wall_ms = self.wall_ms[boot] + at_ms
        return Stamp(wall_ms, wall_ms, SYNCED)

    def report(self) -> Document:
        assert self.platform.rejections() == []
        first = local_date(MIDNIGHT_MS, "UTC")
        days = Days("UTC", first, local_date(self.now_ms, "UTC"))
        return check(complete.report(self.platform.database, self.now_ms, days))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_completeness_is_what_happened(seed: int) -> None:
    async def story() -> None:
        world = World(seed)
        await world.start()
        await world.live(600)
        await world.exchange(0)
        for _ in range(8):
            await world.live(60 * world.chance.randrange(1, 200))
            if world.chance.random() < 0.5:
                await world.exchange(0.3)
            if world.chance.random() < 0.7:
                await world.live(world.chance.randrange(30), durable=False)
                await world.die(world.chance.choice(list(CAUSE)), world.chance.randrange(1, 9_000))
                await world.live(60)
                await world.exchange(0.3)
        await world.live(600)
        while await world.exchange(0):
            pass
        judge(world)

    virtual.run(story())


def judge(world: World) -> None:
    found = world.report()
    told = {cause: sum(reasons.values()) for cause, reasons in found["missing"].items()}
    evicted = told.pop("budget", 0)
    assert evicted == sum(found["gateways"][0]["gaps"].values()) - overlap(world)
    assert found["due"] == sum(world.fate.values())
    down = {cause: told.pop(cause, 0) for cause in CAUSE.values()}
    assert down == {cause: world.fate[cause] for cause in CAUSE.values()}
    bad = found["missing"].get("bus", {}).get("no-reply", 0)
    sentinel = found["missing"].get("sensor", {}).get("sentinel", 0)
    assert bad <= world.fate[NO_REPLY]
    assert sentinel <= world.fate[SENTINEL]
    # What was evicted had a fate of its own: it is told as evicted, and nothing is told twice.
    assert found["delivered"] + bad + sentinel + evicted == sum(
        world.fate[word] for word in (GOOD, NO_REPLY, SENTINEL)
    )
    assert set(told) <= {"bus", "sensor"}


def overlap(world: World) -> int:
    """Return how many readings that the gateway gave up had arrived all the same."""
    ((count,),) = world.platform.rows(
        "SELECT count(*) FROM gaps g JOIN streams s USING (gateway_id, log, ring)"
        " JOIN readings r ON r.stream_id = s.stream_id AND r.seq BETWEEN g.first AND g.last"
    )
    return int(count)
