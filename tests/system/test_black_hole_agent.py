"""Whole gateways behind a link that swallows everything for 25 s and is then reset."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.support.missing import missing
from tools.demo.account import Disk, compare
from tools.fusion.schema import open_readonly
from tools.sim.broker import MOSQUITTO, available, start_broker
from tools.sim.process import Stage, free_port
from tools.sim.proxy import HOLE, PASS, Proxy

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system

HOLE_S = 25.0
DRAIN_S = 12.0
# Gateway: profile, period, readings a second that makes.
GATEWAYS = {
    "330482-0001": ("sonbest/sm7901b", "1s", 1),
    "330482-0050": ("waveshare/modbus-rtu-relay", "160ms", 50),
}
SITE = """\
gateway: {gateway}
platform: mqtt://127.0.0.1:{port}
clock: system
buffer: {{path: {folder}/buffer, crit: 1MiB, bulk: 4MiB, commit: 1s}}
buses:
  lan-1:
    port: tcp://127.0.0.1:{modbus}
    devices:
      device-1: {{profile: {profile}, unit: 1, every: {every}}}
"""


def start_gateway(stage: Stage, folder: Path, gateway: str, port: int) -> None:
    """Start a gateway with one simulated device that delivers to `port`."""
    profile, every, _ = GATEWAYS[gateway]
    modbus = free_port()
    place = ("--tcp", f"127.0.0.1:{modbus}", "--profile", f"1={profile}")
    stage.python(f"sensor-{gateway}", "-m", "gateway", "sim", "modbus", *place).ready(modbus)
    home = folder / gateway
    home.mkdir()
    words = {"gateway": gateway, "port": port, "folder": home, "modbus": modbus}
    (home / "site.yaml").write_text(SITE.format(**words, profile=profile, every=every))
    stage.python(gateway, "-m", "gateway", "run", "--site", str(home / "site.yaml"))


def test_gateway_black_hole_then_reset_loses_nothing_at_1_and_50_readings_a_second(
    tmp_path: Path,
) -> None:
    async def perform(stage: Stage, port: int) -> None:
        async with Proxy(port) as proxy:
            for gateway in GATEWAYS:
                start_gateway(stage, tmp_path, gateway, proxy.port)
            await asyncio.sleep(6)
            proxy.mode = HOLE
            await asyncio.sleep(HOLE_S)
            proxy.reset()
            proxy.mode = PASS
            await asyncio.sleep(DRAIN_S)

    if MOSQUITTO not in available():
        missing(MOSQUITTO, "apt-get install mosquitto")
    with Stage(tmp_path) as stage:
        port = free_port()
        stage.add(start_broker(port, tmp_path, MOSQUITTO))
        url, path = f"mqtt://127.0.0.1:{port}", tmp_path / "fusion.db"
        stage.python("fusion", "-m", "gateway", "fusion", "run", "--broker", url, "--db", str(path))
        asyncio.run(perform(stage, port))
        for gateway in GATEWAYS:
            stage.processes[gateway].kill()
        asyncio.run(asyncio.sleep(1))  # what was under way is committed
    for gateway, (_, _, per_s) in GATEWAYS.items():
        found = compare(Disk(tmp_path / gateway / "buffer"), open_readonly(path))
        assert (found["lost"], found["gaps"], found["duplicates"]) == (0, 0, 0)
        # Delivered again after the hole, and nearly up to the end.
        assert found["sampled"] >= 0.8 * per_s * (6 + HOLE_S + DRAIN_S)
        assert found["delivered"] >= found["sampled"] - 5 * per_s - 5
