"""What records have in common, said once: names by device, times by exchange.

Base fields hold until they are replaced (RFC 8428 §4.1). Knows one record's labels; what a
pack is, and its numbers, is `pack`'s business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.clock import BOUNDED, FIXED_UP, SYNCED
from gateway.core.decimal import decimal
from gateway.core.reading import Gap
from gateway.uplink import senml

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from gateway.core.clock import Stamp
    from gateway.core.reading import Reading

    # (boot, boot-relative ms) → when that was
    Stamper: TypeAlias = Callable[[int, int], Stamp]

URN = "urn:dev:tidegate:"
# Labels of ours; RFC 8428 §4.4 lets every reader pass over them.
CLOCK, HIGH_TIME, UPTIME = "clk", "thi", "up"
CLOCKS = (SYNCED, FIXED_UP, BOUNDED)  # from best to worst
EARLIEST_MS = senml.ABSOLUTE_S * 1000  # 1978-07-04: below it SenML would read "relative to now"
# A device's own base name takes some 40 bytes, and pays once so many of its readings follow each
# other; an exchange's own base time takes 14, instead of 7 in each record.
DEVICE_RUN_MIN = 5
SHARED_MIN = 3

# RFC 8798 table 2; a pack that uses one must say version 26 (RFC 9100 §4).
_SECONDARY = (
    " ms min h MHz kW kVA kvar Ah Wh kWh varh kvarh kVAh Wh/km KiB GB Mbit/s B/s MB/s mV mA dBm "
    "ug/m3 mm/h m/h ppm /100 /1000 hPa mm cm km km/h "
)


class Head:
    """What is the same in every record of a point, encoded once.

    `short` is to follow the base name of its device, `long` that of the gateway; both end with the
    unit, and are `count` fields with it.
    """

    __slots__ = ("count", "device", "is_secondary", "long", "short")

    def __init__(self, gw: str, point: str, unit: str) -> None:
        if not senml.is_name(f"{URN}{point}"):
            raise ValueError(f"point {point!r} is no SenML name")
        device, channel = split(point)
        told = senml.field(senml.UNIT, unit) if unit else b""
        self.device = senml.field(senml.BASE_NAME, f"{URN}{gw}:{device}")
        self.short = senml.field(senml.NAME, channel) + told
        self.long = senml.field(senml.NAME, point) + told
        self.count = 2 if unit else 1
        self.is_secondary = is_secondary(unit)


class Times:
    """Who needs a time: readings of one exchange share it, and a base time holds until replaced.

    `shared` are the fields that all readings of the moment `at_ms` need.
    """

    def __init__(self, items: list[Reading | Gap], boot: int, stamp: Stamper) -> None:
        self.at_ms = -1
        self.shared: list[bytes] = []
        self._items = items
        self._boot = boot
        self._stamp = stamp
        self._base_ms = -1
        self._first_ms: int | None = None
        self._clock = 0

    def moved(self, place: int, item: Reading) -> list[bytes]:
        """Go on to the moment of `item`, which stands at `place`; return a base time if it pays."""
        self.at_ms = item.at_ms
        at = self._stamp(self._boot, item.at_ms)
        low_ms = max(at.low_ms, EARLIEST_MS)
        self._clock = max(self._clock, CLOCKS.index(at.quality))
        self.shared, bases = [], []
        if self._first_ms is None:
            self._first_ms = self._base_ms = low_ms  # record 1 says it, whatever stands there
        elif low_ms != self._base_ms and self._is_shared(place + SHARED_MIN - 1):
            self._base_ms = low_ms
            bases.append(_base_time(low_ms))
        elif low_ms != self._base_ms:
            self.shared.append(senml.field(senml.TIME, decimal(low_ms - self._base_ms, -3)))
        if at.quality == BOUNDED:
            high_ms = max(low_ms, at.high_ms)
            self.shared.append(senml.field(HIGH_TIME, decimal(high_ms, -3)))
            self.shared.append(senml.field(UPTIME, decimal(item.at_ms, -3)))
        return bases

    def opening(self) -> list[bytes]:
        """Return the fields of the first record that speak for all."""
        found = [senml.field(CLOCK, CLOCKS[self._clock])] if self._clock else []
        if self._first_ms is not None:
            found.append(_base_time(self._first_ms))
        return found

    def _is_shared(self, place: int) -> bool:
        if place >= len(self._items):
            return False
        item = self._items[place]
        return not isinstance(item, Gap) and item.at_ms == self.at_ms


def split(point: str) -> tuple[str, str]:
    """Return what a base name may take of a point's name, the device with its stroke, and rest."""
    device, stroke, channel = point.partition("/")
    return (device + stroke, channel) if channel else ("", point)


def is_secondary(unit: str) -> bool:
    """Return whether `unit` is one of RFC 8798's, which a pack must declare."""
    return f" {unit} " in _SECONDARY


def changes(heads: list[Head]) -> int:
    """Return how often a device follows on another one, the first included."""
    device, found = b"", 0
    for head in heads:
        if head.device != device:
            device = head.device
            found += 1
    return found


def _base_time(at_ms: int) -> bytes:
    return senml.field(senml.BASE_TIME, decimal(at_ms, -3))
