"""How full the bulk ring is, and how long it will last: as measured, and as planned. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.record import Record

if TYPE_CHECKING:
    from gateway.buffer.ring import Ring
    from gateway.buffer.store import Settings

WINDOW_MS = 3_600_000  # the pace is that of the last hour: a burst or a silence soon wears off
STEP_MS = 300_000  # between remembered places
SURE_MS = 300_000  # what was stored in less time says little of an hour
OUTAGE_HOURS = 72  # a platform may be away for a long weekend
READING_BYTES = 15  # measured: a 64-bit float; exact decimals take 12, switches 6
RECORD_BYTES = 40  # measured: what a record takes besides its readings
_RECORD_READINGS = 256
_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS


class Capacity(Record):
    """How long a bulk ring of `room_bytes` lasts at so many readings and bytes a day."""

    __slots__ = ("bytes_per_day", "hours", "readings_per_day", "room_bytes")

    def __init__(self, readings_per_day: int, bytes_per_day: int, room_bytes: int) -> None:
        self.readings_per_day = readings_per_day
        self.bytes_per_day = bytes_per_day
        self.room_bytes = room_bytes
        self.hours = round(24 * room_bytes / bytes_per_day, 1) if bytes_per_day else None

    @property
    def shortage(self) -> str:
        """What is wrong with it, with the arithmetic; "" if it lasts OUTAGE_HOURS."""
        if self.hours is None or self.hours >= OUTAGE_HOURS:
            return ""
        needed = self.bytes_per_day * OUTAGE_HOURS // 24
        each = round(self.bytes_per_day / self.readings_per_day, 1)
        return (
            f"the bulk ring holds {self.hours} h of readings, not {OUTAGE_HOURS}:"
            f" {self.readings_per_day} a day of about {each} bytes"
            f" make {_mib(self.bytes_per_day)} MiB a day, it takes {_mib(self.room_bytes)} MiB,"
            f" and {OUTAGE_HOURS} h need {_mib(needed)} MiB"
        )


def capacity(settings: Settings, every_ms: list[int]) -> Capacity:
    """Return how long the bulk ring lasts for points with these periods; 0 is only asked once."""
    readings = sum([_DAY_MS // period_ms for period_ms in every_ms if period_ms])
    shortest_ms = min([period_ms for period_ms in every_ms if period_ms] or [_DAY_MS])
    records = _DAY_MS // max(settings.commit_ms, shortest_ms)
    records = max(records, readings // _RECORD_READINGS)
    needed = readings * READING_BYTES + min(records, readings) * RECORD_BYTES
    files = max(settings.bulk_bytes // settings.segment_bytes, 3)
    return Capacity(readings, needed, (files - 1) * settings.segment_bytes)


def _mib(size_bytes: int) -> float:
    return round(size_bytes / (1 << 20), 1)


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
