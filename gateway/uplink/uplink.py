"""The loop that joins the buffer, the session and a broker connection.

It decides nothing: events go into the session in the order they came, its actions are carried
out in the order given. A Load is answered before the next event is looked at, so the session
never sees an answer to a question it has forgotten.
Knows no MQTT library: the connection comes from the `open_link` it is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core import aio, cbor
from gateway.core.errors import BadReply, TidegateError
from gateway.core.log import WARNING, Presence, event
from gateway.core.reading import RINGS
from gateway.uplink import dictionary as presets
from gateway.uplink import events, pack, senml, topics
from gateway.uplink.lane import ITEMS_MAX, WINDOW, Lane
from gateway.uplink.session import ANNOUNCE_MS, HEADER_BYTES, PACKET_TOO_LARGE, Session

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any, Protocol

    from gateway.core.reading import Batch, Reading
    from gateway.uplink.bases import Stamper

    class Source(Protocol):
        """The buffer, as the uplink sees it. It hands out only what is durable."""

        changed: aio.Event

        @property
        def boot(self) -> int: ...
        def log_id(self, ring: str) -> bytes: ...
        def cursor(self, ring: str) -> int: ...
        def last(self, ring: str) -> int: ...
        def acked(self, ring: str, log_id: bytes, seq: int) -> None: ...
        async def reject(self, ring: str, seq: int, reason: str) -> None: ...
        async def next_batch(
            self, ring: str, after_seq: int, readings_max: int, bytes_max: int
        ) -> Batch | None: ...

    class About(Protocol):
        """What the agent says of itself: birth certificate, latest readings, counters."""

        def birth(self) -> dict[str, Any]: ...
        def latest(self) -> list[Reading]: ...
        def health(self) -> dict[str, Any]: ...

    class Link(Protocol):
        """One connection to the broker, from its CONNACK to its end. Nothing here waits."""

        receive_max: int
        packet_max: int
        blocked: bool  # more bytes are waiting than the network takes

        def subscribe(self, topic: str) -> None: ...
        def publish(
            self, token: int, topic: str, payload: bytes, content_type: str, *, retain: bool
        ) -> None: ...
        def close(self) -> None: ...

    # Connects within its own time limits, or raises a TidegateError that names the step.
    Opener = Callable[["Ear"], Coroutine[Any, Any, Link]]

TURN_MS = 20_000  # the loop turns at least so often: whoever watches over it must see it move
EVENTS_MAX = 1_000  # waiting acknowledgements; more is a flood, and they are cumulative anyway
DEFLATED = f"{senml.CONTENT_TYPE}@deflate"  # content type and coding, as RFC 9193 writes them
REJECTED = "rejected"
CAUSES_MAX = 9  # of one absence, that are told: as many as there are steps to a connection
# Live values take at most a tenth of the bytes that packs take, counted over this many.
LIVE_SHARE = 10
LIVE_ROOM = 16_384
LIVE_POINTS_MAX = 256  # of one picture, so that it holds the loop up for a moment only


class Ear:
    """What a link calls, until the link is lost.

    The calls come from inside the MQTT library, which may hold its locks: they only take notes,
    and never call the link back.
    """

    def __init__(self, uplink: Uplink) -> None:
        self._uplink: Uplink | None = uplink

    def puback(self, token: int, code: int) -> None:
        """Say what the broker answered to a publish."""
        if self._uplink:
            self._uplink.post(events.PubAck(token, code))

    def message(self, topic: str, payload: bytes) -> None:
        """Hand over a message of a subscribed topic."""
        if self._uplink:
            self._uplink.hear(topic, payload)

    def clear(self) -> None:
        """Say that the link is no longer blocked."""
        if self._uplink:
            self._uplink.post(events.Clear())

    def lost(self, why: str, code: int = 0) -> None:
        """Say that the link is gone; `code` is the broker's reason, if it gave one."""
        uplink, self._uplink = self._uplink, None
        if uplink:
            uplink.lose(why, code)

    @property
    def deaf(self) -> bool:
        """Whether the link was lost."""
        return self._uplink is None


