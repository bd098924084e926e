"""A storm: broker, gateway and platform killed, stalled and cut off, over and over; all arrives.

The gateway is the real buffer and the real uplink behind a proxy, the platform the reference one,
the broker one that cities run. The account is made from the platform's rows afterwards: a reading's
value is its number in its ring, so a row that is missing, twice or altered is seen.
"""

from __future__ import annotations

import asyncio
import json
import random
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.core.errors import ConfigError, LinkError
from gateway.core.reading import RINGS
from tools.bench.rows import row
from tools.fusion.schema import open_readonly
from tools.sim import brokers, sampler
from tools.sim.process import Stage
from tools.sim.proxy import DEAF, PASS, Proxy

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from typing import Any

READINGS = 20_000
SECONDS = 60.0
FAULTS_PER_MINUTE = 75
REPEATS_PERCENT_MAX = 10
STALL_S = 0.3
DEAF_S = 0.2
# The share of the storm that the gateway is alive and samples: then it lasts as long as the storm.
ALIVE = 0.95
SETTLE_S = 120.0  # everything is whole again; the longest back-off and an ack time-out fit in

BROKER, GATEWAY, PLATFORM, STALL, CUT, DEAFNESS = FAULTS = (
    "broker kill -9",
    "gateway kill -9",
    "platform kill -9",
    "stall",
    "cut",
    "acknowledgements lost, cut",
)
# A broker that needs 11 s to start would be all the storm if it were killed as often as the others.
BROKER_REST_S = {brokers.MOSQUITTO: 0.0, brokers.NATS: 0.0, brokers.RABBITMQ: 25.0}


def run(
    broker: str = brokers.MOSQUITTO, seconds: float = SECONDS, seed: int = 1
) -> list[dict[str, Any]]:
    """Return the figures of one storm; ConfigError if the broker cannot run here."""
    if broker not in brokers.KINDS:
        raise ConfigError(f"--broker {broker}: choose of {', '.join(brokers.KINDS)}")
    total = round(READINGS * seconds / SECONDS)
    with tempfile.TemporaryDirectory() as folder:
        found = storm(Path(folder), broker, seconds, seed, total)
    return [
        row(
            f"delivered of {total}, {broker}, seed {seed}",
            found["delivered"],
            "readings",
            total,
            at_least=True,
        ),
        row("lost", found["lost"], "readings", 0),
        row("altered or out of place", found["altered"], "readings", 0),
        row("twice after de-duplication", found["twice"], "readings", 0),
        row("came again before it", found["repeats_percent"], "%", REPEATS_PERCENT_MAX),
        row("faults a minute", found["faults_per_minute"], "", 60, at_least=True),
        *(row(f"  {kind}", count, "") for kind, count in found["faults"].items()),
        row("from the last fault to the last reading", found["settled_s"], "s"),
    ]


def storm(
    folder: Path,
    kind: str = brokers.MOSQUITTO,
    seconds: float = SECONDS,
    seed: int = 1,
    total: int = READINGS,
) -> dict[str, Any]:
    """Let a storm of `seconds` pass over a stage in `folder`; return its account."""
    with Stage(folder) as stage:
        _, port = brokers.start(kind, stage)
        protocol = brokers.PROTOCOLS[kind]
        place = ("--broker", f"mqtt://127.0.0.1:{port}", "--db", str(folder / "fusion.db"))
        arguments = ("-m", "gateway", "fusion", "run", *place, "--mqtt", protocol)
        stage.python("platform", *arguments)
        rate = round(total / seconds / ALIVE)
        weather = Weather(stage, random.Random(seed), BROKER_REST_S[kind])
        took_s, settled_s = asyncio.run(_pass(stage, port, protocol, weather, seconds, total, rate))
    database = open_readonly(folder / "fusion.db")
    account = compare(database, total)
    database.close()
    return {
        "broker": kind,
        "seed": seed,
        **account,
        "repeats_percent": round(100 * account["repeats"] / total, 1),
        "faults": weather.counts,
        "faults_per_minute": round(sum(weather.counts.values()) * 60 / took_s),
        "settled_s": round(settled_s, 1),
    }


