"""When a scripted demonstration breaks what: pure, so that a seed replays it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from gateway.core.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable

# What may be disturbed: name -> (seconds between two disturbances, seconds one lasts).
DISTURBANCES = {
    "broker": (14.0, 3.0),
    "agent": (11.0, 0.0),
    "fusion": (17.0, 2.0),
    "noise": (9.0, 4.0),
}
CALM_S = 4.0  # nothing is broken before the first values have arrived
REST_S = 6.0  # nor in the end, so that what was broken can be seen to recover


class Cue(Record):
    """At `at_s` the thing `name` breaks (`down`) or comes back."""

    __slots__ = ("at_s", "down", "name")

    def __init__(self, at_s: float, name: str, down: bool) -> None:
        self.at_s = at_s
        self.name = name
        self.down = down


def cues(names: Iterable[str], duration_s: float, seed: int) -> list[Cue]:
    """Return the cues of a performance in order of time; each name breaks at least once."""
    found: list[Cue] = []
    for name in sorted(set(names)):
        rng = random.Random(f"{seed}/{name}")
        between_s, lasts_s = DISTURBANCES[name]
        last_s = max(CALM_S, duration_s - REST_S - lasts_s)
        at_s = min(CALM_S + rng.uniform(0, between_s / 2), last_s)
        while at_s <= last_s:
            found += [Cue(at_s, name, True), Cue(at_s + lasts_s, name, False)]
            at_s += lasts_s + between_s * rng.uniform(0.7, 1.3)
    return sorted(found, key=lambda cue: (cue.at_s, cue.name, not cue.down))
