"""One channel of one device: when it applies, what it needs, what its registers mean.

Knows the order of evaluation after the raw value: map, scale, calc, round, valid. Knows no bus.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.profile import expr, number
from drivers.profile.image import TABLES
from gateway.core.reading import GOOD, OUT_OF_RANGE, SENTINEL, STALE

if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from drivers.profile.expr import Value
    from drivers.profile.image import Image
    from drivers.profile.model import Channel

    Outcome: TypeAlias = "tuple[Value, str]"  # a value in the profile's unit, and its quality
    News: TypeAlias = "tuple[Value, Value, str]"  # profile's unit, wire unit, quality

ONCE = 0  # a period: read once, when the device comes up
NEVER = -1  # a period: off until a site asks for it
NOTHING: list[Any] = []  # the one empty list: hundreds of them take a small board's memory


class Place:
    """One alternative of one channel: where its value stands and how it is computed."""

    # What most have not stands here once: hundreds of them must fit into a small board.
    when: list[Any] = NOTHING
    calc: list[Any] = NOTHING
    operands: list[str] = NOTHING

    def __init__(self, channel: Channel, group: str, suffix: str, shift: int) -> None:
        self.channel = channel
        self.id = _named(channel.id, group, suffix)
        self.address = None if channel.at is None else channel.at + shift
        if channel.when or channel.calc:
            self.when = _code(channel.when, group, suffix)
            self.calc = _code(channel.calc, group, suffix)
            self.operands = expr.operands(self.when) + expr.operands(self.calc)

    def applies(
        self, known: dict[str, Any], settings: dict[str, Any], fixed_only: bool = False
    ) -> bool | None:
        """Return whether the condition holds; None if an operand is missing.

        With `fixed_only`, a condition on anything but settings is not decided.
        """
        if not self.when:
            return True
        if fixed_only and [name for name in expr.operands(self.when) if name not in settings]:
            return None
        answer = expr.evaluate(self.when, known, settings)
        return None if answer is None else bool(answer)

    def look(self, image: Image, touched: dict[str, str]) -> bytes | str | None:
        """Return the bytes the image has for this place, or the quality if reading them failed.

        None if there is nothing new; no bytes if an operand of a derived channel is new.
        """
        channel = self.channel
        if not channel.readable:
            return None
        if self.address is None:
            return b"" if [name for name in self.operands if name in touched] else None
        data = channel.layout.take(image, channel.table, self.address)
        if data is None:
            return image.why(channel.table, self.address, channel.count)
        return data

    def outcome(
        self,
        found: bytes | str,
        known: dict[str, Any],
        settings: dict[str, Any],
        touched: dict[str, str],
    ) -> Outcome:
        """Return the value that follows from what `look` found."""
        if isinstance(found, str):
            return None, found
        if self.address is None:
            return self._computed(None, known, settings, touched)
        value, quality = self.channel.layout.value(found)
        if value is None:
            return None, quality
        return self._computed(value, known, settings, touched)

    def on_the_wire(self, value: Value) -> Value:
        """Return a value of the profile's unit in the unit of the kind."""
        convert = self.channel.convert
        if convert is None or value is None or isinstance(value, (bool, str)):
            return value
        shifted = number.plus(value, convert[0]) if convert[0] else value
        return None if shifted is None else number.scaled(shifted, convert[1], convert[2])

    def lacking(
        self, known: dict[str, Any], settings: dict[str, Any], touched: dict[str, str]
    ) -> str:
        """Return the quality that explains why an expression of this place has no value."""
        for name in self.operands:
            if name in settings or known.get(name) is not None:
                continue
            quality = touched.get(name, SENTINEL if name in known else STALE)
            return quality if quality != GOOD else SENTINEL
        return OUT_OF_RANGE

    def _computed(
        self,
        value: Value,
        known: dict[str, Any],
        settings: dict[str, Any],
        touched: dict[str, str],
    ) -> Outcome:
        channel = self.channel
        if value is not None:
            value = _meaning(channel, value)
            if value is None:
                return None, OUT_OF_RANGE
        if self.calc:
            value = expr.evaluate(self.calc, known, settings, value)
            if value is None:
                return None, self.lacking(known, settings, touched)
        if isinstance(value, (bool, str)):
            return value, GOOD
        if channel.round is not None and value is not None:
            value = number.rounded(value, channel.round)
        if channel.valid and not _within(value, channel.valid):
            return None, OUT_OF_RANGE
        return (None, OUT_OF_RANGE) if value is None else (value, GOOD)


