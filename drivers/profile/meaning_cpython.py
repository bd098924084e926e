"""Checks what the number of one channel means: bits, sentinels, labels, scale, unit.

Knows which of these go together and what fits a type; knows no place.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from drivers.profile import units_cpython
from drivers.profile.number import from_real
from drivers.profile.text import DECIMAL, plain_unit
from drivers.profile.vocabulary_cpython import doubt
from gateway.core.decimal import Decimal

if TYPE_CHECKING:
    from typing import Any

    from drivers.profile.draft_cpython import Draft
    from gateway.core.report_cpython import Report
    from gateway.core.source_cpython import Node

_INTEGERS = ("u", "s", "sm", "bool")
_WHY = {
    "flags": "map names whole values, flags name single bits",
    "scale": "words are not scaled; calc reckons with numbers",
    "offset": "words are not shifted; calc reckons with numbers",
}
UNITS_SHOWN = 6  # of those that a kind takes
_NO_UNIT_NEEDED = ("/", "count", "pH")


def read_meaning(draft: Draft, defaults: dict[str, Any], report: Report) -> None:
    """Fill what the row says about the value; `defaults` are those of the bus section."""
    _together(draft, report)
    _number(draft, defaults, report)
    _unit(draft, report)
    _usual(draft, report)


def numeric(draft: Draft) -> bool:
    """Return whether the channel's value is surely a number (an expression may give others)."""
    if "map" in draft.keys:
        return not _worded(draft.keys["map"])
    bits = draft.keys.get("bits")
    one_bit = bits is not None and bits[0] == bits[1]
    return draft.base not in ("bool", "str", "hex") and "flags" not in draft.keys and not one_bit


def spellings(unit: str) -> list[str]:
    """Return every way a meter may spell `unit`, as text.plain_unit leaves it."""
    known = units_cpython.units()
    same = [one for one in known if units_cpython.conversion(unit, one) == [0, 1, 1]]
    return sorted({plain_unit(one) for one in [unit, *same]})


def _together(draft: Draft, report: Report) -> None:
    keys = draft.keys
    base, size = draft.base, draft.size
    for one, other in (("map", "flags"), ("map", "scale"), ("map", "offset"), ("flags", "scale")):
        if one in keys and other in keys:
            report.add(
                "E023", draft.node.key(other), f"'{other}' does not go with '{one}'", _WHY[other]
            )
    if "bits" in keys:
        if base not in ("u", "s") or keys["bits"][1] >= size:
            first, last = keys["bits"]
            named = f"bit {first} does" if first == last else f"bits {first}..{last} do"
            message = f"{named} not lie in type {base}{size}"
            hint = f"the highest is {size - 1}" if base in ("u", "s") else "u and s types have bits"
            report.add("E025", draft.place("bits"), message, hint)
        else:
            draft.row["bits"] = keys["bits"]
    if base in ("str", "hex"):
        for key in ("bits", "map", "flags", "scale", "offset", "valid", "round", "unit"):
            if key in keys:
                message = f"'{key}' does not go with a text"
                report.add("E023", draft.node.key(key), message, f"{base}{size} is no number")
    elif "valid" in keys:
        if numeric(draft) or "calc" in keys:
            draft.row["valid"] = keys["valid"]
        else:
            report.add("E023", draft.node.key("valid"), "'valid' is for numbers")
    if "none" in keys:
        _none(draft, base, _pattern_size(keys, base, size), report)
    if "map" in keys:
        _map(draft, base, _pattern_size(keys, base, size), report)
    if "flags" in keys:
        draft.row["flags"] = keys["flags"]
        if base not in ("u", DECIMAL):
            report.add("E025", draft.place("flags"), f"type {base}{size} has no flags", "u16 has")
        elif max(keys["flags"]) >= size:
            place = draft.place("flags").pairs[-1][0]
            message = f"bit {max(keys['flags'])} does not lie in type {base}{size}"
            report.add("E025", place, message, f"the highest is {size - 1}")


def _pattern_size(keys: dict[str, Any], base: str, size: int) -> int:
    if "bits" in keys:
        return int(keys["bits"][1] - keys["bits"][0] + 1)
    return 16 if base == "bool" else size


def _none(draft: Draft, base: str, size: int, report: Report) -> None:
    found: list[Any] = []
    for node, value in draft.keys["none"]:
        if base in ("str", "hex"):
            found.append(node.text.lower() if base == "hex" else node.text)
        elif base == DECIMAL:
            found.append(value)
        elif isinstance(value, str):
            report.add("E025", node, f"{node.shown} is no raw value of type {base}{size}")
        elif base == "f":
            found += _float_none(node, value, size)
        elif base in _INTEGERS:
            if isinstance(value, Decimal) or not -(1 << size - 1) <= value < 1 << size:
                hint = "raw values are meant, before scale"
                message = f"{node.shown} does not fit the {size} bits of the channel"
                report.add("E025", node, message, hint)
            else:
                found.append(value & ((1 << size) - 1))
        else:
            found.append(value)
    if found:
        draft.row["none"] = found


