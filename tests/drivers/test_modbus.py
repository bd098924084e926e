"""A Modbus device over a simulated line: few requests, right times, what it refuses."""

from __future__ import annotations

import random

import pytest

from drivers.profile.plan import Range
from gateway.core import aio
from gateway.core.reading import BAD_REPLY, GOOD, NO_REPLY, REFUSED
from tests.drivers.wire import BAUD, FAR, THIRTY, Wire, device, holding, polls, qualities
from tests.support import virtual
from tools.sim.modbus import Slave


def test_modbus_thirty_adjacent_registers_are_one_request() -> None:
    wire = Wire(holding(30))

    async def main() -> None:
        readings = await device(wire, THIRTY).poll(1000)
        assert [one.value for one in readings] == list(range(1000, 1030))
        assert {one.quality for one in readings} == {GOOD}
        assert wire.asked(1) == [(3, 0, 30)]

    virtual.run(main())


def test_modbus_a_reading_is_of_the_middle_of_its_exchange() -> None:
    wire = Wire(Slave({1: {"holding": {0: 1, 500: 2}}}))
    wire.latency_ms = lambda _unit: 60

    async def main() -> None:
        await aio.sleep_ms(5000)
        dev = device(wire, FAR)
        near, far = await dev.poll(1000)
        took_ms = 60 + (8 + 7) * 11_000 / BAUD
        assert abs(near.at_ms - (5000 + took_ms / 2)) <= 5
        assert abs(far.at_ms - near.at_ms - took_ms - 4) <= 5

    virtual.run(main())


def test_modbus_bits_and_registers_of_every_table_are_read() -> None:
    tables = {
        "coil": {3: True, 4: False},
        "discrete": {9: 1},
        "input": {7: 65535},
        "holding": {0: 5},
    }
    text = """channels:
  relay[1..2]: {in: coil, at: 3}
  door: {in: discrete, at: 9}
  level: {in: input, at: 7, type: s16}
  count: {at: 0}"""

    async def main() -> None:
        readings = await device(Wire(Slave({1: tables})), text).poll(1000)
        assert {one.point: one.value for one in readings} == {
            "dev1/relay1": True,
            "dev1/relay2": False,
            "dev1/door": True,
            "dev1/level": -1,
            "dev1/count": 5,
        }

    virtual.run(main())


@pytest.mark.parametrize("missing", [0, 1, 14, 15, 29])
def test_modbus_one_register_that_is_refused_costs_only_itself(missing: int) -> None:
    slave = holding(30)
    del slave.tables[1]["holding"][missing]  # type: ignore[union-attr]
    wire = Wire(slave)

    async def main() -> None:
        dev = device(wire, THIRTY)
        for asked_max in (11, 2, 2):
            found = qualities(await dev.poll(1000))
            assert [name for name in found if found[name] != GOOD] == [f"r{missing}"]
            assert found[f"r{missing}"] == REFUSED
            assert len(wire.asked(1)) <= asked_max
        assert dev.refused == {Range("holding", missing, 1)}

    virtual.run(main())


