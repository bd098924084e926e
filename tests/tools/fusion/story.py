"""An hour of one gateway with everything that can go wrong in it, made without chance."""

from __future__ import annotations

from gateway.core.clock import BOUNDED, Stamp
from gateway.core.decimal import decimal
from gateway.core.reading import BULK, CRIT, NO_REPLY, SENTINEL, Reading
from gateway.uplink import pack, topics
from tests.tools.fusion import fake
from tests.tools.fusion.fake import GW, WALL_MS, gap, gap_message, message
from tests.tools.fusion.platform import Platform

HOUR_MS = 3_600_000
NOW = WALL_MS + HOUR_MS + 5_000
POINTS = [
    ["box-1/temperature", "air.temperature", "Cel", BULK, 60_000],
    ["meter-1/energy", "energy.active.import", "kWh", BULK, 60_000],
    ["meter-1/serial", "", "", BULK, 0],
    ["river-3/level", "hydro.level", "m", CRIT, 10_000],
]


def bulk_item(number: int) -> Reading:
    """Minute by minute: the meter, then the box, which stops answering after 40 minutes."""
    minute, which = divmod(number - 1, 2)
    at_ms = minute * 60_000
    if which == 0:
        return Reading("meter-1/energy", decimal(1_234_500 + 25 * minute, -2), at_ms)
    if minute >= 40:
        return Reading("box-1/temperature", None, at_ms, NO_REPLY)
    return Reading("box-1/temperature", decimal(215 + minute % 7, -1), at_ms)


def crit_item(number: int) -> Reading:
    at_ms = (number - 1) * 10_000
    if number == 100:
        return Reading("river-3/level", None, at_ms, SENTINEL)
    return Reading("river-3/level", decimal(1_200 + number, -3), at_ms)


def bulk(first: int, last: int, low: int = 1) -> tuple[str, bytes]:
    return message(first, low=low, items=[bulk_item(n) for n in range(first, last + 1)])


def crit(first: int, last: int, low: int = 1) -> tuple[str, bytes]:
    items = [crit_item(n) for n in range(first, last + 1)]
    return message(first, low=low, log=b"CRIT-001", ring=CRIT, items=items)


def tell() -> Platform:
    """The hour: 120 bulk numbers, 360 of crit and one gap; 4 lost, 6 evicted, 20 waiting."""
    platform = Platform()
    platform.take(fake.state(points=POINTS))
    for first in range(1, 360, 40):
        platform.take(crit(first, first + 39))
    platform.take(bulk(1, 20), bulk(21, 40), bulk(21, 40), bulk(45, 60, low=45))
    told = gap_message(361, gap(61, 66))
    platform.take((told[0], told[1]), bulk(67, 80, low=67), bulk(91, 100, low=81))
    batch = fake.batch(101, 0, low=81, items=[bulk_item(n) for n in range(101, 111)])
    bounds = pack.encode(batch, _bounded, GW, fake.UNITS)
    platform.take((topics.up(GW, BULK), bounds))
    platform.take((topics.up(GW, BULK), b"\xff\x00"), ("sensing/1/x\x1b[2J/up/bulk", b""))
    told_health = fake.health(sampled=480, delivered=440, gaps=10, buffered=30, boot=7)
    platform.take(told_health, now_ms=NOW - 3_000)
    return platform


def _bounded(_: int, at_ms: int) -> Stamp:
    return Stamp(WALL_MS + at_ms, WALL_MS + at_ms + 60_000, BOUNDED)
