"""A scripted gateway: readings by the clock, numbered as a buffer would, and what became of them.

Time is in seconds after MIDNIGHT (UTC); nothing happens by chance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core import cbor
from gateway.core.clock import BOUNDED, SYNCED, Stamp
from gateway.core.reading import BULK, CRIT, GOOD, Batch, Gap, Reading
from gateway.uplink import pack, topics
from tests.tools.fusion.fake import GW
from tests.tools.fusion.platform import Platform
from tools.fusion import complete
from tools.fusion.days import Days, local_date

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tools.fusion.complete import Document

MIDNIGHT_MS = 1_900_800_000_000
HOUR, DAY = 3_600, 86_400
LEVEL, METER, DOOR = "river-3/level", "meter-1/energy", "door-1/open"
UNITS = {LEVEL: "m", METER: "kWh", DOOR: ""}
LOGS = {CRIT: b"CRIT-001", BULK: b"BULK-001"}


class History:
    """Writes packs of both rings into a platform, in the order of its calls."""

    def __init__(self, path: Path | None = None) -> None:
        self.platform = Platform(path)
        self.boot = 0
        self.size = 60  # readings in a pack
        self.logs = dict(LOGS)
        self.next = {CRIT: 1, BULK: 1}

    def birth(self, at_s: float, ended: str | None, **periods_s: int) -> None:
        """Start the next life, whose points are due every so many seconds."""
        self.boot += 1
        self.tell(at_s, ended, **periods_s)

    def tell(self, at_s: float, ended: str | None, **periods_s: int) -> None:
        """Send the birth certificate of this life."""
        names = {"level": LEVEL, "meter": METER, "door": DOOR}
        told = {
            "state": "online",
            "gw": GW,
            "version": "1",
            "boot": self.boot,
            "logs": self.logs,
            "devices": {},
            "points": [
                [names[key], "", UNITS[names[key]], BULK, every_s * 1000]
                for key, every_s in periods_s.items()
            ],
        }
        if ended is not None:
            told["ended"] = ended
        self.send(topics.of(GW, topics.STATE), cbor.encode(told), at_s)

    def send(self, topic: str, payload: bytes, at_s: float) -> None:
        self.platform.take((topic, payload), now_ms=MIDNIGHT_MS + int(at_s * 1000))

    def read(
        self,
        point: str,
        times_s: Iterable[float],
        quality: str = GOOD,
        *,
        late_s: float = 5,
        ring: str = BULK,
        lose: bool = False,
        bounds_s: tuple[float, float] | None = None,
    ) -> tuple[int, int]:
        """Take readings; a pack arrives `late_s` after its last, or never. Return numbers."""
        times = list(times_s)
        first = self.next[ring]
        for start in range(0, len(times), self.size):
            part = times[start : start + self.size]
            value = None if quality != GOOD else 1
            items = [Reading(point, value, int(at * 1000), quality) for at in part]
            if not lose:
                self._pack(ring, list(items), part[-1] + late_s, bounds_s)
            self.next[ring] += len(part)
        return first, self.next[ring] - 1

    def together(self, points: dict[str, int], from_s: int, to_s: int, **how: object) -> None:
        """Read several points, each every so many seconds, in the order of time."""
        times = sorted(
            (at, point) for point, every in points.items() for at in range(from_s, to_s, every)
        )
        lose, late_s = how.get("lose", False), how.get("late_s", 5)
        assert isinstance(late_s, int)
        for start in range(0, len(times), self.size):
            part = times[start : start + self.size]
            if not lose:
                items = [Reading(point, 1, at * 1000) for at, point in part]
                self._pack(BULK, list(items), part[-1][0] + late_s, None)
            self.next[BULK] += len(part)

    def gap(self, at_s: float, first: int, last: int, reason: str, count: int = 0) -> None:
        """Say that `first`..`last` will never come."""
        told = Gap(BULK, self.logs[BULK], first, last, count or last - first + 1, reason)
        self._pack(CRIT, [told], at_s, None)
        self.next[CRIT] += 1

    def report(self, now_s: float, days: int = 1, tz: str = "UTC") -> Document:
        """Return the document of the first `days` days."""
        first = local_date(MIDNIGHT_MS, tz)
        last = local_date(MIDNIGHT_MS + (days - 1) * DAY * 1000, tz)
        now_ms = MIDNIGHT_MS + int(now_s * 1000)
        return complete.report(self.platform.database, now_ms, Days(tz, first, last))

    def missing(self, now_s: float, point: str = LEVEL, day: int = 0) -> dict[str, object]:
        """Return (due, delivered, missing) of a point and day; the sums are checked on the way."""
        found = check(self.report(now_s, day + 1))
        one = next(p for p in found["gateways"][0]["points"] if p["point"] == point)
        name = found["days"][day]
        of_day = next(d for d in one["days"] if d["day"] == name)
        return {name: of_day[name] for name in ("due", "delivered", "missing")}

    def _pack(
        self,
        ring: str,
        items: list[Reading | Gap],
        at_s: float,
        bounds_s: tuple[float, float] | None,
    ) -> None:
        def stamp(_: int, at_ms: int) -> Stamp:
            if bounds_s is None:
                return Stamp(MIDNIGHT_MS + at_ms, MIDNIGHT_MS + at_ms, SYNCED)
            low, high = (MIDNIGHT_MS + int(bound * 1000) for bound in bounds_s)
            return Stamp(low, high, BOUNDED)

        batch = Batch(ring, self.logs[ring], self.next[ring], 1, self.boot, items)
        made = pack.encode(batch, stamp, GW, UNITS)
        self.send(topics.up(GW, ring), made, at_s)


def check(document: Document) -> Document:
    """Assert that every sum is what its parts are, at every level; return the document."""
    seen = 0
    for gateway in document["gateways"]:
        for one in [gateway, *gateway["days"], *gateway["points"]]:
            for day in [one, *(one["days"] if "point" in one else [])]:
                causes = sum(sum(reasons.values()) for reasons in day["missing"].values())
                if day["due"] is not None:
                    assert day["due"] == day["delivered"] + causes, day
                    seen += 1
        for name in ("due", "delivered"):
            whole = gateway[name]
            assert whole == sum(day[name] for day in gateway["days"])
            due = [one for one in gateway["points"] if one["due"] is not None]
            assert whole == sum(one[name] for one in due)
            assert whole == sum(day[name] for one in due for day in one["days"])
    assert seen or not document["gateways"]
    return document