@pytest.mark.parametrize("most", [1, 7, 10, 16, 29])
def test_modbus_a_device_of_short_replies_is_learned_in_one_poll(most: int) -> None:
    class Short(Slave):
        def answer(self, unit: int, message: bytes) -> bytes | None:
            too_many = int.from_bytes(message[3:5], "big") > most
            return bytes((0x83, 3)) if too_many else super().answer(unit, message)

    wire = Wire(Short(holding(30).tables))

    async def main() -> None:
        dev = device(wire, THIRTY)
        assert set(qualities(await dev.poll(1000)).values()) == {GOOD}
        wire.asked(1)
        assert set(qualities(await dev.poll(1000)).values()) == {GOOD}
        second = wire.asked(1)
        assert len(second) <= 2 * (30 // most + 1)
        assert all(count <= most for _, _, count in second)
        again = device(wire, THIRTY)
        again.refused.update(dev.refused)  # as kept from one start to the next
        await again.poll(1000)
        assert wire.asked(1) == second

    virtual.run(main())


def test_modbus_a_device_that_refuses_everything_is_not_remembered_so() -> None:
    slave = Slave({1: {"holding": {}}})
    wire = Wire(slave)

    async def main() -> None:
        dev = device(wire, THIRTY)
        assert set(qualities(await dev.poll(1000)).values()) == {REFUSED}
        wire.asked(1)
        assert set(qualities(await polls(dev, 5)).values()) == {REFUSED}
        assert len(wire.asked(1)) == 5 * 2  # all of it, and one field
        assert dev.refused == set()
        slave.tables = holding(30).tables  # it has started up
        assert set(qualities(await dev.poll(1000)).values()) == {GOOD}

    virtual.run(main())


@pytest.mark.parametrize("code", [1, 4, 5, 6, 7, 99])
def test_modbus_other_exceptions_are_of_the_moment(code: int) -> None:
    class Busy(Slave):
        busy = True

        def answer(self, unit: int, message: bytes) -> bytes | None:
            return bytes((0x83, code)) if self.busy else super().answer(unit, message)

    slave = Busy(holding(30).tables)
    wire = Wire(slave)

    async def main() -> None:
        dev = device(wire, THIRTY)
        assert set(qualities(await polls(dev, 4)).values()) == {REFUSED}
        assert len(wire.asked(1)) == 4
        assert not dev.refused
        assert not dev.unit.silent
        slave.busy = False
        assert set(qualities(await dev.poll(1000)).values()) == {GOOD}

    virtual.run(main())


@pytest.mark.parametrize("code", [10, 11])
def test_modbus_a_unit_silent_behind_a_gateway_is_silent(code: int) -> None:
    class Gateway(Slave):
        def answer(self, unit: int, message: bytes) -> bytes | None:
            return bytes((message[0] | 0x80, code))

    async def main() -> None:
        dev = device(Wire(Gateway(), "tcp"), THIRTY)
        assert set(qualities(await polls(dev, 2)).values()) == {NO_REPLY}
        assert dev.unit.silent

    virtual.run(main())


def test_modbus_a_damaged_reply_is_asked_for_once_more() -> None:
    wire = Wire(holding(30))
    spoil = [True, False]
    wire.spoil = lambda frame: (
        bytes((frame[0], frame[1] ^ 4)) + frame[2:] if spoil.pop(0) else frame
    )

    async def main() -> None:
        dev = device(wire, THIRTY)
        assert set(qualities(await dev.poll(1000)).values()) == {GOOD}
        assert len(wire.asked(1)) == 2
        spoil.extend([True, True, False])
        assert set(qualities(await dev.poll(1000)).values()) == {BAD_REPLY}
        assert len(wire.asked(1)) == 2
        assert set(qualities(await dev.poll(1000)).values()) == {GOOD}
        assert dev.unit.counts == {"answered": 2, "no-reply": 0, "bad-reply": 3, "refused": 0}

    virtual.run(main())


@pytest.mark.parametrize("seed", range(20))
def test_modbus_a_late_reply_is_never_taken_for_another_registers(seed: int) -> None:
    """Same unit, same function, same size: only time can tell the replies apart."""
    wire = Wire(Slave({1: {"holding": {0: 100, 500: 600, 900: 1000}}}))
    chance = random.Random(seed)
    wire.latency_ms = lambda _unit: chance.choice([5, 5, 5, 5, 120, 300, 700])
    text = "channels:\n  a: {at: 0}\n  b: {at: 500}\n  c: {at: 900}"
    right = {"dev1/a": 100, "dev1/b": 600, "dev1/c": 1000}
    good = 0

    async def main() -> None:
        nonlocal good
        dev = device(wire, text)
        for _ in range(100):
            for one in await dev.poll(1000):
                if one.quality == GOOD:
                    assert one.value == right[one.point]
                    good += 1

    virtual.run(main())
    assert good > 150


@pytest.mark.parametrize("framing", ["rtu", "ascii", "tcp"])
def test_modbus_every_framing_brings_the_same(framing: str) -> None:
    wire = Wire(holding(30), framing)

    async def main() -> None:
        readings = await device(wire, THIRTY).poll(1000)
        assert [one.value for one in readings] == list(range(1000, 1030))

    virtual.run(main())


def test_modbus_a_long_reply_that_shows_only_as_a_whole_is_waited_for() -> None:
    wire = Wire(Slave({1: {"holding": dict.fromkeys(range(125), 7)}}))
    wire.lump_bytes = 300
    text = "channels:\n  r[0..124]: {at: 0}"

    async def main() -> None:
        readings = await device(wire, text, wire.bus(whole=True)).poll(1000)
        assert {one.quality for one in readings} == {GOOD}
        assert len(wire.asked(1)) == 1

    virtual.run(main())


def test_modbus_latency_is_what_a_device_takes_beside_the_bytes() -> None:
    wire = Wire(holding(30))
    wire.latency_ms = lambda _unit: 130

    async def main() -> None:
        dev = device(wire, THIRTY)
        await polls(dev, 40)
        assert 125 <= dev.unit.latency_ms <= 145

    virtual.run(main())


def test_modbus_a_profiles_pause_is_kept_between_exchanges() -> None:
    at_ms: list[int] = []

    class Timed(Slave):
        def answer(self, unit: int, message: bytes) -> bytes | None:
            at_ms.append(aio.now_ms())
            return super().answer(unit, message)

    wire = Wire(Timed({1: {"holding": {0: 1, 500: 2}}}))

    async def main() -> None:
        dev = device(wire, FAR, pause="100ms")
        await dev.poll(1000)
        exchange_ms = 20 + 15 * 11_000 / BAUD
        assert abs(at_ms[1] - at_ms[0] - exchange_ms - 100) <= 5
        assert dev.unit.latency_ms <= 25  # the pause is ours, not the device's

    virtual.run(main())


def test_modbus_the_time_a_port_takes_to_open_teaches_nothing() -> None:
    wire = Wire(holding(1))
    opened = wire.open

    async def slowly() -> Wire:
        await aio.sleep_ms(3000)
        return await opened()

    wire.open = slowly  # type: ignore[method-assign]

    async def main() -> None:
        dev = device(wire, "channels:\n  a: {at: 0}")
        assert qualities(await dev.poll(1000)) == {"a": GOOD}
        assert dev.unit.latency_ms <= 25

    virtual.run(main())
