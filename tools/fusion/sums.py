"""The sums of a point and day, or of many of them, and how they are told. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.reading import (
    BAD_REPLY,
    NO_REPLY,
    OUT_OF_RANGE,
    REFUSED,
    SENTINEL,
    STALE,
    UNIT_CONFLICT,
)
from tools.fusion.tally import LATE_STEPS_MS, PROMPT_MS, counts_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from tools.fusion.slots import Why

# Why a reading that was due is not there, in the order in which they are shown.
BUS, SENSOR, POWER, CRASH, OPERATOR = "bus", "sensor", "power", "crash", "operator"
BUDGET, STORAGE, REJECTED, CONSENT = "budget", "storage", "rejected", "consent"
BUFFERED, UNKNOWN = "buffered", "unknown"
CAUSES = (
    *(BUS, SENSOR, POWER, CRASH, OPERATOR, BUDGET, STORAGE, REJECTED, CONSENT),
    *(BUFFERED, UNKNOWN),
)

CAUSE_OF = {
    # qualities of readings without a value
    **dict.fromkeys((NO_REPLY, BAD_REPLY, REFUSED, STALE, UNIT_CONFLICT), BUS),
    **dict.fromkeys((SENTINEL, OUT_OF_RANGE), SENSOR),
    # reasons of gaps
    **dict.fromkeys(("evicted", "overflow", "thinned"), BUDGET),
    "corrupt": STORAGE,
    "rejected": REJECTED,
    "consent": CONSENT,
    "operator": OPERATOR,
}


class Sums:
    """What came and what did not. due = delivered + everything under `missing`, always."""

    __slots__ = (
        "arrived",
        "bounded",
        "extra",
        "fixed_up",
        "good",
        "late",
        "late_max_ms",
        "missing",
    )

    def __init__(self) -> None:
        self.arrived = 0  # readings, whatever their quality
        self.good = 0  # good values, whatever was due
        self.extra = 0  # of them, more than were due
        self.fixed_up = 0
        self.bounded = 0
        self.missing: dict[Why, int] = {}
        self.late: dict[int, int] = {}  # by step
        self.late_max_ms = 0

    @property
    def delivered(self) -> int:
        """Good values that were due."""
        return self.good - min(self.extra, self.good)

    @property
    def due(self) -> int:
        """All that should have come."""
        return self.delivered + sum(self.missing.values())

    def add_row(self, bounded: int, row: Sequence[Any]) -> None:
        """Add (count, good, fixed-up, bad, late, latest) of a quarter of an hour."""
        count, good, fixed_up, bad, late, late_max_ms = row
        self.arrived += count
        self.good += good
        self.fixed_up += fixed_up
        if bounded:
            self.bounded += count
        if bad:
            for word, number in counts_of(bad).items():
                self.miss((CAUSE_OF.get(word, UNKNOWN), word), number)
        for step, number in counts_of(late).items():
            self.late[int(step)] = self.late.get(int(step), 0) + number
        self.late_max_ms = max(self.late_max_ms, late_max_ms)

    def miss(self, why: Why, count: int) -> None:
        """Note that `count` are missing."""
        self.missing[why] = self.missing.get(why, 0) + count

    def more(self, count: int) -> None:
        """Note that `count` came that were not due."""
        self.extra += count

    def add(self, other: Sums) -> None:
        """Add the sums of others."""
        self.arrived += other.arrived
        self.good += other.good
        self.extra += other.extra
        self.fixed_up += other.fixed_up
        self.bounded += other.bounded
        for why, count in other.missing.items():
            self.miss(why, count)
        for step, count in other.late.items():
            self.late[step] = self.late.get(step, 0) + count
        self.late_max_ms = max(self.late_max_ms, other.late_max_ms)

    def document(self) -> dict[str, Any]:
        """Return the sums as the report tells them."""
        missing: dict[str, dict[str, int]] = {}
        for cause in CAUSES:
            reasons = {why[1]: n for why, n in sorted(self.missing.items()) if why[0] == cause}
            if reasons:
                missing[cause] = reasons
        return {
            "due": self.due,
            "delivered": self.delivered,
            "complete": percent(self.delivered, self.due),
            "missing": missing,
            "extra": self.extra,
            "clock": {
                "synced": self.arrived - self.fixed_up - self.bounded,
                "fixed-up": self.fixed_up,
                "bounded": self.bounded,
            },
            "latency": self._latency(),
        }

    def _latency(self) -> dict[str, Any] | None:
        """Return after how long the readings came, each to the end of its step."""
        whole = sum(self.late.values())
        if not whole:
            return None
        prompt = sum(n for step, n in self.late.items() if _step_ms(step) <= PROMPT_MS)
        return {
            "p50_ms": self._percentile(whole * 50),
            "p95_ms": self._percentile(whole * 95),
            "p99_ms": self._percentile(whole * 99),
            "max_ms": self.late_max_ms,
            "prompt": percent(prompt, whole),
        }

    def _percentile(self, hundredfold: int) -> int:
        seen = 0
        for step in sorted(self.late):
            seen += self.late[step]
            if seen * 100 >= hundredfold:
                return min(_step_ms(step), self.late_max_ms)
        return self.late_max_ms


def _step_ms(step: int) -> int:
    return LATE_STEPS_MS[step] if step < len(LATE_STEPS_MS) else 1 << 60


def percent(part: int, whole: int) -> float | None:
    """Return a percentage cut, not rounded: 100 means all."""
    return part * 100_000 // whole / 1000 if whole else None
