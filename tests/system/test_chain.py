"""Buffer, uplink, broker and platform as processes; each is killed in the stream."""

from __future__ import annotations

import json
import random
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.missing import missing
from tools.fusion import report, schema
from tools.sim import broker as brokers
from tools.sim.process import Process, Stage, free_port

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system

TOTAL = 3_000
KILLS = ("gateway", "fusion", "broker", "fusion", "gateway")
DEADLINE_S = 150.0


@pytest.mark.parametrize("kind", brokers.KINDS)
def test_chain_accounts_for_every_reading_whichever_link_is_killed(
    tmp_path: Path, kind: str
) -> None:
    if kind not in brokers.available():
        missing(kind, "pip install iotcore, apt-get install mosquitto")
    chance = random.Random(17)
    with Stage(tmp_path) as stage:
        port = free_port()
        stage.add(brokers.start_broker(port, tmp_path, kind))
        url, database = f"mqtt://127.0.0.1:{port}", str(tmp_path / "fusion.db")
        stage.python("fusion", "-m", "gateway", "fusion", "run", "--broker", url, "--db", database)
        directory = str(tmp_path / "buffer")
        module = "tests.tools.fusion.gateway"
        gateway = stage.python("gateway", "-m", module, directory, str(port), str(TOTAL))
        for name in KILLS:
            time.sleep(chance.uniform(0.8, 1.5))
            stage.processes[name].kill()
            stage.processes[name].start()
        told = delivered(gateway)
        account = platform_account(tmp_path)
    assert told["sampled"] >= TOTAL
    assert account["arrived"] + account["gaps"] == told["sampled"]
    assert (account["lost"], account["before"], account["waiting"]) == (0, 0, 0)
    assert values_are_distinct(tmp_path)


def delivered(gateway: Process) -> dict[str, int]:
    """Wait until the gateway has nothing left, and return its account."""
    gateway.until(
        lambda: gateway.out_path.stat().st_size > 0, "deliver everything", seconds=DEADLINE_S
    )
    found: dict[str, int] = json.loads(gateway.out_path.read_text().splitlines()[-1])
    return found


def platform_account(directory: Path) -> report.Document:
    database = schema.open_readonly(directory / "fusion.db")
    found = report.report(database, 0)["gateways"][0]["account"]
    database.close()
    return found


def values_are_distinct(directory: Path) -> bool:
    database = schema.open_readonly(directory / "fusion.db")
    all_, distinct = database.execute(
        "SELECT count(*), count(DISTINCT at_ms) FROM readings"
    ).fetchone()
    database.close()
    return bool(all_ == distinct)
