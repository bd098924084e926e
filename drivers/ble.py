"""Bluetooth LE sensors: adverts in, Readings out; repeats collapsed, silence told.

Knows profiles, keys and the pace of each channel; asks no radio and no clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.ble_keys import OPENED, Identity, Seal, is_sealed
from drivers.ble_match import Source
from drivers.frames import Frames
from drivers.profile import number
from drivers.profile.image import Image
from drivers.profile.slot import ONCE
from drivers.protocol import advert as adverts
from gateway.core.errors import BadReply, ConfigError
from gateway.core.reading import GOOD, STALE, Reading

if TYPE_CHECKING:
    from typing import Any

    from drivers.profile.map import Map
    from drivers.protocol.advert import Advert
    from gateway.core.reading import Value

RSSI, LAST_SEEN = "rssi", "last_seen"  # channels that every device has, in dBm and s
RADIO_MS = 60_000  # their shortest period: a radio's figures are no measurement
STALE_PERIODS = 3  # without an advert, and its values are stale …
STALE_MIN_MS = 30_000  # … but not before this: adverts are lost, in crowds many in a row
CHANGES_PERIODS = 10  # the same where only changed adverts are heard
BAND_PERIODS = 10  # a value within its dead band is told at least this often
DECODE_COST_MS, DECODE_MOST_MS = 100, 1_000  # 10 changed adverts a second, after a burst of 10


class Sensor:
    """One device of the site: its adverts become Readings at the pace of its channels.

    It is known by its `address`, or by its `identity` key if that changes; `key` opens what it
    seals. `bands`: how much a channel must change to be told. `counts` counts what became of its
    adverts.
    """

    def __init__(
        self,
        name: str,
        map_: Map,
        address: str = "",
        key: bytes = b"",
        identity: bytes = b"",
        bands: dict[str, Any] | None = None,
    ) -> None:
        profile = map_.profile
        self.name = name
        self.map = map_
        self.address = adverts.address(address)
        if address and not self.address:
            raise ConfigError(f"device {name}: {address!r} is no address")
        if not self.address and not identity:
            raise ConfigError(f"device {name} has neither an address nor an identity key")
        self.identity = Identity(identity) if identity else None
        self._format = profile.ble.get("format", "")
        self._seal = Seal(self._format, key) if key else None
        self.source = Source(profile)
        self._frames = Frames(profile, map_.settings)
        self._known: dict[str, Any] = {}
        self._payload: bytes | None = None
        self._credit_ms = DECODE_MOST_MS
        self._credit_at_ms = 0
        self._paces = {one.id: _Pace(one.every_ms) for one in map_.channels if one.readable}
        for channel in bands or {}:
            if channel not in self._paces:
                raise ConfigError(f"device {name}: no channel {channel!r} to have a dead band")
            self._paces[channel].band = (bands or {})[channel]
        shortest = [pace.every_ms for pace in self._paces.values() if pace.every_ms > 0]
        self._radio = {RSSI: _Pace(max(RADIO_MS, min(shortest or [0])))}
        self._radio[LAST_SEEN] = _Pace(self._radio[RSSI].every_ms)
        self.last_ms: int | None = None  # the last sign of life
        self.rssi: int | None = None
        self.counts = dict.fromkeys(
            ("adverts", "decoded", "bad", "unsealed", "replayed", "forged", "no-key", "flooded"), 0
        )

    def heard(self, advert: Advert, now_ms: int) -> list[Reading]:
        """Return the readings an advert of this device brings."""
        self.counts["adverts"] += 1
        payload = self.source.payload(advert, self._payload)
        if payload is None:  # a scan response, or another of its kinds
            return self._alive(advert, now_ms)
        if payload == self._payload:
            # The same counter, or the same values: nothing new but that they still hold.
            found = self._alive(advert, now_ms) if self._seal is None else []
            if self._counted(payload) or not self._due(now_ms):
                return found
            return found + self._decoded(payload, advert, now_ms)
        return self._decoded(payload, advert, now_ms)

    def tick(self, now_ms: int, changes_only: bool = False) -> list[Reading]:
        """Return what silence brings by now: values that are stale, and since when.

        Call it at least every second or so; `changes_only` if unchanged adverts are not reported.
        """
        if self.last_ms is None:
            self.last_ms = now_ms  # it has as long as any other to be heard for the first time
            self._radio[LAST_SEEN].due_ms = now_ms + self._radio[LAST_SEEN].every_ms
        found: list[Reading] = []
        periods = CHANGES_PERIODS if changes_only else STALE_PERIODS
        for channel in sorted(self._paces):
            pace = self._paces[channel]
            since_ms = self.last_ms + max(STALE_MIN_MS, periods * pace.every_ms)
            if pace.every_ms <= 0 or now_ms < since_ms:
                continue
            if pace.due_ms is None and self.counts["decoded"]:
                continue  # a device of this profile that has no such value
            while pace.reached(max(now_ms, since_ms)):
                at_ms = max(since_ms, pace.due_ms or 0)
                found.append(self._reading(channel, None, at_ms, STALE))
                pace.told(at_ms, None)
                pace.stale = True
                if now_ms - at_ms > periods * pace.every_ms:  # asleep meanwhile: not all at once
                    pace.due_ms = now_ms
        pace = self._radio[LAST_SEEN]
        if pace.due(now_ms):
            age = (now_ms - self.last_ms) // 1000
            found.append(self._reading(LAST_SEEN, age, now_ms))
            pace.told(now_ms, age)
        return found

    def _alive(self, advert: Advert, now_ms: int) -> list[Reading]:
        self.last_ms = now_ms
        self.rssi = advert.rssi
        pace = self._radio[RSSI]
        if advert.rssi is None or not pace.due(now_ms):
            return []
        pace.told(now_ms, advert.rssi)
        return [self._reading(RSSI, advert.rssi, now_ms)]

    def _decoded(self, payload: bytes, advert: Advert, now_ms: int) -> list[Reading]:
        if not self._afford(now_ms):
            self.counts["flooded"] += 1
            return []
        plain = payload
        if self._seal is not None:
            own = bytes.fromhex(advert.address.replace(":", ""))
            plain, outcome = self._seal.open(payload, own, now_ms)
            if outcome != OPENED:
                self.counts[outcome] += 1
                return []
        elif is_sealed(self._format, payload):
            self.counts["no-key"] += 1
            return self._alive(advert, now_ms)
        image = Image()
        try:
            self._check_address(plain)
            self._frames.put(image, plain)
        except BadReply:
            # Not only noise: a device may send other kinds of adverts in the same place.
            self.counts["bad"] += 1
            return [] if self._seal is not None else self._alive(advert, now_ms)
        self._payload = payload
        self.counts["decoded"] += 1
        found = self._alive(advert, now_ms)
        for channel, value, quality in self.map.decode(image, self._known):
            pace = self._paces.get(channel)
            if pace is not None and pace.wants(value, now_ms):
                found.append(self._reading(channel, value, now_ms, quality))
                pace.told(now_ms, value)
        return found

    def _check_address(self, plain: bytes) -> None:
        telegram = self._frames.telegram(plain)
        if telegram is None or not telegram.address or not self.address:
            return
        if telegram.address != self.address.replace(":", ""):
            raise BadReply(f"it says it is {telegram.address}", plain)

    def _counted(self, payload: bytes) -> bool:
        """Return whether the payload has a counter, so that the same one is no new measurement."""
        if self._seal is not None or self._format in ("mibeacon", "atc"):
            return True
        return self._format == "bthome" and payload[1:2] == b"\x00"

    def _due(self, now_ms: int) -> bool:
        return bool([True for pace in self._paces.values() if pace.every_ms and pace.due(now_ms)])

    def _afford(self, now_ms: int) -> bool:
        gained = now_ms - self._credit_at_ms
        self._credit_at_ms = now_ms
        self._credit_ms = min(DECODE_MOST_MS, self._credit_ms + gained)
        if self._credit_ms < DECODE_COST_MS:
            return False
        self._credit_ms -= DECODE_COST_MS
        return True

    def _reading(self, channel: str, value: Value, at_ms: int, quality: str = GOOD) -> Reading:
        return Reading(f"{self.name}/{channel}", value, at_ms, quality)


class _Pace:
    """When a channel is to be told next: every period, on its grid; states at once."""

    def __init__(self, every_ms: int) -> None:
        self.every_ms = every_ms
        self.band: Any = None
        self.stale = False
        self.due_ms: int | None = None
        self._value: Value = None
        self._at_ms = 0

    def due(self, now_ms: int) -> bool:
        """Return whether a value would be told now: its time has come, or it was stale."""
        return self.stale or self.reached(now_ms)

    def reached(self, now_ms: int) -> bool:
        """Return whether its time has come."""
        return self.due_ms is None or (self.every_ms != ONCE and now_ms >= self.due_ms)

    def wants(self, value: Value, now_ms: int) -> bool:
        """Return whether a value is to be told: due, a state that changed, or after silence."""
        if self.every_ms < 0:
            return False
        if isinstance(value, (bool, str)) and value != self._value:
            return True
        if not self.due(now_ms):
            return False
        return self.band is None or self._beyond(value, now_ms)

    def told(self, now_ms: int, value: Value) -> None:
        """Note what was told; the next time is on the grid, if that was not missed."""
        self._value = value
        self._at_ms = now_ms
        self.stale = False
        before = now_ms if self.due_ms is None else self.due_ms
        self.due_ms = before + self.every_ms
        if not now_ms < self.due_ms <= now_ms + self.every_ms:
            self.due_ms = now_ms + self.every_ms

    def _beyond(self, value: Any, now_ms: int) -> bool:
        if now_ms - self._at_ms >= BAND_PERIODS * self.every_ms or value is None:
            return True
        if self._value is None or isinstance(value, (bool, str)):
            return bool(value != self._value)
        last: Any = self._value
        higher, lower = number.plus(last, self.band), number.minus(last, self.band)
        if higher is None or lower is None:
            return True
        return number.less(higher, value) or number.less(value, lower)
