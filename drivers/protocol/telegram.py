"""What a field protocol's reader makes of one frame, the same for all protocols.

Knows no protocol; `enclosed` finds a frame behind a preamble or noise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.errors import BadReply
from gateway.core.record import Record

if TYPE_CHECKING:
    from drivers.protocol.frame import Shape


class Telegram(Record):
    """One frame's content: who sent it, and its items in the order of the frame.

    `address` as people print it, "" if the frame has none. An item is (identifier, bytes of the
    value) or, in protocols of text, (identifier, texts of the values). `control` is the protocol's
    own control code, `kind` what the frame says of the device. `more`: a further frame follows.
    `asks`: the master sent it, so that its items are no values.
    """

    __slots__ = ("address", "asks", "control", "items", "kind", "more")

    def __init__(
        self,
        address: str,
        items: list[tuple[str, bytes | list[str]]],
        control: int = 0,
        kind: str = "",
        more: bool = False,
        asks: bool = False,
    ) -> None:
        self.address = address
        self.items = items
        self.control = control
        self.kind = kind
        self.more = more
        self.asks = asks


def enclosed(shape: Shape, start: bytes, data: bytes) -> bytes:
    """Return the frame at the end of `data`, after whatever stands before it.

    BadReply says why there is none: of the places where one could begin, the one that fails last.
    """
    at, why = data.find(start), f"nothing begins with {start.hex().upper()}"
    first = True
    while at >= 0:
        refusal = shape.refusal(data[at:])
        if not refusal:
            return data[at:]
        if first or refusal.startswith("the check sum"):
            why, first = refusal, False
        at = data.find(start, at + 1)
    raise BadReply(why, data)


def backwards(data: bytes) -> str:
    """Return bytes that come lowest first as the digits people read."""
    return bytes(reversed(data)).hex().upper()
