"""Reads a map of keys by its table in schema.py; reports every key and value that is wrong.

Knows where the readers of all forms stand; knows no key itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.profile import elsewhere_cpython, frame_cpython, schema, values_cpython
from drivers.profile.values_cpython import BAD
from gateway.core.source_cpython import MAP

if TYPE_CHECKING:
    from typing import Any

    from drivers.profile.schema_bus import Table
    from gateway.core.report_cpython import Report
    from gateway.core.source_cpython import Node

FORMS = {**values_cpython.FORMS, **frame_cpython.FORMS}


def read(
    node: Node, table: Table, what: str, report: Report, mode: str = frame_cpython.HEX
) -> dict[str, Any]:
    """Return a map's keys with their values in working form; what is wrong is reported.

    A "node" form is returned as the node itself; a value that is wrong is left out. `mode` says
    how bytes are written: a form that ends in `hex` is read so.
    """
    forms = {key: form for key, form, _ in table}
    if node.kind != MAP:
        first = [key for key in ("at", "baud") if key in forms and isinstance(node.value, int)]
        hint = f"write {{{first[0]}: {node.text}}}" if first else ""
        report.add("E011", node, f"{what} must be a map of keys, not {node.shown}", hint)
        return {}
    found: dict[str, Any] = {}
    for key, value in node.pairs:
        form = forms.get(key.text)
        if form is None:
            hint = elsewhere_cpython.key_hint(key.text, forms)
            report.add("E010", key, f"unknown key {key.shown} in {what}", hint)
            continue
        result = by_form(value, form, report, mode)
        if result is not BAD:
            found[key.text] = result
    return found


def by_form(node: Node, form: str, report: Report, mode: str = frame_cpython.HEX) -> Any:
    """Return one value in working form, or BAD after reporting it."""
    word, _, argument = form.partition(" ")
    if node.kind == MAP and word in schema.MAPS:
        table, needed = schema.MAPS[word]
        found = read(node, table, f"'{word}'", report, mode)
        for name in needed:
            if node.get(name) is None:
                report.add("E013", node, f"'{word}' has no '{name}'")
        return found if all(name in found for name in needed) else BAD
    return FORMS[word](node, mode if argument == frame_cpython.HEX else argument, report)
