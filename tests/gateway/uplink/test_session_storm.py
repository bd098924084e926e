"""The session between a source, a broker and a platform that fail in every order.

Nothing here knows how the session works: only what must hold at every step, and in the end.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.reading import BULK, CRIT, RINGS
from gateway.uplink import events
from gateway.uplink.lane import ITEMS_MAX, WINDOW, Lane
from gateway.uplink.session import OFFLINE, ONLINE, Session

if TYPE_CHECKING:
    from collections.abc import Callable

LOGS = {CRIT: b"logcrit1", BULK: b"logbulk1"}
QUIET_STEPS_MAX = 5_000

Message = tuple[str, int, int]  # ring, first, last


class World:
    """One gateway's session and all that surrounds it; every choice comes from `chance`."""

    def __init__(self, chance: random.Random, make: Callable[..., Session] = Session) -> None:
        self.chance = chance
        self.now_ms = 0
        self.durable = {CRIT: 0, BULK: 0}
        self.cursors = {CRIT: 0, BULK: 0}
        self.rejected: set[tuple[str, int]] = set()
        self.poison: set[tuple[str, int]] = set()
        self.connecting = False
        self.receive_max = 65_535
        self.pack_max = chance.choice((1, 7, ITEMS_MAX))
        self.published: list[tuple[int, Message | None]] = []  # on the way to the broker
        self.pubacks: list[events.PubAck] = []
        self.at_broker: list[Message] = []
        self.acks: list[events.Acked] = []  # on the way to the gateway
        self.held: dict[str, set[int]] = {CRIT: set(), BULK: set()}
        self.high = {CRIT: 0, BULK: 0}
        lanes = [Lane(ring, LOGS[ring], 0, 0) for ring in RINGS]
        self.session = make(lanes, chance.random, 0)

    def tell(self, event: events.Event) -> None:
        queue = [event]
        while queue:
            for action in self.session.on(queue.pop(0), self.now_ms):
                answer = self.perform(action)
                if answer is not None:
                    queue.append(answer)
        self.check()

    def perform(self, action: events.Action) -> events.Event | None:
        if isinstance(action, events.Connect):
            assert not self.connecting
            self.connecting = True
        elif isinstance(action, events.Load):
            return self.load(action)
        elif isinstance(action, events.Publish):
            first, last = (int(part) for part in action.payload.split(b"-"))
            assert last <= self.durable[action.ring], "sent before it was durable"
            self.published.append((action.token, (action.ring, first, last)))
        elif isinstance(action, events.Announce):
            self.published.append((action.token, None))
        elif isinstance(action, events.Advance):
            assert self.cursors[action.ring] < action.seq <= self.high[action.ring], "cursor lies"
            assert action.log_id == LOGS[action.ring]
            self.cursors[action.ring] = action.seq
        elif isinstance(action, events.Reject):
            self.rejected.add((action.ring, action.seq))
        return None

    def load(self, ask: events.Load) -> events.Event:
        assert 1 <= ask.items_max <= ITEMS_MAX
        last = min(ask.after + ask.items_max, ask.after + self.pack_max, self.durable[ask.ring])
        if last <= ask.after:
            return events.Empty(ask.ring)
        return events.Loaded(ask.ring, ask.after + 1, last, b"%d-%d" % (ask.after + 1, last))

    def check(self) -> None:
        for lane in self.session.lanes:
            assert len(lane.flights) <= WINDOW
            assert lane.cursor == self.cursors[lane.ring] <= lane.sent <= self.durable[lane.ring]
            firsts = [flight.first for flight in lane.flights]
            assert firsts == sorted(firsts)
        assert len(self.session._pending) <= self.receive_max

    # What may happen. Each returns at once if it cannot happen now.

    def produce(self) -> None:
        self.durable[self.chance.choice(RINGS)] += self.chance.choice((1, 5, 50))
        self.tell(events.Changed())

    def dial(self) -> None:
        if self.session.state == OFFLINE:
            self.now_ms = max(self.now_ms, self.session.wake_ms(self.now_ms) or 0)
            self.tell(events.Tick())

    def connect(self) -> None:
        if self.connecting:
            self.connecting = False
            self.receive_max = self.chance.choice((1, 2, 20, 65_535))
            self.tell(events.Connected(self.receive_max, 1 << 28))

    def fail(self) -> None:
        if self.connecting:
            self.connecting = False
            self.tell(events.Failed())

    def deliver(self) -> None:
        """Let the broker take the oldest publish, and answer it."""
        if not self.published:
            return
        token, message = self.published.pop(0)
        if message is not None and any(
            (message[0], seq) in self.poison - self.rejected
            for seq in range(message[1], message[2] + 1)
        ):
            self.disconnect()
            return
        self.pubacks.append(events.PubAck(token, 0))
        if message is not None:
            self.at_broker.append(message)

    def refuse(self) -> None:
        if self.published:
            token, _ = self.published.pop(0)
            self.pubacks.append(events.PubAck(token, self.chance.choice((0x10, 0x97, 0x87, 0x80))))

    def puback(self) -> None:
        if self.pubacks:
            self.tell(self.pubacks.pop(0))

    def platform_reads(self) -> None:
        if self.at_broker:
            ring, first, last = self.at_broker.pop(0)
            self.held[ring].update(range(first, last + 1))
            while self.high[ring] + 1 in self.held[ring]:
                self.high[ring] += 1
            self.acks.append(events.Acked(ring, LOGS[ring], self.high[ring]))

    def ack_arrives(self) -> None:
        if self.acks and self.session.state == ONLINE:
            self.tell(self.acks.pop(0))

    def ack_is_lost(self) -> None:
        if self.acks:
            self.acks.pop(self.chance.randrange(len(self.acks)))

    def acks_are_shuffled_and_doubled(self) -> None:
        self.acks += self.acks[:3]
        self.chance.shuffle(self.acks)

    def ack_is_forged(self) -> None:
        ring = self.chance.choice(RINGS)
        ahead = max(self.durable[ring], self.session.lanes[RINGS.index(ring)].known)
        self.tell(events.Acked(ring, LOGS[ring], ahead + self.chance.choice((1, 1 << 40))))
        self.tell(events.Acked(ring, b"anotherX", self.chance.randrange(1, 100)))

    def disconnect(self) -> None:
        if self.session.state == ONLINE:
            self.published, self.pubacks = [], []
            self.tell(events.Lost(0))

    def broker_forgets(self) -> None:
        """Kill the broker: what it had acknowledged and not yet delivered is gone."""
        self.at_broker = []
        self.disconnect()

    def time_passes(self) -> None:
        self.now_ms += self.chance.choice((10, 1_000, 31_000, 121_000))
        self.tell(events.Tick())

    def settle(self, *, hasty: bool = False) -> int:
        """Let everything work from now on; return how many steps it took."""
        for steps in range(QUIET_STEPS_MAX):
            if all(self.cursors[ring] == self.durable[ring] for ring in RINGS):
                return steps
            if self.session.state == OFFLINE or self.idle():
                self.now_ms = max(self.now_ms, self.session.wake_ms(self.now_ms) or 0)
                self.tell(events.Tick())
            self.connect()
            self.deliver()
            while hasty and self.published:  # the broker reads far ahead of the platform
                self.deliver()
            for work in (self.puback, self.platform_reads, self.ack_arrives):
                work()
        return QUIET_STEPS_MAX

    def idle(self) -> bool:
        waiting = (self.published, self.pubacks, self.at_broker, self.acks)
        return not self.connecting and not any(waiting)


