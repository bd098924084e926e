"""A link that swallows everything, drops what comes back, or crawls: nothing is lost."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from gateway.core.reading import BULK, CRIT
from gateway.site import Platform
from gateway.uplink import lane
from tests.gateway.uplink.fakes import FakePlatform, FakeSource, everything
from tests.support.mosquitto import OPEN, mosquitto, platform, until, uplink
from tools.sim.proxy import DEAF, HOLE, PASS, Proxy

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system

HOLE_S = 25.0
RATES = (1, 50)  # readings a second


def through(proxy: Proxy) -> Platform:
    return Platform(f"mqtt://127.0.0.1:{proxy.port}")


async def produce(source: FakeSource, per_s: int) -> None:
    while True:
        await asyncio.sleep(1 / per_s)
        source.add(BULK)


def test_uplink_black_hole_then_reset_loses_nothing_at_1_and_50_readings_a_second(
    tmp_path: Path,
) -> None:
    broker, port = mosquitto(tmp_path, OPEN)

    async def one(per_s: int) -> tuple[FakeSource, FakePlatform, Proxy]:
        source = FakeSource()
        gw = f"gw-{per_s}"
        async with Proxy(port) as proxy, platform(port, gw) as held:
            async with uplink(source, through(proxy), gw) as up:
                task = asyncio.create_task(produce(source, per_s))
                await until(lambda: source.cursors[BULK] >= 2, up.counts)
                proxy.mode = HOLE
                before = source.cursors[BULK]
                await asyncio.sleep(HOLE_S)
                assert source.cursors[BULK] <= before + 1  # an answer may have been on its way
                proxy.reset()
                proxy.mode = PASS
                await until(lambda: source.cursors[BULK] > before + HOLE_S * per_s / 2, up.counts)
                task.cancel()
                await until(lambda: everything(source, held), up.counts)
                assert up.counts()["connects"] == 2
                return source, held, proxy

    async def run() -> list[tuple[FakeSource, FakePlatform, Proxy]]:
        return list(await asyncio.gather(*[one(per_s) for per_s in RATES]))

    try:
        ended = asyncio.run(run())
    finally:
        broker.kill()
    for per_s, (source, held, proxy) in zip(RATES, ended, strict=True):
        assert source.durable[BULK] >= HOLE_S * per_s * 0.9
        assert held.missing(BULK, source.durable[BULK]) == []
        assert source.rejected == []
        assert proxy.connections == 2


def test_uplink_lost_acknowledgements_cost_a_pack_of_duplicates_each(tmp_path: Path) -> None:
    broker, port = mosquitto(tmp_path, OPEN)
    cuts = 5

    async def run() -> tuple[FakeSource, FakePlatform]:
        source = FakeSource(bulk=1)
        async with Proxy(port) as proxy, platform(port) as held:
            async with uplink(source, through(proxy)) as up:
                for cut in range(cuts):
                    await until(lambda: everything(source, held), up.counts)
                    proxy.mode = DEAF
                    source.add(BULK, 10_000)
                    at_least = source.cursors[BULK] + lane.WINDOW * lane.ITEMS_MAX
                    await until(lambda least=at_least: held.high[BULK] >= least, up.counts)
                    await asyncio.sleep(0.1)
                    assert held.high[BULK] == at_least  # the window holds
                    proxy.reset()
                    proxy.mode = PASS
                    await until(lambda n=cut: up.counts()["connects"] == n + 2, up.counts)
                await until(lambda: everything(source, held), up.counts)
        return source, held

    try:
        source, held = asyncio.run(run())
    finally:
        broker.kill()
    assert held.missing(BULK, source.durable[BULK]) == []
    assert held.duplicates == cuts * lane.ITEMS_MAX  # the lone first pack of each connection


def test_uplink_alarm_overtakes_the_backlog_on_a_slow_link(tmp_path: Path) -> None:
    broker, port = mosquitto(tmp_path, OPEN)

    async def run() -> float:
        loop = asyncio.get_running_loop()
        source = FakeSource(bulk=100_000)
        async with Proxy(port) as proxy, platform(port) as held:
            proxy.bytes_per_s = 40_000
            async with uplink(source, through(proxy)) as up:
                await until(lambda: held.high[BULK] > 1_000, up.counts)
                source.add(CRIT)
                began_s = loop.time()
                await until(lambda: held.high[CRIT] == 1, up.counts)
                assert held.high[BULK] < 50_000  # the backlog is still under way
                return loop.time() - began_s

    try:
        took_s = asyncio.run(run())
    finally:
        broker.kill()
    assert took_s < 3.0  # 40 kB/s: what the kernels between us hold, not the 3 MB of backlog
