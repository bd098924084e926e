"""The registries of kinds and units, and exact conversion between units.

Knows the files profiles/kinds.jsonl and profiles/units.jsonl; knows no profile.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.core.decimal import parse, parts
from gateway.core.report_cpython import near

if TYPE_CHECKING:
    from typing import Any

PROFILES = Path(__file__).resolve().parents[2] / "profiles"
KINDS_SHOWN = 5  # of the kinds that a hint may mean

# What people write for units that we spell otherwise, in small letters.
_OTHERS = """
    amp=A amps=A ampere=A volt=V volts=V watt=W watts=W percent=% pct=% degc=°C celsius=°C oc=°C
    degf=°F fahrenheit=°F degree=deg degrees=deg meter=m metre=m meters=m sec=s second=s seconds=s
    minutes=min hour=h hours=h hr=h day=d days=d liter=L litre=L m^3=m³ cbm=m³ m3/hr=m³/h m^3/h=m³/h
    l/hr=L/h lpm=L/min ug/m^3=µg/m³ µg/m^3=µg/m³ mg/m^3=mg/m³ w/m^2=W/m² m/s^2=m/s² hertz=Hz
    ohms=Ohm pascal=Pa knots=kn kph=km/h r/min=rpm decibel=dB
"""
_ELSEWHERE = dict(pair.split("=") for pair in _OTHERS.split())
# A unit that is one of ours, but not the one meant: (unit, what the kind is in) to the right one.
_MEANT = {("g", "m/s2"): "gn", ("C", "Cel"): "°C", ("F", "Cel"): "°F"}


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


def unit_hint(unit: str, target: str = "") -> str:
    """Return "did you mean 'x'?" for a unit that is none, or that does not fit `target`, or ""."""
    found = _MEANT.get((unit, target)) or _ELSEWHERE.get(unit.lower().strip())
    if found is None and unit not in units():
        alike = [one for one in units() if one.lower() == unit.lower()]
        found = alike[0] if alike else None
    if found is not None:
        return f"did you mean '{found}'?"
    return "" if unit in units() else near(unit, units())


def kind_hint(kind: str) -> str:
    """Return what a kind that is none may have meant, or ""."""
    found = near(kind, kinds())
    if found:
        return found
    last = kind.rpartition(".")[2].lower()
    alike = [one for one in kinds() if last in one.split(".")]
    if not 0 < len(alike) <= KINDS_SHOWN:
        return f"one of {', '.join(alike[:KINDS_SHOWN])} …?" if alike else ""
    return f"did you mean {' or '.join(alike)}?"


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
