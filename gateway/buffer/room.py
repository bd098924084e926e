"""How full the bulk ring is, and how long it will last at the pace of the last hour. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.buffer.ring import Ring

WINDOW_MS = 3_600_000  # the pace is that of the last hour: a burst or a silence soon wears off
STEP_MS = 300_000  # between remembered places
SURE_MS = 300_000  # what was stored in less time says little of an hour
_HOUR_MS = 3_600_000


class Room:
    """Looks at `ring` now and then; `fill` is the share of it that holds unconfirmed readings."""

    def __init__(self) -> None:
        self.fill = 0.0
        self.hours_left: float | None = None  # until readings must be evicted; None: unknown
        self._places: list[tuple[int, int]] = []  # (time, bytes ever written), oldest first

    def look(self, ring: Ring, now_ms: int) -> None:
        """Measure anew."""
        used_bytes, room_bytes = unconfirmed_bytes(ring), capacity_bytes(ring)
        self.fill = round(min(used_bytes / room_bytes, 1.0), 2)
        place = now_ms, ring.filled_bytes
        if not self._places or now_ms - self._places[-1][0] >= STEP_MS:
            self._places.append(place)
        while len(self._places) > 1 and now_ms - self._places[1][0] >= WINDOW_MS:
            self._places.pop(0)
        for_ms, written = now_ms - self._places[0][0], place[1] - self._places[0][1]
        self.hours_left = None
        if for_ms >= SURE_MS and written > 0:
            left_ms = max(room_bytes - used_bytes, 0) * for_ms / written
            self.hours_left = round(left_ms / _HOUR_MS, 1)


def capacity_bytes(ring: Ring) -> int:
    """Return how much `ring` takes before it must evict: one file is always spare."""
    return (ring.files_wanted - 1) * ring.segment_bytes


def unconfirmed_bytes(ring: Ring) -> int:
    """Return how much of `ring` the platform has not confirmed, to within a segment's evenness."""
    if ring.cursor + 1 >= ring.next_seq:
        return 0
    index = ring.find(ring.cursor + 1)
    first, last = ring.segments[index].first_seq, ring.last_seq(index)
    behind = ring.tail if index + 1 == len(ring.segments) else ring.segment_bytes
    share = (last - max(ring.cursor, first - 1)) / max(last - first + 1, 1)
    later = len(ring.segments) - 1 - index
    whole = ring.segment_bytes * (later - 1) + ring.tail if later else 0
    return whole + int(behind * share)
