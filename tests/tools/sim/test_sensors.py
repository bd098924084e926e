"""Sensors made from profiles: every shipped one lives, wanders, and can be polled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from drivers.modbus import ModbusDevice
from drivers.profile.compile_cpython import find, load_file, shipped
from gateway.core import aio
from gateway.core.decimal import parse
from gateway.core.errors import ConfigError
from gateway.core.reading import BAD_REPLY, GOOD, NO_REPLY, REFUSED
from tests.drivers.wire import Wire
from tests.support import virtual
from tools.sim.sensors import SensorSlave, sensor
from tools.sim.waves import SWING

if TYPE_CHECKING:
    from pathlib import Path

TRANSMITTER = """name: Transmitter
every: 1s
modbus: {}
settings: {filter: {at: 0x20, default: 3}}
channels:
  level: {at: 4, type: s32, scale: 0.001, unit: m, valid: 0..5}
  energy: {at: 10, type: u32, scale: 0.01, unit: kWh}
  decimals: {at: 3, every: once}
  door: {at: 1, in: coil, write: true}
  limit: {at: 8, scale: 0.1, write: true}
  untested: {at: 40, type: f32, valid: 10..30}
  name: {at: 50, type: str8, every: once}
tests:
  - holding: {3: 0002, 4: 0000 0960, 10: "0098 9680"}
    gives: {level: 2.4, energy: 100000, decimals: 2}
  - holding: {4: 0000 1388}
    gives: {level: 5}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "transmitter.yaml"
    path.write_text(TRANSMITTER)
    return path


def words(slave: SensorSlave, address: int, count: int) -> bytes:
    reply = slave.answer(1, bytes((3,)) + address.to_bytes(2, "big") + count.to_bytes(2, "big"))
    assert reply
    assert len(reply) == 2 + 2 * count
    return reply[2:]


def test_sensor_starts_as_in_its_tests_and_wanders_slowly(file: Path) -> None:
    now_s = [0.0]
    slave = SensorSlave({1: sensor(file)}, lambda: now_s[0])
    seen = set()
    for second in range(2000):
        now_s[0] = second
        level = int.from_bytes(words(slave, 4, 2), "big")
        assert abs(level - 2400) <= (2400 * SWING if second else 0)
        seen.add(level)
        assert words(slave, 3, 1) == b"\x00\x02"  # what is read once does not change
    assert len(seen) > 100


def test_sensor_a_counter_never_goes_back(file: Path) -> None:
    now_s = [0.0]
    slave = SensorSlave({1: sensor(file)}, lambda: now_s[0])
    counts = []
    for minute in range(100):
        now_s[0] = 60.0 * minute
        counts.append(int.from_bytes(words(slave, 10, 2), "big"))
    assert counts == sorted(counts)
    assert counts[0] == 10_000_000
    assert counts[-1] > counts[0]


def test_sensor_the_same_seed_gives_the_same_and_another_something_else(file: Path) -> None:
    def history(seed: int) -> list[bytes]:
        now_s = [0.0]
        slave = SensorSlave({1: sensor(file, seed=seed)}, lambda: now_s[0])
        found = []
        for second in range(50):
            now_s[0] = second
            found.append(words(slave, 4, 2))
        return found

    assert history(1) == history(1)
    assert history(1) != history(2)


def test_sensor_keeps_what_was_written(file: Path) -> None:
    now_s = [0.0]
    slave = SensorSlave({1: sensor(file)}, lambda: now_s[0])
    for request in (b"\x06\x00\x08\x01\x2c", b"\x05\x00\x01\xff\x00", b"\x06\x00\x20\x00\x07"):
        assert slave.answer(1, request) == request
    now_s[0] = 500.0
    assert words(slave, 8, 1) == b"\x01\x2c"
    assert slave.answer(1, b"\x01\x00\x01\x00\x01") == b"\x01\x01\x01"
    assert words(slave, 0x20, 1) == b"\x00\x07"


def test_sensor_what_no_test_names_is_legal_and_the_rest_is_refused(file: Path) -> None:
    slave = SensorSlave({1: sensor(file)}, lambda: 0.0)
    assert words(slave, 40, 2) == bytes.fromhex("41a00000")  # 20.0, the middle of what is valid
    assert words(slave, 50, 4) == b"SIM" + bytes(5)
    assert slave.answer(1, b"\x03\x00\x63\x00\x01") == b"\x83\x02"
    assert slave.answer(2, b"\x03\x00\x04\x00\x01") is None


def test_sensors_of_every_shipped_profile_are_polled_without_a_failure() -> None:
    polled = good = 0
    names = [name for name in shipped() if load_file(find(name)).bus == "modbus"]
    for name in names:
        wire = Wire(SensorSlave({1: sensor(name)}))

        async def main(name: str, wire: Wire) -> tuple[int, int]:
            found = sensor(name)
            device = ModbusDevice("d", wire.bus(), found.profile.device({}), 1)
            readings = []
            for _ in range(3):
                for period_ms in device.periods:
                    readings += await device.poll(period_ms)
                await aio.sleep_ms(20_000)
            bad = [one for one in readings if one.quality in (NO_REPLY, BAD_REPLY, REFUSED)]
            assert not bad, (name, bad[:3])
            assert not device.notes, (name, device.notes)
            assert not device.refused
            return len(readings), sum(one.quality == GOOD for one in readings)

        counted = virtual.run(main(name, wire))
        assert counted[1] > 0, name
        polled += counted[0]
        good += counted[1]
    assert len(names) >= 15
    assert polled >= 500
    assert good >= 0.8 * polled


def test_sensor_stays_within_what_is_usual_of_its_kind(tmp_path: Path) -> None:
    path = tmp_path / "meter.yaml"
    path.write_text(
        "name: Meter\nevery: 1s\nmodbus: {}\n"
        "channels: {pf: {at: 0, scale: 0.001, kind: util.elec.pf}, soc: {at: 1, kind: dev.battery, "
        'unit: "%"}}\ntests:\n  - holding: {0: 03E8 0064}\n    gives: {pf: 1, soc: 100}\n'
    )
    now_s = [0.0]
    slave = SensorSlave({1: sensor(path)}, lambda: now_s[0])
    seen = set()
    for second in range(0, 1000, 10):
        now_s[0] = second
        seen.add(words(slave, 1, 1))
        assert int.from_bytes(words(slave, 0, 1), "big") <= 1050
        assert int.from_bytes(words(slave, 1, 1), "big") <= 100
    assert len(seen) > 1


def test_sensor_holds_a_value_that_is_set_and_says_what_cannot_be(file: Path) -> None:
    one = sensor(file)
    now_s = [0.0]
    slave = SensorSlave({1: one}, lambda: now_s[0])
    one.hold("level", parse("3.5"))
    one.hold("name", "B2")
    for second in (0.0, 100.0, 1000.0):
        now_s[0] = second
        assert int.from_bytes(words(slave, 4, 2), "big") == 3500
    assert words(slave, 50, 4) == b"B2" + bytes(6)
    with pytest.raises(ConfigError, match="no channel 'levle'"):
        one.hold("levle", 1)
    with pytest.raises(ConfigError, match=r"level can be -2147483.648..2147483.647, not"):
        one.hold("level", 10**9)


def test_sensor_of_another_bus_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "probe.yaml"
    path.write_text(
        "name: P\nserial: {length: 2}\nchannels: {a: {at: 0}}\n"
        "tests: [{received: 01 02, gives: {a: 1}}]\n"
    )
    with pytest.raises(ConfigError, match="it has no registers"):
        sensor(path)
