"""Checks what a technician may choose, and turns it into its compiled form.

Knows the place a setting has in a device; knows no site.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.profile import form_cpython, schema
from drivers.profile.address_cpython import wire_address
from drivers.profile.decode import split_type, words
from drivers.profile.image import HOLDING
from drivers.profile.model import Setting
from drivers.profile.names_cpython import pattern
from drivers.profile.write import chosen_settings
from gateway.core.errors import ConfigError
from gateway.core.source_cpython import MAP

if TYPE_CHECKING:
    from typing import Any

    from drivers.profile.bus_cpython import Section
    from drivers.profile.names_cpython import Names
    from gateway.core.report_cpython import Report
    from gateway.core.source_cpython import Node

_KEPT = ("default", "min", "max", "map", "secret", "type", "order", "with")
_OF_A_REGISTER = ("at", "in", "with", "scale", "offset")


def read_settings(
    node: Node | None, names: Names, section: Section, report: Report
) -> list[dict[str, Any]]:
    """Return the compiled settings, and take their names."""
    if node is None:
        return []
    if node.kind != MAP:
        report.add("E011", node, f"settings must be a map of names, not {node.shown}")
        return []
    found = []
    for key, value in node.pairs:
        made = pattern(key, report)
        if made is None or made.of is not None:
            continue
        if key.text in names.channels:
            hint = f"see line {names.channels[key.text]}"
            report.add("E022", key, f"{key.shown} is a channel already", hint)
        keys = form_cpython.read(value, schema.SETTING, f"setting {key.shown}", report)
        names.settings.add(key.text)
        found.append(_row(key, value, keys, section, report))
    return found


def _row(
    key: Node, node: Node, keys: dict[str, Any], section: Section, report: Report
) -> dict[str, Any]:
    row: dict[str, Any] = {"id": key.text}
    if not section.modbus:
        for name in _OF_A_REGISTER:
            if name in keys:
                message = f"'{name}' is for registers, this is {section.bus}"
                report.add("E023", node.key(name), message, "send it in the setup")
    if keys.get("in", HOLDING) != HOLDING:
        row["in"] = keys["in"]
    for name in _KEPT:
        if name in keys:
            row[name] = keys[name]
    for name in ("scale", "offset"):
        if keys.get(name, 0) != 0:
            row[name] = keys[name]
    if "at" in keys and section.modbus:
        table, place = keys.get("in", HOLDING), node.get("at") or key
        span = words(*split_type(keys.get("type", "u16")))
        address = wire_address(keys["at"], table, section.base, place, report, span)
        if address is not None:
            row["at"] = address
    if "default" in keys:
        try:
            chosen_settings([Setting(row, section.bus)], {})
        except ConfigError as error:
            report.add("E012", node.get("default") or node, str(error))
    return row
