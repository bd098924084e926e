"""All adverts of one place: those of the site's devices become Readings, strangers are listed.

A foreign advert costs a few looks into tables, however many devices and profiles there are, and
nothing a stranger sends takes more room or time than what is named here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.ble_keys import changing
from gateway.core.errors import ConfigError
from gateway.core.record import Record

if TYPE_CHECKING:
    from typing import Any

    from drivers.ble import Sensor
    from drivers.ble_match import Matcher
    from drivers.protocol.advert import Advert
    from gateway.core.reading import Reading

STRANGERS_MAX = 64  # listed where nobody says more, and addresses known to be nobody's: 15 kB
OWN_MAX = 4  # addresses kept of each device that changes its own; it has one at a time
NEW_COST_MS, NEW_MOST_MS = 50, 1_000  # 20 new strangers a second, after a burst of 20
RESOLVE_COST_MS, RESOLVE_MOST_MS = 10, 1_000  # 100 looks a second at one more key, 70 µs each
NOTHING: list[Reading] = []


class Stranger(Record):
    """A device that no site file names: how it looks, and when it was heard."""

    __slots__ = ("address", "adverts", "first_ms", "last_ms", "likely", "name", "rssi")

    def __init__(self, advert: Advert, likely: list[str], now_ms: int) -> None:
        self.address = advert.address
        self.name = advert.name
        self.rssi = advert.rssi
        self.likely = likely
        self.first_ms = self.last_ms = now_ms
        self.adverts = 1


class Listener:
    """The site's `sensors`, and a `matcher` that says which strangers are worth listing.

    `heard` counts all adverts, `foreign` those of others; `unlisted` found no room in time.
    """

    def __init__(
        self,
        sensors: list[Sensor],
        matcher: Matcher | None = None,
        strangers_max: int = STRANGERS_MAX,
    ) -> None:
        self.sensors = sensors
        self.changes_only = False  # the radio reports an advert again only if it changed
        self.adverts = self.foreign = self.unlisted = 0
        self._matcher = matcher
        self._by_address: dict[str, Sensor] = {}
        for sensor in sensors:
            if sensor.address in self._by_address:
                other = self._by_address[sensor.address].name
                raise ConfigError(f"device {sensor.name}: {sensor.address} is {other!r} already")
            if sensor.address:
                self._by_address[sensor.address] = sensor
        self._keyed = [sensor for sensor in sensors if sensor.identity is not None]
        self._owned: dict[str, Sensor] = {}  # addresses that change, and whose they are
        self._nobodys: set[str] = set()
        self._resolve_budget = _Budget(RESOLVE_COST_MS, RESOLVE_MOST_MS)
        self._strangers_max = strangers_max
        self._strangers: dict[str, Stranger] = {}
        self._new_budget = _Budget(NEW_COST_MS, NEW_MOST_MS)

    def heard(self, advert: Advert, now_ms: int) -> list[Reading]:
        """Return the readings that an advert brings: none if it is of a stranger."""
        self.adverts += 1
        sensor = self._by_address.get(advert.address)
        if sensor is None and self._keyed:
            sensor = self._owner(advert.address, now_ms)
        if sensor is not None:
            return sensor.heard(advert, now_ms)
        self.foreign += 1
        if self._matcher is not None:
            self._note(self._matcher, advert, now_ms)
        return NOTHING

    def tick(self, now_ms: int) -> list[Reading]:
        """Return what silence brings by now; call it every second or so."""
        found: list[Reading] = []
        for sensor in self.sensors:
            found += sensor.tick(now_ms, self.changes_only)
        return found

    def strangers(self) -> list[Stranger]:
        """Return the strangers that look like one of our profiles, the strongest first."""
        return sorted(self._strangers.values(), key=lambda one: (-(one.rssi or -128), one.address))

    def facts(self) -> dict[str, Any]:
        """Return what the health message says of the air here."""
        return {
            "adverts": self.adverts,
            "foreign": self.foreign,
            "strangers": len(self._strangers),
            "unlisted": self.unlisted,
            "devices": {sensor.name: dict(sensor.counts) for sensor in self.sensors},
        }

    def _owner(self, address: str, now_ms: int) -> Sensor | None:
        """Return the device that a changing address belongs to, None if to none of ours."""
        if address in self._owned:
            return self._owned[address]
        if address in self._nobodys:
            return None
        digits = bytes.fromhex(address.replace(":", ""))
        if not changing(digits) or not self._resolve_budget.afford(now_ms, len(self._keyed)):
            return None  # it will be heard again
        for sensor in self._keyed:
            if sensor.identity is not None and sensor.identity.is_mine(digits):
                if len(self._owned) >= OWN_MAX * len(self._keyed):
                    self._owned = {}  # found again at once
                self._owned[address] = sensor
                return sensor
        if len(self._nobodys) >= self._strangers_max:
            self._nobodys = set()  # addresses live for minutes: all of them are soon worth nothing
        self._nobodys.add(address)
        return None

    def _note(self, matcher: Matcher, advert: Advert, now_ms: int) -> None:
        known = self._strangers.get(advert.address)
        if known is not None:
            known.adverts += 1
            known.last_ms = now_ms
            known.rssi = advert.rssi
            known.name = advert.name or known.name
            return
        if not self._new_budget.has(now_ms):
            self.unlisted += 1
            return
        likely = matcher.likely(advert)
        if not likely:
            return
        self._new_budget.afford(now_ms, 1)
        if len(self._strangers) >= self._strangers_max:
            oldest = min(self._strangers.values(), key=lambda one: (one.last_ms, one.address))
            del self._strangers[oldest.address]
        self._strangers[advert.address] = Stranger(advert, likely, now_ms)


class _Budget:
    """So much of something per time, and a burst."""

    def __init__(self, cost_ms: int, most_ms: int) -> None:
        self._cost_ms = cost_ms
        self._most_ms = self._left_ms = most_ms
        self._at_ms = 0

    def has(self, now_ms: int, count: int = 1) -> bool:
        """Return whether `count` may be had now; of more than a burst, a burst is enough."""
        self._left_ms = min(self._most_ms, self._left_ms + now_ms - self._at_ms)
        self._at_ms = now_ms
        return self._left_ms >= min(count * self._cost_ms, self._most_ms)

    def afford(self, now_ms: int, count: int) -> bool:
        """Take `count` if they may be had; return whether they could."""
        if not self.has(now_ms, count):
            return False
        self._left_ms -= min(count * self._cost_ms, self._most_ms)
        return True
