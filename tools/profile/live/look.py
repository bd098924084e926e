"""What one look at a device brings: frames, what they hold, and what of it looks wrong.

Knows neither a line nor a protocol: poll_once and listen do the looking.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.profile.image import Image
from gateway.core.record import Record
from tools.profile.causes.doubt import doubts

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivers.profile.map import Map
    from drivers.profile.slot import Place
    from tools.profile.causes.doubt import Doubt


class Exchange(Record):
    """A request `sent` (or nothing) and what was `received`, as on the wire; `why` it is no use.

    `put(image)` adds what it brought, or why that is missing; `text` says how people read it.
    """

    __slots__ = ("put", "received", "sent", "text", "title", "why")

    def __init__(
        self,
        title: str,
        sent: bytes,
        received: bytes,
        why: str,
        put: Callable[[Image], None],
        text: bool = False,
    ) -> None:
        self.title = title
        self.sent = sent
        self.received = received
        self.why = why
        self.put = put
        self.text = text

    def tells(self, place: Place) -> bool:
        """Return whether it says something about a place, be it that there is nothing."""
        if place.address is None:
            return False
        image = Image()
        self.put(image)
        channel = place.channel
        if channel.layout.take(image, channel.table, place.address) is not None:
            return True
        return image.why(channel.table, place.address, channel.count) is not None


class Look:
    """The `exchanges` with one device and what they come to: `image`, `doubts`."""

    def __init__(self, device: Map) -> None:
        self.device = device
        self.image = Image()
        self.exchanges: list[Exchange] = []
        self.doubts: list[Doubt] = []

    def add(self, exchange: Exchange) -> None:
        """Take an exchange, and what it brought."""
        self.exchanges.append(exchange)
        exchange.put(self.image)

    def doubt(self) -> None:
        """Judge what has been brought so far."""
        self.doubts = doubts(self.device, self.image)
