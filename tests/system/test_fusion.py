"""The platform as a process, between real brokers and a sender, under kill -9."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.missing import missing
from tests.tools.fusion.sender import Sender
from tools.fusion import schema
from tools.sim import broker as brokers
from tools.sim.process import Process, Stage, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.system

KINDS = brokers.KINDS
DEADLINE_S = 60.0


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        yield stage


def start_broker(stage: Stage, kind: str, port: int) -> Process:
    if kind not in brokers.available():
        missing(kind, "pip install iotcore, apt-get install mosquitto")
    return stage.add(brokers.start_broker(port, stage.directory, kind))


def start_fusion(stage: Stage, port: int) -> Process:
    url = f"mqtt://127.0.0.1:{port}"
    database = stage.directory / "fusion.db"
    arguments = ["-m", "gateway", "fusion", "run", "--broker", url, "--db", str(database)]
    return stage.python("fusion", *arguments)


def stored(stage: Stage) -> tuple[list[int], list[tuple[object, ...]]]:
    database = schema.open_readonly(stage.directory / "fusion.db")
    numbers = [row[0] for row in database.execute("SELECT seq FROM readings ORDER BY seq")]
    holes = database.execute("SELECT * FROM holes").fetchall()
    database.close()
    return numbers, holes


@pytest.mark.parametrize("kind", KINDS)
def test_fusion_killed_five_times_in_the_stream_loses_and_duplicates_nothing(
    stage: Stage, kind: str
) -> None:
    port, total, kills = free_port(), 4_000, 5
    start_broker(stage, kind, port)
    fusion = start_fusion(stage, port)
    sender = Sender(port, total)
    deadline = time.monotonic() + DEADLINE_S
    for kill in range(kills):
        target = sender.cursor + random.Random(kill).randrange(100, 500)
        while sender.cursor < target:
            assert time.monotonic() < deadline, (sender.cursor, fusion.last_words())
            sender.pump()
        fusion.kill()
        assert fusion.returncode == -9
        fusion.start()
    while sender.cursor < total:
        assert time.monotonic() < deadline, (sender.cursor, fusion.last_words())
        sender.pump()
    sender.close()
    numbers, holes = stored(stage)
    assert numbers == list(range(1, total + 1))
    assert holes == []
    assert fusion.starts == kills + 1


@pytest.mark.parametrize("kind", KINDS)
def test_fusion_survives_a_broker_killed_twice(stage: Stage, kind: str) -> None:
    port, total = free_port(), 2_000
    broker = start_broker(stage, kind, port)
    fusion = start_fusion(stage, port)
    sender = Sender(port, total)
    deadline = time.monotonic() + DEADLINE_S
    kills = [700, 1_400]
    while sender.cursor < total:
        assert time.monotonic() < deadline, (sender.cursor, fusion.last_words())
        sender.pump()
        if kills and sender.cursor > kills[0]:
            kills.pop(0)
            broker.kill()
            broker.start()
            broker.ready(port)
    sender.close()
    numbers, holes = stored(stage)
    assert numbers == list(range(1, total + 1))
    assert holes == []
    assert fusion.alive
    assert "lost" in fusion.last_words()
    assert "back" in fusion.last_words()
