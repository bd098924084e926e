"""The loop between a fake source, a fake broker connection and a platform, in virtual time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from gateway.core import aio, cbor
from gateway.core.errors import LinkError
from gateway.core.reading import BULK, CRIT
from gateway.uplink import senml, topics
from gateway.uplink.deflate_cpython import deflate
from gateway.uplink.uplink import DEFLATED, EVENTS_MAX, Ear, Uplink
from tests.gateway.uplink.fakes import (
    GW,
    UNITS,
    FakeAbout,
    FakePlatform,
    FakeSource,
    everything,
    stamp,
)
from tests.support import virtual

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

LATENCY_MS = 20


class FakeLink:
    """Carries publishes to the platform and its acknowledgements back, each after LATENCY_MS."""

    receive_max = 65_535

    def __init__(self, world: World, ear: Ear) -> None:
        self.world = world
        self.ear = ear
        self.packet_max = world.packet_max
        self.blocked = False
        self.closed = False
        self.subscribed: list[str] = []

    def subscribe(self, topic: str) -> None:
        self.subscribed.append(topic)

    def publish(
        self, token: int, topic: str, payload: bytes, content_type: str, *, retain: bool
    ) -> None:
        assert not self.closed
        self.world.content_types.add((topics.split(topic)[1], content_type, retain))
        loop = asyncio.get_running_loop()
        loop.call_later(LATENCY_MS / 1000, self._arrive, token, topic, payload)

    def _arrive(self, token: int, topic: str, payload: bytes) -> None:
        if not self.closed and self.world.up:
            self.world.platform.message(topic, payload)
            self.ear.puback(token, 0)

    def close(self) -> None:
        self.closed = True


class World:
    """An uplink with its surroundings; `up` = the broker is reachable."""

    def __init__(self, source: FakeSource, **options: Any) -> None:
        self.up = True
        self.packet_max = 1 << 28
        self.source = source
        self.platform = FakePlatform()
        self.platform.link = self  # type: ignore[assignment]
        self.links: list[FakeLink] = []
        self.content_types: set[tuple[str, str, bool]] = set()
        self.failures: list[Exception] = []
        about = FakeAbout()
        self.uplink = Uplink(
            GW, source, about, UNITS, stamp, self.open_link, lambda: 0.5, **options
        )

    async def open_link(self, ear: Ear) -> FakeLink:
        await aio.sleep_ms(LATENCY_MS)
        if self.failures:
            raise self.failures.pop()
        if not self.up:
            raise LinkError("TCP: refused")
        self.links.append(FakeLink(self, ear))
        return self.links[-1]

    def publish(self, token: int, topic: str, payload: bytes, kind: str, *, retain: bool) -> None:
        """Carry an acknowledgement of the platform to the gateway."""
        ear = self.links[-1].ear
        asyncio.get_running_loop().call_later(LATENCY_MS / 1000, ear.message, topic, payload)

    def cut(self) -> None:
        self.links[-1].closed = True
        self.links[-1].ear.lost("MQTT: cut")

    async def until(self, met: Callable[[], bool], limit_ms: int = 600_000) -> None:
        end_ms = aio.now_ms() + limit_ms
        while not met():
            assert aio.now_ms() < end_ms, (self.source.cursors, self.uplink.counts())
            await aio.sleep_ms(10)


def play(world: World, scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        task = asyncio.create_task(world.uplink.run())
        try:
            await scene()
            assert not task.done()
        finally:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    virtual.run(whole())


def test_uplink_delivers_what_is_there_and_what_comes() -> None:
    world = World(FakeSource(crit=3, bulk=1_000))

    async def scene() -> None:
        await world.until(lambda: everything(world.source, world.platform))
        world.source.add(CRIT)
        began_ms = aio.now_ms()
        await world.until(lambda: everything(world.source, world.platform))
        assert aio.now_ms() - began_ms <= 4 * LATENCY_MS

    play(world, scene)
    assert world.platform.duplicates == 0
    assert world.source.wrong_acks == 0
    assert world.links[0].subscribed == ["sensing/1/330482-0017/ack"]
    assert world.links[0].closed


def test_uplink_announces_itself_with_content_types() -> None:
    world = World(FakeSource(bulk=1))

    async def scene() -> None:
        await world.until(lambda: everything(world.source, world.platform))

    play(world, scene)
    assert world.content_types == {
        ("state", topics.CONTENT_TYPE, True),
        ("health", topics.CONTENT_TYPE, True),
        ("now", senml.CONTENT_TYPE, True),
        ("up", senml.CONTENT_TYPE, False),
    }
    assert cbor.decode(world.platform.retained["state"])["state"] == "online"
    assert cbor.decode(world.platform.retained["health"])["uplink"]["connects"] == 1


def test_uplink_deflates_when_told_to() -> None:
    world = World(FakeSource(bulk=200), deflate=deflate)

    async def scene() -> None:
        await world.until(lambda: everything(world.source, world.platform))

    play(world, scene)
    assert ("up", DEFLATED, False) in world.content_types


def test_uplink_comes_back_from_cuts_and_outages_without_loss() -> None:
    world = World(FakeSource(bulk=5_000))

    async def scene() -> None:
        for cut in range(5):
            await world.until(lambda cut=cut: len(world.links) == cut + 1)
            await aio.sleep_ms(55)  # some packs acknowledged, some on the way
            world.cut()
            world.up = False
            await aio.sleep_ms(30_000)
            world.up = True
            world.source.add(BULK, 3_000)
        await world.until(lambda: everything(world.source, world.platform))

    play(world, scene)
    assert len(world.links) == 6
    assert world.platform.missing(BULK, 20_000) == []
    assert world.platform.duplicates > 0


def test_uplink_hears_nothing_more_from_a_connection_it_has_lost() -> None:
    world = World(FakeSource(bulk=10))

    async def scene() -> None:
        await world.until(lambda: everything(world.source, world.platform))
        world.cut()
        old = world.links[0].ear
        await world.until(lambda: len(world.links) == 2)
        old.lost("MQTT: cut, told twice")
        old.clear()
        old.puback(1, 0x87)
        await aio.sleep_ms(1_000)
        assert len(world.links) == 2
        assert world.uplink.counts()["connects"] == 2

    play(world, scene)


@pytest.mark.parametrize("when", ["opening", "subscribing"])
def test_uplink_a_connection_lost_as_it_opens_is_opened_again(when: str) -> None:
    world = World(FakeSource(bulk=10))
    open_link = world.open_link

    async def taken_over(ear: Ear) -> FakeLink:
        link = await open_link(ear)
        world.uplink._open_link = open_link
        if when == "opening":
            world.cut()
        else:
            link.subscribe = lambda _topic: world.cut()  # type: ignore[method-assign, assignment]
        return link

    world.uplink._open_link = taken_over

    async def scene() -> None:
        await world.until(lambda: everything(world.source, world.platform))

    play(world, scene)
    assert len(world.links) == 2


def test_uplink_keeps_trying_when_a_person_must_act() -> None:
    world = World(FakeSource(bulk=10))
    world.failures = [LinkError("TLS date: …"), LinkError("auth: …"), LinkError("DNS: …")]

    async def scene() -> None:
        await world.until(lambda: everything(world.source, world.platform))

    play(world, scene)


def test_uplink_gives_up_only_what_cannot_be_packed() -> None:
    source = FakeSource(bulk=300)
    source.values = {5: float("nan"), 250: float("inf")}
    world = World(source)

    async def scene() -> None:
        await world.until(lambda: everything(world.source, world.platform))

    play(world, scene)
    assert source.rejected == [(BULK, 5), (BULK, 250)]


def test_uplink_follows_a_ring_that_goes_on_under_another_log() -> None:
    world = World(FakeSource(bulk=300))

    async def scene() -> None:
        await world.until(lambda: everything(world.source, world.platform))
        world.source.logs[BULK] = b"logbulk2"
        world.source.cursors[BULK] = world.source.durable[BULK] = 0
        world.platform.high[BULK] = 0
        world.platform.held[BULK] = {}
        world.source.add(BULK, 50)
        await world.until(lambda: everything(world.source, world.platform))

    play(world, scene)
    assert world.source.wrong_acks == 0


def test_uplink_strangers_on_the_ack_topic_cost_nothing() -> None:
    world = World(FakeSource(bulk=300))
    world.platform.silent = True

    async def scene() -> None:
        await world.until(lambda: world.links != [])
        ear = world.links[0].ear
        topic = topics.of(GW, topics.ACK)
        forged = topics.encode_ack(topics.Ack(BULK, b"otherlog", 5))
        for _ in range(3 * EVENTS_MAX):
            ear.message(topic, b"\xff" * 4_000)
            ear.message(topic, forged)
            ear.message("sensing/1/another/ack", forged)
        assert len(world.uplink._events) <= EVENTS_MAX + 2
        await aio.sleep_ms(1_000)
        assert world.uplink.malformed_acks == 3 * EVENTS_MAX
        assert world.uplink.counts()["acks_ignored"] > EVENTS_MAX // 2
        assert world.source.cursors[BULK] == 0

    play(world, scene)


def test_uplink_never_publishes_what_the_broker_would_hang_up_on() -> None:
    world = World(FakeSource(bulk=300))
    world.packet_max = 1_024
    large = {"state": "online", "note": "x" * 1_000}
    world.uplink._about.birth = lambda: large  # type: ignore[method-assign]

    async def scene() -> None:
        await world.until(lambda: everything(world.source, world.platform))
        assert world.uplink.counts()["puback_too-large"] == 1
        assert sorted(world.platform.retained) == ["health", "now"]

    play(world, scene)
