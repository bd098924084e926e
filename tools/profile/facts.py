"""What a compiled profile says of each channel, arrays expanded, as plain keys and values.

Follows the compiled rows whatever keys they have; knows nothing of what a change means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.profile.map import places
from drivers.profile.slot import NEVER, ONCE
from gateway.core.duration import UNITS_MS
from tools.profile.formula import infix

if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from drivers.profile.slot import Place
    from tools.profile.given import Given

    Facts: TypeAlias = "dict[str, Any]"

_FOLDED = ("id", "of", "step", "group")  # what expanding uses up


class Told:
    """One channel as the platform meets it, and the `ways` (alternatives) to its value.

    `seen` holds unit, kind, value ("number", "word", "flags", "truth", "text"), words, every
    and write, as far as they apply; each way holds the keys of a compiled row.
    """

    def __init__(self, first: Facts, every_ms: int) -> None:
        self.seen = _seen(first, every_ms)
        self.ways: list[Facts] = []


def channels(given: Given) -> dict[str, Told]:
    """Return every channel that makes readings or takes commands, in the profile's order."""
    profile = given.profile
    rows = dict(zip(map(id, profile.channels), given.document["channels"], strict=True))
    found: dict[str, Told] = {}
    for place in places(profile):
        row = rows[id(place.channel)]
        if row.get("hidden"):
            continue
        if place.id not in found:
            found[place.id] = Told(row, profile.every_ms)
        found[place.id].ways.append(_way(place, row))
    return found


def duration(ms: int) -> str:
    """Return a period as a profile writes it."""
    if ms in (ONCE, NEVER):
        return "once" if ms == ONCE else "never"
    best = max((unit for unit in UNITS_MS if ms % UNITS_MS[unit] == 0), key=_size)
    return f"{ms // UNITS_MS[best]}{best}"


def value_of(row: Facts) -> str:
    """Return what a channel gives: "number", "word", "flags", "truth" or "text"."""
    labels = list(row.get("map", {}).values())
    if "flags" in row:
        return "flags"
    if labels:
        plain = {bool: "truth", str: "word"}
        return plain.get(type(labels[0]), "number")
    if row.get("type", "").startswith(("str", "hex")):
        return "text"
    bits = row.get("bits")
    truth = row.get("type") == "bool" or (row.get("in") in ("coil", "discrete"))
    return "truth" if truth or (bits and bits[0] == bits[1]) else "number"


def _size(unit: str) -> tuple[int, int]:
    return UNITS_MS[unit], -len(unit)


def _seen(row: Facts, every_ms: int) -> Facts:
    seen: Facts = {key: row[key] for key in ("unit", "kind", "write") if key in row}
    seen["value"] = value_of(row)
    labels: Facts = row.get("map") or row.get("flags") or {}
    seen["words"] = sorted({one for one in labels.values() if isinstance(one, str)})
    if "at" in row or "every" in row:
        seen["every"] = duration(row.get("every", every_ms))
    return seen


def _way(place: Place, row: Facts) -> Facts:
    way = {key: value for key, value in row.items() if key not in _FOLDED}
    if "at" in row:
        way["at"] = place.address
    if place.calc:
        way["calc"] = infix(place.calc)
    if place.when:
        way["if"] = infix(place.when)
    return way