CHORES = (
    *[World.produce, World.dial, World.connect, World.puback] * 2,
    *[World.deliver, World.platform_reads, World.ack_arrives] * 4,
)
FAULTS = (
    World.fail,
    World.refuse,
    World.ack_is_lost,
    World.acks_are_shuffled_and_doubled,
    World.ack_is_forged,
    World.disconnect,
    World.broker_forgets,
    World.time_passes,
)


def storm(world: World, steps: int, faults: float = 0.1) -> None:
    for _ in range(steps):
        known = FAULTS if world.chance.random() < faults else CHORES
        world.chance.choice(known)(world)
        world.now_ms += 5
        world.tell(events.Tick())


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 1 << 32))
def test_session_delivers_everything_after_any_storm(seed: int) -> None:
    world = World(random.Random(seed))
    storm(world, 600)
    assert world.settle() < QUIET_STEPS_MAX
    assert world.session.counts["packs"] > 0
    for ring in RINGS:
        assert world.held[ring] >= set(range(1, world.durable[ring] + 1))
        assert world.cursors[ring] == world.durable[ring]
    assert world.rejected == set()


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 1 << 32), st.sets(st.integers(1, 300), min_size=1, max_size=3), st.booleans())
def test_session_loses_the_poison_and_nothing_else(
    seed: int, poison: set[int], hasty: bool
) -> None:
    world = World(random.Random(seed))
    world.durable = {CRIT: 20, BULK: 300}
    world.poison = {(BULK, seq) for seq in poison}
    assert world.settle(hasty=hasty) < QUIET_STEPS_MAX
    assert world.rejected == world.poison


