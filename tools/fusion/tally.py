"""What arrived, summed by point and quarter of an hour while it arrives.

Sums do not depend on the order of arrival, and are committed with the readings they count: a
report over months reads them instead of millions of rows. Knows no pack and no day.
"""

from __future__ import annotations

from bisect import bisect_left
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
  late = add_counts(late, excluded.late), late_max_ms = max(late_max_ms, excluded.late_max_ms)
"""
_SPAN = """
INSERT INTO spans VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET
  first_ms = min(first_ms, excluded.first_ms), last_ms = max(last_ms, excluded.last_ms)
"""


class Cell:
    """The sums of one point, quarter and life since the last flush."""

    __slots__ = (
        "bad",
        "count",
        "first_ms",
        "fixed_up",
        "good",
        "last_ms",
        "late",
        "late_max_ms",
        "ring",
    )

    def __init__(self, ring: str, at_ms: int) -> None:
        self.ring = ring
        self.first_ms = self.last_ms = at_ms
        self.count = self.good = self.fixed_up = self.late_max_ms = 0
        self.bad: dict[str, int] = {}
        self.late: dict[int, int] = {}


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
        for point_id, sample in new:
            at_ms = sample.low_ms
            bounded = sample.high_ms != at_ms
            latest_ms = min(sample.high_ms, max(now_ms, at_ms)) if bounded else at_ms
            key = (point_id, bounded, latest_ms // QUARTER_MS, life_id)
            cell = cells.get(key)
            if cell is None:
                cell = cells[key] = Cell(ring, at_ms)
            cell.first_ms = min(cell.first_ms, at_ms)
            cell.last_ms = max(cell.last_ms, latest_ms)
            cell.count += 1
            if sample.quality == GOOD:
                cell.good += 1
            else:
                # A later gateway's word, or a stranger's, would not be safe in our text.
                word = sample.quality if sample.quality in QUALITIES else OTHER
                cell.bad[word] = cell.bad.get(word, 0) + 1
            if bounded:
                continue
            cell.fixed_up += fixed_up
            late_ms = now_ms - at_ms
            step = bisect_left(LATE_STEPS_MS, late_ms)
            cell.late[step] = cell.late.get(step, 0) + 1
            cell.late_max_ms = max(cell.late_max_ms, late_ms)

    def flush(self) -> None:
        """Write the sums into the open transaction."""
        self._database.executemany(
            _UPSERT,
            [
                (*key, one.first_ms, one.last_ms, one.count, one.good, one.fixed_up)
                + (to_text(one.bad), to_text(one.late), one.late_max_ms)
                for key, one in self._cells.items()
            ],
        )
        spans: dict[tuple[int, str], tuple[int, int]] = {}
        for (_, bounded, _, life_id), one in self._cells.items():
            if not bounded:
                key = (life_id, one.ring)
                first_ms, last_ms = spans.get(key, (one.first_ms, one.last_ms))
                spans[key] = min(first_ms, one.first_ms), max(last_ms, one.last_ms)
        self._database.executemany(_SPAN, [(*key, *span) for key, span in spans.items()])
        self._cells.clear()


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
