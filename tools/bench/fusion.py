"""How fast the reference platform commits: without a broker, and behind one.

The figures are of one machine; the ratios between few and many packs a commit, and with and without
the sums behind completeness, are not.
"""

from __future__ import annotations

import datetime as dt
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.core.clock import SYNCED, Stamp
from gateway.core.decimal import decimal
from gateway.core.reading import BULK, Batch, Gap, Reading
from gateway.uplink import topics
from gateway.uplink.pack import Packer
from tools.fusion import complete, schema
from tools.fusion.days import Days, local_date
from tools.fusion.ingest import Ingest
from tools.fusion.migrate import QUARTER_MS
from tools.fusion.tally import Tally
from tools.sim import broker
from tools.sim.process import Stage, free_port

if TYPE_CHECKING:
    import sqlite3
    from typing import Any

GW = "330482-0017"
LOG = b"benchlog"
POINTS = [f"meter-{number // 10}/value-{number % 10}" for number in range(100)]
READINGS = 64  # in a pack
PACKS = 1_000
WINDOW = 20  # packs in flight, as the uplink has them
WALL_MS = 1_900_800_000_000
DAYS = 30  # of the report on completeness
TURNS = 5  # by which two ways are compared, in turn


def packs(count: int) -> list[bytes]:
    """Return `count` packs of consecutive readings of 100 points."""
    packer = Packer(GW, dict.fromkeys(POINTS, "kWh"))
    made = []
    for number in range(count):
        first = number * READINGS + 1
        items: list[Reading | Gap] = [
            Reading(POINTS[n % 100], decimal(100_000 + n, -2), n * 100)
            for n in range(first, first + READINGS)
        ]
        made.append(packer.pack(Batch(BULK, LOG, first, 1, 1, items), _stamp))
    return made


