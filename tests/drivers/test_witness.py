"""Two units of one address, another master, an echo: noticed, named, no value of theirs taken."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.line import Line, silence_us
from drivers.modbus_unit import ModbusBus
from drivers.profile.plan import serial_cost
from drivers.protocol import pdu, rtu
from drivers.use import Use
from drivers.witness import OWED_MS, QUIET_AFTER, Witness, frames
from gateway.core import aio
from gateway.core.reading import BAD_REPLY, GOOD, NO_REPLY, UNIT_CONFLICT
from tests.drivers.wire import BAUD, THIRTY, Wire, device, holding, qualities
from tests.support import virtual
from tools.sim.modbus import Slave

if TYPE_CHECKING:
    from gateway.core.reading import Reading

TWO = "channels:\n  r[0..1]: {at: 0}"


class Odd(Wire):
    """A line on which `twin` answers as well, `lag_ms` later, and strangers' bytes can be put."""

    twin: Slave | None = None
    lag_ms = 0.0
    echo = False

    async def write(self, data: bytes) -> None:
        if self.echo:
            self._inbox.put(data)
        await super().write(data)
        unit, message = rtu.RequestReader().feed(data) or (0, b"")
        reply = self.twin.answer(unit, message) if self.twin else None
        if reply is not None:
            at_s = self._free_s + self.lag_ms / 1000
            self._loop().call_at(at_s, self._inbox.put, rtu.frame(unit, reply))

    def put(self, data: bytes) -> None:
        self._inbox.put(data)

    def _loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    def line(self) -> ModbusBus:
        cost = serial_cost("rtu", BAUD, 11)
        return ModbusBus("bus", Line(self.open, silence_us(BAUD)), "rtu", cost)


async def polled(dev: object, count: int, every_ms: int = 1000) -> list[list[Reading]]:
    found = []
    for _ in range(count):
        found.append(await dev.poll(1000))  # type: ignore[attr-defined]
        await aio.sleep_ms(every_ms)
    return found


@pytest.mark.parametrize("lag_ms", [0.1, 30, 200, 700])
def test_witness_two_units_of_one_address_are_named_and_their_values_not_taken(
    lag_ms: float, capsys: pytest.CaptureFixture[str]
) -> None:
    wire = Odd(holding(30))
    wire.twin, wire.lag_ms = Slave({1: {"holding": {0: 7, 1: 8}}}), lag_ms

    async def main() -> None:
        dev = device(wire, TWO, wire.line())
        found = await polled(dev, 20)
        # The second reply to the first poll is only heard before the second.
        for readings in found[1:]:
            assert {one.quality for one in readings} == {UNIT_CONFLICT}
            assert {one.value for one in readings} == {None}
        assert dev.notes["duplicate"].startswith("two devices answer as unit 1: a second reply")
        assert "unplug one of them, and give it another address" in dev.notes["duplicate"]
        assert dev.unit.counts["unit-conflict"] >= 19
        assert not dev.unit.silent
        wire.twin = None  # the technician did
        found = await polled(dev, QUIET_AFTER + 2)
        assert {one.quality for one in found[-1]} == {GOOD}
        assert [one.value for one in found[-1]] == [1000, 1001]
        assert "duplicate" not in dev.notes

    virtual.run(main())
    told = [line for line in capsys.readouterr().err.splitlines() if "two devices" in line]
    assert len(told) == 1  # once, not at every poll


def test_witness_a_late_reply_is_no_second_unit() -> None:
    wire = Odd(holding(30))
    late = [1500]

    async def main() -> None:
        dev = device(wire, TWO, wire.line())
        wire.latency_ms = lambda _unit: late[0]
        await polled(dev, 1)
        late[0] = 20
        found = await polled(dev, 10)
        assert {one.quality for one in found[-1]} == {GOOD}
        assert "duplicate" not in dev.notes
        assert dev.bus.notes == []

    virtual.run(main())


def test_witness_a_neighbour_that_answers_late_is_no_stranger() -> None:
    wire = Odd(Slave({1: {"holding": {0: 1, 1: 2}}, 2: {"holding": {0: 3, 1: 4}}}))
    wire.latency_ms = lambda unit: 400 if unit == 2 else 20

    async def main() -> None:
        bus = wire.line()
        devices = [device(wire, TWO, bus, unit) for unit in (1, 2)]
        for _ in range(30):
            for dev in devices:
                for one in await dev.poll(1000):
                    if one.quality == GOOD:
                        assert one.value in ((1, 2) if dev.name == "dev1" else (3, 4))
            await aio.sleep_ms(500)
        assert bus.notes == []
        assert not devices[0].notes

    virtual.run(main())


