"""Local days as ranges of Unix time. Knows time zones by the names of the IANA database."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from bisect import bisect_right

from tools.fusion.migrate import QUARTER_MS

DAYS_MAX = 400  # of one report
UTC = "UTC"


class Days:
    """The local days `first`..`last`, each from midnight to midnight in the zone `tz`."""

    def __init__(self, tz: str, first: dt.date, last: dt.date) -> None:
        zone = zone_of(tz)
        self.tz = tz
        count = (last - first).days + 1
        if count < 1:
            raise ValueError(f"{first} is after {last}")
        if count > DAYS_MAX:
            raise ValueError(f"{first} to {last} are {count} days, not 1 to {DAYS_MAX}")
        dates = [first + dt.timedelta(days=number) for number in range(count + 1)]
        # Historic zones had odd offsets; sums are kept by quarters of an hour.
        self.starts_ms = [
            _midnight_ms(date, zone) // QUARTER_MS * QUARTER_MS for date in dates
        ]  # and the end
        self.names = [date.isoformat() for date in dates[:-1]]

    @property
    def from_ms(self) -> int:
        """When the first day begins."""
        return self.starts_ms[0]

    @property
    def to_ms(self) -> int:
        """When the last day has ended."""
        return self.starts_ms[-1]

    def index(self, at_ms: int) -> int:
        """Return the number of the day in which `at_ms` lies: -1 before all, their count after."""
        return bisect_right(self.starts_ms, at_ms) - 1


def zone_of(name: str) -> dt.tzinfo:
    """Return the zone called `name`; ValueError if there is none."""
    if name == UTC:
        return dt.UTC  # also on a machine without the IANA database
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, OSError, ValueError):
        raise ValueError(f"no time zone {name!r} on this machine")


def local_date(at_ms: int, tz: str) -> dt.date:
    """Return the local date of a moment."""
    return dt.datetime.fromtimestamp(at_ms / 1000, zone_of(tz)).date()


def day_end_ms(at_ms: int, tz: str) -> int:
    """Return when the local day of a moment ends."""
    date = local_date(at_ms, tz) + dt.timedelta(days=1)
    return _midnight_ms(date, zone_of(tz)) // QUARTER_MS * QUARTER_MS


def _midnight_ms(date: dt.date, zone: dt.tzinfo) -> int:
    midnight = dt.datetime.combine(date, dt.time(), zone)
    return int(midnight.timestamp()) * 1000
