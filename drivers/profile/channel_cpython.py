"""Checks one channel as written and turns it into its compiled row.

Knows which keys fit together, address limits, sentinels and units; expressions are handed on.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from drivers.profile import schema, units_cpython, values_cpython
from drivers.profile.address_cpython import wire_address
from drivers.profile.decode import arrange, split_type, words
from drivers.profile.image import BIT_TABLES, HOLDING
from drivers.profile.number import from_real
from gateway.core.decimal import Decimal
from gateway.core.report_cpython import near
from gateway.core.source_cpython import Node

if TYPE_CHECKING:
    from typing import Any

    from drivers.profile.names_cpython import Pattern
    from gateway.core.report_cpython import Report

_INTEGERS = ("u", "s", "sm", "bool")
_NO_UNIT_NEEDED = ("/", "count", "pH")


class Group:
    """A repeated group: `index` in the compiled list or -1, folded id, suffixes, base address."""

    def __init__(self, index: int, folded: str, suffixes: list[str], at: int, step: int) -> None:
        self.index = index
        self.folded = folded
        self.suffixes = suffixes
        self.at = at
        self.step = step


class Draft:
    """One channel (or one alternative of it) on its way from the file to a compiled row."""

    def __init__(self, key: Node, node: Node, made: Pattern, group: Group | None) -> None:
        self.key = key
        self.node = node
        self.made = made
        self.group = group
        self.keys: dict[str, Any] = {}
        self.row: dict[str, Any] = {}

    @property
    def folded(self) -> str:
        own = self.made.folded
        return f"{self.group.folded}.{own}" if self.group else own

    @property
    def groups(self) -> list[str]:
        return self.group.suffixes if self.group else [""]

    def place(self, key: str) -> Node:
        """Return where the value of `key` stands, or the channel's own key."""
        return self.node.get(key) or self.key


def read_channel(draft: Draft, defaults: dict[str, Any], base: int, report: Report) -> None:
    """Fill `draft.row` with everything but expressions and writes."""
    keys = values_cpython.read(draft.node, schema.CHANNEL, _what(draft), report)
    draft.keys = keys
    table = keys.get("in", defaults.get("in", HOLDING))
    row: dict[str, Any] = {"id": draft.folded}
    draft.row = row
    if draft.made.of is not None:
        row["of"] = draft.made.of
    if draft.group and draft.group.index >= 0:
        row["group"] = draft.group.index
    if table != HOLDING:
        row["in"] = table
    if "channels" in keys:
        report.add("E023", draft.key, "groups do not stand inside groups")
    _type(draft, table, defaults, report)
    _address(draft, base, report)
    _together(draft, report)
    _number(draft, defaults, report)
    for name in ("round", "hidden", "every"):
        if name in keys:
            row[name] = keys[name]
    _unit(draft, report)


def numeric(draft: Draft) -> bool:
    """Return whether the channel's value is surely a number (an expression may give others)."""
    kind = split_type(draft.row.get("type", _default_type(draft)))[0]
    if "map" in draft.keys:
        return not _worded(draft.keys["map"])
    bits = draft.keys.get("bits")
    one_bit = bits is not None and bits[0] == bits[1]
    return kind not in ("bool", "str", "hex") and "flags" not in draft.keys and not one_bit


def _what(draft: Draft) -> str:
    return f"channel {draft.key.shown}"


def _default_type(draft: Draft) -> str:
    return "bool" if draft.row.get("in", HOLDING) in BIT_TABLES else "u16"


def _type(draft: Draft, table: str, defaults: dict[str, Any], report: Report) -> None:
    keys, row = draft.keys, draft.row
    standard = "bool" if table in BIT_TABLES else "u16"
    name = keys.get("type", standard if table in BIT_TABLES else defaults.get("type", standard))
    if table in BIT_TABLES and name != "bool":
        report.add("E023", draft.place("type"), f"a {table} is one bit: its type is bool")
        name = "bool"
    if "at" not in keys:
        for key in ("type", "order", "bits", "none", "map", "flags", "scale", "offset"):
            if key in keys and not _by_steps(draft):
                report.add(
                    "E023", draft.node.key(key), f"'{key}' needs a register: 'at' is missing"
                )
        if not _by_steps(draft):
            return
    if name != standard:
        row["type"] = name
    order = keys.get("order", defaults.get("order", "ABCD"))
    width = 2 * words(*split_type(name))
    probe = bytes(range(width))
    if table not in BIT_TABLES and arrange(probe, order) != probe:
        row["order"] = order


