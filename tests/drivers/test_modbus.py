"""A Modbus device over a simulated line: few requests, right times, every kind of failure."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from drivers.breaker import CAP_MS
from drivers.profile.plan import Range
from gateway.core import aio, log
from gateway.core.errors import ConfigError, Refused
from gateway.core.reading import BAD_REPLY, GOOD, NO_REPLY, REFUSED, STALE, Reading
from gateway.poll import Item, Schedule, poll_bus
from tests.drivers.wire import BAUD, Wire, device
from tests.support import virtual
from tools.sim.modbus import Slave

if TYPE_CHECKING:
    from drivers.modbus import ModbusDevice

THIRTY = "channels:\n  r[0..29]: {at: 0}"
FAR = "channels:\n  near: {at: 0}\n  far: {at: 500}"


def holding(count: int) -> Slave:
    return Slave({1: {"holding": {address: 1000 + address for address in range(count)}}})


def qualities(readings: list[Reading]) -> dict[str, str]:
    return {one.point.partition("/")[2]: one.quality for one in readings}


async def polls(dev: ModbusDevice, count: int) -> list[Reading]:
    """Poll every second; return the readings of the last poll."""
    found: list[Reading] = []
    for _ in range(count):
        found = await dev.poll(1000)
        await aio.sleep_ms(1000)
    return found


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
        assert len(wire.asked(1)) == 5
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


LEVEL = """channels:
  level: {at: 4, calc: x / 10 ** decimals, unit: m}
  decimals: {at: 3, every: once, hidden: true}
  serial: {at: 20, every: once}"""


def test_modbus_constants_are_read_before_what_needs_them_and_again_after_silence() -> None:
    slave = Slave({1: {"holding": {3: 1, 4: 1234, 20: 77}}})
    wire = Wire(slave)

    async def main() -> None:
        dev = device(wire, LEVEL)
        assert dev.periods == [1000]
        first = await dev.poll(1000)
        assert [(one.point, str(one.value)) for one in first] == [
            ("dev1/serial", "77"),
            ("dev1/level", "123.4"),
        ]
        assert [one.point for one in await polls(dev, 1)] == ["dev1/level"]
        wire.dead.add(1)
        await polls(dev, 10)
        wire.dead.clear()
        slave.tables[1]["holding"][3] = 2  # type: ignore[index]
        found = [one for _ in range(12) for one in await polls(dev, 1)]
        assert (found[-1].point, str(found[-1].value)) == ("dev1/level", "12.34")
        assert [one.point for one in found].count("dev1/serial") == 1

    virtual.run(main())


def test_modbus_constants_a_busy_device_withheld_are_asked_for_later() -> None:
    class Busy(Slave):
        def answer(self, unit: int, message: bytes) -> bytes | None:
            starting = aio.now_ms() < 5000 and message[1:3] != b"\x00\x04"
            return bytes((0x83, 6)) if starting else super().answer(unit, message)

    wire = Wire(Busy({1: {"holding": {3: 1, 4: 1234, 20: 77}}}))

    async def main() -> None:
        dev = device(wire, LEVEL)
        assert qualities(await polls(dev, 3)) == {"level": STALE}
        found = [one.point for _ in range(10) for one in await polls(dev, 1)]
        assert found.count("dev1/serial") == 1
        assert qualities(await polls(dev, 1)) == {"level": GOOD}

    virtual.run(main())


def test_modbus_a_device_of_constants_only_is_polled_once() -> None:
    wire = Wire(Slave({1: {"holding": {20: 77}}}))

    async def main() -> None:
        dev = device(wire, "channels:\n  serial: {at: 20, every: once}")
        assert dev.periods == [0]
        assert [one.value for one in await dev.poll(0)] == [77]
        assert len(wire.asked(1)) == 1

    virtual.run(main())


SETTINGS = """settings: {filter: {at: 0x20, default: 3}}
setup: [{at: 0x30, value: 1}]
identify: model == 112
channels:
  model: {at: 1, every: once}
  level: {at: 4}"""


def test_modbus_settings_that_differ_are_written_when_a_device_comes_up() -> None:
    slave = Slave({1: {"holding": {1: 112, 4: 9, 0x20: 1, 0x30: 0}}})
    wire = Wire(slave)
    table = slave.tables[1]["holding"]

    async def main() -> None:
        dev = device(wire, SETTINGS)
        await polls(dev, 2)
        assert (table[0x20], table[0x30]) == (3, 1)  # type: ignore[index]
        assert [one for one in wire.asked(1) if one[0] == 6] == [(6, 0x20, 3), (6, 0x30, 1)]
        wire.dead.add(1)
        await polls(dev, 5)
        wire.dead.clear()
        table[0x30] = 0  # type: ignore[index]
        await polls(dev, 12)
        assert [one for one in wire.asked(1) if one[0] == 6] == [(6, 0x30, 1)]
        assert not dev.notes

    virtual.run(main())


def test_modbus_another_device_than_the_profiles_is_read_but_never_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    slave = Slave({1: {"holding": {1: 99, 4: 9, 0x20: 1, 0x30: 0}}})
    wire = Wire(slave)

    async def main() -> None:
        dev = device(wire, SETTINGS)
        assert qualities(await polls(dev, 2)) == {"level": GOOD}
        assert all(function == 3 for function, _, _ in wire.asked(1))
        assert dev.notes == {"identify": "does not look like a Test"}

    virtual.run(main())
    assert capsys.readouterr().err.count("identify") == 1


def test_modbus_a_setting_that_does_not_stick_is_written_once() -> None:
    slave = Slave({1: {"holding": {1: 112, 4: 9, 0x20: 1, 0x30: 0}}})
    wire = Wire(slave)

    class Stubborn(dict[int, int]):
        def __setitem__(self, address: int, value: int) -> None:
            pass

    slave.tables[1]["holding"] = Stubborn({1: 112, 4: 9, 0x20: 1, 0x30: 0})

    async def main() -> None:
        dev = device(wire, SETTINGS)
        assert qualities(await polls(dev, 100)) == {"level": GOOD}
        assert [one for one in wire.asked(1) if one[0] == 6] == [(6, 0x20, 3)]
        assert "holds 0001" in dev.notes["setup"]

    virtual.run(main())


def test_modbus_a_device_silent_to_its_setup_is_written_to_ever_more_rarely() -> None:
    class Mute(Slave):
        def answer(self, unit: int, message: bytes) -> bytes | None:
            return None if message[0] == 6 else super().answer(unit, message)

    wire = Wire(Mute({1: {"holding": {1: 112, 4: 9, 0x20: 1, 0x30: 0}}}))

    async def main() -> None:
        dev = device(wire, SETTINGS)
        await polls(dev, 3600)
        assert len([one for one in wire.asked(1) if one[0] == 6]) <= 2 * 10

    virtual.run(main())


RELAY = """channels:
  relay[1..2]: {in: coil, at: 0, write: true}
  limit: {at: 7, scale: 0.1, write: {min: 0, max: 50}}
  level: {at: 8}"""


def test_modbus_a_written_value_is_read_back() -> None:
    slave = Slave({1: {"coil": {0: False, 1: False}, "holding": {7: 0, 8: 1}}})
    wire = Wire(slave)

    async def main() -> None:
        dev = device(wire, RELAY)
        assert [(one.point, one.value) for one in await dev.write("relay2", True)] == [
            ("dev1/relay2", True)
        ]
        assert wire.asked(1) == [(5, 1, 0xFF00), (1, 1, 1)]
        assert [str(one.value) for one in await dev.write("limit", 20)] == ["20"]
        assert slave.tables[1]["holding"][7] == 200  # type: ignore[index]
        for channel, value in (("limit", 51), ("level", 1), ("nothing", 1)):
            with pytest.raises(ConfigError):
                await dev.write(channel, value)

    virtual.run(main())


def test_modbus_a_write_that_is_accepted_and_ignored_is_refused() -> None:
    class Ignoring(dict[int, int]):
        def __setitem__(self, address: int, value: int) -> None:
            pass

    slave = Slave({1: {"coil": Ignoring({0: False, 1: False}), "holding": Ignoring({7: 0, 8: 0})}})

    async def main() -> None:
        dev = device(Wire(slave), RELAY)
        with pytest.raises(Refused, match="took 01, but holds 00"):
            await dev.write("relay1", True)
        with pytest.raises(Refused, match="took 00c8, but holds 0000"):
            await dev.write("limit", 20)

    virtual.run(main())


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


@pytest.fixture(autouse=True)
def _plain_log() -> None:
    log.to_journal(False)
