"""A whole agent and its platform, killed again and again: both sides' books stay exact."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import pytest

from gateway.buffer.segment import BOOT, HEADER_BYTES, Walker, unpack_header
from gateway.core import cbor
from gateway.core.reading import RINGS
from tests.support.missing import need_broker
from tools.demo.account import Disk, compare
from tools.fusion import schema
from tools.sim import brokers
from tools.sim.process import Process, Stage, free_port

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system

KILLS = 20
START_S = (0.05, 0.8)  # after this every other agent dies: many while they start
LIFE_S = (0.3, 1.0)  # after this the others do, once they run
SEED = 4
START_S_MAX = LAST_S = 60.0  # of a machine that is slow; else 0.4 and 3
SITE = """\
gateway: 330482-0017
platform: {{url: "mqtt://127.0.0.1:{broker}", announce: 1s}}
clock: system
buffer: {{path: {folder}/buffer, crit: 1MiB, bulk: 4MiB, commit: 100ms}}
buses:
  lan-1:
    port: tcp://127.0.0.1:{modbus}
    devices:
      noise-1: {{profile: sonbest/sm7901b, unit: 1, every: 100ms}}
"""


def boots_on_disk(buffer: Path, ring: str) -> list[int]:
    """Return the boot counts of a ring's BOOT records, as they were written, repeats left out.

    A new segment begins with the BOOT record of the boot that opened it.
    """
    found: list[int] = []
    segments = []
    for path in (buffer / ring).glob("s-*.sgl"):
        data = path.read_bytes()
        header = unpack_header(data[:HEADER_BYTES])
        assert header is not None, path
        segments.append((header.epoch, data))
    for epoch, data in sorted(segments):
        found += [boot for boot in boots_in(data, epoch) if found[-1:] != [boot]]
    return found


def boots_in(data: bytes, epoch: int) -> list[int]:
    """Return the boot counts of a segment's BOOT records."""
    found: list[int] = []
    walker = Walker(lambda at, size: data[at : at + size], epoch, 0, len(data))
    while (entry := walker.next()) is not None:
        if entry.kind == BOOT:
            found.append(cbor.decode(entry.payload)[1])
    return found


def newest_ms(database: Path) -> int:
    """Return when the newest reading that arrived was taken, 0 if there is none."""
    opened = schema.open_readonly(database)
    found: int | None = opened.execute("SELECT max(at_ms) FROM readings").fetchone()[0]
    opened.close()
    return found or 0


def starts_told(agent: Process) -> int:
    """Return how many lives have come so far as to say so."""
    return agent.err_path.read_text().count("start gateway=")


def until_started(agent: Process, before: int) -> None:
    agent.until(lambda: starts_told(agent) > before, "start", START_S_MAX)


def test_storm_agent_and_platform_killed_over_and_over_account_for_every_reading(
    tmp_path: Path,
) -> None:
    need_broker(brokers.MOSQUITTO)
    dice = random.Random(SEED)
    database, site = tmp_path / "fusion.db", tmp_path / "site.yaml"
    with Stage(tmp_path) as stage:
        _, port = brokers.start(brokers.MOSQUITTO, stage)
        modbus = free_port()
        place = ("--tcp", f"127.0.0.1:{modbus}", "--profile", "1=sonbest/sm7901b")
        stage.python("sensor", "-m", "gateway", "sim", "modbus", *place).ready(modbus)
        site.write_text(SITE.format(broker=port, folder=tmp_path, modbus=modbus))
        url = f"mqtt://127.0.0.1:{port}"
        told = ("--broker", url, "--db", str(database))
        platform = stage.python("platform", "-m", "gateway", "fusion", "run", *told)
        agent = stage.python("agent", "-m", "gateway", "run", "--site", str(site))
        before = 0
        for number in range(KILLS):
            if number % 2:
                until_started(agent, before)
            time.sleep(dice.uniform(*(LIFE_S if number % 2 else START_S)))
            before = starts_told(agent)
            agent.kill()
            assert agent.returncode == -9, agent.last_words()
            if number % 2:
                platform.kill()
                platform.start()
            agent.start()
        since_ms = time.time() * 1000
        agent.until(lambda: newest_ms(database) > since_ms, "deliver", LAST_S)
        agent.kill()
        time.sleep(1)
        platform.kill()
    found = compare(Disk(tmp_path / "buffer"), schema.open_readonly(database))
    assert (found["lost"], found["duplicates"], found["gaps"]) == (0, 0, 0)
    sampled, delivered, buffered = (
        int(str(found[name])) for name in ("sampled", "delivered", "buffered")
    )
    assert sampled == delivered + buffered
    assert delivered > KILLS
    assert (agent.starts, platform.starts) == (KILLS + 1, KILLS // 2 + 1)
    for ring in RINGS:
        boots = boots_on_disk(tmp_path / "buffer", ring)
        assert boots == sorted(set(boots)), "a boot count fell or came twice"
        assert KILLS // 3 < boots[-1] <= KILLS + 1
