"""What the platform's database says, as a table for people. Draws only; changes nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gateway.core.record import Record
from gateway.health import summary

if TYPE_CHECKING:
    import sqlite3
    from typing import Any

# SenML's spelling of units, where people write another.
_READABLE = {"Cel": "°C", "/100": "%", "/": "", "deg": "°", "ug/m3": "µg/m³", "m3": "m³"}
POINT_WIDTH = 34
VALUE_WIDTH = 22
_LATEST = """
SELECT points.name, points.unit, readings.at_ms, readings.value, readings.exact,
       readings.quality, (SELECT count(*) FROM readings AS r WHERE r.point_id = points.point_id)
FROM points JOIN readings ON readings.point_id = points.point_id
WHERE readings.at_ms = (SELECT max(at_ms) FROM readings WHERE point_id = points.point_id)
GROUP BY points.point_id ORDER BY points.point_id
"""


class Row(Record):
    """The newest reading of a point: `shown` value with unit, `age_ms`, readings `arrived`."""

    __slots__ = ("age_ms", "arrived", "point", "shown")

    def __init__(self, point: str, shown: str, age_ms: int, arrived: int) -> None:
        self.point = point
        self.shown = shown
        self.age_ms = age_ms
        self.arrived = arrived


def rows(database: sqlite3.Connection, now_ms: int) -> list[Row]:
    """Return the newest reading of every point, in the order of the site; Unix time in ms."""
    return [
        Row(name, _shown(value, exact, unit, quality), now_ms - at_ms, arrived)
        for name, unit, at_ms, value, exact, quality, arrived in database.execute(_LATEST)
    ]


def counts(database: sqlite3.Connection) -> dict[str, Any] | None:
    """Return the gateway's latest health, None before the first."""
    found = database.execute("SELECT body FROM health ORDER BY came_ms DESC LIMIT 1").fetchone()
    return json.loads(found[0]) if found else None


def arrived(database: sqlite3.Connection) -> int:
    """Return how many readings the platform holds."""
    count: int = database.execute("SELECT count(*) FROM readings").fetchone()[0]
    return count


def table(found: list[Row], lines_max: int) -> list[str]:
    """Return the rows as lines, at most `lines_max`: of each device as many as there is room."""
    head = f"{'point':<{POINT_WIDTH}} {'value':<{VALUE_WIDTH}} {'age':>7} {'arrived':>8}"
    devices: dict[str, list[Row]] = {}
    for row in found:
        devices.setdefault(row.point.partition("/")[0], []).append(row)
    shown = _fitting(list(devices.values()), lines_max - 2)
    lines = [head] + [
        f"{row.point:<{POINT_WIDTH}} {row.shown:<{VALUE_WIDTH}} {_age(row.age_ms):>7}"
        f" {row.arrived:>8}"
        for row in shown
    ]
    if len(shown) < len(found):
        lines.append(f"… and {len(found) - len(shown)} points more")
    return lines


def _fitting(devices: list[list[Row]], lines_max: int) -> list[Row]:
    most = max((len(device) for device in devices), default=0)
    each = next(
        (
            count
            for count in range(most, 0, -1)
            if sum(min(count, len(device)) for device in devices) <= lines_max
        ),
        1,
    )
    return [row for device in devices for row in device[:each]][:lines_max]


def accounting(health: dict[str, Any] | None, platform: int) -> list[str]:
    """Return the accounting identity, and below it what the platform itself holds."""
    gateway = summary(health) if health else "the gateway has not reported yet"
    return [f"gateway:  {gateway}", f"platform: {platform} readings in its database"]


def _shown(value: Any, exact: str | None, unit: str, quality: str | None) -> str:
    if value is None:
        return f"– ({quality})"
    text = exact if exact is not None else str(value)
    return f"{text} {_READABLE.get(unit, unit)}".strip()[:VALUE_WIDTH]


def _age(age_ms: int) -> str:
    return f"{age_ms / 1000:.1f} s" if age_ms < 100_000 else f"{age_ms // 60_000} min"
