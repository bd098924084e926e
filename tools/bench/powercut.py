"""Real power cuts: what a buffer on ext4 still holds after one, at many random moments."""

from __future__ import annotations

import os
from typing import Any

from gateway.core.errors import LinkError
from tools.powercut import media, rig

POINTS = 250
SHOWN_MAX = 20  # findings; one is enough to begin with


def run(points: int = POINTS, seed: int = 1) -> list[dict[str, object]]:
    """Measure and return the rows; findings are rows of their own, beyond their budget of 0."""
    why = refusal()
    if why:
        return [{"figure": "power cuts on ext4", "value": "-", "unit": why}]
    found = rig.run(points, seed)
    rows = [
        row("power cuts on ext4", found.points, "cuts"),
        row("writes of the disk that cuts could take back", found.unsafe, "writes"),
        row("promises compared: readings sent before the cut", found.held, "readings"),
        row("starts on the same disk, one after another", found.boots, "starts"),
        row("cuts that broke a promise", found.broken, "cuts", 0),
    ]
    return rows + [{"figure": text, "value": 1, "unit": ""} for text in found.findings[:SHOWN_MAX]]


def refusal() -> str:
    """Return why this cannot be measured here, nothing if it can."""
    if os.geteuid() != 0:
        return "not measured: only root may mount"
    program = media.missing_program()
    if program:
        return f"not measured: {program[0]} is missing ({program[1]})"
    try:
        with media.workplace() as place:
            media.try_out(place)
    except LinkError as error:
        return f"not measured: {error}"
    return ""


def row(figure: str, value: float, unit: str, budget: float | None = None) -> dict[str, Any]:
    """Return a row of the bench."""
    found: dict[str, Any] = {"figure": figure, "value": value, "unit": unit}
    if budget is not None:
        found["budget"] = budget
    return found
