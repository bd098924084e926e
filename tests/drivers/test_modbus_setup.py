"""What a Modbus device goes through when it comes up, and writing to it."""

from __future__ import annotations

import pytest

from gateway.core import aio
from gateway.core.errors import ConfigError, Refused
from gateway.core.reading import GOOD, STALE
from tests.drivers.wire import Wire, device, polls, qualities
from tests.support import virtual
from tools.sim.modbus import Slave

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
  level: {at: 4, write: true}"""


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
        with pytest.raises(Refused, match="not known to be a Test"):
            await dev.write("level", 5)
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


def test_modbus_a_write_goes_where_the_device_has_the_channel() -> None:
    slave = Slave({1: {"holding": {0: 3, 10: 0, 20: 0}}})
    rows = """channels:
  version: {at: 0, every: once, hidden: true}
  limit:
    - {at: 10, if: version < 2, write: true}
    - {at: 20, if: version >= 2, write: true}"""

    async def main() -> None:
        dev = device(Wire(slave), rows)
        with pytest.raises(ConfigError, match="did not say yet"):
            await dev.write("limit", 7)
        await polls(dev, 1)
        await dev.write("limit", 7)
        assert slave.tables[1]["holding"] == {0: 3, 10: 0, 20: 7}

    virtual.run(main())


def test_modbus_a_unit_the_line_cannot_ask_is_refused_at_the_start() -> None:
    with pytest.raises(ConfigError, match="device dev0: unit 0 is for all"):
        device(Wire(Slave()), "channels:\n  a: {at: 0}", unit=0)


def test_modbus_a_setup_that_fits_no_register_is_noted_and_the_polls_go_on() -> None:
    slave = Slave({1: {"holding": {0: 2, 5: 0}}})
    rows = "setup: [{at: 5, value: a * 60000}]\nidentify: a > 0\nchannels:\n  a: {at: 0}"

    async def main() -> None:
        dev = device(Wire(slave), rows)
        assert qualities(await polls(dev, 2)) == {"a": GOOD}
        assert "120000 does not fit" in dev.notes["setup"]

    virtual.run(main())
