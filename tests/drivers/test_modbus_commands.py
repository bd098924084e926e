"""Commands to Modbus devices being polled: they wait for one exchange, and are not mixed up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from gateway.core import aio
from gateway.core.reading import GOOD
from gateway.poll import COMMAND, Item, Schedule, poll_bus
from tests.drivers.wire import BAUD, Wire, device
from tests.support import virtual
from tools.sim.modbus import Slave

if TYPE_CHECKING:
    from gateway.core.reading import Reading

LATENCY_MS = 60
EXCHANGE_MS = LATENCY_MS + (8 + 7) * 11_000 / BAUD + 4  # of one register, with its silence
MANY = """channels:
  r[1..20]: {at: 0, step: 100}
  gate: {at: 5, write: true}"""


@pytest.mark.parametrize("commanded", [1, 2])
@pytest.mark.parametrize("after_ms", [0, 7, 100, 333, 1000])
def test_modbus_a_command_waits_for_one_exchange_not_for_a_poll_of_many(
    commanded: int, after_ms: int
) -> None:
    begun: list[int] = []

    class Timed(Slave):
        def answer(self, unit: int, message: bytes) -> bytes | None:
            if message[0] in (6, 16):
                begun.append(aio.now_ms())
            return super().answer(unit, message)

    registers = {100 * place: place for place in range(20)} | {5: 0}
    wire = Wire(Timed({unit: {"holding": dict(registers)} for unit in (1, 2)}))
    wire.latency_ms = lambda _unit: LATENCY_MS
    waits: list[float] = []

    async def main() -> None:
        bus, wake = wire.bus(), aio.Event()
        devices = [device(wire, MANY, bus, unit) for unit in (1, 2)]
        schedule = Schedule([Item(one, 1000) for one in devices], 0)

        async def poll(item: Item) -> list[Reading]:
            if item.lane != COMMAND:
                found: list[Reading] = await item.key.poll(1000)
                assert {one.quality for one in found} == {GOOD}
                return found
            asked_ms = aio.now_ms()
            writes = [n for n, one in enumerate(wire.log) if one[1][0] in (6, 16)]
            assert not writes
            readings = await devices[commanded - 1].write("gate", 1)
            waits.append(begun[0] - asked_ms)
            return list(readings)

        polling = asyncio.create_task(poll_bus(schedule, poll, lambda _: None, wake))
        await aio.sleep_ms(2000 + after_ms)
        schedule.submit("open")
        wake.set()
        await aio.sleep_ms(3000)
        schedule.close()
        wake.set()
        await polling

    virtual.run(main())
    assert len(waits) == 1
    assert waits[0] <= EXCHANGE_MS + 5
    at = next(n for n, (_, message) in enumerate(wire.log) if message[0] in (6, 16))
    mine = [message for unit, message in wire.log[at:] if unit == commanded]
    assert mine[1][0] == 3
    assert mine[1][1:5] == bytes((0, 5, 0, 1))  # nothing else is asked of it before it is read back
