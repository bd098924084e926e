"""The wall clock of a running gateway is unset, set, and steps by days; polling never notices."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.authority import Authority
from tests.support.faketime import WallClock
from tests.support.scene import GW, scene
from tests.system.test_net_certificates import secured
from tools.sim.process import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.device import Log
    from tests.support.scene import Scene

pytestmark = pytest.mark.system

DAY_S = 86_400
PERIOD_S = 0.2
TIMER_S = 0.05  # how early or late a poll may be
WALL_MS = 100.0  # how far from the truth a reading's time may be


def dated(stage: Scene, log: Log) -> list[tuple[int, int, float, str]]:
    """Return (the device's number, days off, ms off beside them, clock quality) of each reading.

    Fails unless they are the device's own numbers, each at most once and in their order: where the
    machine was slow the device was asked twice for one reading. Its slowness is not counted as off.
    """
    rows = stage.asked("SELECT value, at_ms, coalesce(clock, 'synced') FROM readings ORDER BY seq")
    counts = [row[0] for row in rows]
    assert counts == sorted(set(counts))
    found = []
    for count, at_ms, clock in rows:
        asked_s, wall_ms = log.asked[count]
        days = round((at_ms - wall_ms) / 1000 / DAY_S)
        off_ms = abs(at_ms - wall_ms - 1000 * DAY_S * days)
        late_ms = 1000 * log.machine_late_s(asked_s, asked_s)
        found.append((count, days, max(0.0, off_ms - late_ms), clock))
    return found


def until_dated(stage: Scene, offset_s: int) -> None:
    """Wait until a step is noticed, and for a few readings more."""

    def newest_off_s() -> float:
        rows = stage.asked("SELECT at_ms FROM readings ORDER BY seq DESC LIMIT 1")
        return float(rows[0][0] / 1000 - time.time())

    stage.until(lambda: abs(newest_off_s() - offset_s) < DAY_S / 2)
    before = stage.delivered()
    stage.until(lambda: stage.delivered() > before + 5)


def test_boot_in_1970_waits_for_its_clock_and_then_dates_every_reading_of_the_boot(
    tmp_path: Path,
) -> None:
    authority, place, port = Authority(tmp_path / "keys"), tmp_path / "gateway", free_port()
    authority.issue("server", "broker", host="localhost")
    authority.issue("client", GW)
    authority.install("client", place)
    wall = WallClock(tmp_path / "offset")
    wall.unset()
    with scene(tmp_path) as stage:
        broker = stage.broker()
        broker.kill()
        secured(stage, authority, port, "server")
        broker.start()
        broker.ready(port)
        stage.fusion()
        files = f'ca: "{authority.folder}/ca.pem", cert: "{place}.pem", key: "{place}.key"'
        url = f"mqtts://localhost:{port}"
        site = stage.site(stage.bus("river", "200ms"), url=url, more=f", {files}")
        changes = ("session.BACKOFF_MS_MIN=500", "session._BACKOFF_TRIES_MAX=0")
        stage.agent(
            site, *[f"gateway.uplink.{one}" for one in changes], environment=wall.environment
        )
        stage.until_said("^lost what=broker why=.TLS date: .*is this gateway's clock right", 10)
        time.sleep(2)
        assert stage.delivered() == 0
        before = len(stage.log("river").asked)
        wall.step(0)
        stage.until_said("^back .*what=broker", 10)
        stage.until(lambda: stage.delivered() > before + 10)
        stage.settle()
        readings = dated(stage, stage.log("river"))
    early = [clock for count, _, _, clock in readings if count < before - 2]
    worst_ms = max(off_ms for _, _, off_ms, _ in readings)
    print(
        f"{len(early)} of {len(readings)} before the clock was set; {worst_ms:.1f} ms off at most"
    )
    assert len(early) > 5
    assert set(early) == {"fixed-up"}
    assert readings[-1][3] == "synced"
    assert {days for _, days, _, _ in readings} == {0}
    assert worst_ms <= WALL_MS


def test_steps_of_a_day_move_no_poll_and_lose_and_double_nothing(tmp_path: Path) -> None:
    wall = WallClock(tmp_path / "offset")
    with scene(tmp_path) as stage:
        stage.broker()
        stage.fusion()
        site = stage.site(stage.bus("river", "200ms"))
        stage.agent(site, "gateway.agent.agent.PULSE_MS=500", environment=wall.environment)
        stage.until(lambda: stage.delivered() > 5)
        for offset_s in (-DAY_S, DAY_S, 0):
            wall.step(offset_s)
            until_dated(stage, offset_s)
        stage.settle()
        log = stage.log("river")
        readings = dated(stage, log)
        said = stage.said()
    days = [one[1] for one in readings]
    worst_ms = max(one[2] for one in readings)
    moments = [log.asked[count][0] for count in sorted(log.asked)]
    off_s = [
        max(0.0, abs(b - a - PERIOD_S) - log.machine_late_s(a, b))
        for a, b in itertools.pairwise(moments[1:])  # the first is asked at once
    ]
    print(f"{len(moments)} polls, {1000 * max(off_s):.1f} ms off; dates {worst_ms:.1f} ms off")
    # In its order: each step was noticed, and dated the readings that followed.
    assert [day for day, _ in itertools.groupby(days)] == [0, -1, 1, 0]
    assert worst_ms <= WALL_MS
    assert max(off_s) <= TIMER_S
    assert not [line for line in said if line.startswith("lost")]
