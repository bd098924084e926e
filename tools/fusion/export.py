"""Readings out of the database, one a line, for a spreadsheet or another program."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

from tools.fusion.text import clean

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator
    from typing import Any, TextIO

COLUMNS = ("gateway", "point", "kind", "unit", "at_ms", "until_ms", "value", "quality", "clock")


def heard(database: sqlite3.Connection, gateway: str) -> bool:
    """Return whether anything of the gateway has ever arrived."""
    found = database.execute("SELECT 1 FROM gateways WHERE name = ?", (gateway,)).fetchone()
    return found is not None


def readings(
    database: sqlite3.Connection, since_ms: int = 0, gateway: str = ""
) -> Iterator[dict[str, Any]]:
    """Yield readings by gateway, point and time; decimals as their exact text."""
    for row in database.execute(
        "SELECT g.name, p.name, kind, unit, at_ms, coalesce(until_ms, at_ms), value, exact,"
        " coalesce(quality, 'good'), coalesce(clock, 'synced')"
        " FROM gateways g JOIN points p USING (gateway_id) JOIN readings r USING (point_id)"
        " WHERE (g.name = ?1 OR ?1 = '') AND at_ms >= ?2 ORDER BY g.name, p.name, at_ms",
        (gateway, since_ms),
    ):
        value, exact = row[6], row[7]
        if isinstance(value, bytes):
            value = value.hex()
        shown = value if exact is None else exact
        yield dict(zip(COLUMNS, (*row[:6], shown, *row[8:]), strict=True))


def write_csv(rows: Iterable[dict[str, Any]], out: TextIO) -> None:
    """Write a header and one line a reading."""
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for one in rows:
        writer.writerow({name: cell(it) if isinstance(it, str) else it for name, it in one.items()})


def cell(text: str) -> str:
    """Return text as a CSV cell of one line, which no spreadsheet takes for a formula."""
    shown = clean(text)
    formula = shown.startswith(("=", "+", "@")) or (shown[:1] == "-" and not _is_number(shown))
    return f"'{shown}" if formula else shown


def write_json(rows: Iterable[dict[str, Any]], out: TextIO) -> None:
    """Write one JSON object a line."""
    for one in rows:
        out.write(json.dumps(one) + "\n")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
