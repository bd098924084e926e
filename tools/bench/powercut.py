"""Real power cuts: what a buffer on ext4 still holds after one, at many random moments."""

from __future__ import annotations

from tools.bench.rows import row
from tools.powercut import media, rig

POINTS = 250
SHOWN_MAX = 20  # findings; one is enough to begin with


def run(points: int = POINTS, seed: int = 1) -> list[dict[str, object]]:
    """Measure and return the rows; findings are rows of their own, beyond their budget of 0."""
    why = media.refusal()
    if why:
        return [{"figure": "power cuts on ext4", "value": "-", "unit": f"not measured: {why}"}]
    found = rig.run(points, seed)
    rows = [
        row("power cuts on ext4", found.points, "cuts"),
        row("writes of the disk that cuts could take back", found.unsafe, "writes"),
        row("promises compared: readings sent before the cut", found.held, "readings"),
        row("starts on the same disk, one after another", found.boots, "starts"),
        row("cuts that broke a promise", found.broken, "cuts", 0),
    ]
    return rows + [{"figure": text, "value": 1, "unit": ""} for text in found.findings[:SHOWN_MAX]]
