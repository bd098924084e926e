"""A profile with a site's settings: which registers to read, and what they mean.

Knows addresses, dependencies between channels and units; knows no bus and no clock. What the
device said so far is kept by the caller, in the dictionary `known` (channel id to value in the
profile's own unit, None where the device gave none).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.profile import expr, write
from drivers.profile.folded import length, suffix
from drivers.profile.image import Field
from drivers.profile.slot import NEVER, Place, Slot
from gateway.core.errors import ConfigError
from gateway.core.reading import GOOD, OUT_OF_RANGE, SENTINEL

if TYPE_CHECKING:
    from typing import Any

    from drivers.profile.expr import Value
    from drivers.profile.image import Image
    from drivers.profile.model import Profile


class Map:
    """One device's channels. `channels` are those a reading may come from or a write go to."""

    def __init__(self, profile: Profile, chosen: dict[str, Any], every_ms: int) -> None:
        self.profile = profile
        self.settings = write.chosen_settings(profile.settings, chosen)
        self._slots: dict[str, Slot] = {}
        order: list[str] = []  # a dictionary does not keep one everywhere
        for place in places(profile):
            if place.when and place.applies({}, self.settings, fixed_only=True) is False:
                continue
            if place.id in self._slots:
                self._slots[place.id].places += (place,)
            else:
                self._slots[place.id] = Slot(place)
                order.append(place.id)
        for name in order:
            self._slots[name].connect(self._slots)
        self._slots_in_order = _dependencies_first([self._slots[name] for name in order])
        for slot in self._slots_in_order:
            slot.pace(every_ms)
        self.channels = [self._slots[name] for name in order if not self._slots[name].hidden]

    def periods(self) -> list[int]:
        """Return the periods in ms at which something is to be read; 0 is once."""
        found = {slot.every_ms for slot in self._slots_in_order if slot.polled}
        return sorted(found - {NEVER})

    def fields(self, period_ms: int) -> list[Field]:
        """Return what to read at `period_ms`, with what that depends on, in order of address."""
        wanted: list[Slot] = []
        for slot in self._slots_in_order:
            if slot.polled and slot.every_ms == period_ms:
                slot.gather(wanted, slot.derived and slot.paced)
        return _fields(wanted)

    def identify_fields(self) -> list[Field]:
        """Return what to read before `identify` can answer."""
        wanted: list[Slot] = []
        for name in expr.operands(self.profile.rules):
            if name in self._slots:
                self._slots[name].gather(wanted, True)
        return _fields(wanted)

    def identify(self, known: dict[str, Any]) -> bool | None:
        """Return whether this is the device of the profile; None if that cannot be said."""
        if not self.profile.rules:
            return None
        answer = expr.evaluate(self.profile.rules, known, self.settings)
        return None if answer is None else bool(answer)

    def decode(
        self,
        image: Image,
        known: dict[str, Any],
        due: tuple[int, ...] | None = None,
        touched: dict[str, str] | None = None,
    ) -> list[tuple[str, Value, str]]:
        """Return (channel id, value in the wire unit, quality) for the channels `image` feeds.

        `known` takes every value on the way, hidden ones too. With `due`, only channels
        of these periods are returned: registers read along for others make no readings. `touched`
        takes the quality of each, hidden ones too.
        """
        touched = {} if touched is None else touched
        readings: list[tuple[str, Value, str]] = []
        for slot in self._slots_in_order:
            news = slot.news(image, known, self.settings, touched)
            if news is None:
                continue
            value, wire_value, quality = news
            touched[slot.id] = quality
            if quality in (GOOD, SENTINEL, OUT_OF_RANGE):
                known[slot.id] = value
            else:
                known.pop(slot.id, None)
            if not slot.hidden and (due is None or slot.every_ms in due):
                readings.append((slot.id, wire_value, quality))
        return readings

    def write(self, channel: str, value: Any, known: dict[str, Any] | None = None) -> list[Any]:
        """Return the Steps or Sends that set `channel` to `value` (wire unit); ConfigError if not.

        Of alternatives the first that holds is written, never one that may stand elsewhere.
        """
        for place in self.places(channel):
            applies = place.applies(known or {}, self.settings)
            if not place.channel.writable or applies is False:
                continue
            if applies is None:
                raise ConfigError(f"channel {channel!r}: the device did not say yet if it has it")
            return write.channel_steps(self.profile, place, value, self.settings)
        raise ConfigError(f"channel {channel!r} cannot be written")

    def places(self, channel: str) -> list[Place]:
        """Return the alternatives of `channel`, none if there is no such channel."""
        slot = self._slots.get(channel)
        return list(slot.places) if slot else []

    def setup_fields(self) -> list[Field]:
        """Return where the settings live in the device, to read before `setup_steps`."""
        return write.setting_fields(self.profile.settings)

    def setup_steps(self, known: dict[str, Any], image: Image | None = None) -> list[Any]:
        """Return what to write when the device comes up: settings that differ, then the setup."""
        return write.setup_steps(self.profile, self.settings, known, image)


def places(profile: Profile) -> list[Place]:
    """Return every channel with its arrays and groups expanded, alternatives side by side."""
    found = []
    for channel in profile.channels:
        step, of = profile.groups[channel.group] if channel.group >= 0 else (0, None)
        for group in range(length(of)):
            for index in range(length(channel.of)):
                shift = group * step + index * channel.step
                found.append(Place(channel, suffix(of, group), suffix(channel.of, index), shift))
    return found


def _dependencies_first(slots: list[Slot]) -> list[Slot]:
    # Without recursion: a profile may chain 512 channels, a board's stack holds far fewer.
    done: list[Slot] = []
    seen: set[str] = set()
    placed: set[str] = set()
    waiting = list(reversed(slots))
    while waiting:
        slot = waiting[-1]
        if slot.id not in seen:
            seen.add(slot.id)
            waiting += [one for one in reversed(slot.feeds_on) if one.id not in seen]
            continue
        waiting.pop()
        if slot.id not in placed:
            placed.add(slot.id)
            done.append(slot)
    return done


def _fields(wanted: list[Slot]) -> list[Field]:
    feeds: dict[tuple[str, int, int], list[str]] = {}
    for slot in wanted:
        for place in slot.places:
            if place.address is None or not place.channel.readable:
                continue
            key = (place.channel.table, place.address, place.channel.count)
            names = feeds.setdefault(key, [])
            if slot.id not in names:
                names.append(slot.id)
    return [Field(key[0], key[1], key[2], tuple(feeds[key])) for key in sorted(feeds)]
