"""Why a value is wrong: which single mistake in the profile would explain it, the likelier first.

`Diagnosis` compares with what tests want, for `profile test` and `check`. Pure: knows registers
that were read or written down, no device and no file.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from drivers.profile.address_cpython import FIRST, REFERENCE
from drivers.profile.map import places
from gateway.core.decimal import Decimal
from gateway.core.errors import ConfigError
from gateway.core.record import Record
from tools.profile.causes import variants
from tools.profile.causes.variants import alternatives, crowding, decoded, read_otherwise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, TypeAlias

    from drivers.profile.image import Image
    from drivers.profile.map import Map
    from drivers.profile.model import Channel
    from tools.profile.causes.variants import Variant

    Held: TypeAlias = "frozenset[tuple[int, str]]"  # (number of a trial, channel id)

DIAGNOSED_MAX = 16  # channels or arrays of one profile; who has more wrong begins with the first
WORK_MAX = 250_000  # values decoded to find causes, about a second's work; then no more is tried
TOLD_MAX = 2  # causes in one hint


class Trial:
    """What one test wants of `image`: `wanted[id](value)` says whether it is the value."""

    def __init__(self, device: Map, image: Image, wanted: dict[str, Callable[[Any], bool]]) -> None:
        self.device = device
        self.image = image
        self.wanted = wanted


class Cause(Record):
    """A mistake that explains what is wrong: `channel` is to be read as `variant` says."""

    __slots__ = ("channel", "variant")

    def __init__(self, channel: Channel, variant: Variant) -> None:
        self.channel = channel
        self.variant = variant


class Diagnosis:
    """The causes of what is wrong in the tests of one profile; `base` is that of its numbers.

    Costs nothing until it is asked: `trials` are not looked at before.
    """

    def __init__(self, trials: Iterable[Trial], base: int = 0) -> None:
        self._lazy = trials
        self._base = base
        self._found: dict[Channel, list[tuple[Variant, Held]]] = {}
        self._worked = 0

    @cached_property
    def _trials(self) -> list[Trial]:
        return list(self._lazy)

    @cached_property
    def _held(self) -> Held:
        return self._holding()

    def causes(self, name: str) -> list[Cause]:
        """Return what explains that channel `name` has not the value wanted, best first.

        Only what mends every test of `name`, and spoils none of another channel.
        """
        wanting = {(n, name) for n, trial in enumerate(self._trials) if name in trial.wanted}
        broken = wanting - self._held
        if not broken:
            return []
        device = self._trials[min(broken)[0]].device
        ranked = []
        for distance, channel in enumerate(suspects(device, name)):
            for variant, held in self._remedies(channel):
                if wanting <= held:
                    with read_otherwise(device, channel, variant):
                        partly, wholly = crowding(device, channel)
                    likely = variants.likelihood(variant, channel, self._settled(channel))
                    order = (-len(held), len(variant.kinds), distance, partly, *likely, wholly)
                    ranked.append((order, Cause(channel, variant)))
        return [cause for _, cause in sorted(ranked, key=lambda one: one[0])]

    def hint(self, name: str, wanted: str) -> str:
        """Return the causes in words, as a hint under an error; "" if none was found.

        `wanted` is the value of the test as it stands there.
        """
        causes = self.causes(name)
        if not causes:
            return ""
        told = []
        for cause in causes[:TOLD_MAX]:
            words = cause.variant.told(cause.channel, first(cause.channel.table, self._base))
            own = name in _ids(self._trials, cause.channel)
            told.append(words if own else f"with '{_plain(cause.channel.id)}' {words}")
        return f"{', or '.join(told)} it would be {wanted}, as the test says"

    def write_hint(self, device: Map, name: str, sends_it: Callable[[], bool]) -> str:
        """Return the mistake without which a write would send what its test says, or "".

        `sends_it()` says whether it does, and may raise ConfigError.
        """
        written = [one.channel for one in device.places(name) if one.channel.writable]
        for channel in dict.fromkeys(written):
            for variant in variants.singles(channel):
                try:
                    with read_otherwise(device, channel, variant):
                        right = sends_it()
                except ConfigError:
                    continue
                if right:
                    told = variant.told(channel, first(channel.table, self._base))
                    return f"{told} it would send what the test says"
        return ""

    def _remedies(self, channel: Channel) -> list[tuple[Variant, Held]]:
        """Return the variants of `channel` by which more holds than now, and all that held."""
        if channel not in self._found:
            if len(self._found) >= DIAGNOSED_MAX:
                return []
            self._found[channel] = self._tried(channel, variants.singles(channel))
            if not self._found[channel] and variants.is_number(channel):
                self._found[channel] = self._tried(channel, variants.pairs(channel))
        return self._found[channel]

    def _settled(self, channel: Channel) -> bool:
        """Return whether tests of other channels prove the order of this one."""
        return any(
            one is not channel and one.layout.order == channel.layout.order for one in self._proved
        )

    @cached_property
    def _proved(self) -> set[Channel]:
        held = [self._trials[number].device.places(name) for number, name in self._held]
        return {one.channel for places in held for one in places if variants.is_wide(one.channel)}

    def _tried(self, channel: Channel, ways: list[Variant]) -> list[tuple[Variant, Held]]:
        found = []
        for variant in ways:
            if self._worked > WORK_MAX:
                break
            held = self._holding((channel, variant))
            if held > self._held:
                found.append((variant, held))
        return found

    def _holding(self, change: tuple[Channel, Variant] | None = None) -> Held:
        held = set()
        for number, trial in enumerate(self._trials):
            known = _known(trial, change)
            self._worked += len(alternatives(trial.device))
            for name, is_it in trial.wanted.items():
                if is_it(known.get(name)):
                    held.add((number, name))
        return frozenset(held)


def first(table: str, base: int) -> int:
    """Return the number a manual that counts by `base` gives the first address of `table`."""
    return FIRST.get(table, 0) if base == REFERENCE else base


def shown(value: Any) -> str:
    """Return a value as a message shows it."""
    if value is None:
        return "without a value"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (int, Decimal)) else repr(value)


def suspects(device: Map, name: str) -> list[Channel]:
    """Return the definitions that `name` comes from: its own, then those of its operands."""
    found: list[Channel] = []
    names = [name]
    for one in names:  # grows while we go
        for place in device.places(one):
            if place.address is not None and place.channel not in found:
                found.append(place.channel)
            names += [other for other in place.operands if other not in names]
    return found


def _known(trial: Trial, change: tuple[Channel, Variant] | None) -> dict[str, Any]:
    if change is None:
        return decoded(trial.device, trial.image)
    with read_otherwise(trial.device, *change):
        return decoded(trial.device, trial.image)


def _ids(trials: list[Trial], channel: Channel) -> set[str]:
    every = [place for trial in trials for place in places(trial.device.profile)]
    return {place.id for place in every if place.channel is channel}


def _plain(name: str) -> str:
    return name.replace("%", "").replace("#", "")