def test_witness_another_master_is_named_by_what_it_asked() -> None:
    wire = Odd(holding(30))
    request = rtu.frame(7, pdu.read(3, 100, 2).encode())
    reply = rtu.frame(7, bytes((3, 4, 0, 1, 0, 2)))

    async def main() -> None:
        dev = device(wire, THIRTY, wire.line())
        await polled(dev, 2)
        for _ in range(3):
            wire.put(request)
            await aio.sleep_ms(30)
            wire.put(reply)
            found = await polled(dev, 1)
            assert {one.quality for one in found[0]} == {GOOD}
        (told,) = dev.bus.notes
        assert told.startswith("another master is on this line: it asked unit 7 (function 3,")
        assert "address 100)" in told and "a line bears one master" in told
        assert not dev.notes

    virtual.run(main())


def test_witness_a_reply_to_another_master_is_not_taken_for_ours() -> None:
    """It asks our unit for as many registers, elsewhere, just before we ask."""
    wire = Odd(holding(30))
    request = rtu.frame(1, pdu.read(3, 20, 2).encode())
    reply = rtu.frame(1, bytes((3, 4, 0x11, 0x11, 0x22, 0x22)))

    async def main() -> None:
        dev = device(wire, TWO, wire.line())
        await polled(dev, 1)
        wire.latency_ms = lambda _unit: 5000  # ours is not answered: the unit is busy with theirs
        for _ in range(3):
            wire.put(request)
            asyncio.get_running_loop().call_later(0.05, wire.put, reply)
            (found,) = await polled(dev, 1, 8000)
            assert {one.quality for one in found} <= {BAD_REPLY, NO_REPLY}

    virtual.run(main())


def test_witness_an_echo_is_told_once_it_is_known_and_no_value_is_wrong() -> None:
    wire = Odd(holding(30))
    wire.echo = True

    async def main() -> None:
        dev = device(wire, THIRTY, wire.line())
        for readings in await polled(dev, 20):
            assert [one.value for one in readings] == list(range(1000, 1030))
        (told,) = dev.bus.notes
        assert told.startswith("the adapter hears what it sends")
        assert not dev.notes

    virtual.run(main())


def test_witness_a_line_in_order_has_nothing_to_tell() -> None:
    wire = Odd(holding(30))

    async def main() -> None:
        dev = device(wire, THIRTY + "\n  far: {at: 500}", wire.line())
        found = await polled(dev, 50)
        assert qualities(found[-1])["r0"] == GOOD
        assert dev.bus.notes == [] and not dev.notes
        assert 0.04 < dev.bus.use.share(aio.now_us()) < 0.3

    virtual.run(main())


REQUESTS = st.one_of(
    st.builds(pdu.read, st.integers(1, 4), st.integers(0, 1000), st.integers(1, 100)),
    st.builds(pdu.write_register, st.integers(0, 1000), st.integers(0, 0xFFFF)),
    st.builds(pdu.write_registers, st.integers(0, 1000), st.lists(st.integers(0, 255), min_size=1)),
)


@given(st.binary(max_size=300))
def test_witness_finds_nothing_in_noise_but_what_has_a_right_crc(data: bytes) -> None:
    for frame in frames(data):
        assert rtu.crc(frame.data[:-2]) == frame.data[-2:]
        assert frame.data in data


@given(st.lists(st.tuples(st.integers(1, 255), REQUESTS), max_size=6), st.binary(max_size=20))
def test_witness_finds_every_request_that_is_whole(
    asked: list[tuple[int, pdu.Request]], noise: bytes
) -> None:
    whole = [rtu.frame(unit, request.encode()) for unit, request in asked]
    found = [frame.data for frame in frames(b"".join(whole) + noise)]
    assert found[: len(whole)] == whole


@given(st.lists(st.tuples(st.binary(max_size=40), st.binary(max_size=80), st.booleans())))
def test_witness_bears_any_bytes(told: list[tuple[bytes, bytes, bool]]) -> None:
    witness = Witness()
    request = rtu.frame(1, pdu.read(3, 0, 2).encode())
    for place, (stale, heard, ok) in enumerate(told):
        witness.look(request, stale, heard, ok, place * OWED_MS)
    assert isinstance(witness.told(1), str)
    assert isinstance(witness.told_of_strangers(), str)


def test_use_is_the_share_of_the_last_minute() -> None:
    use = Use()
    assert use.share(5_000_000) == 0
    at_us = 5_000_000
    for _ in range(600):  # ten minutes, a quarter of each second
        use.add(at_us, at_us + 250_000)
        at_us += 1_000_000
    assert use.share(at_us) == pytest.approx(0.25, abs=0.01)
    assert use.share(at_us + 30_000_000) == pytest.approx(0.125, abs=0.03)
    assert use.share(at_us + 100_000_000) == 0
    use.add(at_us + 200_000_000, at_us + 230_000_000)
    use.add(at_us + 205_000_000, at_us + 225_000_000)  # it waited for the other
    assert use.share(at_us + 230_000_000) == pytest.approx(0.5, abs=0.1)


def test_use_of_several_at_a_time_is_their_mean() -> None:
    use = Use(2)
    for second in range(120):
        use.add(second * 1_000_000, second * 1_000_000 + 900_000)
    assert use.share(120_000_000) == pytest.approx(0.45, abs=0.02)