class Weather:
    """Deals faults so that each kind has its turn; what it deals, the dice decide."""

    def __init__(self, stage: Stage, dice: random.Random, broker_rest_s: float) -> None:
        self.counts = dict.fromkeys(FAULTS, 0)
        self._stage = stage
        self._dice = dice
        self._broker_rest_s = broker_rest_s
        self._broker_due_s = broker_rest_s / 10
        self._deck: list[str] = []

    async def strike(self, proxy: Proxy, at_s: float) -> None:
        """Let one fault happen, `at_s` into the storm, and begin to mend it."""
        kind = self._deal(at_s)
        self.counts[kind] += 1
        if kind in (BROKER, GATEWAY, PLATFORM):
            process = self._stage.processes[kind.split()[0]]
            process.kill()
            process.start()
        elif kind == STALL:
            process = self._stage.processes[self._dice.choice(("broker", "gateway", "platform"))]
            process.pause()
            await asyncio.sleep(STALL_S)
            process.resume()
        elif kind == CUT:
            proxy.reset()
        else:
            proxy.mode = DEAF
            await asyncio.sleep(DEAF_S)
            proxy.mode = PASS
            proxy.reset()

    def _deal(self, at_s: float) -> str:
        while True:
            if not self._deck:
                self._deck = list(FAULTS)
                self._dice.shuffle(self._deck)
            kind = self._deck.pop()
            if kind != BROKER:
                return kind
            if at_s >= self._broker_due_s:
                self._broker_due_s = at_s + self._broker_rest_s
                return kind


async def _pass(
    stage: Stage,
    port: int,
    protocol: str,
    weather: Weather,
    seconds: float,
    total: int,
    rate: int,
) -> tuple[float, float]:
    """Let the storm pass; return its seconds, and those until nothing was left to deliver."""
    async with Proxy(port) as proxy:
        url = f"mqtt://127.0.0.1:{proxy.port}"
        buffer = str(stage.directory / "buffer")
        arguments = ("tools.sim.sampler", buffer, url, protocol, str(total), str(rate))
        gateway = stage.python("gateway", "-m", *arguments)
        faults = round(seconds * FAULTS_PER_MINUTE / 60)
        began_s = time.monotonic()
        for number in range(faults):
            at_s = time.monotonic() - began_s
            await asyncio.sleep(max(0.0, (number + 1) * seconds / faults - at_s))
            await weather.strike(proxy, time.monotonic() - began_s)
        calm_s = time.monotonic()

        def whole() -> bool:
            dead = [process for process in stage.processes.values() if not process.alive]
            if dead:
                raise LinkError(f"{dead[0].name} ended by itself: {dead[0].last_words()}")
            return int(_told(gateway.out_path).get("sampled", 0)) >= total

        await _until(whole, SETTLE_S, lambda: f"not all delivered: {gateway.last_words()}")
        return calm_s - began_s, time.monotonic() - calm_s


async def _until(met: Callable[[], bool], seconds: float, what: Callable[[], str]) -> None:
    end_s = time.monotonic() + seconds
    while not met():
        if time.monotonic() > end_s:
            raise LinkError(what())
        await asyncio.sleep(0.05)


def _told(path: Path) -> dict[str, Any]:
    """Return the last whole account in the gateway's output."""
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    whole = [line for line in lines if line.endswith("}\n")]
    found: dict[str, Any] = json.loads(whole[-1]) if whole else {}
    return found


def compare(database: sqlite3.Connection, total: int) -> dict[str, int]:
    """Return what the platform holds of `total` readings whose value is their number."""
    delivered = altered = rows = 0
    for ring, expected in sampler.of_ring(total).items():
        sql = (
            "SELECT count(*), count(DISTINCT value), coalesce(sum(value != seq), 0)"
            " FROM readings JOIN streams USING (stream_id) WHERE ring = ?"
            " AND value BETWEEN 1 AND ?"
        )
        count, distinct, wrong = database.execute(sql, (ring, expected)).fetchone()
        rows += count
        delivered += distinct
        altered += wrong
    everything = _one(database, "SELECT count(*) FROM readings")
    return {
        "total": total,
        "delivered": delivered,
        "lost": total - delivered,
        "altered": altered + everything - rows,
        "twice": rows - delivered,
        "gaps": _one(database, "SELECT count(*) FROM gaps"),
        "holes": _one(database, "SELECT count(*) FROM holes"),
        "streams": _one(database, "SELECT count(*) FROM streams") - len(RINGS),
        "repeats": _one(database, "SELECT coalesce(sum(duplicates), 0) FROM streams"),
    }


def _one(database: sqlite3.Connection, sql: str) -> int:
    return int(database.execute(sql).fetchone()[0])
