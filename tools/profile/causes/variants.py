"""The ways in which a register table is misread: one channel's bytes read otherwise, one at a time.

Word order, address one off, type, and a scale off by a power of ten. Knows no value that would be
right: who asks compares.
"""

from __future__ import annotations

from contextlib import contextmanager
from copy import copy
from functools import lru_cache
from typing import TYPE_CHECKING

from drivers.profile import number
from drivers.profile.decode import TYPES, Layout, arrange
from drivers.profile.image import BIT_TABLES
from drivers.profile.map import places
from drivers.profile.text import DECIMAL, Text
from gateway.core.decimal import decimal
from gateway.core.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drivers.profile.expr import Value
    from drivers.profile.image import Image
    from drivers.profile.map import Map
    from drivers.profile.model import Channel
    from drivers.profile.slot import Place

ORDER, ADDRESS, SCALE, TYPE = "order", "address", "scale", "type"  # the likelier first
KINDS = (ORDER, ADDRESS, SCALE, TYPE)
POWERS = (-1, 1, -2, 2, -3, 3, -4, 4, -6, 6)  # of ten; the last are Wh for MWh and such
_USUAL_ORDERS = ("ABCD", "CDAB", "DCBA", "BADC")
_USUAL_SCALES = ("1", "0.1", "0.01", "0.001", "10", "0.0001", "100", "1000")
_NUMBERS = ("u", "s", "sm", "f", "bcd", "sbcd")
_SIBLINGS = {"u": ("s", "f", "bcd"), "s": ("u", "f", "bcd"), "f": ("u", "s"), "bcd": ("u", "s")}


class Variant(Record):
    """A way to read a channel: `shift` of its address, `order`, type `name`, `power` of ten.

    Empty or 0 stands for "as the profile says".
    """

    __slots__ = ("name", "order", "power", "shift")

    def __init__(self, shift: int = 0, order: str = "", name: str = "", power: int = 0) -> None:
        self.shift = shift
        self.order = order
        self.name = name
        self.power = power

    @property
    def kinds(self) -> tuple[str, ...]:
        """What is otherwise, of KINDS."""
        parts = (self.order, self.shift, self.power, self.name)
        return tuple(kind for kind, part in zip(KINDS, parts, strict=True) if part)

    def joined(self, other: Variant) -> Variant:
        """Return both at once."""
        return Variant(
            self.shift or other.shift,
            self.order or other.order,
            self.name or other.name,
            self.power or other.power,
        )

    def of(self, channel: Channel) -> Channel:
        """Return the channel read this way."""
        made = copy(channel)
        made.plain = None  # the short way is of the channel as it was
        layout = channel.layout
        if not isinstance(layout, Text):  # a text has neither bytes nor an order
            name, order = self.name or type_name(layout), self.order or layout.order
            made.layout = Layout(name, order, layout.bits, layout.none, layout.width)
        if self.name:
            made.count = made.layout.count
        if made.at is not None:
            made.at += self.shift
        if self.power:
            made.scale = number.times(channel.scale, decimal(1, self.power))
            made.linear = True
        return made

    def told(self, channel: Channel, first: int = 0) -> str:
        """Say what is otherwise: "at 3 instead of 2", in a table that counts from `first`."""
        parts = []
        if self.shift:
            parts.append(self._address(channel, first))
        if self.order:
            parts.append(f"with order {self.order} instead of {channel.layout.order}")
        if self.name:
            parts.append(f"as {self.name} instead of {type_name(channel.layout)}")
        if self.power:
            parts.append(f"with scale {self.of(channel).scale} instead of {channel.scale}")
        return " and ".join(parts)

    def _address(self, channel: Channel, first: int) -> str:
        if channel.at is None or channel.group >= 0:  # its `at` counts from that of its group
            what = "bit" if channel.table in BIT_TABLES else "register"
            return f"one {what} {'later' if self.shift > 0 else 'earlier'}"
        at = channel.at + first
        return f"at {at + self.shift} instead of {at}"


def type_name(layout: Layout) -> str:
    """Return the name of a layout's type as a profile writes it."""
    return layout.base if layout.base in ("bool", DECIMAL) else f"{layout.base}{layout.size}"


def singles(channel: Channel) -> list[Variant]:
    """Return every way to misread `channel` by one mistake, the likelier first."""
    found = orders(channel)
    found += [Variant(shift=shift) for shift in (-1, 1) if _is_place(channel, shift)]
    if is_number(channel):
        found += [Variant(power=power) for power in POWERS]
        found += [Variant(name=name) for name in _types(channel.layout)]
    return found


def pairs(channel: Channel) -> list[Variant]:
    """Return the ways to misread `channel` by two mistakes that people make together."""
    ways = {kind: [one for one in singles(channel) if one.kinds == (kind,)] for kind in KINDS}
    found = [name.joined(order) for name in ways[TYPE] for order in orders(name.of(channel))]
    for one, other in ((ORDER, ADDRESS), (ADDRESS, TYPE), (ORDER, SCALE), (ADDRESS, SCALE)):
        found += [a.joined(b) for a in ways[one] for b in ways[other]]
    return found


