"""The scripted demonstration: everything broken meanwhile, every reading accounted for."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tools.demo.account import Disk, compare
from tools.fusion.schema import open_readonly

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
FIRST_VALUE_S_MAX = 10


def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gateway", "demo", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


@pytest.fixture(scope="module")
def performed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, object], Path]:
    kept = tmp_path_factory.mktemp("demo") / "kept"
    ran = demo(
        *("--for", "60s", "--disturb", "broker,agent,fusion,noise"),
        *("--json", "--keep", str(kept)),
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return json.loads(ran.stdout), kept


def test_demo_loses_nothing_though_everything_breaks(
    performed: tuple[dict[str, object], Path],
) -> None:
    found, _ = performed
    assert (found["lost"], found["duplicates"]) == (0, 0)
    whole = [found[name] for name in ("delivered", "gaps", "buffered")]
    assert found["sampled"] == sum(whole)
    assert found["delivered"] > 1000
    assert all(found["restarts"][name] >= 2 for name in ("broker", "agent", "fusion"))


def test_demo_shows_its_first_value_soon(performed: tuple[dict[str, object], Path]) -> None:
    assert 0 < performed[0]["first_value_s"] <= FIRST_VALUE_S_MAX


def test_demo_account_notices_one_reading_taken_away_or_doubled(
    performed: tuple[dict[str, object], Path],
) -> None:
    found, kept = performed
    disk = Disk(kept / "buffer")
    writer = sqlite3.connect(kept / "fusion.db")
    taken = writer.execute("SELECT * FROM readings ORDER BY stream_id, seq LIMIT 1").fetchone()
    with writer:
        writer.execute("DELETE FROM readings WHERE stream_id = ? AND seq = ?", taken[:2])
    # It still lies on the gateway's disk, so it counts as not yet delivered …
    short = compare(disk, open_readonly(kept / "fusion.db"))
    assert (short["delivered"], short["buffered"]) == (found["delivered"] - 1, 1)
    # … and as lost once it is gone there too.
    for numbers in disk.readings.values():
        numbers.discard(taken[1])
    assert compare(disk, open_readonly(kept / "fusion.db"))["lost"] >= 1
    with writer:
        marks = ",".join("?" * len(taken))
        writer.execute(f"INSERT INTO readings VALUES ({marks})", taken)
        writer.execute(f"INSERT INTO readings VALUES ({marks})", (taken[0], 10**9, *taken[2:]))
    assert compare(disk, open_readonly(kept / "fusion.db"))["duplicates"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--disturb", "agent"], "--disturb and --json need --for TIME"),
        (["--for", "60s", "--disturb", "agnet"], "--disturb agnet: choose of agent, broker"),
        (["--for", "soon"], "--for: 'soon' is no length of time"),
        (["--keep", str(ROOT)], "is not empty"),
    ],
)
def test_demo_mistakes_are_named(arguments: list[str], message: str) -> None:
    ran = demo(*arguments)
    assert ran.returncode == 78
    assert message in ran.stderr
