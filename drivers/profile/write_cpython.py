"""Checks what a profile says about writing, and turns it into its compiled form.

Knows which functions write which tables; knows no limits of a device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.profile import schema, values_cpython
from drivers.profile.address_cpython import wire_address
from drivers.profile.channel_cpython import numeric
from drivers.profile.decode import split_type, words
from drivers.profile.image import COIL, HOLDING
from gateway.core.source_cpython import LIST, MAP

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from drivers.profile.channel_cpython import Draft
    from gateway.core.report_cpython import Report
    from gateway.core.source_cpython import Node

STEPS_MAX = 16  # of one write, or of the setup of a device
_FUNCTIONS = {HOLDING: (6, 16), COIL: (5, 15)}


def read_write(
    draft: Draft, base: int, report: Report, compiled: Callable[[Node], list[Any]]
) -> dict[str, Any] | None:
    """Return the compiled `write` of a channel, None if it is wrong."""
    node: Node = draft.keys["write"]
    what = f"write of {draft.key.shown}"
    if node.kind != MAP:
        if node.text not in ("true", "only"):
            report.add("E050", node, f"{what}: true, only or a map is wanted, not {node.shown}")
            return None
        keys: dict[str, Any] = {"only": True} if node.text == "only" else {}
    else:
        keys = values_cpython.read(node, schema.WRITE, what, report)
    found: dict[str, Any] = {
        key: keys[key] for key in ("min", "max", "with", "repeat") if key in keys
    }
    if keys.get("only"):
        found["only"] = True
    if "steps" in keys:
        found["steps"] = read_steps(keys["steps"], what, base, report, compiled)
        for step in found["steps"]:
            if step.pop("if", None):
                hint = "only the setup of a device has conditions"
                report.add("E023", keys["steps"], f"{what}: 'if' in a step", hint)
        return found
    _direct(draft, node, keys, report)
    return found


def read_steps(
    node: Node, what: str, base: int, report: Report, compiled: Callable[[Node], list[Any]]
) -> list[dict[str, Any]]:
    """Return compiled steps; `compiled` turns the node of an expression into a postfix list."""
    if node.kind != LIST or not 0 < len(node.items) <= STEPS_MAX:
        report.add("E050", node, f"{what}: a list of 1 to {STEPS_MAX} steps is wanted")
        return []
    found = []
    for item in node.items:
        keys = values_cpython.read(item, schema.STEP, f"a step of {what}", report)
        missing = [key for key in ("at", "value") if item.kind == MAP and item.get(key) is None]
        if missing:
            report.add("E013", item, f"a step of {what} has no '{missing[0]}'")
        if "at" not in keys or "value" not in keys:
            continue
        row: dict[str, Any] = {"value": compiled(keys["value"])}
        table = keys.get("in", HOLDING)
        place, span = item.get("at") or item, words(*split_type(keys.get("type", "u16")))
        row["at"] = wire_address(keys["at"], table, base, place, report, span)
        if table != HOLDING:
            row["in"] = table
        for key in ("type", "order", "with", "wait"):
            if key in keys:
                row[key] = keys[key]
        if "if" in keys:
            row["if"] = compiled(keys["if"])
        _function(item, keys.get("with"), table, row.get("type", "u16"), report)
        found.append(row)
    return found


def _direct(draft: Draft, node: Node, keys: dict[str, Any], report: Report) -> None:
    what = f"channel {draft.key.shown}"
    table = draft.row.get("in", HOLDING)
    if table not in _FUNCTIONS:
        report.add("E050", node, f"{what} stands in a table that Modbus cannot write")
        return
    if "at" not in draft.keys:
        report.add("E050", node, f"{what} has no register to write: give it 'at', or write steps")
        return
    for key in ("calc", "bits", "flags"):
        if key in draft.keys:
            hint = "write steps can compute the raw value"
            report.add("E050", node, f"{what} has '{key}', which cannot be undone", hint)
    if ("min" in keys or "max" in keys) and not numeric(draft):
        report.add("E050", node, f"{what} is no number: it has no limits")
    _function(node, keys.get("with"), table, draft.row.get("type", "u16"), report)


def _function(node: Node, function: int | None, table: str, type_name: str, report: Report) -> None:
    if function is None:
        return
    if function not in _FUNCTIONS[table]:
        report.add("E050", node, f"function {function} does not write the table {table}")
    elif function == 6 and words(*split_type(type_name)) > 1:
        report.add("E050", node, f"function 6 writes one register, {type_name} has more")