def _address(draft: Draft, base: int, report: Report) -> None:
    keys, row = draft.keys, draft.row
    if "at" not in keys:
        # One mistake is one problem: an 'at' that is wrong or misspelt has been reported.
        tried = [key for key, _ in draft.node.pairs if schema.ELSEWHERE.get(key.text) == "at"]
        given = tried or draft.node.get("at") or draft.node.get("calc")
        if not given and not _by_steps(draft):
            hint = "'at' says where it stands, 'calc' how it follows from others"
            report.add(
                "E013", draft.key, f"channel {draft.key.shown} has neither at nor calc", hint
            )
        if "step" in keys:
            report.add("E023", draft.node.key("step"), "'step' needs 'at'")
        return
    group = draft.group
    count = words(*split_type(row.get("type", _default_type(draft))))
    step = keys.get("step", count)
    span = (len(draft.made.suffixes) - 1) * step + count
    at = keys["at"]
    if group:
        span += (len(group.suffixes) - 1) * group.step
        at += group.at
    table = row.get("in", HOLDING)
    address = wire_address(at, table, base, draft.place("at"), report, span)
    if address is None:
        return
    row["at"] = address
    if draft.made.of is not None:
        row["step"] = step
    elif "step" in keys:
        report.add("E023", draft.node.key("step"), "'step' is for arrays: the id has no [1..n]")


def _together(draft: Draft, report: Report) -> None:
    keys = draft.keys
    base, size = split_type(draft.row.get("type", _default_type(draft)))
    for one, other in (("map", "flags"), ("map", "scale"), ("map", "offset"), ("flags", "scale")):
        if one in keys and other in keys:
            report.add("E023", draft.node.key(other), f"'{other}' does not go with '{one}'")
    if "bits" in keys:
        if base not in ("u", "s") or keys["bits"][1] >= size:
            message = f"bits {keys['bits'][0]}..{keys['bits'][1]} do not lie in type {base}{size}"
            report.add("E025", draft.place("bits"), message)
        else:
            draft.row["bits"] = keys["bits"]
    if base in ("str", "hex"):
        for key in ("bits", "map", "flags", "scale", "offset", "valid", "round", "unit"):
            if key in keys:
                report.add("E023", draft.node.key(key), f"'{key}' does not go with a text")
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
        if base != "u" or max(keys["flags"]) >= size:
            report.add("E025", draft.place("flags"), f"flags do not lie in type {base}{size}")


def _pattern_size(keys: dict[str, Any], base: str, size: int) -> int:
    if "bits" in keys:
        return int(keys["bits"][1] - keys["bits"][0] + 1)
    return 16 if base == "bool" else size


def _none(draft: Draft, base: str, size: int, report: Report) -> None:
    found: list[Any] = []
    for node, value in draft.keys["none"]:
        if base in ("str", "hex"):
            found.append(node.text.lower() if base == "hex" else node.text)
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
    for raw, label in draft.keys["map"].items():
        number = raw - (1 << size) if base == "s" and raw >= 1 << size - 1 else raw
        low = -(1 << size - 1) if base in ("s", "sm", "sbcd") else 0
        if base != "f" and not low <= number < 1 << size:
            message = f"map: {raw} does not fit the {size} bits of the channel"
            report.add("E025", draft.place("map"), message)
        found[number] = label
    draft.row["map"] = found


def _worded(labels: dict[int, Any]) -> bool:
    return any(isinstance(label, (str, bool)) for label in labels.values())


def _number(draft: Draft, defaults: dict[str, Any], report: Report) -> None:
    keys, row = draft.keys, draft.row
    if not numeric(draft):
        for key in ("scale", "offset"):
            if key in keys and "map" not in keys and "flags" not in keys:
                report.add("E023", draft.node.key(key), f"'{key}' is for numbers")
        return
    if "at" not in keys and not _by_steps(draft):
        return
    scale = keys.get("scale", 1 if "map" in keys else defaults.get("scale", 1))
    if scale == 0:
        report.add("E012", draft.place("scale"), "a scale of 0 leaves nothing")
    if scale != 1:
        row["scale"] = scale
    if keys.get("offset", 0) != 0:
        row["offset"] = keys["offset"]


def _unit(draft: Draft, report: Report) -> None:
    keys, row = draft.keys, draft.row
    unit, kind = keys.get("unit", ""), keys.get("kind", "")
    if unit and unit not in units_cpython.units():
        hint = near(unit, units_cpython.units())
        code = "E031" if kind else "W031"
        report.add(code, draft.place("unit"), f"unit {unit!r} is not in the registry", hint)
    if not kind:
        if unit:
            row["unit"] = units_cpython.wire_unit(unit)
        return
    entry = units_cpython.kinds().get(kind)
    if entry is None:
        hint = near(kind, units_cpython.kinds())
        report.add("E030", draft.place("kind"), f"kind {kind!r} is not in the registry", hint)
        return
    row["kind"] = kind
    if not numeric(draft):
        return
    target = entry["unit"]
    row["unit"] = target
    if not unit:
        if target not in _NO_UNIT_NEEDED and ("at" in keys or "calc" in keys):
            message = f"kind {kind} is in {target}: name the unit of this channel"
            report.add("E031", draft.place("kind"), message)
        return
    found = units_cpython.conversion(unit, target)
    if found is None:
        if unit in units_cpython.units():
            message = f"unit {unit} cannot be turned into {target}, the unit of kind {kind}"
            report.add("E031", draft.place("unit"), message)
    elif found != [0, 1, 1]:
        row["to"] = found


def _by_steps(draft: Draft) -> bool:
    # A command may have no register of its own, only steps that write elsewhere.
    node = draft.keys.get("write")
    return "at" not in draft.keys and isinstance(node, Node) and node.get("steps") is not None
