"""How much of the last minute a line was in use. Pure: times are arguments."""

from __future__ import annotations

SPAN_US = 60_000_000  # what is said is of so long …
PARTS = 6  # … and is renewed so often in it


class Use:
    """The share of time in which at least a request was under way, of `width` at a time."""

    def __init__(self, width: int = 1) -> None:
        self._width = width
        self._busy_us = [0] * PARTS
        self._part = 0  # the number of the part of time that was added to last
        self._first_us: int | None = None
        self._end_us = 0  # until then all is counted

    def add(self, began_us: int, ended_us: int) -> None:
        """Note that the line was busy; where it was counted as busy already, it is not again."""
        if self._first_us is None:
            self._first_us = began_us
        if self._width == 1:
            began_us = max(began_us, self._end_us)
        self._end_us = max(self._end_us, ended_us)
        self._turn(ended_us)
        self._busy_us[self._part % PARTS] += max(0, ended_us - began_us)

    def share(self, now_us: int) -> float:
        """Return the share of the last minute, 0 to 1; of the time since the start, if less."""
        if self._first_us is None:
            return 0.0
        self._turn(now_us)
        span_us = SPAN_US - SPAN_US // PARTS + now_us % (SPAN_US // PARTS)
        span_us = max(1, min(span_us, now_us - self._first_us))
        return min(1.0, sum(self._busy_us) / self._width / span_us)

    def _turn(self, now_us: int) -> None:
        part = now_us // (SPAN_US // PARTS)
        for passed in range(max(self._part + 1, part - PARTS + 1), part + 1):
            self._busy_us[passed % PARTS] = 0
        self._part = max(self._part, part)
