"""The real buffer and the real uplink together, with a broker that is killed and strict."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from gateway.buffer.store import Settings
from gateway.buffer.writer_cpython import open_buffer
from gateway.core.reading import BULK, CRIT, Gap, Point, Reading
from gateway.site import Platform
from gateway.uplink import lane
from gateway.uplink.pack import Sample
from tests.support.mosquitto import OPEN, mosquitto, platform, until, uplink

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.buffer.buffer import Buffer
    from tests.gateway.uplink.fakes import FakePlatform

pytestmark = pytest.mark.system

POINTS = [Point(f"river-{n}/level", "", "m", BULK, 100) for n in range(10)]
POINTS += [Point("gate-1/open", "", "", CRIT, 1_000)]
TOO_LONG = "x" * 3_000
STARTS = 3


def delivered(buffer: Buffer) -> bool:
    counts = buffer.counts()
    return counts["sampled"] > 0 and counts["buffered"] == 0


async def one_life(path: Path, port: int, held: FakePlatform, broker: Any) -> dict[str, Any]:
    """Run buffer and uplink while the broker is killed; end as a crash does."""
    settings = Settings(1 << 20, 4 << 20, commit_ms=100)
    buffer = await open_buffer(str(path), settings, POINTS, "test")
    committing = asyncio.create_task(buffer.run())
    try:
        async with uplink(buffer, Platform(f"mqtt://127.0.0.1:{port}")) as up:
            for number in range(40):
                at_ms = number * 100
                buffer.add(BULK, [Reading(point.name, number, at_ms) for point in POINTS[:10]])
                buffer.add(CRIT, [Reading("gate-1/open", number % 2 == 1, at_ms)])
                if number == 20:
                    buffer.add(BULK, [Reading(POINTS[0].name, TOO_LONG, at_ms)])
                if number in (10, 30):
                    broker.kill()
                    broker.start()
                    broker.ready(port)
                await asyncio.sleep(0.02)
            await until(lambda: delivered(buffer), lambda: (buffer.counts(), up.counts()))
            return buffer.counts()
    finally:
        committing.cancel()
        await buffer.close()


def test_uplink_and_buffer_account_for_every_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "ACK_TIMEOUT_MS", 1_000)
    broker, port = mosquitto(tmp_path, OPEN, "max_packet_size 2500")
    lives: list[dict[str, Any]] = []

    async def run() -> FakePlatform:
        async with platform(port) as held:
            for _ in range(STARTS):
                lives.append(await one_life(tmp_path / "buffer", port, held, broker))
            return held

    try:
        held = asyncio.run(run())
    finally:
        broker.kill()
    total = STARTS * (400 + 40 + 1)
    last = lives[-1]
    assert last["sampled"] == total
    assert last["gaps"] == STARTS  # the readings this broker can never take
    assert last["delivered"] == total - STARTS
    items = [*held.held[BULK].values(), *held.held[CRIT].values()]
    gaps = [item for item in items if isinstance(item, Gap)]
    assert [(gap.ring, gap.count, gap.reason) for gap in gaps] == [(BULK, 1, "rejected")] * STARTS
    assert len([item for item in items if isinstance(item, Sample)]) == total - STARTS
