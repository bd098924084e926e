"""From boot-relative time to wall time, and how far it can be trusted.

Readings carry (boot, milliseconds since boot). An anchor ties one such moment to the wall clock;
nothing stored is ever rewritten: wall time is worked out when a pack is made.
Knows no clock of its own: every moment is an argument.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.buggify import buggify
from gateway.core.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable

SYNCED = "synced"  # the anchor came before the reading
FIXED_UP = "fixed-up"  # the anchor came later in the same boot
BOUNDED = "bounded"  # no anchor in that boot, or only an unset battery clock: two bounds

NTP = "ntp"  # the kernel says it is synchronised
SYSTEM = "system"  # the site says the system clock can be trusted
RTC = "rtc"  # a clock that was set once; its error is a bound, not a quality

# Before this the clock was never set: no copy of this program is older.
FLOOR_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z
UNKNOWN_MS = 253_402_300_799_999  # the end of 9999: as a latest time, nobody knows

STEP_MS = 500  # the wall clock moved against the boot clock by more than any slewing does
REFRESH_MS = 3_600_000  # hourly, so that drift stays below 360 ms at 100 ppm
DRIFT = 2_000  # a boot clock nobody corrects runs wrong by one part in so many, at most: 500 ppm
ANCHORS_MAX = 256  # ten days of hourly anchors; the oldest go first


class Anchor(Record):
    """At boot `boot`, `at_ms` since boot, the wall clock stood at `wall_ms` (Unix) ± `error_ms`."""

    __slots__ = ("at_ms", "boot", "error_ms", "source", "wall_ms")

    def __init__(self, boot: int, at_ms: int, wall_ms: int, error_ms: int, source: str) -> None:
        self.boot = boot
        self.at_ms = at_ms
        self.wall_ms = wall_ms
        self.error_ms = error_ms
        self.source = source


class Stamp(Record):
    """Wall time between `low_ms` and `high_ms` (Unix); equal unless `quality` is "bounded"."""

    __slots__ = ("high_ms", "low_ms", "quality")

    def __init__(self, low_ms: int, high_ms: int, quality: str) -> None:
        self.low_ms = low_ms
        self.high_ms = high_ms
        self.quality = quality


class Clock:
    """The anchors known, of this boot and of earlier ones."""

    def __init__(self, boot: int, anchors: Iterable[Anchor] = ()) -> None:
        self.boot = boot
        self.anchors: list[Anchor] = list(anchors)

    def observe(self, at_ms: int, wall_ms: int, error_ms: int, source: str) -> Anchor | None:
        """Take a trusted wall time; return the anchor to store if it tells something new."""
        last = self._last(self.boot)
        if last is not None:
            step_ms = (wall_ms - last.wall_ms) - (at_ms - last.at_ms)
            fresh = at_ms - last.at_ms < REFRESH_MS and source == last.source
            if fresh and abs(step_ms) <= STEP_MS and not buggify("anchor-early"):
                return None
        anchor = Anchor(self.boot, at_ms, wall_ms, error_ms, source)
        self.anchors.append(anchor)
        self.anchors[:-ANCHORS_MAX] = []
        return anchor

    def wall(self, boot: int, at_ms: int) -> Stamp:
        """Return when `at_ms` of `boot` was, as far as anchors tell."""
        nearest: Anchor | None = None
        for anchor in self.anchors:
            if anchor.boot != boot:
                continue
            mends = nearest is not None and nearest.source == RTC != anchor.source
            if nearest is None or anchor.at_ms <= at_ms or mends:
                nearest = anchor
        if nearest is None:
            return self._bounded(boot)
        quality, error_ms = (SYNCED if nearest.at_ms <= at_ms else FIXED_UP), 0
        if nearest.source == RTC:
            quality, error_ms = BOUNDED, nearest.error_ms
            for anchor in self.anchors:
                if anchor.boot == boot and anchor.source != RTC and anchor.at_ms <= at_ms:
                    # Since then somebody may have set the clock; the time since boot only drifts.
                    nearest = anchor
                    error_ms = anchor.error_ms + (at_ms - anchor.at_ms) // DRIFT + 1
        wall_ms = nearest.wall_ms + at_ms - nearest.at_ms
        return Stamp(wall_ms - error_ms, wall_ms + error_ms, quality)

    def _bounded(self, boot: int) -> Stamp:
        low_ms = max(_vouched([anchor for anchor in self.anchors if anchor.boot < boot], -1) or [0])
        later = _vouched([anchor for anchor in self.anchors if anchor.boot > boot], 1)
        # Of what contradicts the earliest time, one clock was wrong: it bounds nothing. Nor does
        # the clock of the moment: it may have been set wrong since somebody looked at it.
        high_ms = min([one for one in later if one >= low_ms] or [UNKNOWN_MS])
        return Stamp(low_ms, high_ms, BOUNDED)

    def _last(self, boot: int) -> Anchor | None:
        for anchor in reversed(self.anchors):
            if anchor.boot == boot:
                return anchor
        return None


def _vouched(anchors: list[Anchor], sign: int) -> list[int]:
    """Return the wall times that bound; of battery clocks only if there is nothing better."""
    good = [anchor.wall_ms for anchor in anchors if anchor.source != RTC]
    return good or [anchor.wall_ms + sign * anchor.error_ms for anchor in anchors]
