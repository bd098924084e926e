"""The broker and the connections to it, with all that networks and brokers do to packs.

Outlives every life of the agent. Packs it took go to `platform.receive`; what the platform says
comes back through `tell`. A law of the wire that the agent breaks is told to `broken`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from gateway.core import cbor
from gateway.core.errors import LinkError
from gateway.uplink import pack as packs
from gateway.uplink import senml, topics
from gateway.uplink.deflate_cpython import inflate, is_deflated
from gateway.uplink.dictionary import dictionary, identity, wanted

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from random import Random

    from gateway.uplink.pack import Pack
    from gateway.uplink.uplink import Ear
    from tools.simulate.history import Faults
    from tools.simulate.platform import Platform

SENT, ABSENT, DENIED, TOO_LARGE, QUOTA = 0, 0x10, 0x87, 0x95, 0x97
WAITING_MAX = 32_768  # bytes on their way before a connection says that it is blocked
QUEUED_MAX = 40  # packs kept for a platform that is away; more are answered for, and lost
_ORDER_S = 1e-6  # apart: what is sent first arrives first


class Link:
    """One connection; `lost` once, and then nothing comes through it any more."""

    def __init__(self, broker: Broker, ear: Ear) -> None:
        dice = broker.dice
        self.receive_max = dice.choice((20, 20, 64, 65_535))
        self.packet_max = 1 << 20
        if broker.faults.on("oversize"):
            self.packet_max = broker.faults.dice("oversize").randint(700, 4000)
        self.blocked = False
        self.ear = ear
        self.alive = True
        self.deaf = False  # half open: nothing arrives, and nobody says so
        self.unanswered = 0
        self.waiting = 0
        self._broker = broker
        self._lag_s = dice.choice((0.002, 0.05, 0.4))
        self._free_s = [0.0, 0.0]

    def subscribe(self, topic: str) -> None:
        if not topic.endswith("/ack"):
            self._broker.broken(f"subscribed to {topic}")

    def publish(
        self, token: int, topic: str, payload: bytes, content_type: str, *, retain: bool
    ) -> None:
        size = len(topic) + len(payload) + len(content_type)
        self.unanswered += 1
        if self.unanswered > self.receive_max:
            self._broker.broken(f"{self.unanswered} publishes, {self.receive_max} allowed")
        if size > self.packet_max:
            self._broker.broken(f"a publish of {size} bytes, {self.packet_max} allowed")
        self.waiting += size
        self.blocked = self.waiting > WAITING_MAX
        self.pass_on(0, lambda: self._broker.take(self, token, topic, payload, size, retain))

    def close(self) -> None:
        self.alive = False

    def pass_on(self, way: int, what: Callable[[], None]) -> None:
        """Let `what` happen at the other end, in order, unless the connection is lost by then."""
        loop = self._broker.loop
        lag_s = self._lag_s * self._broker.dice.uniform(0.5, 1.5)
        self._free_s[way] = max(self._free_s[way] + _ORDER_S, loop.time() + lag_s)
        loop.call_at(self._free_s[way], self._arrive, way, what)

    def _arrive(self, way: int, what: Callable[[], None]) -> None:
        faults = self._broker.faults
        if not self.alive or self.deaf:
            return
        if faults.on("stall"):
            broker = self._broker
            after_s = faults.until_s("stall") - broker.now_s() + broker.dice.random()
            self._free_s[way] = max(self._free_s[way] + _ORDER_S, broker.loop.time() + after_s)
            broker.loop.call_at(self._free_s[way], self._arrive, way, what)
            return
        what()

    def drained(self, size: int) -> None:
        """The other end took `size` bytes."""
        self.waiting -= size
        if self.blocked and self.waiting <= WAITING_MAX:
            self.blocked = False
            self.ear.clear()

    def lose(self, why: str, code: int = 0) -> None:
        """End the connection, as its other end or the network does."""
        if self.alive:
            self.alive = False
            self.ear.lost(why, code)


class Broker:
    """Whatever it is given; `begin` tells it that a life of the agent begins on `loop`."""

    def __init__(
        self,
        faults: Faults,
        dice: Random,
        now_s: Callable[[], float],
        broken: Callable[[str], None],
        arrived: Callable[[str, Pack], None],
    ) -> None:
        self.faults = faults
        self.dice = dice
        self.broken = broken
        self.link: Link | None = None
        self.online_s = 0.0  # since when, if it is
        self.now_s = now_s
        self.platform: Platform
        self.loop: asyncio.AbstractEventLoop
        self._arrived = arrived
        self.dictionary_id: int | None = None  # of the last birth, once the platform may know it
        self._dictionaries: dict[int | None, bytes] = {None: b""}
        self._queue: list[tuple[str, Pack]] = []

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.link = None

    def connect(self, ear: Ear) -> Link:
        """Return a connection, or LinkError."""
        if self.faults.on("broker-gone") or self.faults.on("stall"):
            raise LinkError("connection refused")
        self.link = Link(self, ear)
        self.online_s = self.now_s()
        return self.link

    def cut(self, why: str) -> None:
        """End the connection there is."""
        if self.link:
            self.link.lose(why)

    def half_open(self, after_s: float) -> None:
        """Let nothing arrive any more; the agent's side finds out after `after_s`."""
        link = self.link
        if link:
            link.deaf = True
            self.loop.call_later(after_s, link.lose, "keep-alive")

    def restart(self) -> None:
        """Come back with nothing."""
        self._queue = []
        self.cut("broker restarted")

    def tell(self, topic: str, payload: bytes) -> None:
        """Deliver what the platform publishes."""
        link = self.link
        if link:
            link.pass_on(1, lambda: link.ear.message(topic, payload))

    def take(
        self, link: Link, token: int, topic: str, payload: bytes, size: int, retain: bool
    ) -> None:
        """Take one publish from a connection."""
        link.drained(size)
        code = self._verdict(link, size)
        if code is None:
            return
        _, kind, ring = topics.split(topic)
        if kind == topics.STATE and code in (SENT, ABSENT):
            body = _dictionary(payload)
            self.dictionary_id = identity(body)
            self._dictionaries[self.dictionary_id] = body
        if retain != (kind in (topics.STATE, topics.HEALTH)) and kind != topics.NOW:
            self.broken(f"{topic} retained: {retain}")
        if kind == "up":
            found = _decoded(self._inflated(payload))
            self._arrived(ring, found)
            if code in (SENT, ABSENT):
                self._forward(ring, found)
        if link.alive:
            link.pass_on(1, lambda: self._answer(link, token, code))

    def _inflated(self, payload: bytes) -> bytes:
        if not is_deflated(payload):
            return payload
        if wanted(payload) not in self._dictionaries:
            self.broken(f"deflated with a dictionary {wanted(payload)} of no birth certificate")
        return inflate(payload, senml.PACK_BYTES_MAX, self._dictionaries[wanted(payload)])

    def _answer(self, link: Link, token: int, code: int) -> None:
        link.unanswered -= 1
        link.ear.puback(token, code)

    def _verdict(self, link: Link, size: int) -> int | None:
        """Return the reason code, None if the connection ends instead."""
        faults = self.faults
        if faults.on("oversize") and size > 700 and faults.strikes("oversize", 0.1):
            # An operator lowered the limit while the connection stood.
            if faults.dice("oversize").random() < 0.5:
                return TOO_LARGE
            link.lose("packet too large", TOO_LARGE)
            return None
        if faults.strikes("quota", 0.5):
            return QUOTA
        if faults.strikes("denied", 0.8):
            return DENIED
        if faults.on("absent") and faults.dice("absent").random() < 0.5:
            return ABSENT
        return SENT

    def _forward(self, ring: str, found: Pack) -> None:
        if self.faults.strikes("forget", 0.4):
            return
        if self.faults.on("absent"):
            if len(self._queue) < QUEUED_MAX:
                self._queue.append((ring, found))
            return
        queue, self._queue = self._queue, []
        for one in [*queue, (ring, found)]:
            self.platform.receive(*one)
            if self.faults.strikes("twice", 0.3):
                after_s = self.faults.dice("twice").uniform(0, 20)
                self.loop.call_later(after_s, self.platform.receive, *one)


# What is sent again is the same again, and reading it costs more than all else.
@lru_cache(64)
def _decoded(payload: bytes) -> Pack:
    return packs.decode(payload)


@lru_cache(64)
def _dictionary(birth: bytes) -> bytes:
    return dictionary(cbor.decode(birth))