def _float_none(node: Node, value: int | Decimal, size: int) -> list[Any]:
    # 0x7F800000 is the bit pattern people copy from a manual; -9999 is a value.
    if isinstance(value, int) and node.text.startswith("0x") and value < 1 << size:
        form, digits = {16: (">e", 4), 32: (">f", 7), 64: (">d", 15)}[size]
        real = from_real(struct.unpack(form, value.to_bytes(size // 8, "big"))[0], digits)
        return [] if real is None else [real]
    return [value]


def _map(draft: Draft, base: str, size: int, report: Report) -> None:
    found: dict[int, Any] = {}
    base = "u" if size == 1 else base  # one bit has no sign
    for raw, label in draft.keys["map"].items():
        number = raw - (1 << size) if base == "s" and raw >= 1 << size - 1 else raw
        low = -(1 << size - 1) if base in ("s", "sm", "sbcd", DECIMAL) else 0
        if base != "f" and not low <= number < 1 << size:
            message = f"{raw} does not fit the {size} bits of the channel"
            keys = [key for key, _ in draft.place("map").pairs if key.value == raw]
            hint = f"they hold {low} to {(1 << size - (low < 0)) - 1}"
            report.add("E025", (keys or [draft.place("map")])[0], message, hint)
        found[number] = label
    draft.row["map"] = found


def _worded(labels: dict[int, Any]) -> bool:
    return any(isinstance(label, (str, bool)) for label in labels.values())


def _number(draft: Draft, defaults: dict[str, Any], report: Report) -> None:
    keys, row = draft.keys, draft.row
    if not numeric(draft):
        for key in ("scale", "offset"):
            text = draft.base in ("str", "hex")  # about which all has been said
            if key in keys and "map" not in keys and "flags" not in keys and not text:
                report.add("E023", draft.node.key(key), f"'{key}' is for numbers")
        return
    if not draft.placed and not draft.by_steps:
        return
    scale = keys.get("scale", 1 if "map" in keys else defaults.get("scale", 1))
    if scale == 0:
        report.add("E012", draft.place("scale"), "a scale of 0 leaves nothing")
    if scale != 1:
        row["scale"] = scale
    if keys.get("offset", 0) != 0:
        row["offset"] = keys["offset"]


def _fitting(target: str) -> str:
    """Say which units a kind in `target` takes."""
    found = [one for one in units_cpython.units() if units_cpython.conversion(one, target)]
    shown = sorted(found, key=lambda one: (len(one), one))[:UNITS_SHOWN]
    return f"it takes {', '.join(shown)}{' …' if len(found) > len(shown) else ''}"


def _usual(draft: Draft, report: Report) -> None:
    """Doubt a unit or kind that a well-known id has nowhere else."""
    keys, row = draft.keys, draft.row
    unit, kind = keys.get("unit", ""), keys.get("kind", "")
    wrong = kind and (row.get("kind") != kind or (unit and not _converts(unit, row.get("unit"))))
    told = "" if wrong or "hidden" in keys else doubt(draft.made.ids[0], unit, kind)
    if told:
        place = "kind" if kind and "of kind" in told else "unit"
        report.add("W035", draft.place(place), told, "an id of its own would say what it is")


def _converts(unit: str, target: Any) -> bool:
    return target is None or units_cpython.conversion(unit, target) is not None


def _unit(draft: Draft, report: Report) -> None:
    keys, row = draft.keys, draft.row
    unit, kind = keys.get("unit", ""), keys.get("kind", "")
    if unit and unit not in units_cpython.units():
        target = units_cpython.kinds().get(kind, {}).get("unit", "")
        hint = units_cpython.unit_hint(unit, target)
        code = "E031" if kind else "W031"
        report.add(code, draft.place("unit"), f"unit {unit!r} is not in the registry", hint)
    if not kind:
        if unit:
            row["unit"] = units_cpython.wire_unit(unit)
        return
    entry = units_cpython.kinds().get(kind)
    if entry is None:
        hint = units_cpython.kind_hint(kind)
        report.add("E030", draft.place("kind"), f"kind {kind!r} is not in the registry", hint)
        return
    row["kind"] = kind
    if not numeric(draft):
        return
    target = entry["unit"]
    row["unit"] = target
    if not unit:
        if target not in _NO_UNIT_NEEDED and (draft.placed or "calc" in keys):
            message = f"kind {kind} is in {target}: name the unit of this channel"
            report.add("E031", draft.place("kind"), message, _fitting(target))
        return
    found = units_cpython.conversion(unit, target)
    if found is None:
        if unit in units_cpython.units():
            message = f"unit {unit} cannot be turned into {target}, the unit of kind {kind}"
            hint = units_cpython.unit_hint(unit, target) or _fitting(target)
            report.add("E031", draft.place("unit"), message, hint)
    elif found != [0, 1, 1]:
        row["to"] = found
