"""Profiles with one mistake in them, as a vendor makes it, written into the text.

An address one off, a word order, a scale off by a power of ten. Knows the file, runs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.profile.check_cpython import check_text
from drivers.profile.decode import ORDERS, arrange
from drivers.profile.model import load
from gateway.core import cbor
from gateway.core.record import Record
from gateway.core.source_cpython import MAP, SCALAR
from tools.profile.causes.variants import ADDRESS, ORDER, SCALE, Variant, is_number, orders

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drivers.profile.model import Channel
    from gateway.core.source_cpython import Node

POWERS = (-3, -2, -1, 1, 2, 3)


class Mutant(Record):
    """A profile's `text` with a mistake of `kind` in definition number `row`.

    `remedies` are the words that name the mistake; any of them is right.
    """

    __slots__ = ("kind", "remedies", "row", "text")

    def __init__(self, kind: str, row: int, text: str, remedies: tuple[str, ...]) -> None:
        self.kind = kind
        self.row = row
        self.text = text
        self.remedies = remedies


def mutants(text: str) -> Iterator[Mutant]:
    """Yield every mutant of a sound profile; a mistake that changes nothing is none."""
    checked = check_text(text, "profile")
    channels = load(cbor.encode(checked.document)).channels
    starts = _line_starts(text)
    for row, (channel, draft) in enumerate(zip(channels, checked.drafts, strict=True)):
        if channel.at is not None and draft.node.kind == MAP:
            edit = _Edit(text, starts, draft.node)
            if edit.anchor is not None:
                yield from _mutants(channel, row, edit, checked.base)


def _mutants(channel: Channel, row: int, edit: _Edit, base: int) -> Iterator[Mutant]:
    number = edit.number
    if number is not None and channel.at is not None:
        first = number - channel.at if channel.group < 0 else base
        for shift in (-1, 1):
            if (channel.at + shift < 0) == (channel.at < 0):
                text = edit.replaced("at", str(number + shift))
                wrong = Variant(shift=shift).of(channel)
                yield Mutant(ADDRESS, row, text, (Variant(shift=-shift).told(wrong, first),))
    for one in orders(channel):
        wrong = one.of(channel)
        right = [order for order in ORDERS if _same(channel, order, channel.layout.order)]
        told = tuple(Variant(order=order).told(wrong) for order in right)
        yield Mutant(ORDER, row, edit.replaced("order", one.order), told)
    for power in POWERS if is_number(channel) else ():
        wrong = Variant(power=power).of(channel)
        told = (Variant(power=-power).told(wrong),)
        yield Mutant(SCALE, row, edit.replaced("scale", str(wrong.scale)), told)


class _Edit:
    """The text of a profile and, in it, the map of one channel.

    `anchor` is a key new ones are written behind, `number` its address, or None.
    """

    def __init__(self, text: str, starts: list[int], node: Node) -> None:
        self._text = text
        self._starts = starts
        self._node = node
        scalars = [pair for pair in node.pairs if pair[1].kind == SCALAR]
        self.anchor = scalars[0] if scalars else None
        at = node.get("at")
        self.number = at.value if at is not None and isinstance(at.value, int) else None

    def replaced(self, name: str, value: str) -> str:
        """Return the text with key `name` of the channel set to `value`."""
        old = self._node.get(name)
        if old is not None:
            return self._text[: self._offset(old)] + value + self._text[self._end(old) :]
        assert self.anchor is not None
        key, neighbour = self.anchor
        before = self._text[: self._offset(key)].rstrip(" ")
        block = before.endswith(("\n", "-"))
        between = "\n" + " " * (key.column - 1) if block else ", "
        end = self._end(neighbour)
        return f"{self._text[:end]}{between}{name}: {value}{self._text[end:]}"

    def _offset(self, node: Node) -> int:
        return self._starts[node.line - 1] + node.column - 1

    def _end(self, node: Node) -> int:
        quotes = 0 if node.plain else 2
        return self._offset(node) + len(node.text) + quotes


def _same(channel: Channel, order: str, other: str) -> bool:
    sample = bytes(range(channel.layout.width * channel.layout.count))
    return arrange(sample, order) == arrange(sample, other)


def _line_starts(text: str) -> list[int]:
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    return starts
