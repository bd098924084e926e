"""Bytes on the wire and CPU per reading, and how fast a backlog leaves, through a real broker.

The mix: ten three-phase meters of ten channels each, read every 10 s, values in small steps.
Bytes are those of MQTT, both TCP's and TLS's left out. The platform's acknowledgements are made
here as each PUBACK comes in, so that only the uplink and the broker are measured.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.core import aio
from gateway.core.clock import NTP, Anchor, Clock
from gateway.core.decimal import decimal
from gateway.core.reading import BULK, CRIT, Batch, Gap, Reading
from gateway.site import Platform
from gateway.uplink import senml, topics
from gateway.uplink.deflate_cpython import deflate
from gateway.uplink.lane import ITEMS_MAX
from gateway.uplink.mqtt_cpython import MqttLink, open_link
from gateway.uplink.pack import Packer
from gateway.uplink.uplink import DEFLATED, Ear, Uplink
from tools.sim import broker
from tools.sim.process import Stage, free_port

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

GW = "330482-0017"
LOGS = {CRIT: b"\x71\x0c\xe5\x90\x3a\x18\x6d\x02", BULK: b"\x93\x12\xa4\x55\x01\xee\x8f\x10"}
WALL_MS = 1_800_000_000_123
CHANNELS = (  # name, unit, middle mantissa, exponent, largest step
    *((f"voltage_l{phase}", "V", 23_000, -2, 40) for phase in (1, 2, 3)),
    *((f"current_l{phase}", "A", 1_234, -2, 60) for phase in (1, 2, 3)),
    ("power_active", "W", 8_123, 0, 300),
    ("power_reactive", "var", 812, 0, 60),
    ("frequency", "Hz", 5_000, -2, 2),
    ("energy_import", "kWh", 1_234_567, -2, 3),
)
METERS = 10
CYCLES = 60  # ten minutes
EVERY_MS = 10_000
EXCHANGE_MS = 97  # between two meters of a bus
BACKLOG = 100_000  # readings drained for the speed figures
# The design's budgets. A legal record with its full name misses both: docs/decisions/0022.
PLAIN_BYTES_MAX = 12
DEFLATED_BYTES_MAX = 6
MICROSECONDS_MAX = 25  # the whole way, of which the uplink is the last third


def run() -> list[dict[str, Any]]:
    """Return the figures, with budgets where there are any."""
    plain, deflated = wire_bytes()
    rows: list[dict[str, Any]] = [
        _row("bytes per reading, 100 points every 10 s", plain, "B", PLAIN_BYTES_MAX),
        _row("the same, deflated", deflated, "B", DEFLATED_BYTES_MAX),
    ]
    for name, squeeze in (("", None), (", deflated", deflate)):
        seconds, cpu_s = asyncio.run(_drain(squeeze))
        rows += [
            _row(f"CPU per reading, buffer to socket{name}", cpu_s * 1e6, "µs", MICROSECONDS_MAX),
            _row(f"backlog through a broker{name}", BACKLOG / seconds, "readings/s"),
            _row(f"packs through a broker{name}", BACKLOG / ITEMS_MAX / seconds, "packs/s"),
        ]
    return rows


def wire_bytes() -> tuple[float, float]:
    """Return the bytes of one reading, plain and deflated, one pack a cycle."""
    packer = Packer(GW, UNITS)
    readings: list[Reading | Gap] = list(_readings(CYCLES))
    points = len(UNITS)
    plain = deflated = 0
    for cycle in range(CYCLES):
        seq = 123_456 + cycle * points
        batch = Batch(BULK, LOGS[BULK], seq, 100_000, 3, readings[cycle * points :][:points])
        payload = packer.pack(batch, _stamp)
        plain += _publish_bytes(payload, senml.CONTENT_TYPE)
        deflated += _publish_bytes(deflate(payload), DEFLATED)
    return plain / len(readings), deflated / len(readings)


class _Backlog:
    """A source that holds BACKLOG durable readings."""

    boot = 3

    def __init__(self) -> None:
        self.changed = aio.Event()
        self.cursors = {CRIT: 0, BULK: 0}
        self._readings = _readings(CYCLES)

    def log_id(self, ring: str) -> bytes:
        return LOGS[ring]

    def cursor(self, ring: str) -> int:
        return self.cursors[ring]

    def last(self, ring: str) -> int:
        return BACKLOG if ring == BULK else 0

    def acked(self, ring: str, _log_id: bytes, seq: int) -> None:
        self.cursors[ring] = seq

    async def reject(self, ring: str, seq: int, reason: str) -> None:
        raise AssertionError((ring, seq, reason))

    async def next_batch(
        self, ring: str, after_seq: int, readings_max: int, _bytes_max: int
    ) -> Batch | None:
        count = min(readings_max, self.last(ring) - after_seq)
        if count <= 0:
            return None
        at = after_seq % (len(self._readings) - ITEMS_MAX)
        items: list[Reading | Gap] = list(self._readings[at : at + count])
        return Batch(ring, LOGS[ring], after_seq + 1, self.cursors[ring] + 1, self.boot, items)

    def birth(self) -> dict[str, Any]:
        return {"state": "online"}

    def latest(self) -> list[Reading]:
        return self._readings[: len(UNITS)]

    def health(self) -> dict[str, Any]:
        return {}


class _Answering(Ear):
    """Acknowledges a pack as the platform would, when its PUBACK comes."""

    packs = 0
    announcements = 3  # state, now, health

    def puback(self, token: int, code: int) -> None:
        super().puback(token, code)
        if self.announcements:
            self.announcements -= 1
            return
        self.packs += 1
        ack = topics.Ack(BULK, LOGS[BULK], min(self.packs * ITEMS_MAX, BACKLOG))
        self.message(topics.of(GW, topics.ACK), topics.encode_ack(ack))


async def _drain(squeeze: Callable[[bytes], bytes] | None) -> tuple[float, float]:
    """Return the seconds for BACKLOG readings, and the CPU seconds of this process for each."""
    source = _Backlog()
    port = free_port()
    made: list[Uplink] = []

    async def opened(_ear: Ear) -> MqttLink:
        return await open_link(GW, Platform(f"mqtt://127.0.0.1:{port}"), _Answering(made[0]))

    with tempfile.TemporaryDirectory() as folder, Stage(Path(folder)) as stage:
        stage.add(broker.start_broker(port, stage.directory, broker.available()[-1]))
        up = Uplink(GW, source, source, UNITS, _stamp, opened, lambda: 0.0, squeeze)
        made.append(up)
        began_s, began_cpu_s = time.monotonic(), time.process_time()
        task = asyncio.create_task(up.run())
        while source.cursors[BULK] < BACKLOG:
            await asyncio.sleep(0.01)
        took_s, cpu_s = time.monotonic() - began_s, time.process_time() - began_cpu_s
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return took_s, cpu_s / BACKLOG


def _readings(cycles: int) -> list[Reading]:
    chance = random.Random(1)
    middles = {
        f"meter-{meter}/{name}": int(middle * chance.uniform(0.9, 1.1))
        for meter in range(1, METERS + 1)
        for name, _, middle, _, _ in CHANNELS
    }
    found = []
    for cycle in range(cycles):
        for meter in range(1, METERS + 1):
            at_ms = cycle * EVERY_MS + meter * EXCHANGE_MS
            for name, _, _, exponent, step in CHANNELS:
                point = f"meter-{meter}/{name}"
                value = decimal(middles[point] + chance.randint(-step, step), exponent)
                found.append(Reading(point, value, at_ms))
    return found


def _publish_bytes(payload: bytes, content_type: str) -> int:
    """Return the size of a QoS 1 PUBLISH of MQTT 5 (§3.3)."""
    topic = 2 + len(topics.up(GW, BULK))
    properties = 1 + 3 + len(content_type)
    rest = topic + 2 + properties + len(payload)
    return 1 + (1 if rest < 128 else 2 if rest < 16_384 else 3) + rest


def _row(figure: str, value: float, unit: str, budget: float | None = None) -> dict[str, Any]:
    row: dict[str, Any] = {"figure": figure, "value": round(value, 1), "unit": unit}
    if budget is not None:
        row["budget"] = budget
    return row


UNITS = {
    f"meter-{meter}/{name}": unit
    for meter in range(1, METERS + 1)
    for name, unit, _, _, _ in CHANNELS
}
_CLOCK = Clock(3, [Anchor(3, 0, WALL_MS, 5, NTP)])


def _stamp(boot: int, at_ms: int) -> Any:
    return _CLOCK.wall(boot, at_ms, WALL_MS)


if __name__ == "__main__":
    for _made in run():
        sys.stdout.write(f"{_made['figure']:<50} {_made['value']:>10} {_made['unit']}\n")