class Slot:
    """One channel of one device: `id`, `kind`, wire `unit`, `every_ms` (0 once, -1 never)."""

    feeds_on: list[Slot] = NOTHING
    plain = False

    def __init__(self, place: Place) -> None:
        self.id = place.id
        self.places: tuple[Place, ...] = (place,)
        self.every_ms = NEVER

    @property
    def kind(self) -> str:
        return self.places[0].channel.kind

    @property
    def unit(self) -> str:
        return self.places[0].channel.unit

    @property
    def hidden(self) -> bool:
        return self.places[0].channel.hidden

    @property
    def writable(self) -> bool:
        return any(place.channel.writable for place in self.places)

    @property
    def readable(self) -> bool:
        return self.places[0].channel.readable

    @property
    def repeat_ms(self) -> int:
        """How often a written value must be written again, 0 for not at all."""
        for place in self.places:
            if place.channel.write:
                return int(place.channel.write.get("repeat", 0))
        return 0

    @property
    def derived(self) -> bool:
        return all(place.address is None for place in self.places)

    @property
    def paced(self) -> bool:
        """Whether the profile gives this channel a pace of its own."""
        return self.places[0].channel.every_ms not in (None, NEVER)

    @property
    def polled(self) -> bool:
        return self.readable and (self.paced or not self.hidden)

    def connect(self, slots: dict[str, Slot]) -> None:
        """Note which other slots the expressions of this one use."""
        found: list[Slot] = []
        for place in self.places:
            for name in place.operands:
                if name in slots and slots[name] not in found and name != self.id:
                    found.append(slots[name])
        if found:
            self.feeds_on = found
        place = self.places[0]
        if len(self.places) == 1 and not place.when and not place.calc and self.readable:
            self.plain = place.address is not None and place.channel.plain is not None

    def pace(self, every_ms: int) -> None:
        """Settle the period: its own, else that of the quickest operand, else `every_ms`."""
        own = self.places[0].channel.every_ms
        self.every_ms = every_ms if own is None else own
        if own is None and self.derived:
            periods = [slot.every_ms for slot in self.feeds_on if slot.every_ms > 0]
            self.every_ms = min(periods) if periods else ONCE

    def gather(self, found: list[Slot], all_operands: bool) -> None:
        """Add this slot and the operands to be read with it to `found`."""
        waiting = [self]
        while waiting:
            slot = waiting.pop()
            if slot in found:
                continue
            found.append(slot)
            for other in slot.feeds_on:
                if other.every_ms == ONCE and other.paced and slot.every_ms != ONCE:
                    continue
                if all_operands or not other.paced:
                    waiting.append(other)

    def news(
        self,
        image: Image,
        known: dict[str, Any],
        settings: dict[str, Any],
        touched: dict[str, str],
    ) -> News | None:
        """Return what the image says about this channel, None if nothing."""
        if self.plain:
            found_plainly = self._plain_news(image)
            if found_plainly is not None:
                return found_plainly
        silent = False
        for place in self.places:
            applies = place.applies(known, settings)
            if applies is False:
                continue
            found = place.look(image, touched)
            if found is None:
                if place.channel.table in TABLES:
                    return None
                silent = True  # its message did not come: maybe that of another alternative did
                continue
            if applies is None:
                return None, None, place.lacking(known, settings, touched)
            value, quality = place.outcome(found, known, settings, touched)
            wire_value = place.on_the_wire(value)
            if wire_value is None and quality == GOOD:
                quality = OUT_OF_RANGE
            return value, wire_value, quality
        if not silent:
            known[self.id] = None
        return None

    def _plain_news(self, image: Image) -> News | None:
        """Return what the short way finds, None if the long way must look."""
        place = self.places[0]
        channel = place.channel
        if channel.plain is None or place.address is None:
            return None
        data = image.take(channel.table, place.address, channel.count)
        value = None if data is None else channel.plain.value(data)
        if value is None or (channel.valid and not _within(value, channel.valid)):
            return None
        if channel.convert is None:
            return value, value, GOOD
        wire_value = place.on_the_wire(value)
        return None if wire_value is None else (value, wire_value, GOOD)


def _named(name: str, group: str, suffix: str) -> str:
    return name.replace("%", group).replace("#", suffix)


def _code(code: list[Any], group: str, suffix: str) -> list[Any]:
    done: list[Any] = []
    for item in code:
        if item == "#":
            done.append(_suffix_value(suffix or group))
        elif expr.is_name(item):
            done.append(_named(item, group, suffix))
        else:
            done.append(item)
    return done


def _suffix_value(suffix: str) -> int | str:
    return int(suffix) if suffix.isdigit() and len(suffix) < 19 else "'" + suffix


def _meaning(channel: Channel, value: Value) -> Value:
    if channel.map is not None:
        return channel.map.get(int(value)) if isinstance(value, (bool, int)) else None
    if channel.flags is not None:
        if not isinstance(value, (bool, int)):
            return None
        pattern, bits = int(value), sorted(channel.flags)
        return ",".join([channel.flags[bit] for bit in bits if pattern >> bit & 1])
    if channel.linear and value is not None and not isinstance(value, (bool, str)):
        scaled = number.times(value, channel.scale)
        return None if scaled is None else number.plus(scaled, channel.offset)
    return value


def _within(value: Any, valid: list[Any]) -> bool:
    if value is None:
        return False
    if valid[0] is not None and number.less(value, valid[0]):
        return False
    return valid[1] is None or not number.less(valid[1], value)
