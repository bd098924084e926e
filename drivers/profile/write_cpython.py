"""Checks what a profile says about writing, and turns it into its compiled form.

Knows which functions write which tables; knows no limits of a device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.profile import form_cpython, schema
from drivers.profile.address_cpython import wire_address
from drivers.profile.bus_cpython import holes
from drivers.profile.decode import split_type, words
from drivers.profile.frame_cpython import MIXED
from drivers.profile.image import COIL, HOLDING
from drivers.profile.meaning_cpython import numeric
from drivers.profile.number import less
from gateway.core.source_cpython import LIST, MAP

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from drivers.profile.bus_cpython import Section
    from drivers.profile.draft_cpython import Draft
    from gateway.core.report_cpython import Report
    from gateway.core.source_cpython import Node

STEPS_MAX = 16  # of one write, or of the setup of a device
_FUNCTIONS = {HOLDING: (6, 16), COIL: (5, 15)}


def read_write(
    draft: Draft, section: Section, report: Report, compiled: Callable[[Node], list[Any]]
) -> dict[str, Any] | None:
    """Return the compiled `write` of a channel, None if it is wrong."""
    node: Node = draft.keys["write"]
    what = f"write of {draft.key.shown}"
    if node.kind != MAP:
        if node.text not in ("true", "only"):
            hint = "write true" if node.text.lower() in ("yes", "on", "rw") else ""
            message = f"{what}: true, only or a map is wanted, not {node.shown}"
            report.add("E050", node, message, hint)
            return None
        keys: dict[str, Any] = {"only": True} if node.text == "only" else {}
    else:
        keys = form_cpython.read(node, schema.WRITE, what, report)
    found: dict[str, Any] = {
        key: keys[key] for key in ("min", "max", "with", "repeat") if key in keys
    }
    if keys.get("only"):
        found["only"] = True
    if "steps" in keys:
        found["steps"] = read_steps(keys["steps"], what, section, report, compiled)
        for step in found["steps"]:
            if step.pop("if", None):
                hint = "only the setup of a device has conditions"
                report.add("E023", keys["steps"], f"{what}: 'if' in a step", hint)
        return found
    if section.modbus:
        _direct(draft, node, keys, report)
    else:
        report.add("E050", node, f"{what}: nothing says what to send", "write steps with 'send'")
    return found


def read_steps(
    node: Node,
    what: str,
    section: Section,
    report: Report,
    compiled: Callable[[Node], list[Any]],
) -> list[dict[str, Any]]:
    """Return compiled steps; `compiled` turns the node of an expression into a postfix list."""
    if node.kind != LIST or not 0 < len(node.items) <= STEPS_MAX:
        report.add("E050", node, f"{what}: a list of 1 to {STEPS_MAX} steps is wanted")
        return []
    found = []
    for item in node.items:
        keys = form_cpython.read(item, schema.STEP, f"a step of {what}", report, section.mode)
        wanted, other = (("at", "value"), "send") if section.modbus else (("send",), "at")
        missing = [key for key in wanted if item.kind == MAP and item.get(key) is None]
        if other in keys:
            message = f"'{other}' is not for {section.bus}: its steps have '{wanted[0]}'"
            report.add("E023", item.key(other), message)
        elif missing:
            report.add("E013", item, f"a step of {what} has no '{missing[0]}'")
        if [key for key in wanted if key not in keys]:
            continue
        row: dict[str, Any] = {key: keys[key] for key in ("type", "order", "wait") if key in keys}
        for key in ("value", "if"):
            if key in keys:
                row[key] = compiled(keys[key])
        if section.modbus:
            _register(item, keys, row, section.base, report)
        else:
            _send(item, keys, row, section, report)
        found.append(row)
    return found


def _register(
    item: Node, keys: dict[str, Any], row: dict[str, Any], base: int, report: Report
) -> None:
    table = keys.get("in", HOLDING)
    place, span = item.get("at") or item, words(*split_type(keys.get("type", "u16")))
    row["at"] = wire_address(keys["at"], table, base, place, report, span)
    if table != HOLDING:
        row["in"] = table
    if "with" in keys:
        row["with"] = keys["with"]
    _function(item, keys.get("with"), table, row.get("type", "u16"), report)


def _send(
    item: Node, keys: dict[str, Any], row: dict[str, Any], section: Section, report: Report
) -> None:
    row["send"] = keys["send"]
    if section.mode == MIXED and not (item.get("send") or item).plain:
        row["as"] = "text"
    names = holes(keys["send"])
    place = item.get("send") or item
    for key in ("in", "with"):
        if key in keys:
            report.add("E023", item.key(key), f"'{key}' is for registers, this is {section.bus}")
    if ("value" in names) != ("value" in keys):
        report.add("E072", place, "'value' and {value} in what is sent go together")
    if "check" in names and not [one for one in section.messages if "check" in one]:
        report.add("E072", place, "{check} stands for nothing: no message has a 'check'")
    section.holes.append((place, [part for part in keys["send"] if part != "'value"]))


def _direct(draft: Draft, node: Node, keys: dict[str, Any], report: Report) -> None:
    what = f"channel {draft.key.shown}"
    table = draft.row.get("in", HOLDING)
    if table not in _FUNCTIONS:
        message = f"{what} stands in a table that Modbus cannot write"
        report.add("E050", node, message, "holding registers and coils can be written")
        return
    if not draft.placed:
        report.add("E050", node, f"{what} has no register to write: give it 'at', or write steps")
        return
    for key in ("calc", "bits", "flags"):
        if key in draft.keys:
            hint = "write steps can compute the raw value"
            report.add("E050", node, f"{what} has '{key}', which cannot be undone", hint)
    if ("min" in keys or "max" in keys) and not numeric(draft):
        report.add("E050", node, f"{what} is no number: it has no limits")
    elif "min" in keys and "max" in keys and less(keys["max"], keys["min"]):
        report.add("E050", node.get("max") or node, f"{what}: 'max' is below 'min'")
    _function(
        node.get("with") or node, keys.get("with"), table, draft.row.get("type", "u16"), report
    )


def _function(node: Node, function: int | None, table: str, type_name: str, report: Report) -> None:
    if function is None:
        return
    if function not in _FUNCTIONS[table]:
        hint = f"{' or '.join(str(one) for one in _FUNCTIONS[table])} does"
        report.add("E050", node, f"function {function} does not write the table {table}", hint)
    elif function == 6 and words(*split_type(type_name)) > 1:
        report.add("E050", node, f"function 6 writes one register, {type_name} has more")
