"""What the uplink does next: f(event, now_ms) → actions. No socket, no clock, no file.

The rules, each a line of the table or of `_work`:
* only what the source hands out is sent, and the source hands out only what is durable;
* a cursor moves on the platform's acknowledgement, never on the broker's;
* crit before bulk, oldest first, at most WINDOW packs of a ring in flight;
* after a reconnect, a refusal or 30 s of silence the lane starts again after its cursor, with one
  pack until the platform answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.buggify import buggify
from gateway.core.reading import BULK
from gateway.uplink import events, topics
from gateway.uplink.lane import SUSPICION, Flight

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gateway.uplink.events import Action, Event
    from gateway.uplink.lane import Lane

OFFLINE, CONNECTING, ONLINE = "offline", "connecting", "online"

# Ceilings of the random waits: 2 s, then half as much again each time. Simulated with a thousand
# gateways and a broker away for 10 s: half are back 3 s after it, at most 175 in one second.
BACKOFF_MS_MIN = 2_000
BACKOFF_MS_MAX = 120_000
_BACKOFF_TRIES_MAX = 12  # enough to reach the highest ceiling
CALM_MS = 60_000  # acknowledgements this long after connecting end the back-off
RELIEF_MS = 10_000  # acknowledgements this long after trouble showed end it
ANNOUNCE_MS = 60_000  # snapshot and health
LIVE_MS = 1_000  # between the newest readings told while history is on its way
DENIED_MS = 120_000  # an access list, or a broker that takes nothing, is mended by a person
SLOTS_MAX = 64  # publishes the broker has not answered: two windows and the announcements
BYTES_MAX = 8_192  # of buffered readings in one pack
HEADER_BYTES = 256  # topic, properties and fixed header, generously

SENT, ABSENT, DENIED, TOO_LARGE, BUSY = "sent", "absent", "denied", "too-large", "busy"
# MQTT 5 §3.4.2.1; every other code from 0x80 on is BUSY. MQTT 3.1.1 can only say 0x00.
PACKET_TOO_LARGE = 0x95  # also a reason to disconnect, §3.14.2.1
_VERDICTS = {0x00: SENT, 0x10: ABSENT, 0x87: DENIED, PACKET_TOO_LARGE: TOO_LARGE, 0x97: BUSY}


class Session:
    """The uplink's mind; `random` returns 0 ≤ x < 1, `rate` limits bulk to bytes/s (0 = off).

    Snapshot and health are announced on connecting and every `announce_ms`.
    """

    def __init__(
        self,
        lanes: list[Lane],
        random: Callable[[], float],
        now_ms: int,
        rate: int = 0,
        announce_ms: int = ANNOUNCE_MS,
    ) -> None:
        self.state = OFFLINE
        self.lanes = lanes  # in the order they are served
        self.counts = dict.fromkeys(
            ("connects", "packs", "acks", "acks_ignored", "ack_timeouts", "rejected"), 0
        )
        for verdict in (ABSENT, DENIED, TOO_LARGE, BUSY):
            self.counts[f"puback_{verdict}"] = 0
        self._random = random
        self._rate = rate
        self._announce_every_ms = announce_ms
        self._out: list[Action] = []
        self._attempt = 0
        self._online_ms = 0
        self._announce_ms = 0
        self._free_ms = 0  # when the rate limit lets the next bulk pack go
        self._blocked = False
        self._trouble_ms: int | None = None  # when it last showed
        self._absent = False  # the broker's last word: nobody subscribes to our packs
        self._proven = True  # something was acknowledged since an item was last given up
        self._loading: Lane | None = None
        self._due: list[str] = []  # announcements waiting for a slot
        self._behind_ms: int | None = None  # since when there is more bulk than was sent
        self._live_ms = 0  # when the newest readings may be told again
        self._token = 0
        self._pending: dict[int, tuple[Lane, Flight] | str] = {}  # a pack or an announcement
        self._ended: dict[str, int] = {}  # connections in a row an announcement seems to have ended
        self._refused: dict[str, bool] = {}  # whether the broker refused an announcement last time
        self._slots = self._packet_max = 0
        self._retry_ms = now_ms + self._backoff(0)

    def on(self, event: Event, now_ms: int) -> list[Action]:
        """Take one event; return what to do, in order. An event out of season changes nothing."""
        self._out = []
        heard = _HEARD[self.state].get(type(event))
        if heard is not None:
            heard(self, event, now_ms)
        if self.state == OFFLINE and now_ms >= self._retry_ms:
            self.state = CONNECTING
            self._out.append(events.Connect())
        elif self.state == ONLINE:
            self._work(now_ms)
        return self._out

    def wake_ms(self, now_ms: int) -> int | None:
        """Return when a Tick is wanted; None while only an event can change something."""
        if self.state == OFFLINE:
            return self._retry_ms
        if self.state == CONNECTING:
            return None
        wake_ms = self._announce_ms
        live_ms = self._live_due_ms(now_ms)
        if live_ms is not None and not self._full():
            wake_ms = min(wake_ms, live_ms)
        for lane in self.lanes:
            overdue_ms, held_ms = lane.overdue_ms(), self._held_until_ms(lane)
            if overdue_ms is not None:
                wake_ms = min(wake_ms, overdue_ms)
            if lane.wants() and held_ms > now_ms:
                wake_ms = min(wake_ms, held_ms)
        return wake_ms

    def _work(self, now_ms: int) -> None:
        for lane in self.lanes:
            overdue_ms = lane.overdue_ms()
            if overdue_ms is not None and (now_ms >= overdue_ms or buggify("ack-time-out")):
                self.counts["ack_timeouts"] += 1
                if lane.gave_up():
                    why = "nobody subscribes" if self._absent else "no acknowledgement"
                    self._trouble(why, now_ms)
                lane.rewind()
        if now_ms >= self._announce_ms:
            self._announce_ms = now_ms + self._announce_every_ms
            self._due = [kind for kind in self._due if kind == topics.STATE]
            self._due += [topics.NOW, topics.HEALTH]
        while not self._full():
            if self._due:
                self._announce(self._due.pop(0))
                continue
            chosen = self._choose(now_ms)
            live_ms = self._live_due_ms(now_ms)
            urgent = chosen is not None and chosen.ring != BULK
            if live_ms is not None and now_ms >= live_ms and not urgent:
                self._live_ms = now_ms + LIVE_MS
                self._announce(topics.LIVE)
                continue
            self._loading = chosen
            if chosen is None:
                break
            bytes_max = min(BYTES_MAX, max(1, self._packet_max - HEADER_BYTES))
            after, items_max = chosen.sent, chosen.items_max
            load = events.Load(chosen.ring, after, items_max, bytes_max, probing=chosen.probing)
            self._out.append(load)

    def _announce(self, kind: str) -> None:
        if self._ended.get(kind, 0) >= SUSPICION:
            self._ended[kind] = SUSPICION - 1  # left out now, tried again next time
            return
        self._token += 1
        self._pending[self._token] = kind
        self._out.append(events.Announce(self._token, kind))

    def _live_due_ms(self, now_ms: int) -> int | None:
        """Return when the newest readings are to be told beside the history, None if they are not.

        The one before must have gone out, or a slow link would carry nothing else.
        """
        bulk = self.lanes[-1] if self.lanes else None
        if bulk is None or self._behind_ms is None or bulk.probing or now_ms < bulk.held_until_ms:
            return None
        if topics.LIVE in self._pending.values():
            return None
        return max(self._behind_ms + LIVE_MS, self._live_ms)

    def _full(self) -> bool:
        if self._blocked or self._loading is not None or len(self._pending) >= self._slots:
            return True
        return any(not isinstance(one, str) and one[0].careful for one in self._pending.values())

    def _choose(self, now_ms: int) -> Lane | None:
        announcing = any(isinstance(one, str) for one in self._pending.values())
        for lane in self.lanes:
            # A suspect travels alone, so that a lost connection can be blamed on it; and what a
            # connection begins with is answered first: a reset takes answers with it.
            if (lane.careful and self._pending) or (lane.probing and announcing):
                continue
            if lane.wants() and now_ms >= self._held_until_ms(lane):
                return lane
        return None

    def _held_until_ms(self, lane: Lane) -> int:
        limited = lane.ring == BULK  # alarms are few, and must not wait
        return max(lane.held_until_ms, self._free_ms) if limited else lane.held_until_ms

    def _on_connected(self, event: events.Connected, now_ms: int) -> None:
        self.state = ONLINE
        self.counts["connects"] += 1
        self._online_ms = self._announce_ms = self._behind_ms = now_ms
        self._slots = max(1, min(SLOTS_MAX, event.receive_max))
        self._packet_max = event.packet_max
        self._due = [topics.STATE]

    def _on_failed(self, _event: events.Failed, now_ms: int) -> None:
        self._go_offline(now_ms)

    def _on_lost(self, event: events.Lost, now_ms: int) -> None:
        if self._pending:
            self._blame(event.code, now_ms)
        for lane in self.lanes:
            lane.rewind()
            lane.hurry()
        self._blocked = False
        self._loading = None
        self._pending = {}
        self._go_offline(now_ms)

    def _blame(self, code: int, now_ms: int) -> None:
        # Brokers answer in order (§4.6): what they answered did not end the connection, and what
        # ended it, if anything of ours did, is the first that they did not.
        found = self._pending[min(self._pending)]
        if isinstance(found, str):
            self._ended[found] = self._ended.get(found, 0) + 1
            return
        lane, flight = found
        if flight in lane.flights:
            seq = lane.strike(flight, surely=code == PACKET_TOO_LARGE)
            if seq is not None:
                self._reject(lane, seq, now_ms, surely=False)

    def _on_puback(self, event: events.PubAck, now_ms: int) -> None:
        if event.token not in self._pending:
            return
        found = self._pending.pop(event.token)
        verdict = _VERDICTS.get(event.code, BUSY if event.code >= 0x80 else SENT)
        if verdict != SENT and not (isinstance(found, str) and verdict == ABSENT):
            self.counts[f"puback_{verdict}"] += 1
        if verdict not in (SENT, ABSENT):
            self._trouble(f"broker: {verdict} (0x{event.code:02x})", now_ms)
        if isinstance(found, str):
            self._ended[found] = 0
            if found != topics.LIVE:  # NOW has the same topic, and is told each minute
                self._refused[found] = verdict not in (SENT, ABSENT)
            return
        lane, flight = found
        lane.acquit(flight, now_ms)
        if verdict in (SENT, ABSENT):
            # Not yet trouble: behind a bridge, a platform the broker cannot see may answer.
            self._absent = verdict == ABSENT
            return
        if flight not in lane.flights:
            return
        lane.rewind()
        if verdict == TOO_LARGE:
            self._cut(lane, flight.first, flight.last, now_ms, surely=False)
        elif verdict == DENIED:
            lane.held_until_ms = now_ms + DENIED_MS
        else:
            lane.held_until_ms = now_ms + self._backoff(lane.refusals)
            lane.refusals += 1

    def _on_acked(self, event: events.Acked, now_ms: int) -> None:
        for lane in self.lanes:
            if lane.ring != event.ring or lane.log_id != event.log_id:
                continue
            if lane.cursor < event.seq <= lane.known:
                lane.acked(event.seq, now_ms)
                self.counts["acks"] += 1
                self._proven = True
                self._relieve(now_ms)
                if now_ms - self._online_ms >= CALM_MS:
                    self._attempt = 0
                self._out.append(events.Advance(event.ring, event.log_id, event.seq))
                return
            if event.seq <= lane.cursor:
                return  # said before
        self.counts["acks_ignored"] += 1

    def _on_loaded(self, event: events.Loaded, now_ms: int) -> None:
        lane, self._loading = self._loading, None
        if lane is None or lane.ring != event.ring:
            return
        if len(event.payload) + HEADER_BYTES > self._packet_max:
            self._cut(lane, event.first, event.last, now_ms, surely=True)
            return
        self._token += 1
        flight = Flight(self._token, event.first, event.last)
        self._pending[self._token] = lane, flight
        lane.published(flight, now_ms)
        if self._rate and lane.ring == BULK:
            cost_ms = (len(event.payload) + HEADER_BYTES) * 1000 // self._rate
            self._free_ms = max(self._free_ms, now_ms) + cost_ms
        self.counts["packs"] += 1
        self._out.append(events.Publish(self._token, lane.ring, event.payload))

    def _on_unfit(self, event: events.Unfit, now_ms: int) -> None:
        lane, self._loading = self._loading, None
        if lane is not None:
            self._cut(lane, event.first, event.last, now_ms, surely=True)

    def _on_empty(self, _event: events.Empty, _now_ms: int) -> None:
        lane, self._loading = self._loading, None
        if lane is not None:
            lane.drained = True
            if lane is self.lanes[-1]:
                self._behind_ms = None

    def _on_renumbered(self, event: events.Renumbered, _now_ms: int) -> None:
        self._loading = None
        for place, lane in enumerate(self.lanes):
            if lane.ring == event.lane.ring:
                self.lanes[place] = event.lane

    def _on_changed(self, _event: events.Changed, now_ms: int) -> None:
        if self._behind_ms is None:
            self._behind_ms = now_ms
        for lane in self.lanes:
            lane.drained = False

    def _on_blocked(self, _event: events.Blocked, _now_ms: int) -> None:
        self._blocked = True

    def _on_clear(self, _event: events.Clear, _now_ms: int) -> None:
        self._blocked = False

    def _cut(self, lane: Lane, first: int, last: int, now_ms: int, *, surely: bool) -> None:
        if not lane.shrink(first, last):
            self._reject(lane, first, now_ms, surely=surely)

    def _reject(self, lane: Lane, seq: int, now_ms: int, *, surely: bool) -> None:
        # Without proof that anything gets through, the way is to blame, not the item; and if what
        # took an item's place cannot be sent either, it was not the item.
        if seq == lane.rejected or not (surely or self._proven):
            self._trouble(f"{lane.ring} {seq} cannot be sent", now_ms)
            lane.held_until_ms = now_ms + DENIED_MS
            return
        if not surely:
            self._proven = False
        lane.rejected = seq
        self.counts["rejected"] += 1
        self._out.append(events.Reject(lane.ring, seq))

    def _go_offline(self, now_ms: int) -> None:
        self.state = OFFLINE
        self._retry_ms = now_ms + self._backoff(self._attempt)
        if buggify("reconnect-at-once"):
            self._retry_ms = now_ms
        self._attempt += 1

    def _backoff(self, tries: int) -> int:
        # Full jitter: after a broker restart, its gateways must not come back in step.
        tries = min(tries, _BACKOFF_TRIES_MAX)
        ceiling_ms = BACKOFF_MS_MIN * 3**tries // 2**tries
        return int(self._random() * min(ceiling_ms, BACKOFF_MS_MAX))

    def _trouble(self, why: str, now_ms: int) -> None:
        self._trouble_ms = now_ms
        self._out.append(events.Report(why))

    def _relieve(self, now_ms: int) -> None:
        if self._trouble_ms is None or now_ms - self._trouble_ms < RELIEF_MS:
            return
        if not any(self._refused.values()) and not any(one.stuck(now_ms) for one in self.lanes):
            self._trouble_ms = None
            self._out.append(events.Report(""))


# Which event means something in which state. Whatever is missing here is out of season.
_HEARD: dict[str, dict[type, Callable[[Session, Any, int], None]]] = {
    OFFLINE: {},
    CONNECTING: {
        events.Connected: Session._on_connected,
        events.Failed: Session._on_failed,
    },
    ONLINE: {
        events.Lost: Session._on_lost,
        events.PubAck: Session._on_puback,
        events.Acked: Session._on_acked,
        events.Loaded: Session._on_loaded,
        events.Unfit: Session._on_unfit,
        events.Empty: Session._on_empty,
        events.Renumbered: Session._on_renumbered,
        events.Changed: Session._on_changed,
        events.Blocked: Session._on_blocked,
        events.Clear: Session._on_clear,
    },
}
