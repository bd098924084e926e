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
from gateway.core.source_cpython import LIST, MAP, load_source
from tools.profile.variants import ADDRESS, ORDER, SCALE, Variant, is_number, orders

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
    root = load_source(text, "profile").root
    listed = root.get("channels") if root else None
    found = list(_definitions(listed)) if listed else []
    starts = _line_starts(text)
    placed = iter(found)
    for row, channel in enumerate(channels):
        if channel.at is None:
            continue
        node = next(placed)
        edit = _Edit(text, starts, node)
        yield from _mutants(channel, row, edit, checked.base)


def _mutants(channel: Channel, row: int, edit: _Edit, base: int) -> Iterator[Mutant]:
    first = edit.number - channel.at if channel.at is not None and channel.group < 0 else base
    for shift in (-1, 1):
        if channel.at is not None and channel.at + shift >= 0:
            text = edit.replaced("at", str(edit.number + shift))
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
    """The text of a profile and, in it, the map of one channel."""

    def __init__(self, text: str, starts: list[int], node: Node) -> None:
        self._text = text
        self._starts = starts
        self._node = node
        at = node.get("at")
        assert at is not None
        assert isinstance(at.value, int)
        self._at = at
        self.number = at.value

    def replaced(self, name: str, value: str) -> str:
        """Return the text with key `name` of the channel set to `value`."""
        old = self._node.get(name)
        if old is not None:
            start = self._offset(old)
            return self._text[:start] + value + self._text[start + len(old.text) :]
        key = self._offset(self._node.key("at"))
        before = self._text[:key].rstrip(" ")
        block = before.endswith(("\n", "-"))
        between = "\n" + " " * (self._node.key("at").column - 1) if block else ", "
        end = self._offset(self._at) + len(self._at.text)
        return f"{self._text[:end]}{between}{name}: {value}{self._text[end:]}"

    def _offset(self, node: Node) -> int:
        return self._starts[node.line - 1] + node.column - 1


def _definitions(node: Node) -> Iterator[Node]:
    """Yield the maps of channels that stand in registers, in the order of the file."""
    for _, value in node.pairs:
        for one in value.items if value.kind == LIST else [value]:
            inner = one.get("channels") if one.kind == MAP else None
            if inner is not None:
                yield from _definitions(inner)
            elif one.kind == MAP and one.get("at") is not None:
                yield one


def _same(channel: Channel, order: str, other: str) -> bool:
    sample = bytes(range(channel.layout.width * channel.layout.count))
    return arrange(sample, order) == arrange(sample, other)


def _line_starts(text: str) -> list[int]:
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    return starts
