"""Bytes on the wire and CPU per reading, and how fast a backlog leaves, through a real broker.

The mix: ten three-phase meters of ten channels each, read every 10 s, values in small steps.
Bytes are those of MQTT 5 with a topic alias, both TCP's and TLS's left out. The platform's
acknowledgements are made here as each PUBACK comes in, so that only the uplink and the broker are
measured; beside them, in the same run, a bare publisher sends packets of the same size.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from gateway.core import aio
from gateway.core.clock import NTP, Anchor, Clock
from gateway.core.decimal import decimal
from gateway.core.reading import BULK, CRIT, Batch, Gap, Reading
from gateway.site import Platform
from gateway.uplink import senml, topics
from gateway.uplink.deflate_cpython import deflate
from gateway.uplink.dictionary import dictionary, identity
from gateway.uplink.lane import ITEMS_MAX, WINDOW
from gateway.uplink.mqtt_cpython import MqttLink, open_link
from gateway.uplink.pack import Packer
from gateway.uplink.uplink import Ear, Uplink
from tools.bench.cpu import process_cpu_s
from tools.bench.rows import row
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
# The design's budgets. Legal records that people can read miss the first: docs/decisions/0022.
PLAIN_BYTES_MAX = 12
DEFLATED_BYTES_MAX = 6
MICROSECONDS_MAX = 6.8  # what the uplink took when packs had 128 readings
REAL_TIME_MIN = 20  # times as fast as 10 readings a second come
RATE = 10


def run() -> list[dict[str, Any]]:
    """Return the figures, with budgets where there are any."""
    plain, deflated = wire_bytes()
    rows: list[dict[str, Any]] = [
        row("bytes per reading, 100 points every 10 s", plain, "B", PLAIN_BYTES_MAX),
        row("the same, deflated", deflated, "B", DEFLATED_BYTES_MAX),
    ]
    for name, squeeze in (("", None), (", deflated", deflate)):
        found = asyncio.run(_drain(squeeze))
        per_s = BACKLOG / found.took_s
        bare = _bare(found.packet_bytes)
        cpu_us = found.cpu_s / BACKLOG * 1e6
        times = row(f"backlog, times 10 readings/s{name}", per_s / RATE, "x", REAL_TIME_MIN)
        rows += [
            row(f"CPU per reading, buffer to socket{name}", cpu_us, "µs", MICROSECONDS_MAX),
            row(f"backlog through a broker{name}", per_s, "readings/s"),
            {**times, "at_least": True},
            row(f"packs through a broker{name}", per_s / ITEMS_MAX, "packs/s"),
            row(f"a bare publisher's packets{name}", bare.per_s, "packets/s"),
            row(f"CPU of the uplink's process{name}", found.cpu_s / found.took_s * 100, "%"),
            row(f"CPU of the broker{name}", found.broker_s / found.took_s * 100, "%"),
            row(f"CPU of the bare publisher{name}", bare.cpu_s / bare.took_s * 100, "%"),
        ]
    return rows


def wire_bytes() -> tuple[float, float]:
    """Return the bytes of one reading, plain and deflated, in packs as full as they get."""
    packer = Packer(GW, UNITS)
    readings: list[Reading | Gap] = list(_readings(CYCLES))
    known = dictionary(_Backlog().birth())
    plain = deflated = count = 0
    while count + ITEMS_MAX <= len(readings):
        items = readings[count : count + ITEMS_MAX]
        batch = Batch(BULK, LOGS[BULK], 123_456 + count, 100_000, 3, items)
        payload = packer.pack(batch, _stamp)
        plain += _publish_bytes(payload, senml.CONTENT_TYPE)
        deflated += _publish_bytes(deflate(payload, known), "")
        count += ITEMS_MAX
    return plain / count, deflated / count


class _Rate:
    """What a publisher did: packets a second, their size, and who worked how long for it."""

    def __init__(self, packets: int, took_s: float, cpu_s: float, broker_s: float) -> None:
        self.per_s = packets / took_s
        self.took_s = took_s
        self.cpu_s = cpu_s
        self.broker_s = broker_s
        self.packet_bytes = 0


def _bare(size: int) -> _Rate:
    """Return how fast paho alone moves packets of `size` bytes, a window of them in flight."""
    count = BACKLOG // ITEMS_MAX
    sent = answered = 0

    def on_publish(*_: object) -> None:
        nonlocal answered
        answered += 1

    with tempfile.TemporaryDirectory() as folder, Stage(Path(folder)) as stage:
        port = free_port()
        found = stage.add(broker.start_broker(port, stage.directory, broker.available()[-1]))
        client = mqtt.Client(CallbackAPIVersion.VERSION2, GW, protocol=mqtt.MQTTv5)
        client.on_publish = on_publish
        client.connect("127.0.0.1", port)
        while not client.is_connected():
            client.loop(timeout=0.01)
        began_s, began_cpu_s = time.monotonic(), time.process_time()
        while answered < count:
            client.loop(timeout=0.01)
            while sent < count and sent - answered < WINDOW:
                client.publish(topics.up(GW, BULK), bytes(size), qos=1)
                sent += 1
        took_s, cpu_s = time.monotonic() - began_s, time.process_time() - began_cpu_s
        broker_s = process_cpu_s(found.pid)
        client.disconnect()
    return _Rate(count, took_s, cpu_s, broker_s)


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
        points = [[name, "", unit, BULK, EVERY_MS] for name, unit in UNITS.items()]
        return {"state": "online", "gw": GW, "logs": LOGS, "points": points}

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
        high = min(self.packs * ITEMS_MAX, BACKLOG)
        ack = topics.Ack(BULK, LOGS[BULK], high, DICTIONARY_ID)
        self.message(topics.of(GW, topics.ACK), topics.encode_ack(ack))


async def _drain(squeeze: Callable[[bytes, bytes], bytes] | None) -> _Rate:
    """Return how BACKLOG readings left."""
    source = _Backlog()
    port = free_port()
    made: list[Uplink] = []
    sizes = 0

    def squeezed(data: bytes, known: bytes) -> bytes:
        nonlocal sizes
        found = squeeze(data, known) if squeeze else data
        sizes += len(found)
        return found

    async def opened(_ear: Ear) -> MqttLink:
        return await open_link(GW, Platform(f"mqtt://127.0.0.1:{port}"), _Answering(made[0]))

    with tempfile.TemporaryDirectory() as folder, Stage(Path(folder)) as stage:
        found = stage.add(broker.start_broker(port, stage.directory, broker.available()[-1]))
        up = Uplink(GW, source, source, UNITS, _stamp, opened, lambda: 0.0, squeezed)
        made.append(up)
        began_s, began_cpu_s = time.monotonic(), time.process_time()
        task = asyncio.create_task(up.run())
        while source.cursors[BULK] < BACKLOG:
            await asyncio.sleep(0.01)
        took_s, cpu_s = time.monotonic() - began_s, time.process_time() - began_cpu_s
        broker_s = process_cpu_s(found.pid)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    rate = _Rate(BACKLOG // ITEMS_MAX, took_s, cpu_s, broker_s)
    rate.packet_bytes = sizes * ITEMS_MAX // BACKLOG
    return rate


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
    """Return the size of a QoS 1 PUBLISH of MQTT 5 (§3.3) whose topic has an alias by now."""
    topic = 2
    properties = 1 + 3 + (3 + len(content_type) if content_type else 0)
    rest = topic + 2 + properties + len(payload)
    return 1 + (1 if rest < 128 else 2 if rest < 16_384 else 3) + rest


UNITS = {
    f"meter-{meter}/{name}": unit
    for meter in range(1, METERS + 1)
    for name, unit, _, _, _ in CHANNELS
}
DICTIONARY_ID = identity(dictionary(_Backlog().birth()))
_CLOCK = Clock(3, [Anchor(3, 0, WALL_MS, 5, NTP)])


def _stamp(boot: int, at_ms: int) -> Any:
    return _CLOCK.wall(boot, at_ms)


if __name__ == "__main__":
    for _made in run():
        sys.stdout.write(f"{_made['figure']:<50} {_made['value']:>10} {_made['unit']}\n")
