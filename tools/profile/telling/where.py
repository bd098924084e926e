"""Where a channel stands and how its bytes are read, in words.

Knows tables, messages and layouts; knows no value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.profile.address_cpython import FIRST, REFERENCE
from drivers.profile.image import BIT_TABLES, TABLES
from drivers.profile.text import DECIMAL, Text

if TYPE_CHECKING:
    from drivers.profile.model import Channel
    from drivers.profile.slot import Place

_NAMES = {"holding": "holding register", "input": "input register", "coil": "coil"}
_NAMES["discrete"] = "discrete input"


def where(place: Place, base: int = 0) -> str:
    """Return where a channel's bytes are: "input registers 0–1", "bytes 4–5 of pack".

    With the `base` of the profile the numbers are those of its manual.
    """
    channel = place.channel
    if place.address is None:
        return "derived" if channel.calc else "written by steps"
    if channel.table in TABLES:
        shift = FIRST[channel.table] if base == REFERENCE else base
        name = _NAMES[channel.table]
        return _span(name, place.address + shift, channel.count)
    of = f" of {channel.table}" if channel.table else ""
    if is_text(channel):
        return f"column {place.address}{of}"
    return _span("byte", place.address, channel.count) + of


def layout(channel: Channel) -> str:
    """Return how the bytes are read: "f32 ABCD", "bits 4..7 of u16", "match ^T=(.*)"."""
    if isinstance(channel.layout, Text):
        match = channel.layout.match
        return f"match {match.pattern}" if match else type_name(channel)
    name = type_name(channel)
    if channel.layout.bits:
        low, high = channel.layout.bits
        name = f"bit {low} of {name}" if low == high else f"bits {low}..{high} of {name}"
    return f"{name} {channel.layout.order}" if has_order(channel) else name


def type_name(channel: Channel) -> str:
    """Return the type as a profile spells it; a text without one holds a number."""
    base = channel.layout.base
    if base == DECIMAL:
        return "number"
    return base if base == "bool" else f"{base}{channel.layout.size}"


def has_order(channel: Channel) -> bool:
    """Return whether the bytes of a channel could stand in another order."""
    if is_text(channel) or channel.table in BIT_TABLES:
        return False
    width = 2 if channel.table in TABLES else 1
    return channel.count * width > 2 or channel.layout.order != "ABCD"


def is_text(channel: Channel) -> bool:
    """Return whether a channel is a column of a text message."""
    return isinstance(channel.layout, Text)


def _span(name: str, first: int, count: int) -> str:
    if count == 1:
        return f"{name} {first}"
    return f"{name}s {first}{'–' if first >= 0 else ' to '}{first + count - 1}"
