"""What arrived, summed by point and quarter of an hour while it arrives.

Sums do not depend on the order of arrival, and are committed with the readings they count: a
report over months reads them instead of millions of rows. Knows no pack and no day.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING

from gateway.core.reading import GOOD, QUALITIES
from tools.fusion.migrate import OTHER, QUARTER_MS

if TYPE_CHECKING:
    import sqlite3
    from typing import TypeAlias

    from gateway.uplink.pack import Sample

    Key: TypeAlias = tuple[int, bool, int, int]  # point, bounded, quarter, life

_S, _MIN, _H = 1_000, 60_000, 3_600_000
# A reading that arrived n ms after it was made belongs to the first step that is not below n.
LATE_STEPS_MS = (
    [100, 200, 500, *(n * _S for n in (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50))]
    + [n * _MIN for n in (1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 45, 60, 90)]
    + [n * _H for n in (2, 3, 4, 6, 8, 12, 18, 24, 36, 48, 72, 96, 168, 336, 720, 8_760)]
)
PROMPT_MS = 2 * _MIN  # what arrived by then was not held up by an outage

_UPSERT = """
INSERT INTO quarters VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
  first_ms = min(first_ms, excluded.first_ms), last_ms = max(last_ms, excluded.last_ms),
  count = count + excluded.count, good = good + excluded.good,
  fixed_up = fixed_up + excluded.fixed_up,
  bad = CASE excluded.bad WHEN '' THEN bad ELSE add_counts(bad, excluded.bad) END,
  late = CASE WHEN length(late) < 120 THEN late || ' ' || excluded.late
    ELSE add_counts(late, excluded.late) END,
  late_max_ms = max(late_max_ms, excluded.late_max_ms)
"""
_SPAN = """
INSERT INTO spans VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET
  first_ms = min(first_ms, excluded.first_ms), last_ms = max(last_ms, excluded.last_ms)
"""


class Cell:
    """The readings of one point, quarter and life since the last flush."""

    __slots__ = ("bad", "fixed_up", "late_max_ms", "ring", "steps", "times_ms")

    def __init__(self, ring: str) -> None:
        self.ring = ring
        self.times_ms: list[int] = []  # those of bounds: the latest
        self.steps: list[int] = []  # of lateness, where the time is known
        self.late_max_ms = 0
        self.fixed_up = 0
        self.bad: list[str] = []


class Tally:
    """The sums of the open transaction."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._cells: dict[Key, Cell] = {}
        database.create_function("add_counts", 2, add_counts, deterministic=True)

    def add(
        self, life_id: int, ring: str, fixed_up: bool, new: list[tuple[int, Sample]], now_ms: int
    ) -> None:
        """Count `new` (point, reading) of one pack, which nobody counted before."""
        cells = self._cells
        at_ms = step = -1
        for point_id, sample in new:
            bounded = sample.high_ms != sample.low_ms
            if bounded:
                at_ms = min(sample.high_ms, max(now_ms, sample.low_ms))
            elif sample.low_ms != at_ms:  # a device's channels share their time
                at_ms = sample.low_ms
                step = bisect_left(LATE_STEPS_MS, now_ms - at_ms)
            key = (point_id, bounded, at_ms // QUARTER_MS, life_id)
            cell = cells.get(key)
            if cell is None:
                cell = cells[key] = Cell(ring)
            cell.times_ms.append(at_ms)
            if sample.quality != GOOD:
                # A later gateway's word, or a stranger's, would not be safe in our text.
                cell.bad.append(sample.quality if sample.quality in QUALITIES else OTHER)
            if bounded:
                at_ms = -1
                continue
            cell.fixed_up += fixed_up
            cell.steps.append(step)
            cell.late_max_ms = max(cell.late_max_ms, now_ms - at_ms)

    def flush(self) -> None:
        """Write the sums into the open transaction."""
        rows = []
        spans: dict[tuple[int, str], tuple[int, int]] = {}
        for key, cell in self._cells.items():
            first_ms, last_ms = min(cell.times_ms), max(cell.times_ms)
            count = len(cell.times_ms)
            bad = to_text(Counter(cell.bad)) if cell.bad else ""
            late = to_text(Counter(cell.steps)) if len(cell.steps) > 1 else _one(cell.steps)
            rows.append(
                (*key, first_ms, last_ms, count, count - len(cell.bad), cell.fixed_up)
                + (bad, late, cell.late_max_ms)
            )
            if not key[1]:
                span = (key[3], cell.ring)
                low_ms, high_ms = spans.get(span, (first_ms, last_ms))
                spans[span] = min(low_ms, first_ms), max(high_ms, last_ms)
        self._database.executemany(_UPSERT, rows)
        self._database.executemany(_SPAN, [(*key, *span) for key, span in spans.items()])
        self._cells.clear()


def _one(steps: list[int]) -> str:
    return f"{steps[0]}:1" if steps else ""


def to_text(counts: dict[str, int] | dict[int, int]) -> str:
    """Return counts as "no-reply:3 stale:1"."""
    return " ".join([f"{name}:{count}" for name, count in counts.items()])


def counts_of(text: str) -> dict[str, int]:
    """Return the counts written by `to_text`."""
    found: dict[str, int] = {}
    for one in text.split():
        name, count = one.split(":")
        found[name] = found.get(name, 0) + int(count)
    return found


def add_counts(left: str, right: str) -> str:
    """Return the sum of two texts of `to_text`."""
    if not left or not right:
        return left or right
    return to_text(counts_of(f"{left} {right}"))
