"""A gateway that exists only as packs: readings numbered from 1, one ring, one log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core import cbor
from gateway.core.clock import SYNCED, Stamp
from gateway.core.decimal import decimal
from gateway.core.reading import BULK, CRIT, Batch, Gap, Reading
from gateway.uplink import pack, topics

if TYPE_CHECKING:
    from typing import Any

GW = "330482-0017"
LOG = b"LOG-0001"
WALL_MS = 1_900_800_000_000  # 22 000 days
EVERY_MS = 10_000
UNITS = {"river-3/level": "m", "meter-1/energy": "kWh", "box-1/temperature": "Cel"}


def stamp(_: int, at_ms: int) -> Stamp:
    return Stamp(WALL_MS + at_ms, WALL_MS + at_ms, SYNCED)


def reading(number: int) -> Reading:
    """The reading that number `number` is: two points in turn, each every 10 s."""
    point = ("river-3/level", "meter-1/energy")[number % 2]
    return Reading(point, decimal(1000 + number, -3), number // 2 * EVERY_MS)


def batch(
    first: int,
    count: int,
    low: int = 1,
    log: bytes = LOG,
    ring: str = BULK,
    items: list[Any] | None = None,
) -> Batch:
    kept = items if items is not None else [reading(n) for n in range(first, first + count)]
    return Batch(ring, log, first, low, 1, kept)


def message(
    first: int,
    count: int = 4,
    low: int = 1,
    log: bytes = LOG,
    ring: str = BULK,
    gw: str = GW,
    items: list[Any] | None = None,
) -> tuple[str, bytes]:
    """Topic and payload of the pack `first`..`first + count - 1`, or of `items` from `first`."""
    made = pack.encode(batch(first, count, low, log, ring, items), stamp, gw, UNITS)
    return topics.up(gw, ring), made


def gap(first: int, last: int, ring: str = BULK, log: bytes = LOG, reason: str = "evicted") -> Gap:
    return Gap(ring, log, first, last, last - first + 1, reason)


def gap_message(seq: int, told: Gap) -> tuple[str, bytes]:
    """The pack by which the crit ring tells of a gap."""
    return message(seq, low=seq, log=b"CRIT-001", ring=CRIT, items=[told])


def state(**changes: object) -> tuple[str, bytes]:
    told: dict[str, object] = {
        "state": "online",
        "gw": GW,
        "version": "0.1.0",
        "boot": 7,
        "logs": {BULK: LOG},
        "devices": {"river-3": {"profile": "acme/wl200", "digest": b"12345678"}},
        "points": [["river-3/level", "hydro.level", "m", CRIT, 10_000]],
    }
    told.update(changes)
    return topics.of(GW, topics.STATE), cbor.encode(told)


def health(**counts: int) -> tuple[str, bytes]:
    return topics.of(GW, topics.HEALTH), cbor.encode(counts)
