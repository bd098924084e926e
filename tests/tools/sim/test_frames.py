"""Sensors with frames of their own: what they send is what their profile understands."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from drivers.profile.check_cpython import check_text
from drivers.profile.compile_cpython import find, load_file, shipped
from drivers.profile.model import load
from gateway.core import aio, cbor
from gateway.core.decimal import parse
from gateway.core.errors import ConfigError
from tests.support import virtual
from tools.sim.faults import Faults
from tools.sim.frames import FrameSensor
from tools.sim.ports import Pace
from tools.sim.talks import FrameTalk

EXAMPLES = Path(__file__).parents[2] / "drivers" / "profile" / "examples"


def played(path: Path, **options) -> FrameSensor:
    checked = check_text(path.read_text(), str(path))
    checked.report.require()
    profile = load(cbor.encode(checked.document))
    given = {"chosen": {}, "seed": 1, "still": False, **options}
    return FrameSensor(profile, checked.cases, **given)


def values(sensor: FrameSensor, message: str, now_s: float) -> dict[str, object]:
    rows = sensor.rows(message, sensor.frame(message, now_s))
    return {name: value for name, value, _ in rows}


def test_frame_sensor_begins_as_in_its_tests_and_wanders_with_a_right_check_sum() -> None:
    sensor = played(EXAMPLES / "pms5003.yaml")
    assert sensor.streams == [""]
    first = sensor.frame("", 0.0)
    assert first.hex().upper().startswith("424D001C000400070008")
    frames = {sensor.frame("", float(second)) for second in range(200)}
    assert len(frames) > 10
    for frame in frames:
        assert len(frame) == 32
        assert int.from_bytes(frame[-2:], "big") == sum(frame[:-2])


def test_frame_sensor_answers_each_request_with_its_message() -> None:
    sensor = played(EXAMPLES / "daly.yaml")
    assert sensor.streams == []
    for ask, start in (("90", "A50190"), ("91", "A50191"), ("92", "A50192")):
        request = bytes.fromhex(f"A540{ask}08" + "00" * 8)
        request += bytes((sum(request) & 0xFF,))
        assert sensor.answer(request[:-1], 0.0) is None
        frame, source = sensor.answer(b"\x00" + request, 0.0)
        assert frame.startswith(bytes.fromhex(start)), source
    assert sensor.answer(b"nonsense", 0.0) is None


def test_frame_sensor_writes_numbers_as_the_device_does() -> None:
    sensor = played(EXAMPLES / "smt100.yaml")
    assert sensor.frame("", 0.0) == b"13,4.52,21.37,-3.5,11.98\r\n"
    for second in range(0, 1000, 7):
        columns = sensor.frame("", float(second)).decode().strip().split(",")
        assert [len(column.partition(".")[2]) for column in columns] == [0, 2, 2, 1, 2]
        assert columns[0] == "13"  # no channel: it stays
        assert columns[3].startswith("-")


def test_frame_sensor_finds_a_number_amid_text() -> None:
    sensor = played(EXAMPLES / "rg15.yaml")
    sensor.hold("rain_event", parse("7.25"))
    found = values(sensor, "", 0.0)
    assert float(found["rain_event"]) == 7.25
    assert sensor.frame("", 0.0).endswith(b" mm, RInt 0.32 mmph\r\n")


def test_frame_sensor_holds_what_is_set_and_says_what_cannot_be() -> None:
    sensor = played(EXAMPLES / "sds011.yaml")
    sensor.hold("pm2_5", parse("99.9"))
    for second in (0.0, 77.0, 700.0):
        assert float(values(sensor, "", second)["pm2_5"]) == 99.9
    with pytest.raises(ConfigError, match=r"pm10 can be 0..6553.5, not 1000000"):
        sensor.hold("pm10", 10**6)
    with pytest.raises(ConfigError, match="no channel 'pm1'"):
        sensor.hold("pm1", 1)


def test_frame_sensor_that_stands_still_repeats_its_test() -> None:
    sensor = played(EXAMPLES / "sds011.yaml", still=True)
    assert {sensor.frame("", float(second)) for second in range(100)} == {
        bytes.fromhex("AAC08C009400BCF9D5AB")
    }


def test_frame_sensors_of_every_shipped_profile_say_what_the_profile_understands() -> None:
    names = [name for name in shipped() if load_file(find(name)).bus == "serial"]
    messages = wandering = 0
    for name in names:
        sensor = played(find(name))
        for message in {row["id"] for row in sensor.profile.messages}:
            try:
                first = values(sensor, message, 0.0)
            except KeyError:  # no test shows this message
                continue
            for second in (30.0, 77.0, 3000.0):
                later = values(sensor, message, second)
                absent = [key for key in first if later.get(key) is None is not first[key]]
                assert not absent, (name, message, second, absent)
            messages += 1
            wandering += values(sensor, message, 77.0) != first
    assert len(names) >= 10
    assert messages >= len(names)
    assert wandering >= 0.8 * messages


class Ear:
    """Both ends of a wire in one object."""

    def __init__(self) -> None:
        self.heard = b""
        self._said: asyncio.Queue[bytes] = asyncio.Queue()

    def say(self, data: bytes) -> None:
        self._said.put_nowait(data)

    async def read(self) -> bytes:
        return await self._said.get()

    def write(self, data: bytes) -> None:
        self.heard += data


def talk(path: Path, ear: Ear, *faults: str) -> tuple[FrameTalk, list]:
    told: list = []
    note = lambda *event: told.append(event)
    return FrameTalk(played(path), Faults(*faults), Pace(9600), note), told


def test_frame_talk_streams_by_itself_at_the_pace_of_the_line() -> None:
    async def main() -> None:
        ear = Ear()
        one, told = talk(EXAMPLES / "pms5003.yaml", ear)
        running = asyncio.create_task(one.run(ear.read, ear.write))
        await aio.sleep_ms(10)
        assert 0 < len(ear.heard) < 32  # 32 bytes at 9600 baud take 37 ms
        await aio.sleep_ms(3400)
        assert len(ear.heard) == 4 * 32
        assert ear.heard[96:98] == b"BM"
        assert len(told) == 4
        running.cancel()

    virtual.run(main())


def test_frame_talk_answers_late_or_never_as_its_faults_say() -> None:
    async def main() -> None:
        for fault, count in (("delay=0.5", 26), ("silence", 0)):
            ear = Ear()
            one, told = talk(EXAMPLES / "smt100.yaml", ear, fault)
            running = asyncio.create_task(one.run(ear.read, ear.write))
            ear.say(b"GETS")
            await aio.sleep_ms(5)
            ear.say(b"MD!\r")
            await aio.sleep_ms(400)
            assert ear.heard == b""
            await aio.sleep_ms(400)
            assert len(ear.heard) == count
            assert told[0][0] == b"GETSMD!\r"
            running.cancel()

    virtual.run(main())


def test_frame_sensor_without_a_frame_in_its_tests_says_so(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(
        "name: P\nserial: {length: 2}\nchannels: {a: {at: 0}}\n"
        "tests: [{received: 01 02 03, gives: nothing}]\n"
    )
    with pytest.raises(ConfigError, match="nothing to play"):
        played(path)