def orders(channel: Channel) -> list[Variant]:
    """Return the word orders other than the channel's own that make a difference."""
    layout = channel.layout
    if layout.base not in _NUMBERS or channel.table in BIT_TABLES:
        return []
    sample = bytes(range(_size_bytes(channel)))
    seen = {arrange(sample, layout.order)}
    found = []
    for order in _USUAL_ORDERS[:: 2 if len(sample) % 2 else 1]:  # pairs of bytes need pairs
        arranged = arrange(sample, order)
        if arranged not in seen:
            seen.add(arranged)
            found.append(Variant(order=order))
    return found


def _is_place(channel: Channel, shift: int) -> bool:
    # From the end of a message it counts below 0, from its start from 0 on.
    return channel.at is None or (channel.at < 0) == (channel.at + shift < 0)


def is_number(channel: Channel) -> bool:
    """Return whether the channel is a quantity, not a word, flags, bits or text."""
    layout = channel.layout
    plain = channel.map is None and channel.flags is None
    return plain and layout.base in (*_NUMBERS, DECIMAL) and layout.bits is None


def is_wide(channel: Channel) -> bool:
    """Return whether the channel is a number of more than two bytes: words have an order."""
    return channel.layout.base in _NUMBERS and channel.layout.size > 16


def _types(layout: Layout) -> list[str]:
    names = [f"{base}{layout.size}" for base in _SIBLINGS.get(layout.base, ())]
    names += [f"{layout.base}{size}" for size in (2 * layout.size, layout.size // 2)]
    names += [f"{base}{2 * layout.size}" for base in ("s", "u")]
    # In registers of 16 bits nobody means 8.
    known = {f"{base}{n}" for base in _NUMBERS for n in TYPES[base] if n >= 8 * layout.width}
    own = type_name(layout)
    return [name for name in dict.fromkeys(names) if name in known and name != own]


def _size_bytes(channel: Channel) -> int:
    return channel.layout.width * channel.layout.count


@contextmanager
def read_otherwise(device: Map, channel: Channel, variant: Variant) -> Iterator[None]:
    """Let every place of `channel` in `device` be read the other way meanwhile."""
    changed = variant.of(channel)
    found = [one for names in alternatives(device) for one in names if one.channel is channel]
    before = [one.address for one in found]
    try:
        for place in found:
            place.channel = changed
            if place.address is not None:
                place.address += variant.shift
        yield
    finally:
        for place, address in zip(found, before, strict=True):
            place.channel, place.address = channel, address


def decoded(device: Map, image: Image) -> dict[str, Value]:
    """Return the value of every channel `image` says something about, in the profile's unit."""
    known: dict[str, Value] = {}
    device.decode(image, known)
    return known


def likelihood(variant: Variant, channel: Channel, settled: bool) -> tuple[int, ...]:
    """Return what sorts the mistakes in `channel`: those people make first, then what is usual.

    `settled` says that other channels of the device are right in this one's order.
    """
    kinds = [KINDS.index(kind) for kind in variant.kinds] or [-1]
    # Within a register swapped bytes are far rarer than swapped words.
    if variant.order and (settled or (channel.layout.width == 2 and not is_wide(channel))):
        kinds = [len(KINDS)]
    order = _USUAL_ORDERS.index(variant.order) if variant.order else 0
    scale = str(variant.of(channel).scale) if variant.power else ""
    usual = _USUAL_SCALES.index(scale) if scale in _USUAL_SCALES else len(_USUAL_SCALES)
    return kinds[0], kinds[-1], order, usual if scale else 0, abs(variant.power)


@lru_cache(32)
def alternatives(device: Map) -> list[list[Place]]:
    """Return the places of every channel."""
    names = dict.fromkeys(place.id for place in places(device.profile))
    return [device.places(name) for name in names]


def crowding(device: Map, channel: Channel) -> tuple[int, int]:
    """Return how often `channel` shares registers with others: partly, and wholly."""
    found = [one for names in alternatives(device) for one in names if one.address is not None]
    mine = [one for one in found if one.channel.id == channel.id and channel.readable]
    others = [one for one in found if one.channel.id != channel.id and one.channel.readable]
    shared = [_spot(one) == _spot(other) for one in mine for other in others if _share(one, other)]
    return shared.count(False), shared.count(True)


def _share(one: Place, other: Place) -> bool:
    table, start, end = _spot(one)
    other_table, other_start, other_end = _spot(other)
    return table == other_table and start < other_end and other_start < end


def _spot(place: Place) -> tuple[str, int, int]:
    address = place.address or 0
    return place.channel.table, address, address + place.channel.count
