"""Checks where one channel stands and how it is written there, and begins its compiled row.

Knows types, orders, and the limits of registers, bytes and columns; what the value then means is
meaning_cpython's, expressions are handed on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.profile import bus, form_cpython, meaning_cpython, regex, schema
from drivers.profile.address_cpython import wire_address
from drivers.profile.decode import arrange, split_type
from drivers.profile.elsewhere_cpython import meant
from drivers.profile.image import BIT_TABLES
from drivers.profile.text import DECIMAL
from gateway.core.source_cpython import MAP

if TYPE_CHECKING:
    from drivers.profile.bus_cpython import Section
    from drivers.profile.draft_cpython import Draft
    from gateway.core.report_cpython import Report
    from gateway.core.source_cpython import Node

_OF_A_PLACE = ("type", "order", "bits", "none", "map", "flags", "scale", "offset")


def read_channel(draft: Draft, section: Section, report: Report) -> None:
    """Fill `draft.row` with everything but expressions and writes."""
    what = f"channel {draft.key.shown}"
    keys = form_cpython.read(draft.node, schema.CHANNEL, what, report)
    draft.keys = keys
    draft.table = section.table(keys.get("in"), report)
    draft.row = {"id": draft.folded}
    if draft.made.of is not None:
        draft.row["of"] = draft.made.of
    if draft.group and draft.group.index >= 0:
        draft.row["group"] = draft.group.index
    if draft.table != section.default_table:
        draft.row["in"] = draft.table
    if "channels" in keys:
        report.add("E023", draft.key, "groups do not stand inside groups")
    if draft.node.get("at") is None and ("match" in keys or ("in" in keys and section.identifies)):
        keys["at"] = 0  # the whole line, or the first value under its identifier
    elif section.identifies and not draft.table and _only_at(draft.node):
        hint = "on this bus it is the name of the value, 'at' only counts within it"
        report.add("E013", draft.key, f"channel {draft.key.shown} has no 'in'", hint)
    _type(draft, section, report)
    _address(draft, section, report)
    meaning_cpython.read_meaning(draft, section.keys, report)
    if section.bus == "iec62056" and draft.placed and "unit" in keys:
        draft.row["says"] = meaning_cpython.spellings(keys["unit"])
    for name in ("round", "hidden", "every"):
        if name in keys:
            draft.row[name] = keys[name]


def _tried(node: Node) -> Node | None:
    """Where the place of a channel was meant to be said, though wrongly."""
    return node.get("at") or meant(node, "at")


def _only_at(node: Node) -> bool:
    return node.get("at") is not None and node.get("in") is None


def _type(draft: Draft, section: Section, report: Report) -> None:
    keys, table = draft.keys, draft.table
    standard = section.default_type(table)
    fixed = table in BIT_TABLES
    usual = section.keys.get("type", standard) if draft.placed or draft.by_steps else standard
    name = keys.get("type", standard if fixed else usual)
    if fixed and name != "bool":
        report.add("E023", draft.place("type"), f"a {table} is one bit: its type is bool")
        name = "bool"
    text = section.text(table)
    if text and name[:3] not in ("", "str"):
        hint = "a number is read as it is written; strN is N characters"
        report.add("E023", draft.place("type"), f"type {name} is for bytes, this is text", hint)
        name = ""
    draft.base, draft.size = split_type(name) if name else (DECIMAL, 64)
    if not draft.placed:
        for key in _OF_A_PLACE:
            if key in keys and not draft.by_steps and not _tried(draft.node):
                message = f"'{key}' needs a register: 'at' is missing"
                report.add("E023", draft.node.key(key), message)
        if not draft.by_steps:
            return
    elif section.identifies and not text and "type" not in {**keys, **section.keys}:
        if draft.node.get("type") is None:
            hint = "the identifier does not tell: bcd32, u16 …"
            report.add("E013", draft.key, f"channel {draft.key.shown} has no type", hint)
    if name != standard:
        draft.row["type"] = name
    if text:
        if "order" in keys:
            report.add("E023", draft.node.key("order"), "'order' is for bytes, this is text")
        return
    _order(draft, section, report)


def _order(draft: Draft, section: Section, report: Report) -> None:
    """Store the order if it differs from what the bus has by itself."""
    standard = bus.default_order(section.bus)
    words = draft.base in ("str", "hex") and not section.modbus
    usual = "ABCD" if words else section.keys.get("order", standard)
    order = draft.keys.get("order", usual)
    width = section.count(draft.base, draft.size) * (2 if section.modbus else 1)
    if width % 2 and width > 1 and order in ("CDAB", "BADC"):
        message = f"order {order} turns pairs of bytes, {draft.base}{draft.size} has {width}"
        report.add("E023", draft.place("order"), message)
        return
    probe = bytes(range(width))
    if draft.table not in BIT_TABLES and arrange(probe, order) != arrange(probe, standard):
        draft.row["order"] = order


def _address(draft: Draft, section: Section, report: Report) -> None:
    keys, row = draft.keys, draft.row
    if "match" in keys:
        _match(draft, section, report)
    if "at" not in keys:
        # One mistake is one problem: an 'at' that is wrong or misspelt has been reported.
        given = _tried(draft.node) or draft.node.get("calc") or draft.node.get("channels")
        if not given and not draft.by_steps and draft.node.kind == MAP:
            hint = "'at' says where it stands, 'calc' how it follows from others"
            message = f"channel {draft.key.shown} has neither at nor calc"
            report.add("E013", draft.key, message, hint)
        if "step" in keys:
            report.add("E023", draft.node.key("step"), "'step' needs 'at'")
        return
    text = section.text(draft.table)
    draft.count = 1 if text else section.count(draft.base, draft.size)
    step = keys.get("step", draft.count)
    span = (len(draft.made.suffixes) - 1) * step + draft.count
    at = keys["at"]
    if draft.group:
        span += (len(draft.group.suffixes) - 1) * draft.group.step
        at += draft.group.at
    place = draft.place("at")
    if section.modbus:
        address = wire_address(at, draft.table, section.base, place, report, span)
        if address is None:
            return
        at = address
    else:
        size = bus.COLUMN_MAX + 1 if text else section.longest(draft.table)
        unit = "columns" if text else "bytes"
        if at + span > size or at < -size or at < 0 < at + span:
            message = f"this ends beyond the message, which has at most {size} {unit}"
            if at < 0:
                message = f"the message ends before {unit} {at} to {at + span - 1} do"
            report.add("E024", place, message)
            return
    row["at"] = at
    if draft.made.of is not None:
        row["step"] = step
    elif "step" in keys:
        hint = f"did you mean {draft.key.text}_[1..2]?"
        message = "'step' is for arrays: the id has no [1..n]"
        report.add("E023", draft.node.key("step"), message, hint)


def _match(draft: Draft, section: Section, report: Report) -> None:
    place = draft.node.key("match")
    if not section.text(draft.table):
        hint = "a message of text says `as: text`"
        report.add("E023", place, "'match' is for texts, this is bytes", hint)
    elif draft.node.get("at") is None and draft.made.of is not None:
        report.add("E023", place, "'match' without 'at' gives every member of an array the same")
    elif draft.node.get("at") is None and section.split(draft.table):
        report.add("E013", place, "the text is split: 'at' must say in which column to search")
    else:
        draft.row["match"] = draft.keys["match"]
        _pattern(draft.place("match"), report)


def _pattern(node: Node, report: Report) -> None:
    """Report a pattern that boards do not have, or that may search for ever."""
    try:
        regex.check(node.text)
    except regex.BadPattern as error:
        code = "E045" if error.endless else "E044"
        report.add(code, node.inside(error.offset), str(error))
