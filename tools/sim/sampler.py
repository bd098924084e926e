"""A gateway without sensors, as a process: the real buffer and the real uplink, numbered readings.

`python -m tools.sim.sampler BUFFER URL PROTOCOL TOTAL PER_SECOND` samples TOTAL readings, a tenth
of them in crit, and writes its account as a line of JSON once nothing is left. The value of a
reading is its number in its ring: whoever finds another beside that number has found an error.
A start goes on behind what is durable, as what was only in RAM was never sampled.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from typing import TYPE_CHECKING

from gateway.buffer.store import Settings
from gateway.buffer.writer_cpython import open_buffer
from gateway.core import aio
from gateway.core.clock import NTP, Anchor, Clock
from gateway.core.clock_cpython import wall_ms
from gateway.core.reading import BULK, CRIT, RINGS, Point, Reading
from gateway.site import Platform
from gateway.uplink.mqtt_cpython import open_link
from gateway.uplink.uplink import Uplink

if TYPE_CHECKING:
    from typing import Any

    from gateway.buffer.buffer import Buffer
    from gateway.uplink.uplink import Ear, Link

GW = "330482-0017"
LEVELS = 10
ALARM = Point("gate-1/open", "", "", CRIT, 0)
POINTS = [ALARM, *(Point(f"river-{n}/level", "", "m", BULK, 100) for n in range(LEVELS))]
SETTINGS = Settings(1 << 20, 8 << 20, 1 << 18, commit_ms=200)
TURN_MS = 20
LOOK_MS = 50


def of_ring(total: int) -> dict[str, int]:
    """Return how many of `total` readings are sampled in each ring."""
    return {CRIT: total // 10, BULK: total - total // 10}


class About:
    """What this gateway says of itself."""

    def __init__(self, buffer: Buffer) -> None:
        self._buffer = buffer

    def birth(self) -> dict[str, Any]:
        points = [[p.name, p.kind, p.unit, p.ring, p.every_ms] for p in POINTS]
        logs = {ring: self._buffer.log_id(ring) for ring in RINGS}
        told = {"state": "online", "gw": GW, "version": "0", "boot": self._buffer.boot}
        return {**told, "logs": logs, "devices": {}, "points": points}

    def latest(self) -> list[Reading]:
        return []

    def health(self) -> dict[str, Any]:
        return self._buffer.counts()


async def main(directory: str, url: str, protocol: str, total: str, per_second: str) -> None:
    """Sample, deliver, tell, and stay until killed."""
    buffer = await open_buffer(directory, SETTINGS, POINTS, "0")
    platform = Platform(url, protocol)

    async def link(ear: Ear) -> Link:
        return await open_link(GW, platform, ear)

    # One zero for all lives: the wall clock, as in boots that a city's clock tells.
    anchor = Anchor(buffer.boot, aio.now_ms(), wall_ms(), 5, NTP)
    clock = Clock(buffer.boot, [anchor])

    def stamp(_: int, at_ms: int) -> Any:
        return clock.wall(buffer.boot, at_ms)

    units = {point.name: point.unit for point in POINTS if point.unit}
    uplink = Uplink(GW, buffer, About(buffer), units, stamp, link, random.random)
    async with aio.TaskGroup() as group:
        group.start(buffer.run())
        group.start(uplink.run())
        group.start(_sample(buffer, of_ring(int(total)), int(per_second)))
        group.start(_tell(buffer, of_ring(int(total))))


async def _sample(buffer: Buffer, totals: dict[str, int], per_second: int) -> None:
    made = {ring: buffer.last(ring) for ring in RINGS}
    share = {ring: per_second * totals[ring] / sum(totals.values()) / 1000 for ring in RINGS}
    began_ms, began = aio.now_ms(), dict(made)
    while made != totals:
        now_ms = aio.now_ms()
        for ring in RINGS:
            due = min(totals[ring], began[ring] + int((now_ms - began_ms) * share[ring]))
            numbers = range(made[ring] + 1, due + 1)
            buffer.add(ring, [Reading(_point(ring, n), n, now_ms) for n in numbers])
            made[ring] = due
        await aio.sleep_ms(TURN_MS)


async def _tell(buffer: Buffer, totals: dict[str, int]) -> None:
    while any(buffer.cursor(ring) < totals[ring] for ring in RINGS) or buffer.counts()["buffered"]:
        await aio.sleep_ms(LOOK_MS)
    print(json.dumps(buffer.counts()), flush=True)
    await asyncio.Event().wait()


def _point(ring: str, number: int) -> str:
    return ALARM.name if ring == CRIT else POINTS[1 + number % LEVELS].name


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
