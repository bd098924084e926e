"""Days of history drained through a real broker into the reference platform, and live values.

Three processes beside this one: the gateway (`draining`), mosquitto and `tidegate fusion run`. This
one subscribes to what a dashboard would, and notes how old each live value was when it came.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from gateway.core import cbor
from gateway.core.clock_cpython import wall_ms
from gateway.core.errors import NoReply
from gateway.core.reading import BULK
from gateway.uplink import pack, senml, topics
from gateway.uplink.deflate_cpython import inflate, is_deflated
from gateway.uplink.dictionary import dictionary, wanted
from gateway.uplink.pack import Sample
from tools.bench import draining
from tools.bench.cpu import process_cpu_s
from tools.bench.rows import row
from tools.bench.uplink import GW
from tools.sim import broker
from tools.sim.broker import MOSQUITTO
from tools.sim.process import Stage, free_port

if TYPE_CHECKING:
    from typing import Any

HOURS = 72.0
REAL_TIME_MIN = 20
LIVE_S_MAX = 2.0
CATCH_UP_S = 3  # for what was measured meanwhile
AFTERWARDS_S = 12  # a bulk commit, and a little
GIVE_UP_S = 3_600


class Dashboard:
    """Hears what the gateway publishes, and the platform's acknowledgements."""

    def __init__(self, port: int) -> None:
        self.live_ms: list[int] = []  # how old each live value was when it came
        self.numbered_ms: list[int] = []  # the same of numbered readings, once they are followed
        self.acked = 0
        self.acks = 0
        self._seen: dict[str, int] = {}
        self._known = b""
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, "dashboard", protocol=mqtt.MQTTv5)
        self._client.on_message = self._hear
        self._client.connect("127.0.0.1", port)
        for kind in (topics.STATE, topics.NOW, topics.ACK):
            self._client.subscribe(topics.of(GW, kind), 1)

    def listen(self) -> None:
        """Take what came."""
        self._client.loop(timeout=0.05)

    def listen_for(self, seconds: float) -> None:
        """Take what comes."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            self.listen()

    def follow(self) -> None:
        """Hear the numbered readings too."""
        self._client.subscribe(topics.up(GW, BULK), 1)

    def close(self) -> None:
        self._client.disconnect()

    def _hear(self, _: object, __: object, message: mqtt.MQTTMessage) -> None:
        now_ms, payload = wall_ms(), bytes(message.payload)
        _, kind, ring = topics.split(message.topic)
        if kind == topics.STATE:
            self._known = dictionary(cbor.decode(payload))
        elif kind == topics.ACK:
            ack = topics.decode_ack(payload)
            self.acks += 1
            self.acked = max(self.acked, ack.seq if ack.ring == BULK else 0)
        elif kind == topics.NOW:
            for sample in pack.decode_snapshot(payload):
                if self._seen.get(sample.point) != sample.low_ms:
                    self._seen[sample.point] = sample.low_ms
                    self.live_ms.append(now_ms - sample.low_ms)
        elif ring == BULK:
            if is_deflated(payload):
                known = self._known if wanted(payload) is not None else b""
                payload = inflate(payload, senml.PACK_BYTES_MAX, known)
            items = pack.decode(payload).items
            self.numbered_ms += [now_ms - one.low_ms for one in items if isinstance(one, Sample)]


def run(hours: float = HOURS) -> list[dict[str, Any]]:
    """Return how fast `hours` of history left, how old live values were, and who was the limit."""
    with tempfile.TemporaryDirectory() as folder, Stage(Path(folder)) as stage:
        began_s = time.monotonic()
        backlog = asyncio.run(draining.fill(f"{folder}/buffer", hours))
        filled_s = time.monotonic() - began_s
        port = free_port()
        processes = {"broker": stage.add(broker.start_broker(port, stage.directory, MOSQUITTO))}
        url, database = f"mqtt://127.0.0.1:{port}", f"{folder}/fusion.db"
        told: tuple[str, ...] = (
            "-m",
            "gateway",
            "fusion",
            "run",
            "--broker",
            url,
            "--db",
            database,
        )
        processes["platform"] = stage.python("fusion", *told)
        dashboard = Dashboard(port)
        began_s = time.monotonic()
        told = ("-m", "tools.bench.draining", f"{folder}/buffer", str(port))
        processes["gateway"] = stage.python("gateway", *told)
        while dashboard.acked < backlog:
            dashboard.listen()
            if time.monotonic() - began_s > GIVE_UP_S:
                raise NoReply(f"{dashboard.acked} of {backlog} readings after an hour")
        took_s = time.monotonic() - began_s
        busy = {name: process_cpu_s(one.pid) / took_s for name, one in processes.items()}
        live_ms = sorted(dashboard.live_ms)
        acks = dashboard.acks
        dashboard.listen_for(CATCH_UP_S)
        dashboard.follow()
        dashboard.listen_for(AFTERWARDS_S)
        dashboard.close()
        arrived = _arrived(database, backlog)
    rate = backlog / took_s
    measured = int(took_s * draining.READINGS_PER_S)
    return [
        row(f"readings, {hours:g} h at {draining.READINGS_PER_S}/s", backlog, ""),
        row("of them the platform holds, each once", arrived, "", backlog, at_least=True),
        row("stored at", backlog / filled_s, "readings/s"),
        row("drained in", took_s, "s"),
        row("drained at", rate, "readings/s"),
        row("times real time", rate / draining.READINGS_PER_S, "x", REAL_TIME_MIN, at_least=True),
        row("live values meanwhile, of those measured", len(live_ms) / measured * 100, "%"),
        row("their age, 99 of 100", live_ms[len(live_ms) * 99 // 100] / 1000, "s", LIVE_S_MAX),
        row("their age, the worst", live_ms[-1] / 1000, "s", LIVE_S_MAX),
        row("numbered readings afterwards, the oldest", max(dashboard.numbered_ms) / 1000, "s"),
        *[row(f"CPU of the {name}", share * 100, "%") for name, share in busy.items()],
        row("commits the platform acknowledged", acks / took_s, "acks/s"),
    ]


def _arrived(database: str, backlog: int) -> int:
    """Return how many numbers of the history the platform has as readings."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as rows:
        found: int = rows.execute(
            "SELECT count(*) FROM readings JOIN streams USING (stream_id)"
            " WHERE ring = 'bulk' AND seq <= ?",
            (backlog,),
        ).fetchone()[0]
    return found
