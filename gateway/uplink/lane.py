"""One ring on its way to the platform: what is acknowledged, in flight, suspected.

The cursor moves by `acked` only. Everything after it may be sent again at any time: a lane never
knows less than the platform, and the platform drops what it already has.
"""

from __future__ import annotations

from gateway.core.buggify import buggify
from gateway.core.record import Record

WINDOW = 20  # packs in flight; measured: fewer starve the link, more only cost time and duplicates
PROBE = 1  # packs in flight while nothing shows that the platform is there
ITEMS_MAX = 64  # cost is per message and deflate likes company; more lose more when one is lost
ACK_TIMEOUT_MS = 30_000
# The same for the one pack in flight that asks, the broker having taken it: doubled each time. When
# a broker restarts, its gateways are often back before the platform is.
PROBE_TIMEOUT_MS = 2_000
# Connections lost while the same publish was the first unanswered: so many raise a suspicion, so
# many more convict a single item that travelled alone.
SUSPICION = 3
CONVICTION = 5


class Flight(Record):
    """A pack that was published and is not yet acknowledged by the platform."""

    __slots__ = ("first", "last", "token")

    def __init__(self, token: int, first: int, last: int) -> None:
        self.token = token
        self.first = first
        self.last = last


class Lane:
    """The state of one ring; `known` is the highest number that may ever have been sent.

    `window` and `items_max` bound the packs in flight and the readings in one: boards have less.
    """

    def __init__(
        self,
        ring: str,
        log_id: bytes,
        cursor: int,
        known: int,
        window: int = WINDOW,
        items_max: int = ITEMS_MAX,
    ) -> None:
        self.ring = ring
        self.log_id = log_id
        self.cursor = cursor
        self.known = max(known, cursor)
        self.sent = cursor
        self.flights: list[Flight] = []
        self.drained = False  # nothing durable lies beyond `sent`
        self.careful = False  # a pack of this lane is suspected to kill connections
        self.items_max = items_max
        self.small_until = 0  # packs stay small up to this number
        self.held_until_ms = 0
        self.refusals = 0  # in a row
        self.rejected = 0  # the last item given up
        self._window, self._window_max = PROBE, window
        self._patience_ms = PROBE_TIMEOUT_MS
        self._overdue_ms = 0
        self._items_limit = items_max
        self._strikes = 0
        self._struck = 0  # first number of the pack the strikes count for

    def wants(self) -> bool:
        """Return whether another pack may be published, once it is not held."""
        window = PROBE if self.careful or buggify("one-pack-window") else self._window
        return not self.drained and len(self.flights) < window

    @property
    def probing(self) -> bool:
        """Whether nothing shows that the platform is there."""
        return self._window < self._window_max

    def stuck(self, now_ms: int) -> bool:
        """Return whether it is held, or nothing shows that what it has to send arrives."""
        return now_ms < self.held_until_ms or (self.probing and not self.drained)

    def overdue_ms(self) -> int | None:
        """Return when the platform will have been silent for too long."""
        return self._overdue_ms if self.flights else None

    def published(self, flight: Flight, now_ms: int) -> None:
        """Note that a pack went out."""
        if not self.flights:
            self._overdue_ms = now_ms + ACK_TIMEOUT_MS
        self.flights.append(flight)
        self.sent = flight.last
        self.known = max(self.known, flight.last)
        if self.sent >= self.small_until and not self.careful:
            self.items_max = self._items_limit

    def acked(self, seq: int, now_ms: int) -> None:
        """Move the cursor to `seq`, which the caller checked; the platform is there."""
        self.cursor = seq
        self.sent = max(self.sent, seq)
        self.flights = [flight for flight in self.flights if flight.last > seq]
        self._overdue_ms = now_ms + ACK_TIMEOUT_MS
        self._patience_ms = ACK_TIMEOUT_MS
        self.refusals = 0
        self._window = self._window_max
        if self.careful and seq >= self.small_until:
            self.careful = False
            self.items_max = self._items_limit

    def rewind(self) -> None:
        """Forget what is in flight and start again after the cursor (go-back-N).

        The first pack travels alone: it shows whether the platform is there, and the answer to it
        tells what the platform holds already.
        """
        self.flights = []
        self.sent = self.cursor
        self.drained = False
        self._window = PROBE

    def hurry(self) -> None:
        """Ask soon, and then ever later, whether the platform is there: a connection is new."""
        self._patience_ms = PROBE_TIMEOUT_MS

    def gave_up(self) -> bool:
        """Note that the platform was silent for too long; True if not only for a moment."""
        self._patience_ms = min(2 * self._patience_ms, ACK_TIMEOUT_MS)
        return self._patience_ms == ACK_TIMEOUT_MS

    def shrink(self, first: int, last: int) -> bool:
        """Make smaller packs until `last` is passed; False if it is one item already."""
        self.items_max = max(1, (last - first + 1) // 2)
        self.small_until = max(self.small_until, last)
        return last > first

    def acquit(self, flight: Flight, now_ms: int) -> None:
        """Note that the broker answered to a pack: it does not kill connections.

        From here on only the platform is awaited, however slow the way to the broker is.
        """
        if flight in self.flights and self._patience_ms < ACK_TIMEOUT_MS:
            self._overdue_ms = now_ms + self._patience_ms
        if flight.first == self._struck:
            self._strikes = 0

    def strike(self, flight: Flight, *, surely: bool) -> int | None:
        """Blame a pack, the first the broker had not answered, for a lost connection.

        `surely`: the broker named a packet as the reason. Returns the item to reject, if any.
        """
        if flight.first != self._struck:
            self._struck = flight.first
            self._strikes = 0
        self._strikes += 1
        if self.careful and flight.first == flight.last:
            return flight.first if self._strikes >= CONVICTION else None
        if self._strikes >= SUSPICION or self.careful or surely:
            self.careful = True
            self.shrink(flight.first, flight.last)
            if self.items_max == 1:
                self._strikes = 0
        return None