class Uplink:
    """Delivers what `source` holds to the platform, for ever; `run` it.

    `deflate` compresses packs if given, `deflate_early` even before the platform has said that it
    knows our dictionary; `rate` limits bulk packs to so many bytes/s (0 = off);
    `window` packs of at most `items_max` readings are in flight per ring: boards have less room.
    """

    def __init__(
        self,
        gw: str,
        source: Source,
        about: About,
        units: dict[str, str],
        stamp: Stamper,
        open_link: Opener,
        random: Callable[[], float],
        deflate: Callable[[bytes, bytes], bytes] | None = None,
        rate: int = 0,
        window: int = WINDOW,
        items_max: int = ITEMS_MAX,
        announce_ms: int = ANNOUNCE_MS,
        *,
        deflate_early: bool = True,
    ) -> None:
        self.malformed_acks = 0
        self.turns = 0  # of the loop; a watchdog wants to see it grow
        self._gw = gw
        self._source = source
        self._about = about
        self._packer = pack.Packer(gw, units)
        self._stamp = stamp
        self._open_link = open_link
        self._random = random
        self._deflate = deflate
        self._rate = rate
        self._announce_ms = announce_ms
        self._window = window
        self._items_max = items_max
        self._deflate_early = deflate_early
        self._dictionary = b""  # of the birth certificate last published
        self._dictionary_id = 0
        self._known_id: int | None = None  # which dictionary the platform said last that it has
        self._shown: dict[str, int] = {}  # when the reading was that `now` last showed of a point
        self._live_room = 0
        self._lives = 0
        self._link: Link | None = None
        self._session: Session | None = None
        self._events: list[events.Event] = []
        self._wake = aio.Event()
        self._dial = aio.Event()
        self._broker = Presence("broker", CAUSES_MAX)
        self._platform = Presence("platform", CAUSES_MAX)

    async def run(self) -> None:
        """Connect, deliver, reconnect, until cancelled; the will says "offline" then."""
        try:
            async with aio.TaskGroup() as group:
                group.start(self._serve())
                group.start(self._connect())
                group.start(self._watch())
        finally:
            if self._link:
                self._link.close()

    def counts(self) -> dict[str, int]:
        """Return the session's counters, for health."""
        found = dict(self._session.counts) if self._session else {}
        found["acks_malformed"] = self.malformed_acks
        found["live"] = self._lives
        return found

    def post(self, news: events.Event) -> None:
        """Queue an event for the session."""
        self._events.append(news)
        self._wake.set()

    def hear(self, topic: str, payload: bytes) -> None:
        """Take a message from the broker, which anyone may have published."""
        if topic != topics.of(self._gw, topics.ACK):
            return
        try:
            ack = topics.decode_ack(payload)
        except BadReply:
            self.malformed_acks += 1
            return
        self._known_id = ack.dictionary
        if len(self._events) < EVENTS_MAX:
            self.post(events.Acked(ack.ring, ack.log_id, ack.seq))

    def lose(self, why: str, code: int) -> None:
        """Note that the connection ended."""
        self._link = None
        self._broker.lose(why, aio.now_ms())
        self.post(events.Lost(code))

    async def _serve(self) -> None:
        lanes = [self._lane(ring) for ring in RINGS]
        session = self._session = Session(
            lanes, self._random, aio.now_ms(), self._rate, self._announce_ms
        )
        while True:
            self.turns += 1
            await self._tell(session, self._events.pop(0) if self._events else events.Tick())
            if self._events:
                continue
            now_ms = aio.now_ms()
            wake_ms = session.wake_ms(now_ms)
            wait_ms = TURN_MS if wake_ms is None else min(wake_ms - now_ms, TURN_MS)
            await aio.rest(wait_ms, self._wake)

    async def _tell(self, session: Session, news: events.Event) -> None:
        answers: list[events.Event] = [news]
        while answers:
            for action in session.on(answers.pop(0), aio.now_ms()):
                answer = await self._perform(session, action)
                if answer is not None:
                    answers.append(answer)

    async def _perform(self, session: Session, action: events.Action) -> events.Event | None:
        if isinstance(action, events.Load):
            return await self._load(session, action)
        if isinstance(action, events.Publish):
            topic = topics.up(self._gw, action.ring)
            self._live_room = min(LIVE_ROOM, self._live_room + len(action.payload) // LIVE_SHARE)
            kind = _content_type(action.payload)
            return self._publish(action.token, topic, action.payload, kind)
        if isinstance(action, events.Announce):
            return self._announce(action)
        if isinstance(action, events.Advance):
            self._source.acked(action.ring, action.log_id, action.seq)
        elif isinstance(action, events.Reject):
            event(WARNING, "rejected", ring=action.ring, seq=action.seq)
            await self._source.reject(action.ring, action.seq, REJECTED)
        elif isinstance(action, events.Report):
            if action.why:
                self._platform.lose(action.why, aio.now_ms())
            else:
                self._platform.find(aio.now_ms())
        elif isinstance(action, events.Connect):
            self._dial.set()
        return None

    async def _load(self, session: Session, ask: events.Load) -> events.Event:
        ring = ask.ring
        batch = await self._source.next_batch(ring, ask.after, ask.items_max, ask.bytes_max)
        log_id = batch.log_id if batch else self._source.log_id(ring)
        if log_id not in [lane.log_id for lane in session.lanes if lane.ring == ring]:
            return events.Renumbered(self._lane(ring))  # the medium failed; it goes on in RAM
        if batch is None:
            return events.Empty(ring)
        last = batch.seq + len(batch.items) - 1
        try:
            payload = self._packer.pack(batch, self._stamp)
        except ValueError:
            return events.Unfit(ring, batch.seq, last)
        if len(payload) > senml.PACK_BYTES_MAX:
            return events.Unfit(ring, batch.seq, last)
        return events.Loaded(ring, batch.seq, last, self._deflated(payload, ask.probing))

    def _deflated(self, payload: bytes, probing: bool) -> bytes:
        """Return `payload` as small as the platform can read it."""
        if self._deflate is None:
            return payload
        if probing:
            # Perhaps the platform is another one now, or has forgotten; it will say what it knows.
            self._known_id = None
        known = self._known_id is not None and self._known_id == self._dictionary_id
        if not known and not self._deflate_early:
            return payload
        found = self._deflate(payload, self._dictionary if known else b"")
        return found if len(found) < len(payload) else payload

    def _announce(self, action: events.Announce) -> events.Event | None:
        if action.kind == topics.LIVE:
            return self._announce_live(action.token)
        content_type = topics.CONTENT_TYPE
        if action.kind == topics.STATE:
            birth = self._about.birth()
            payload = cbor.encode(birth)
            if self._deflate is not None:
                self._dictionary = presets.dictionary(birth)
                self._dictionary_id = presets.identity(self._dictionary)
        elif action.kind == topics.HEALTH:
            health = self._about.health()
            health["uplink"] = self.counts()
            payload = cbor.encode(health)
        else:
            content_type = senml.CONTENT_TYPE
            latest = self._about.latest()
            self._shown = {one.point: one.at_ms for one in latest}
            payload = self._packer.snapshot(latest, self._source.boot, self._stamp)
        topic = topics.of(self._gw, action.kind)
        return self._publish(action.token, topic, payload, content_type, retain=True)

    def _announce_live(self, token: int) -> events.Event | None:
        """Publish what is newer than the last `now`, unless it would take the link's time.

        Not retained: who subscribes later must find all points.
        """
        shown = self._shown
        fresh = [one for one in self._about.latest() if shown.get(one.point) != one.at_ms]
        if not fresh or self._live_room < 0:
            return events.PubAck(token, 0)
        if len(fresh) > LIVE_POINTS_MAX:  # those not told for longest, or some never would be
            fresh = sorted(fresh, key=lambda one: shown.get(one.point, -1))[:LIVE_POINTS_MAX]
        shown.update({one.point: one.at_ms for one in fresh})
        payload = self._packer.snapshot(fresh, self._source.boot, self._stamp, partial=True)
        self._live_room -= len(payload)
        self._lives += 1
        topic = topics.of(self._gw, topics.NOW)
        return self._publish(token, topic, payload, senml.CONTENT_TYPE)

    def _publish(
        self, token: int, topic: str, payload: bytes, content_type: str, *, retain: bool = False
    ) -> events.Event | None:
        link = self._link
        if link is None:
            return None  # lost meanwhile: that event is on its way to the session
        if len(payload) + HEADER_BYTES > link.packet_max:
            return events.PubAck(token, PACKET_TOO_LARGE)  # what the broker would do is hang up
        link.publish(token, topic, payload, content_type, retain=retain)
        return events.Blocked() if link.blocked else None

    def _lane(self, ring: str) -> Lane:
        source = self._source
        log_id, cursor, last = source.log_id(ring), source.cursor(ring), source.last(ring)
        return Lane(ring, log_id, cursor, last, self._window, self._items_max)

    async def _connect(self) -> None:
        while True:
            await self._dial.wait()
            self._dial.clear()
            ear = Ear(self)
            try:
                link = await self._open_link(ear)
            except TidegateError as error:
                self._broker.lose(str(error), aio.now_ms())
                self.post(events.Failed())
                continue
            if ear.deaf:  # lost before it was ours: to the session that Lost was out of season
                self.post(events.Failed())
                continue
            self._link = link
            self._broker.find(aio.now_ms())
            self.post(events.Connected(link.receive_max, link.packet_max))
            link.subscribe(topics.of(self._gw, topics.ACK))  # last, as that may lose the link

    async def _watch(self) -> None:
        while True:
            await self._source.changed.wait()
            self._source.changed.clear()
            self.post(events.Changed())


def _content_type(payload: bytes) -> str:
    """Return what RFC 9193 calls a pack; a coding with a preset dictionary has no name."""
    if payload[0] != presets.DEFLATED:
        return senml.CONTENT_TYPE
    return DEFLATED if presets.wanted(payload) is None else ""
