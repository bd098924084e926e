"""Storms of faults over three brokers: every reading arrives, once, unaltered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.core.reading import RINGS
from tests.support.missing import need_broker
from tools.bench import storm
from tools.fusion import schema
from tools.sim import brokers, sampler

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

SECONDS = {brokers.MOSQUITTO: 60, brokers.NATS: 20, brokers.RABBITMQ: 20}
# The bench has the budget of 10 for a whole minute of mosquitto; a short storm, a slow broker or a
# busy machine has more (29 was seen). Without the lone first pack of a connection it was 134.
REPEATS_PERCENT_MAX = 60


@pytest.mark.system
@pytest.mark.parametrize("kind", brokers.KINDS)
def test_storm_loses_alters_and_doubles_nothing(tmp_path: Path, kind: str) -> None:
    need_broker(kind)
    seconds = SECONDS[kind]
    total = storm.READINGS * seconds // 60
    found = storm.storm(tmp_path, kind, seconds, 1, total)
    assert found["delivered"] == total == found["total"]
    assert (found["lost"], found["altered"], found["twice"]) == (0, 0, 0)
    assert (found["gaps"], found["holes"], found["streams"]) == (0, 0, 0)
    assert found["faults_per_minute"] >= 60
    assert all(found["faults"].values()), "each kind of fault had its turn"
    assert 0 < found["repeats_percent"] <= REPEATS_PERCENT_MAX


def held(database: sqlite3.Connection, total: int) -> None:
    """Let the platform hold `total` readings as the sampler makes them."""
    database.execute("INSERT INTO gateways VALUES (1, 'g', 'online', '', 1, 0, 0, 0)")
    database.execute("INSERT INTO points VALUES (1, 1, 'p', '', '', '', 0, 0)")
    for stream, ring in enumerate(RINGS):
        count = sampler.of_ring(total)[ring]
        row = (stream, b"log", ring, count)
        database.execute("INSERT INTO streams VALUES (?, 1, ?, ?, ?, 1, '', 0, 0, 0)", row)
        database.executemany(
            "INSERT INTO readings VALUES (?, ?, 1, ?, NULL, NULL, NULL, ?, NULL)",
            [(stream, n, n, n) for n in range(1, count + 1)],
        )


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ("", {}),
        ("DELETE FROM readings WHERE stream_id = 1 AND seq = 7", {"delivered": 99, "lost": 1}),
        (
            "UPDATE readings SET value = 8 WHERE stream_id = 1 AND seq = 7",
            {"delivered": 99, "lost": 1, "altered": 1, "twice": 1},
        ),
        (
            "INSERT INTO readings VALUES (1, 91, 1, 0, NULL, NULL, NULL, 7, NULL)",
            {"altered": 1, "twice": 1},
        ),
        ("INSERT INTO readings VALUES (1, 91, 1, 0, NULL, NULL, NULL, 91, NULL)", {"altered": 1}),
        ("UPDATE streams SET duplicates = 5", {"repeats": 10}),
    ],
)
def test_storm_account_sees_a_row_missing_altered_or_doubled(
    tmp_path: Path, damage: str, found: dict[str, int]
) -> None:
    database = schema.create_or_open(tmp_path / "fusion.db")
    held(database, 100)
    database.execute(damage)
    whole = {"delivered": 100, "lost": 0, "altered": 0, "twice": 0, "repeats": 0}
    account = storm.compare(database, 100)
    assert {name: account[name] for name in whole} == whole | found
