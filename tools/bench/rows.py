"""The rows a bench is made of."""

from __future__ import annotations

from typing import Any


def row(
    figure: str, value: float, unit: str, budget: float | None = None, *, at_least: bool = False
) -> dict[str, Any]:
    """Return a row: a figure beside its budget, which is the most it may be, or the least."""
    found: dict[str, Any] = {"figure": figure, "value": round(value, 2), "unit": unit}
    if budget is not None:
        found |= {"budget": budget, "at_least": at_least}
    return found
