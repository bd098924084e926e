"""What a sensor said, and what the buffer hands to the uplink."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.record import Record

if TYPE_CHECKING:
    from typing import TypeAlias

    from gateway.core.decimal import Decimal

    Value: TypeAlias = "bool | int | float | Decimal | str | bytes | None"

GOOD = "good"
NO_REPLY = "no-reply"
BAD_REPLY = "bad-reply"
REFUSED = "refused"
SENTINEL = "sentinel"  # the device itself says "no value"
OUT_OF_RANGE = "out-of-range"
STALE = "stale"
UNIT_CONFLICT = "unit-conflict"

# A quality's place in this list is its number in the buffer: append only.
QUALITIES = (GOOD, NO_REPLY, BAD_REPLY, REFUSED, SENTINEL, OUT_OF_RANGE, STALE, UNIT_CONFLICT)

CRIT = "crit"
BULK = "bulk"
RINGS = (CRIT, BULK)  # in the order the uplink serves them


class Point(Record):
    """One value stream: `name` "device/channel", wire `unit`, `kind` or "", ring, period in ms."""

    __slots__ = ("every_ms", "kind", "name", "ring", "unit")

    def __init__(self, name: str, kind: str, unit: str, ring: str, every_ms: int) -> None:
        self.name = name
        self.kind = kind
        self.unit = unit
        self.ring = ring
        self.every_ms = every_ms


class Reading(Record):
    """One value of one point at `at_ms` (boot-relative); no value is None, `quality` says why."""

    __slots__ = ("at_ms", "point", "quality", "value")

    def __init__(self, point: str, value: Value, at_ms: int, quality: str = GOOD) -> None:
        self.point = point
        self.value = value
        self.at_ms = at_ms
        self.quality = quality


class Gap(Record):
    """`count` readings of `ring` (log `log_id`), sequence `first`..`last`, that will never come.

    `reason` is one of "evicted", "corrupt", "rejected", "overflow".
    """

    __slots__ = ("count", "first", "last", "log_id", "reason", "ring")

    def __init__(
        self, ring: str, log_id: bytes, first: int, last: int, count: int, reason: str
    ) -> None:
        self.ring = ring
        self.log_id = log_id
        self.first = first
        self.last = last
        self.count = count
        self.reason = reason


class Batch(Record):
    """Durable consecutive items of one ring and one boot, the first being number `seq`.

    `items` holds Readings and Gaps, each taking one sequence number; `low` is the lowest number
    the ring still holds, so a platform knows that nothing below it will ever come.
    """

    __slots__ = ("boot", "items", "log_id", "low", "ring", "seq")

    def __init__(
        self, ring: str, log_id: bytes, seq: int, low: int, boot: int, items: list[Reading | Gap]
    ) -> None:
        self.ring = ring
        self.log_id = log_id
        self.seq = seq
        self.low = low
        self.boot = boot
        self.items = items
