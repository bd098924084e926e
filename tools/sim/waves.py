"""Raw numbers that wander around what they are in a profile's tests, and counters that grow.

Knows numbers and what is usual for them; knows neither registers nor frames.
"""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

from drivers.profile import number
from gateway.core.errors import ConfigError
from gateway.core.reading import GOOD
from tools.profile.causes.plausible import usual
from tools.profile.telling.glossary import span

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from drivers.profile.map import Map
    from drivers.profile.model import Channel
    from drivers.profile.slot import Place

    Rows = list[tuple[str, Any, str]]  # as Map.decode returns them

STEP_S = 1.0  # values change this often
SWING = 0.05  # by at most this share of what they are in the tests
COUNT_PER_S = 1e-5  # and counters grow by this share of it
_COUNTERS = ("energy", "total", "volume")


class Wave:
    """The raw number of one place: `middle` is what it is in the tests, `turns` its freedom."""

    def __init__(self, place: Place, middle: float, seed: int) -> None:
        chance = random.Random(f"{seed}/{place.id}")
        self.place = place
        self.turns: list[float] = []  # -1 if it may fall, 1 if it may rise
        self._middle = middle
        self._counts = any(word in place.id for word in _COUNTERS)
        self._parts = [
            (chance.choice([-0.6, 0.6]), chance.uniform(300, 900)),
            (chance.choice([-0.4, 0.4]), chance.uniform(40, 120)),
        ]

    def raw(self, now_s: float) -> float:
        """Return the number at `now_s`."""
        if self._counts:
            return self._middle * (1 + COUNT_PER_S * now_s)
        waves = [
            share * math.sin(2 * math.pi * now_s / period_s) for share, period_s in self._parts
        ]
        return self.at(max(min(0, *self.turns), min(max(0, *self.turns), sum(waves))))

    def at(self, turn: float) -> float:
        """Return the number at `turn` -1..1 of its swing."""
        return self._middle * (1 + SWING * turn)

    def packed(self, raw: float) -> bytes:
        """Return the bytes of a number in this place's layout, of the middle if it does not fit."""
        layout = self.place.channel.layout
        if layout.base == "f":
            return layout.pattern(float(f"{raw:.6g}"))
        try:
            return layout.pattern(round(raw))
        except ConfigError:  # beyond what the register holds
            return layout.pattern(round(self._middle))


def legal(waves: list[Wave], shown: Callable[[float], Rows]) -> list[Wave]:
    """Return the waves that may swing, and know which way; `shown(turn)` decodes all at a turn."""
    for turn in (-1.0, 1.0):
        told = {row[0]: row for row in shown(turn)}
        for wave in waves:
            _, value, quality = told.get(wave.place.id, ("", None, ""))
            if quality == GOOD and _is_usual(wave.place.channel, value):
                wave.turns.append(turn)
    return [wave for wave in waves if wave.turns]


def is_number(place: Place) -> bool:
    """Return whether a place holds a quantity that may wander."""
    channel = place.channel
    plain = channel.map is None and channel.flags is None and channel.layout.bits is None
    return plain and not channel.writable and channel.layout.base in _QUANTITIES


_QUANTITIES = ("u", "s", "f", "decimal")


def raw_value(place: Place, value: Any) -> Any:
    """Return the raw number or text of a value in the profile's unit; ConfigError if none is."""
    channel = place.channel
    if place.address is None or channel.calc:
        raise ConfigError(f"{place.id} is computed: set what it follows from")
    if channel.map is not None:
        codes = [code for code, word in channel.map.items() if str(word) == str(value)]
        if not codes:
            words = ", ".join(str(word) for word in channel.map.values())
            raise ConfigError(f"{place.id} is never {value!r}; it is one of {words}")
        return codes[0]
    layout = channel.layout
    if layout.base in ("str", "hex") or isinstance(value, bool):
        return value
    if isinstance(value, str):
        raise ConfigError(f"{place.id} is a number, not {value!r}")
    shifted = number.minus(value, channel.offset)
    raw = None if shifted is None else number.over(shifted, channel.scale)
    if raw is None:
        raise ConfigError(f"{place.id} cannot be {value}")
    if layout.base in ("f", "decimal"):
        return raw
    try:
        layout.pattern(round(float(raw)))
    except ConfigError:
        ends = span(layout.base, layout.size) or (0, 1)
        low, high = sorted(
            float(end) * float(channel.scale) + float(channel.offset) for end in ends
        )
        raise ConfigError(f"{place.id} can be {low:.10g}..{high:.10g}, not {value}")
    return round(float(raw))


def place_of(device: Map, name: str, known: dict[str, Any]) -> Place:
    """Return where channel `name` stands now; ConfigError if there is no such channel."""
    for place in device.places(name):
        if place.applies(known, device.settings) is not False:
            return place
    ids = ", ".join(channel.id for channel in device.channels)
    raise ConfigError(f"there is no channel {name!r} now; there are: {ids}")


def _is_usual(channel: Channel, value: Any) -> bool:
    span = usual(channel.kind, channel.unit)
    if span is None or isinstance(value, (bool, str)) or value is None:
        return True
    return span[0] <= float(value) <= span[1]
