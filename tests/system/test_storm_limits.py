"""A broker that takes little: quotas, few publishes at once, small packets, little memory."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from gateway.core.reading import BULK, CRIT
from gateway.site import Platform
from gateway.uplink import lane, session
from tests.gateway.uplink.fakes import FakeSource, everything
from tests.support.mosquitto import OPEN, mosquitto, platform, until, uplink
from tools.fusion import schema
from tools.sim.process import Stage
from tools.sim.proxy import Proxy

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system

PUBLISH, PUBACK = 3, 4  # MQTT 5 §2.1.2
PLENTY = 8_000


class Sniffer:
    """Follows MQTT's packets of each connection: the most publishes that were unanswered."""

    def __init__(self) -> None:
        self.most = 0
        self.largest = 0
        self._rest: dict[tuple[int, bool], bytes] = {}
        self._open: dict[int, set[int]] = {}

    def __call__(self, connection: int, upstream: bool, data: bytes) -> None:
        data = self._rest.get((connection, upstream), b"") + data
        unanswered = self._open.setdefault(connection, set())
        while (size := whole(data)) is not None:
            packet, data = data[:size], data[size:]
            kind, body = packet[0] >> 4, packet[header(packet) :]
            if upstream and kind == PUBLISH:
                self.largest = max(self.largest, size)
                topic = int.from_bytes(body[:2], "big")
                unanswered.add(int.from_bytes(body[2 + topic : 4 + topic], "big"))
                self.most = max(self.most, len(unanswered))
            elif not upstream and kind == PUBACK:
                unanswered.discard(int.from_bytes(body[:2], "big"))
        self._rest[connection, upstream] = data


def header(data: bytes) -> int:
    """Return the size of the fixed header at the front of `data`."""
    size = 2
    while data[size - 1] & 0x80:
        size += 1
    return size


def whole(data: bytes) -> int | None:
    """Return the size of the packet at the front of `data`, None if it is not all there."""
    length = 0
    for place, byte in enumerate(data[1:5]):
        length |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            size = 2 + place + length
            return size if size <= len(data) else None
    return None


@pytest.mark.parametrize(("lines", "limit"), [(("max_inflight_messages 5",), 5), ((), 20)])
def test_storm_receive_maximum_is_reached_and_never_passed(
    tmp_path: Path, lines: tuple[str, ...], limit: int
) -> None:
    broker, port = mosquitto(tmp_path, OPEN, *lines)
    source = FakeSource(crit=PLENTY, bulk=PLENTY)
    sniffer = Sniffer()

    async def run() -> None:
        async with platform(port) as held, Proxy(port) as proxy:
            proxy.tap = sniffer
            place = Platform(f"mqtt://127.0.0.1:{proxy.port}")
            async with uplink(source, place) as up:
                await until(lambda: source.cursors[CRIT] > 0, up.counts)
                broker.pause()  # nothing is answered: as much is sent as may be
                await until(lambda: sniffer.most >= limit, up.counts)
                await asyncio.sleep(0.3)  # for more, if there is more
                broker.resume()
                await until(lambda: everything(source, held), up.counts)

    try:
        asyncio.run(run())
    finally:
        broker.kill()
    assert sniffer.most == limit


def test_storm_what_a_full_queue_drops_comes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "ACK_TIMEOUT_MS", 1_000)
    total = 5_000
    lines = (OPEN, "max_queued_messages 10", "max_inflight_messages 5", "log_type all")
    broker, port = mosquitto(tmp_path, *lines)
    source = FakeSource(bulk=total)

    async def run(stage: Stage) -> dict[str, int]:
        url, database = f"mqtt://127.0.0.1:{port}", str(tmp_path / "fusion.db")
        told = ("--broker", url, "--db", database, "--mqtt", "3.1.1")  # so 5 + 10, not 256
        fusion = stage.python("fusion", "-m", "gateway", "fusion", "run", *told)
        async with uplink(source, Platform(url)) as up:
            await until(lambda: source.cursors[BULK] > 0, up.counts)
            fusion.pause()
            await until(lambda: "being dropped" in broker.err_path.read_text(), up.counts)
            fusion.resume()
            await until(lambda: source.cursors[BULK] == total, up.counts)
            return up.counts()

    with Stage(tmp_path) as stage:
        try:
            counts = asyncio.run(run(stage))
        finally:
            broker.kill()
    assert counts["rejected"] == 0
    found = schema.open_readonly(tmp_path / "fusion.db")
    assert found.execute("SELECT count(*) FROM readings").fetchone()[0] == total
    assert found.execute("SELECT count(*) FROM holes").fetchone()[0] == 0


@pytest.mark.parametrize(("protocol", "reconnects"), [("5", 0), ("3.1.1", 20)])
def test_storm_reading_no_packet_can_carry_is_given_up_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: str, reconnects: int
) -> None:
    monkeypatch.setattr(session, "BACKOFF_MS_MIN", 20)
    monkeypatch.setattr(session, "BACKOFF_MS_MAX", 100)
    broker, port = mosquitto(tmp_path, OPEN, "max_packet_size 2000")
    source = FakeSource(crit=100, bulk=3_000)
    source.values = {700: "x" * 3_000}
    sniffer = Sniffer()

    async def run() -> dict[str, int]:
        async with platform(port) as held, Proxy(port) as proxy:
            proxy.tap = sniffer
            place = Platform(f"mqtt://127.0.0.1:{proxy.port}", protocol)
            async with uplink(source, place) as up:
                await until(lambda: everything(source, held), up.counts)
                return up.counts()

    try:
        counts = asyncio.run(run())
    finally:
        broker.kill()
    assert source.rejected == [(BULK, 700)]
    assert counts["connects"] - 1 <= reconnects
    if protocol == "5":
        assert sniffer.largest <= 2_000


def test_storm_broker_short_of_memory_delays_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "ACK_TIMEOUT_MS", 1_000)
    monkeypatch.setattr(session, "BACKOFF_MS_MAX", 500)
    broker, port = mosquitto(tmp_path, OPEN, "memory_limit 150000")
    source = FakeSource(crit=100, bulk=20_000)
    dice = random.Random(3)

    async def run() -> dict[str, int]:
        async with platform(port) as held:
            async with uplink(source, Platform(f"mqtt://127.0.0.1:{port}")) as up:
                while not everything(source, held):
                    await asyncio.sleep(dice.uniform(0.1, 0.3))
                    if not broker.alive:
                        broker.start()
                return up.counts()

    try:
        counts = asyncio.run(asyncio.wait_for(run(), 60))
    finally:
        broker.kill()
    assert counts["connects"] > 1, "else it had enough"
    assert (source.rejected, source.wrong_acks) == ([], 0)
