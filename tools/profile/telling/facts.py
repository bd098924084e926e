"""What a compiled profile says of each channel, arrays expanded, as plain keys and values.

Follows the compiled rows whatever keys they have; knows nothing of what a change means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.profile import expr
from drivers.profile.image import BIT_TABLES
from drivers.profile.map import places
from drivers.profile.slot import NEVER, ONCE
from gateway.core.duration import UNITS_MS
from tools.profile.telling import where
from tools.profile.telling.formula import infix

if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from drivers.profile.slot import Place
    from tools.profile.given import Given

    Facts: TypeAlias = "dict[str, Any]"

_TRUTHS = ("and", "or", "not", "==", "!=", "<", "<=", ">", ">=")  # operators that give one
_FOLDED = ("id", "of", "step", "group")  # what expanding uses up


class Told:
    """One channel as the platform meets it, and the `ways` (alternatives) to its value.

    `seen` holds unit, kind, value ("number", "word", "flags", "truth", "text", or several of
    them), words, every and write, as far as they apply; each way holds the keys of a compiled row.
    """

    def __init__(self, seen: Facts, ways: list[Facts]) -> None:
        self.seen = seen
        self.ways = ways


def channels(given: Given) -> dict[str, Told]:
    """Return every channel that makes readings or takes commands, in the profile's order."""
    profile = given.profile
    rows = dict(zip(map(id, profile.channels), given.document["channels"], strict=True))
    by_id: dict[str, list[tuple[Place, Facts]]] = {}
    for place in places(profile):
        by_id.setdefault(place.id, []).append((place, rows[id(place.channel)]))
    raw = {name: set[str]().union(*(_raw(row) for _, row in by_id[name])) for name in by_id}
    return {
        name: Told(_seen(ways, raw, profile.every_ms), [_way(*one) for one in ways])
        for name, ways in by_id.items()
        if not ways[0][1].get("hidden")
    }


def duration(ms: int) -> str:
    """Return a period as a profile writes it."""
    if ms in (ONCE, NEVER):
        return "once" if ms == ONCE else "never"
    best = max((unit for unit in UNITS_MS if ms % UNITS_MS[unit] == 0), key=_size)
    return f"{ms // UNITS_MS[best]}{best}"


def _size(unit: str) -> tuple[int, int]:
    return UNITS_MS[unit], -len(unit)


def _seen(ways: list[tuple[Place, Facts]], raw: dict[str, set[str]], every_ms: int) -> Facts:
    row = ways[0][1]  # alternatives have unit, kind and period in common
    seen: Facts = {key: row[key] for key in ("unit", "kind") if key in row}
    writes = [one["write"] for _, one in ways if "write" in one]
    if writes:
        seen["write"] = writes[0]
    given = set[str]().union(*(_values(place, _raw(one), raw) for place, one in ways))
    natures = sorted({"word" if one.startswith("'") else one for one in given})
    seen["value"] = " or ".join(natures)
    flags = {name for _, one in ways for name in one.get("flags", {}).values()}
    seen["words"] = sorted({one[1:] for one in given if one.startswith("'")} | flags)
    if "at" in row or "every" in row:
        seen["every"] = duration(row.get("every", every_ms))
    return seen


def _raw(row: Facts) -> set[str]:
    """Return what may stand there: "number", "flags", "truth", "text", or words, each after '."""
    if "flags" in row:
        return {"flags"}
    if "map" in row:
        return {_nature(label) for label in row["map"].values()}
    if row.get("type", "").startswith(("str", "hex")):
        return {"text"}
    bits = row.get("bits")
    truth = row.get("type") == "bool" or row.get("in") in BIT_TABLES
    return {"truth" if truth or (bits and bits[0] == bits[1]) else "number"}


def _nature(value: Any) -> str:
    if isinstance(value, bool):
        return "truth"
    return f"'{value}" if isinstance(value, str) else "number"


def _values(place: Place, x: set[str], raw: dict[str, set[str]]) -> set[str]:
    """Return what a channel gives, its expression reckoned with; what it names is taken as raw."""
    if not place.calc:
        return x
    stack: list[set[str]] = []
    for item in place.calc:
        if expr.is_name(item):
            stack.append(x if item == "x" else raw.get(item, {"number"}))
        elif not isinstance(item, str) or item[:1] == "'":
            stack.append({item if isinstance(item, str) else _nature(item)})
        elif item == "if":
            other, then, _ = stack.pop(), stack.pop(), stack.pop()
            stack.append(then | other)
        else:
            del stack[len(stack) - expr.TAKES[item] :]
            stack.append({"truth" if item in _TRUTHS else "number"})
    return stack[0]


def _way(place: Place, row: Facts) -> Facts:
    way = {key: value for key, value in row.items() if key not in _FOLDED}
    if place.address is not None:  # what a row leaves out differs from bus to bus
        way["at"], way["in"] = place.address, place.channel.table
        way["type"], way["order"] = where.type_name(place.channel), place.channel.layout.order
    if place.calc:
        way["calc"] = infix(place.calc)
    if place.when:
        way["if"] = infix(place.when)
    return way
