"""Modbus devices that are silent, and lines that are gone: what it costs, how it ends."""

from __future__ import annotations

import asyncio

import pytest

from drivers.breaker import CAP_MS
from gateway.core import aio
from gateway.core.reading import GOOD, NO_REPLY
from gateway.poll import Item, Schedule, poll_bus
from tests.drivers.wire import FAR, THIRTY, Wire, device, holding, polls, qualities
from tests.support import virtual
from tools.sim.modbus import Slave


def test_modbus_a_dead_device_is_probed_less_and_less_and_found_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    wire = Wire(holding(30))

    async def main() -> None:
        dev = device(wire, THIRTY)
        await polls(dev, 3)
        wire.dead.add(1)
        wire.asked(1)
        assert set(qualities(await polls(dev, 2)).values()) == {NO_REPLY}
        assert len(wire.asked(1)) == 4  # each poll asked again once
        await polls(dev, 120)
        assert len(wire.asked(1)) <= 24  # one probe, later and later, no retries
        assert dev.unit.silent
        wire.dead.clear()
        start_ms = aio.now_ms()
        while dev.unit.silent:
            await polls(dev, 1)
        assert aio.now_ms() - start_ms <= CAP_MS + 1000
        assert set(qualities(await dev.poll(1000)).values()) == {GOOD}

    virtual.run(main())
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[0] for line in lines] == ["lost", "back"]
    assert all("what=dev1" in line for line in lines)


def test_modbus_a_dead_unit_takes_a_fiftieth_of_a_full_line() -> None:
    def polled(units: int) -> int:
        """How often units 1 to 4 were polled in a while on a line that is never idle."""
        tables = {unit: {"holding": dict.fromkeys(range(10), 1)} for unit in range(1, 5)}
        wire = Wire(Slave(tables))
        wire.latency_ms = lambda _unit: 80

        async def main() -> int:
            bus, wake = wire.bus(), aio.Event()
            text = "channels:\n  r[0..9]: {at: 0}"
            devices = [device(wire, text, bus, unit + 1) for unit in range(units)]
            schedule = Schedule([Item(one, 100) for one in devices], 0)
            polling = asyncio.create_task(
                poll_bus(schedule, lambda item: item.key.poll(1000), lambda _: None, wake)
            )
            await aio.sleep_ms(200_000)
            before = sum(item.polls for item in schedule.items[:4])
            await aio.sleep_ms(800_000)
            after = sum(item.polls for item in schedule.items[:4])
            schedule.close()
            wake.set()
            await polling
            return after - before

        return virtual.run(main())

    alone = polled(4)
    assert alone > 5000
    assert alone > polled(5) > 0.98 * alone


def test_modbus_after_silence_the_rest_of_a_poll_is_not_asked_for() -> None:
    wire = Wire(holding(30))
    text = "channels:\n  r[0..4]: {at: 0, step: 100}"

    async def main() -> None:
        assert set(qualities(await device(wire, text).poll(1000)).values()) == {NO_REPLY}
        assert wire.asked(1) == [(3, 0, 1)] * 2

    wire.dead.add(1)
    virtual.run(main())


def test_modbus_a_device_silent_about_one_range_gives_the_others() -> None:
    class Shy(Slave):
        def answer(self, unit: int, message: bytes) -> bytes | None:
            return None if message[1:3] == b"\x01\xf4" else super().answer(unit, message)

    wire = Wire(Shy({1: {"holding": {0: 1, 500: 2, 900: 3}}}))
    text = FAR + "\n  farther: {at: 900}"

    async def main() -> None:
        dev = device(wire, text)
        await polls(dev, 1)
        for _ in range(5):
            assert qualities(await polls(dev, 1)) == {
                "near": GOOD,
                "far": NO_REPLY,
                "farther": GOOD,
            }
        assert not dev.unit.silent

    virtual.run(main())


def test_modbus_a_lost_line_is_no_fault_of_its_devices(
    capsys: pytest.CaptureFixture[str],
) -> None:
    wire = Wire(holding(30))

    async def main() -> None:
        dev = device(wire, THIRTY)
        await polls(dev, 1)
        wire.gone = True
        assert set(qualities(await polls(dev, 20)).values()) == {NO_REPLY}
        assert not dev.unit.silent
        wire.gone = False
        await polls(dev, 30)
        assert set(qualities(await polls(dev, 1)).values()) == {GOOD}

    virtual.run(main())
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[0] for line in lines] == ["lost", "back"]
    assert all("what=bus" in line for line in lines)