class PubackIsDelivery(Session):
    """The mutant: takes the broker's word for the platform's."""

    def on(self, event: events.Event, now_ms: int) -> list[events.Action]:
        found = self._pending.get(event.token) if isinstance(event, events.PubAck) else None
        actions = super().on(event, now_ms)
        if found is None or isinstance(found, str) or event.code:
            return actions
        lane, flight = found
        if flight.last <= lane.cursor:
            return actions
        return actions + super().on(events.Acked(lane.ring, lane.log_id, flight.last), now_ms)


def test_session_that_believed_pubacks_would_be_caught() -> None:
    caught = 0
    for seed in range(20):
        world = World(random.Random(seed), PubackIsDelivery)
        try:
            storm(world, 600)
            world.settle()
        except AssertionError as error:
            assert "cursor lies" in str(error)
            caught += 1
    assert caught >= 15


class SendsAnything(World):
    """A source that hands out what is not durable yet: the other mutant."""

    def load(self, ask: events.Load) -> events.Event:
        first, last = ask.after + 1, ask.after + ask.items_max
        return events.Loaded(ask.ring, first, last, b"%d-%d" % (first, last))


def test_session_world_notices_what_is_sent_before_it_is_durable() -> None:
    with pytest.raises(AssertionError, match="durable"):
        storm(SendsAnything(random.Random(1)), 400)


def test_session_thousand_gateways_do_not_come_back_in_step() -> None:
    chance = random.Random(7)
    per_second: dict[int, int] = {}
    delays: list[int] = []
    for _ in range(1_000):
        session = Session([], chance.random, 0)
        now_ms = session.wake_ms(0) or 0
        session.on(events.Tick(), now_ms)
        session.on(events.Connected(20, 1 << 28), now_ms)
        now_ms = 100_000
        session.on(events.Lost(), now_ms)
        while True:  # the broker is back after ten seconds
            now_ms = session.wake_ms(now_ms) or 0
            session.on(events.Tick(), now_ms)
            if now_ms >= 110_000:
                break
            session.on(events.Failed(), now_ms)
        per_second[now_ms // 1000] = per_second.get(now_ms // 1000, 0) + 1
        delays.append(now_ms - 110_000)
    delays.sort()
    assert delays[500] <= 5_000
    assert delays[-1] <= 60_000
    assert max(per_second.values()) <= 200  # a core does about 100 TLS handshakes a second
