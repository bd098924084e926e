"""The registries of kinds and units, and exact conversion between units.

Knows the files profiles/kinds.jsonl and profiles/units.jsonl; knows no profile.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.core.decimal import parse, parts

if TYPE_CHECKING:
    from typing import Any

PROFILES = Path(__file__).resolve().parents[2] / "profiles"


@cache
def kinds() -> dict[str, dict[str, Any]]:
    """Return the kind registry: kind to its row (unit, crosswalks, note)."""
    return rows("kinds.jsonl", "kind")


@cache
def units() -> dict[str, dict[str, Any]]:
    """Return the unit registry: spelling to its row (wire, base, factor, pre, senml)."""
    return rows("units.jsonl", "unit")


def wire_unit(unit: str) -> str:
    """Return how a unit is written in a record: its SenML name where it has one."""
    row = units().get(unit)
    return row["wire"] if row else unit


def conversion(unit: str, to: str) -> list[Any] | None:
    """Return [a, b, c] with value × 1 `unit` = (value + a) × b / c × 1 `to`; None if unlike.

    b and c are whole numbers without a common factor.
    """
    source, target = units().get(unit), units().get(to)
    if source is None or target is None or source["base"] != target["base"]:
        return [0, 1, 1] if unit == to else None
    if target.get("pre") and unit != to:
        return None  # nothing on the wire counts from a shifted zero but dBm, which is asked as is
    up, down = _ratio(source["factor"])
    target_up, target_down = _ratio(target["factor"])
    numerator, denominator = up * target_down, down * target_up
    common = _common(numerator, denominator)
    shift = parse(source["pre"]) if source.get("pre") and unit != to else 0
    return [shift, numerator // common, denominator // common]


def rows(name: str, key: str) -> dict[str, dict[str, Any]]:
    """Return a registry file's rows by their `key`."""
    text = (PROFILES / name).read_text(encoding="utf-8")
    found = [json.loads(line) for line in text.splitlines() if line]
    return {row[key]: row for row in found}


def _ratio(text: str) -> tuple[int, int]:
    above, _, below = text.partition("/")
    numerator, exponent = parts(parse(above))
    divisor, below_exponent = parts(parse(below or "1"))
    return numerator * 10**-below_exponent, divisor * 10**-exponent


def _common(a: int, b: int) -> int:
    while b:
        a, b = b, a % b
    return a
