"""A gateway with history: fills a buffer with hours of it, and then delivers while it goes on.

`python -m tools.bench.draining DIRECTORY PORT` is the gateway of `tidegate bench drain`: the real
buffer, session and connection, and ten meters of ten channels, one of them read every second.
"""

from __future__ import annotations

import asyncio
import random
import sys
from typing import TYPE_CHECKING

from gateway import __version__
from gateway.buffer.store import Settings
from gateway.buffer.writer_cpython import open_buffer
from gateway.core import aio
from gateway.core.clock import NTP, Anchor, Clock
from gateway.core.clock_cpython import wall_ms
from gateway.core.decimal import decimal
from gateway.core.reading import BULK, RINGS, Point, Reading
from gateway.site import Platform
from gateway.uplink.deflate_cpython import deflate
from gateway.uplink.mqtt_cpython import open_link
from gateway.uplink.uplink import Uplink
from tools.bench.uplink import CHANNELS, EVERY_MS, GW, METERS, UNITS

if TYPE_CHECKING:
    from typing import Any

    from gateway.buffer.buffer import Buffer
    from gateway.core.clock import Stamp
    from gateway.uplink.uplink import Ear, Link

SETTINGS = Settings(bulk_bytes=256 * 1024 * 1024)
POINTS = [Point(name, "", unit, BULK, EVERY_MS) for name, unit in UNITS.items()]
TURN_MS = EVERY_MS // METERS  # between two meters
READINGS_PER_S = len(POINTS) * 1000 // EVERY_MS
HOUR_MS = 3_600_000
_COMMIT_TURNS = 300  # 3 000 readings at once, as many as the buffer takes into RAM


class Meters:
    """Readings of one meter after the other, values in small steps."""

    def __init__(self) -> None:
        self._chance = random.Random(1)
        self._turn = 0

    def read(self, at_ms: int) -> list[Reading]:
        """Return the readings of the meter whose turn it is."""
        meter = self._turn % METERS + 1
        self._turn += 1
        return [
            Reading(
                f"meter-{meter}/{name}",
                decimal(middle + self._chance.randint(-step, step), exponent),
                at_ms,
            )
            for name, _, middle, exponent, step in CHANNELS
        ]


async def fill(directory: str, hours: float) -> int:
    """Store `hours` of history that end now, with an anchor each hour; return the readings."""
    buffer = await open_buffer(directory, SETTINGS, POINTS, __version__)
    writer = asyncio.create_task(buffer.run())
    meters = Meters()
    turns = int(hours * HOUR_MS) // TURN_MS
    began_ms = wall_ms() - turns * TURN_MS
    for turn in range(turns):
        at_ms = turn * TURN_MS
        if at_ms % HOUR_MS == 0:
            buffer.anchor(Anchor(buffer.boot, at_ms, began_ms + at_ms, 5, NTP))
        buffer.add(BULK, meters.read(at_ms))
        if turn % _COMMIT_TURNS == 0:
            await buffer.commit()
    await buffer.commit()
    writer.cancel()
    held = buffer.last(BULK)
    await buffer.close()
    return held


class Gateway:
    """What the agent says of itself, and its one live source."""

    def __init__(self, buffer: Buffer, port: int) -> None:
        self.buffer = buffer
        self._clock = Clock(buffer.boot, buffer.anchors())
        anchor = self._clock.observe(aio.now_ms(), wall_ms(), 5, NTP)
        assert anchor is not None
        buffer.anchor(anchor)
        self._latest: dict[str, Reading] = {}
        self._platform = Platform(f"mqtt://127.0.0.1:{port}")

    async def run(self) -> None:
        """Measure, store and deliver until killed."""
        chance = random.random
        up = Uplink(
            *(GW, self.buffer, self, UNITS, self._stamp, self._open, chance, deflate),
            deflate_early=False,
        )
        async with aio.TaskGroup() as group:
            group.start(self.buffer.run())
            group.start(up.run())
            group.start(self._measure())

    def birth(self) -> dict[str, Any]:
        return {
            "state": "online",
            "gw": GW,
            "version": __version__,
            "boot": self.buffer.boot,
            "logs": {ring: self.buffer.log_id(ring) for ring in RINGS},
            "devices": {},
            "points": [[one.name, one.kind, one.unit, one.ring, one.every_ms] for one in POINTS],
        }

    def latest(self) -> list[Reading]:
        return list(self._latest.values())

    def health(self) -> dict[str, Any]:
        found: dict[str, Any] = self.buffer.counts()
        return found

    async def _measure(self) -> None:
        meters = Meters()
        due_ms = aio.now_ms()
        while True:
            readings = meters.read(aio.now_ms())
            self.buffer.add(BULK, readings)
            self._latest.update({one.point: one for one in readings})
            due_ms += TURN_MS
            await aio.sleep_ms(max(0, due_ms - aio.now_ms()))

    def _stamp(self, boot: int, at_ms: int) -> Stamp:
        return self._clock.wall(boot, at_ms)

    async def _open(self, ear: Ear) -> Link:
        return await open_link(GW, self._platform, ear)


async def _main(directory: str, port: str) -> None:
    await Gateway(await open_buffer(directory, SETTINGS, POINTS, __version__), int(port)).run()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:3]))