def run() -> list[dict[str, Any]]:
    """Return readings per second and CPU microseconds per reading, by situation."""
    made = packs(PACKS)
    found = {
        f"{READINGS} readings a commit": _ingest(made, 1),
        f"{WINDOW * READINGS} readings a commit": _ingest(made, WINDOW),
        "nothing but duplicates": _ingest(made[:1] * PACKS, WINDOW),
    }
    for kind in broker.available():
        found[f"through {kind}"] = _through(kind, made)
    rows: list[dict[str, Any]] = []
    for situation, (per_s, cpu_us) in found.items():
        rows.append({"figure": f"committed, {situation}", "value": per_s, "unit": "readings/s"})
        rows.append({"figure": f"CPU, {situation}", "value": cpu_us, "unit": "µs/reading"})
    for count in (1, WINDOW):
        share = _sums_share(made[: PACKS // 4], count)
        name = f"CPU of the sums behind completeness, {count * READINGS} readings a commit"
        rows.append({"figure": name, "value": share, "unit": "% more"})
    took_s, read = _report()
    name = f"completeness of {len(POINTS)} points over {DAYS} days, {read:,} readings"
    rows.append({"figure": name, "value": took_s, "unit": "s"})
    return rows


class _NoTally(Tally):
    """Counts nothing: what ingest cost before there was completeness."""

    def add(self, *_: Any) -> None:
        """Take readings."""

    def flush(self) -> None:
        """Write nothing."""


def _sums_share(made: list[bytes], packs_per_commit: int) -> float:
    """Return by how many percent the sums make ingest dearer, each way at its best."""
    with_us, without_us = [], []
    for _ in range(TURNS):
        with_us.append(_ingest(made, packs_per_commit)[1])
        without_us.append(_ingest(made, packs_per_commit, sums=False)[1])
    return round((min(with_us) / min(without_us) - 1) * 100, 1)


def _report() -> tuple[float, int]:
    """Return the seconds of a report over many days, and how many readings it is about."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "fusion.db"
        _fill(schema.create_or_open(path))
        database = schema.open_readonly(path)
        first = local_date(WALL_MS, "UTC")
        days = Days("UTC", first, first + dt.timedelta(days=DAYS - 1))
        start_s = time.perf_counter()
        found = complete.report(database, days.to_ms, days)
        return round(time.perf_counter() - start_s, 2), found["due"]


def _fill(database: sqlite3.Connection) -> None:
    """Write the sums of every point read every 10 s, now and then with one that failed."""
    end_ms = WALL_MS + DAYS * 86_400_000
    late = " ".join(f"{step}:9" for step in range(3, 13))
    database.execute("BEGIN")
    database.execute(
        "INSERT INTO gateways VALUES (1, ?, 'online', '1', 1, ?, ?, 0)", (GW, WALL_MS, end_ms)
    )
    database.execute("INSERT INTO lives VALUES (1, 1, 1, 1, 'first', '1', ?)", (WALL_MS,))
    database.execute("INSERT INTO spans VALUES (1, ?, ?, ?)", (BULK, WALL_MS, end_ms - 10_000))
    for point, name in enumerate(POINTS):
        database.execute(
            "INSERT INTO points VALUES (?, 1, ?, 'kWh', '', ?, 10000, ?)",
            (point, name, BULK, WALL_MS),
        )
        database.execute("INSERT INTO periods VALUES (?, 1, 10000)", (point,))
        database.executemany(
            "INSERT INTO quarters VALUES (?, 0, ?, 1, ?, ?, 90, ?, 0, ?, ?, 9000)",
            [
                (point, at_ms // QUARTER_MS, at_ms, at_ms + 890_000)
                + ((89, "no-reply:1", late) if at_ms // QUARTER_MS % 20 == 3 else (90, "", late))
                for at_ms in range(WALL_MS, end_ms, QUARTER_MS)
            ],
        )
    database.execute("COMMIT")


def _ingest(made: list[bytes], packs_per_commit: int, sums: bool = True) -> tuple[int, float]:
    topic = topics.up(GW, BULK)
    with tempfile.TemporaryDirectory() as directory:
        ingest = Ingest(schema.create_or_open(Path(directory) / "fusion.db"))
        if not sums:
            ingest.tally = _NoTally(ingest.store.database)
        start_s, cpu_s = time.perf_counter(), time.process_time()
        for number, payload in enumerate(made, 1):
            ingest.receive(topic, payload, WALL_MS)
            if number % packs_per_commit == 0:
                ingest.commit(WALL_MS)
        ingest.commit(WALL_MS)
        return _rates(time.perf_counter() - start_s, time.process_time() - cpu_s, len(made))


def _through(kind: str, made: list[bytes]) -> tuple[int, float]:
    import paho.mqtt.client as mqtt
    from paho.mqtt.enums import CallbackAPIVersion

    acked = 0

    def on_message(_: mqtt.Client, __: object, message: mqtt.MQTTMessage) -> None:
        nonlocal acked
        acked = max(acked, topics.decode_ack(bytes(message.payload)).seq)

    with tempfile.TemporaryDirectory() as directory, Stage(Path(directory)) as stage:
        port = free_port()
        stage.add(broker.start_broker(port, stage.directory, kind))
        database = stage.directory / "fusion.db"
        url = f"mqtt://127.0.0.1:{port}"
        fusion = stage.python(
            "fusion", "-m", "gateway", "fusion", "run", "--broker", url, "--db", str(database)
        )
        client = mqtt.Client(CallbackAPIVersion.VERSION2, GW, protocol=mqtt.MQTTv5)
        client.on_message = on_message
        client.connect("127.0.0.1", port)
        client.subscribe(topics.of(GW, topics.ACK), 1)
        sent, start_s = 0, time.perf_counter()
        while acked < len(made) * READINGS:
            client.loop(timeout=0.01)
            quiet = acked == 0 and sent > 0 and time.perf_counter() - start_s > 0.5
            if quiet:  # the platform was not there yet: begin again, and with the clock
                sent, start_s = 0, time.perf_counter()
            while sent < len(made) and sent * READINGS - acked < WINDOW * READINGS:
                client.publish(topics.up(GW, BULK), made[sent], qos=1)
                sent += 1
        took_s = time.perf_counter() - start_s
        cpu_s = _cpu_s(fusion.pid)
        client.disconnect()
    return _rates(took_s, cpu_s, len(made))


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100  # user and system, in ticks of 10 ms


def _rates(took_s: float, cpu_s: float, count: int) -> tuple[int, float]:
    readings = count * READINGS
    return round(readings / took_s), round(cpu_s / readings * 1e6, 1)


def _stamp(_: int, at_ms: int) -> Stamp:
    return Stamp(WALL_MS + at_ms, WALL_MS + at_ms, SYNCED)
