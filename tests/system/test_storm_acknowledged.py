"""What a broker acknowledged and lost comes again: only the platform's word moves the cursor."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.missing import need_broker
from tools.bench import storm
from tools.fusion import schema
from tools.sim import brokers, sampler
from tools.sim.process import Process, Stage

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system

TOTAL = 6_000
PER_SECOND = 3_000
BEFORE = 500  # readings that arrive while all is well
PACKS = 20  # a window
SAVES = 2  # the one that may be under way, and a whole one
SLOW_S = 60.0  # for what takes two on an idle machine
LOG = ("allow_anonymous true", "log_dest stderr", "log_type all", "max_queued_messages 0")
PERSISTENCE = {
    "none": ("persistence false",),
    "default": ("persistence true",),
    "autosave": ("persistence true", "autosave_interval 1"),
}


def taken(broker: Process) -> int:
    """Return how many publishes of the gateway the broker has acknowledged as delivered."""
    text = broker.err_path.read_text()
    return text.count(f"Sending PUBACK to {sampler.GW} (m") - text.count("rc16)")


def saves(broker: Process) -> int:
    """Return how often the broker has written what it holds."""
    return broker.err_path.read_text().count("Saving in-memory database")


def connects(broker: Process) -> int:
    """Return how often the platform has connected and subscribed."""
    return broker.err_path.read_text().count("Sending SUBACK to fusion")


def rows(folder: Path) -> int:
    database = schema.open_readonly(folder / "fusion.db")
    found = int(database.execute("SELECT count(*) FROM readings").fetchone()[0])
    database.close()
    return found


@pytest.mark.parametrize("mode", PERSISTENCE)
def test_storm_readings_a_broker_acknowledged_and_lost_arrive(tmp_path: Path, mode: str) -> None:
    need_broker(brokers.MOSQUITTO)
    with Stage(tmp_path) as stage:
        broker, port = brokers.start(brokers.MOSQUITTO, stage, *LOG, *PERSISTENCE[mode])
        url, database = f"mqtt://127.0.0.1:{port}", tmp_path / "fusion.db"
        place = ("--broker", url, "--db", str(database))
        platform = stage.python("platform", "-m", "gateway", "fusion", "run", *place)
        platform.until(lambda: connects(broker) == 1, "connect", SLOW_S)
        arguments = (str(tmp_path / "buffer"), url, "5", str(TOTAL), str(PER_SECOND))
        gateway = stage.python("gateway", "-m", "tools.sim.sampler", *arguments)
        platform.until(lambda: rows(tmp_path) > BEFORE, "store what arrives", SLOW_S)
        gateway.pause()  # nothing is on its way as the platform dies
        time.sleep(0.3)
        before = taken(broker)
        platform.kill()
        gateway.resume()
        broker.until(lambda: taken(broker) >= before + PACKS, "take a window", SLOW_S)
        if mode == "autosave":
            enough = saves(broker) + SAVES
            broker.until(lambda: saves(broker) >= enough, "save what it holds", SLOW_S)
        arrived, acknowledged = rows(tmp_path), taken(broker) - before
        gateway.pause()  # so that what now arrives comes from the broker
        broker.kill()
        broker.start()
        platform.start()
        platform.until(lambda: connects(broker) == 2, "connect again", SLOW_S)
        time.sleep(0.5)  # what the broker kept comes at once
        kept = rows(tmp_path) - arrived
        gateway.resume()
        gateway.until(lambda: gateway.out_path.stat().st_size > 0, "deliver everything", SLOW_S)
        told = json.loads(gateway.out_path.read_text())
    print(f"{mode}: {acknowledged} packs acknowledged, {kept} readings of them kept")
    found = storm.compare(schema.open_readonly(database), TOTAL)
    assert (found["delivered"], found["lost"], found["altered"], found["gaps"]) == (TOTAL, 0, 0, 0)
    assert told["delivered"] == told["sampled"] == TOTAL
    # The others lost all that they had acknowledged: else nothing was shown.
    assert (kept > 0) == (mode == "autosave")
