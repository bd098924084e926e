"""The gateway's buffer and the platform agree on every reading: both books, one truth.

The real buffer on a simulated disk, the real pack, the real ingest; between them a link that
loses packs and acknowledgements, a platform that forgets, and power cuts. Virtual time.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from gateway.buffer.buffer import Buffer
from gateway.buffer.store import Settings
from gateway.core import cbor
from gateway.core.decimal import decimal
from gateway.core.reading import BULK, CRIT, RINGS, Point, Reading
from gateway.uplink import topics
from gateway.uplink.pack import Packer
from tests.support import virtual
from tests.support.disk import SimDisk
from tests.tools.fusion.fake import GW, stamp
from tests.tools.fusion.platform import NOW, Platform
from tools.fusion import report

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from tools.fusion.report import Document

POINTS = [Point("box/alarm", "", "", CRIT, 0), Point("box/level", "", "m", BULK, 1_000)]
PACKER = Packer(GW, {"box/level": "m"})
KIB = 1024


class World:
    """One gateway's buffer, and a platform that may be replaced."""

    def __init__(self, seed: int, settings: Settings) -> None:
        self.chance = random.Random(seed)
        self.settings = settings
        self.disk = SimDisk()
        self.platform = Platform()
        self.made = 0

    async def start(self) -> None:
        self.buffer = await Buffer.open(
            self.disk,
            self.settings,
            POINTS,
            kernel="test",
            version="0",
            random=self.chance.randbytes,
        )

    async def power_cut(self) -> None:
        self.disk = self.disk.after_power_cut(self.chance)
        await self.start()

    async def sample(self, count: int) -> None:
        """Add readings, a few of them alarms, and make them durable."""
        for _ in range(count):
            self.made += 1
            alarm = self.chance.random() < 0.05
            point = "box/alarm" if alarm else "box/level"
            value = decimal(self.made, -2)
            self.buffer.add(CRIT if alarm else BULK, [Reading(point, value, self.made * 1_000)])
        await self.buffer.commit()

    async def exchange(self, loss: float = 0.0) -> bool:
        """Send a window of each ring and take the acknowledgements; return whether any was sent."""
        sent = False
        for ring in RINGS:
            after = self.buffer.cursor(ring)
            for _ in range(5):
                batch = await self.buffer.next_batch(ring, after, 16)
                if batch is None:
                    break
                sent = True
                after = batch.seq + len(batch.items) - 1
                if self.chance.random() >= loss:
                    payload = PACKER.pack(batch, stamp)
                    self.platform.ingest.receive(topics.up(GW, ring), payload, NOW)
            for _, ack in self.platform.ingest.commit(NOW):
                if self.chance.random() >= loss:
                    self.buffer.acked(ack.ring, ack.log_id, ack.seq)
        return sent

    async def deliver(self) -> None:
        """Exchange over a good link until nothing is left."""
        for _ in range(2_000):
            if not await self.exchange():
                return
        raise AssertionError("the gateway is stuck: it sends for ever")

    def told(self) -> Document:
        """Publish the health and return the platform's account."""
        counts = {name: self.buffer.counts()[name] for name in report.IDENTITY}
        payload = cbor.encode(counts)
        self.platform.take((topics.of(GW, topics.HEALTH), payload))
        assert self.platform.rejections() == []
        found: Document = report.report(self.platform.database, NOW)["gateways"][0]["account"]
        return found


def play(work: Coroutine[None, None, None]) -> None:
    virtual.run(work)


LARGE = Settings(64 * KIB, 256 * KIB, 16 * KIB)
SMALL = Settings(64 * KIB, 48 * KIB, 16 * KIB)  # bulk: three files, so that it overflows soon


@pytest.mark.parametrize("seed", range(5))
def test_accounts_agree_over_a_link_that_loses_a_third(seed: int) -> None:
    async def story() -> None:
        world = World(seed, LARGE)
        await world.start()
        for _ in range(20):
            await world.sample(40)
            await world.exchange(loss=0.33)
        await world.deliver()
        account = world.told()
        assert account["arrived"] == account["gateway"]["sampled"] == world.made == 800
        assert (account["gaps"], account["lost"], account["before"]) == (0, 0, 0)

    play(story())


@pytest.mark.parametrize("seed", range(5))
def test_accounts_agree_when_the_ring_overflowed_while_the_platform_was_away(seed: int) -> None:
    async def story() -> None:
        world = World(seed, SMALL)
        await world.start()
        await world.sample(100)
        await world.exchange(loss=0.2)
        for _ in range(60):
            await world.sample(100)
        await world.deliver()
        account = world.told()
        told = account["gateway"]
        # What arrived while its acknowledgement was lost is a gap to the gateway only.
        assert told["gaps"] >= account["gaps"] > 3_000
        assert account["arrived"] + account["gaps"] == told["sampled"] == world.made
        assert account["lost"] == 0

    play(story())


@pytest.mark.parametrize("seed", range(10))
def test_accounts_agree_through_power_cuts(seed: int) -> None:
    async def story() -> None:
        world = World(seed, SMALL if seed % 2 else LARGE)
        await world.start()
        for _ in range(12):
            await world.sample(world.chance.randrange(200))
            for _ in range(world.chance.randrange(5)):
                await world.exchange(loss=0.2)
            await world.power_cut()
        await world.deliver()
        account = world.told()
        assert account["arrived"] + account["gaps"] == account["gateway"]["sampled"] == world.made
        assert account["lost"] == 0

    play(story())


def test_accounts_go_on_after_the_platform_lost_its_database() -> None:
    async def story() -> None:
        world = World(1, LARGE)
        await world.start()
        await world.sample(200)
        await world.deliver()
        before = world.told()["arrived"]
        world.platform = Platform()
        await world.sample(100)
        await world.deliver()
        account = world.told()
        assert before == 200
        assert account["arrived"] == 100
        assert account["before"] == 200
        assert account["lost"] == 0

    play(story())


def test_accounts_name_what_a_restored_backup_has_lost() -> None:
    async def story() -> None:
        world = World(1, LARGE)
        await world.start()
        await world.sample(100)
        await world.deliver()
        backup = Platform().database
        world.platform.database.backup(backup)
        await world.sample(100)
        await world.deliver()
        world.platform = Platform(database=backup)
        await world.sample(100)
        await world.deliver()
        account = world.told()
        assert account["arrived"] == 200
        assert account["lost"] == 100

    play(story())
