"""A gateway without sensors, as a process: the real buffer and uplink, numbered readings.

`python -m tests.tools.fusion.gateway DIRECTORY PORT TOTAL` samples until the buffer has TOTAL
readings, delivers them, and writes its account as a line of JSON once nothing is left.
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
from gateway.core.reading import BULK, CRIT, RINGS, Point, Reading
from gateway.uplink.mqtt_cpython import MQTT_5, open_link
from gateway.uplink.uplink import Ear, Uplink
from tests.tools.fusion.fake import GW, stamp

if TYPE_CHECKING:
    from typing import Any

    from gateway.buffer.buffer import Buffer
    from gateway.uplink.mqtt_cpython import MqttLink

POINTS = [Point("box/alarm", "", "", CRIT, 0), Point("box/level", "", "m", BULK, 20)]
KIB = 1024
SETTINGS = Settings(256 * KIB, 1024 * KIB, 64 * KIB, commit_ms=200)


class Platform:
    """The site's settings, as `open_link` reads them."""

    def __init__(self, port: str) -> None:
        self.url = f"mqtt://127.0.0.1:{port}"
        self.protocol = MQTT_5
        self.ca = self.cert = self.key = self.username = self.password_file = ""


class About:
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


async def main(directory: str, port: str, total: str) -> None:
    buffer = await open_buffer(directory, SETTINGS, POINTS, "0")
    platform = Platform(port)

    async def link(ear: Ear) -> MqttLink:
        return await open_link(GW, platform, ear)

    units = {"box/level": "m"}
    uplink = Uplink(GW, buffer, About(buffer), units, stamp, link, random.random)
    async with aio.TaskGroup() as group:
        group.start(buffer.run())
        group.start(uplink.run())
        group.start(_sample(buffer, int(total)))


async def _sample(buffer: Buffer, total: int) -> None:
    at_ms = 0  # never twice the same, not even after a kill: the clock goes on meanwhile
    while (made := buffer.counts()["sampled"]) < total:
        point, ring = ("box/alarm", CRIT) if made % 10 == 0 else ("box/level", BULK)
        at_ms = max(at_ms + 1, aio.now_ms())
        buffer.add(ring, [Reading(point, made, at_ms)])
        await aio.sleep_ms(2)
    while (counts := buffer.counts())["buffered"]:
        await aio.sleep_ms(50)
    print(json.dumps(counts), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
