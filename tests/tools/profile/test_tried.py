"""What `profile try` makes of a device: one look in memory, its text, its tests to paste."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from drivers.profile.check_cpython import check_text
from drivers.profile.compile_cpython import find, load_file, shipped
from drivers.profile.model import load
from drivers.protocol import pdu
from gateway.__main__ import main
from gateway.core import cbor
from gateway.core.errors import BadReply, ConfigError, NoReply
from tests.support import virtual
from tools.profile.live import tried
from tools.profile.live.listen import FrameLook
from tools.profile.live.look import Look
from tools.profile.live.poll_once import BROKEN_MAX, ModbusLook
from tools.profile.live.port import Port, Wiring
from tools.profile.live.try_ import units_of
from tools.profile.proof import tester
from tools.sim.frames import FrameSensor
from tools.sim.modbus import Slave
from tools.sim.sensors import SensorSlave, sensor

EXAMPLES = Path(__file__).parents[2] / "drivers" / "profile" / "examples"
PROBE = """name: Probe
modbus: {gap: 1}
identify: 0 < moisture < 100
channels:
  moisture:    {at: 0, scale: 0.1, unit: "%", kind: soil.moisture}
  temperature: {at: 1, type: s16, scale: 0.1, unit: °C, kind: soil.temperature}
  mean:        {calc: (moisture + temperature) / 2}
  far:         {at: 40}
  spare:       {at: 50, every: never}
tests:
  - holding: {0: 01EF 0144, 40: "0001"}
    gives: {moisture: 49.5, temperature: 32.4, far: 1}
"""


def checked_of(text: str):
    checked = check_text(text, "probe.yaml")
    checked.report.require()
    return checked


def look_at(text: str, slave: Slave, unit: int = 1, everything: bool = False) -> Look:
    async def ask(request: pdu.Request) -> bytes:
        reply = slave.answer(unit, request.encode())
        if reply is None:
            raise NoReply("nobody")
        return request.parse(reply)

    device = load(cbor.encode(checked_of(text).document)).device()
    look = ModbusLook(device, unit, ask)
    asyncio.run(look.run(everything))
    return look


def slave_of(**registers: int) -> Slave:
    return Slave({1: {"holding": {int(name[1:]): value for name, value in registers.items()}}})


GOOD = {"r0": 0x01EF, "r1": 0x0144, "r40": 1, "r50": 9}


def test_try_shows_bytes_and_values_side_by_side() -> None:
    text = tried.table(look_at(PROBE, slave_of(**GOOD)), 0, units_of(checked_of(PROBE)))
    assert "holding 0..0\n  → 01 03 00 00 00 01 84 0A\n  ← 01 03 02 01 EF F8 58\n" in text
    assert "  moisture  0  01EF  u16 495  49.5 %\n" in text
    assert "  temperature  1  0144  s16 324  32.4 °C\n" in text
    assert "computed\n  mean        40.95\n" in text
    assert "spare" in text  # told, though never polled …
    assert "– not read" in text
    all_of_it = look_at(PROBE, slave_of(**GOOD), everything=True)
    assert "  spare  50  0009  u16 9  9\n" in tried.table(all_of_it, 0, {})


def test_try_of_a_right_profile_doubts_nothing() -> None:
    assert look_at(PROBE, slave_of(**GOOD)).doubts == []


def test_try_marks_the_reading_that_looks_right() -> None:
    look = look_at(PROBE.replace("at: 1,", "at: 2,"), slave_of(**GOOD, r2=0x8001, r3=0))
    text = tried.doubts_text(look, 0, units_of(checked_of(PROBE)))
    assert text.splitlines() == [
        "? temperature -3276.7 °C: -32767 is near the end of s16",
        "    at: 2 ABCD → -3276.7 °C  (as the profile says)",
        "    at: 2 DCBA → 38.4 °C",
        "    at: 1 ABCD → 32.4 °C  ← plausible",
        "    at: 3 ABCD → 0 °C",
    ]


def test_try_says_which_register_a_device_refuses_and_reads_the_rest() -> None:
    registers = {name: value for name, value in GOOD.items() if name != "r40"}
    look = look_at(PROBE, slave_of(**registers, r39=7))
    (row,) = [row for row in tried.rows(look) if row.place.id == "far"]
    assert (row.value, row.why) == (None, "refused")
    assert "illegal data address" in tried.table(look, 0, {}).lower()
    (doubt,) = look.doubts
    assert doubt.verdict.reason == "the device refuses to read it"


def test_try_counts_addresses_as_the_profile_does() -> None:
    text = PROBE.replace("{gap: 1}", "{base: 40001}")
    for old, new in (("at: 0,", "at: 40001,"), ("at: 1,", "at: 40002,"), ("at: 40}", "at: 40041}")):
        text = text.replace(old, new)
    text = text.replace("at: 50,", "at: 40051,").replace("{0: 01EF", "{40001: 01EF")
    text = text.replace('40: "0001"', '40041: "0001"')
    shown = tried.table(look_at(text, slave_of(**GOOD)), 40001, {})
    assert "  temperature  40002  0144" in shown


@pytest.mark.parametrize("name", ["eastron/sdm630", "keller/36xw", "waveshare/modbus-rtu-relay"])
def test_frames_of_a_look_are_tests_that_hold(name: str) -> None:
    text = find(name).read_text()
    look = look_at(text, SensorSlave({1: sensor(name)}, lambda: 0.0))
    pasted = tried.frames(look, "by a test")
    head, _, _ = text.partition("\ntests:")
    checked = check_text(f"{head}\n{pasted}", name)
    outcome = tester.run(checked)
    assert checked.report.errors == 0, checked.report.text()
    assert outcome.tests >= 1
    assert outcome.compared >= 8


def test_frames_of_texts_and_words_are_quoted() -> None:
    text = """name: P
modbus: {}
channels: {name: {at: 0, type: str8}, state: {at: 8, map: {1: "on", 2: "no"}}}
tests: [{holding: {0: 4142 0000 0000 0000}, gives: {name: AB}}]
"""
    look = look_at(text, slave_of(r0=0x4142, r1=0x2220, r2=0x4300, r3=0, r8=2))
    pasted = tried.frames(look, "by a test")
    assert 'name: "AB\\" C"' in pasted
    assert 'state: "no"' in pasted
    checked = check_text(text.partition("\ntests:")[0] + "\n" + pasted, "p.yaml")
    tester.run(checked)
    assert checked.report.errors == 0, checked.report.text()


def test_look_as_plain_data_is_json() -> None:
    look = look_at(PROBE, slave_of(**{**GOOD, "r0": 5000}))
    found = json.loads(json.dumps(tried.document(look, 0, {"moisture": "%"})))
    assert found["identified"] is False
    rows = {row["channel"]: row for row in found["channels"]}
    assert rows["moisture"]["value"] == 500
    assert rows["moisture"]["bytes"] == "1388"
    assert rows["moisture"]["at"] == 0
    assert rows["mean"]["at"] is None
    assert [doubt["remedy"] for doubt in found["doubts"]] == ["at 1 instead of 0"]
    assert found["exchanges"][0]["request"] == "010300000001840a"


def test_looks_at_every_shipped_modbus_profile_bring_values_and_few_doubts() -> None:
    looked = values = doubts = remedies = 0
    for name in shipped():
        profile = load_file(find(name))
        if profile.bus != "modbus" or any(one.default is None for one in profile.settings):
            continue
        look = look_at(find(name).read_text(), SensorSlave({1: sensor(name)}, lambda: 0.0))
        looked += 1
        values += sum(row.value is not None for row in tried.rows(look))
        doubts += len(look.doubts)
        remedies += sum(doubt.best is not None for doubt in look.doubts)
        tried.table(look, 0, {})
    assert looked >= 100
    assert values >= 10 * looked
    # The simulated registers of what no test shows are not always like a device's.
    assert doubts <= 0.02 * values
    assert remedies <= 0.01 * values


class Wire:
    """A transport whose other end is a device with frames; `lumps` come in one by one."""

    def __init__(self, sensor: FrameSensor | None, stream: bytes = b"") -> None:
        self.sensor = sensor
        self.sent = b""
        self._queue = [stream[at : at + 7] for at in range(0, len(stream), 7)]

    async def read(self, size_max: int) -> bytes:
        if not self._queue:
            await asyncio.sleep(3600)
        return self._queue.pop(0)

    async def write(self, data: bytes) -> None:
        self.sent += data
        answer = self.sensor.answer(data, 0.0) if self.sensor else None
        self._queue += [data, answer[0]] if answer else []  # the line's echo, then the answer

    def drop_input(self) -> bytes:
        return b""

    def close(self) -> None:
        pass


def hear(name: str, stream: bytes = b"", silent: bool = False) -> tuple[FrameLook, Wire]:
    path = EXAMPLES / f"{name}.yaml"
    checked = checked_of(path.read_text())
    profile = load(cbor.encode(checked.document))
    played = None if silent else FrameSensor(profile, checked.cases, {}, 1, still=True)
    wire = Wire(played, stream)
    look = FrameLook(profile.device(), wire, b"\x01", 2000)
    virtual.run(look.run())
    return look, wire


PMS = bytes.fromhex("424D001C000400070008000400070008 0384010E0032000600020000 97000238")


def test_try_cuts_frames_from_a_stream_that_began_before() -> None:
    look, wire = hear("pms5003", PMS[11:] + PMS)
    values = {row.place.id: row.value for row in tried.rows(look)}
    assert values["pm2_5"] == 7
    assert look.doubts == []
    assert wire.sent == bytes.fromhex("424DE40001017442 4DE400000173")  # woken, sent to sleep


def test_try_asks_for_every_message_and_knows_an_echo() -> None:
    look, _ = hear("daly")
    values = {row.place.id: row.value for row in tried.rows(look)}
    assert float(values["voltage"]) == 52.6
    assert values["temperature_max"] == 23
    assert [exchange.why for exchange in look.exchanges] == ["", "", ""]
    shown = tried.table(look, 0, {"voltage": "V"})
    assert "message pack\n  → A5 40 90 08 00 00 00 00 00 00 00 00 7D\n" in shown
    assert "  voltage  4..5    020E  u16 526    52.6 V\n" in shown
    assert 'received: "A5 01 90' in tried.frames(look, "by a test")


def test_try_of_a_text_shows_and_quotes_it_as_text() -> None:
    look, _ = hear("smt100")
    assert r"← '13,4.52,21.37,-3.5,11.98\r\n'" in tried.table(look, 0, {})
    assert r'received: "13,4.52,21.37,-3.5,11.98\r\n"' in tried.frames(look, "by a test")


def test_try_tells_silence_from_bytes_that_are_no_frame() -> None:
    with pytest.raises(NoReply, match="nothing came"):
        hear("pms5003")
    with pytest.raises(BadReply, match=r"40 bytes came, and no frame.*it begins with 0011"):
        hear("pms5003", bytes(range(0, 170, 17)) * 4)
    with pytest.raises(NoReply):
        hear("smt100", silent=True)


@pytest.mark.parametrize(
    ("text", "place", "unit"),
    [
        ("/dev/ttyUSB0", "/dev/ttyUSB0", None),
        ("/dev/ttyUSB0:7", "/dev/ttyUSB0", 7),
        ("ttyUSB0:12", "/dev/ttyUSB0", 12),
        ("/dev/serial/by-path/pci-usb-0:1.2:1.0-port0", None, None),
        ("tcp://10.0.0.5", "tcp://10.0.0.5:502", None),
        ("tcp://meter:1502", "tcp://meter:1502", None),
        ("tcp://meter:1502:3", "tcp://meter:1502", 3),
    ],
)
def test_port_is_read_as_people_write_it(text: str, place: str | None, unit: int | None) -> None:
    port = Port(text)
    assert (port.place, port.unit) == (place or text, unit)


@pytest.mark.parametrize(
    "wrong", ["tcp://", "tcp://h:x", "tcp://h:1:2:3", "tcp://h:99999", "/d:256"]
)
def test_port_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises(ConfigError):
        Port(wrong)


def test_wiring_is_told_as_people_write_it() -> None:
    assert Wiring({}).text == "9600 8N1"
    assert Wiring({"baud": 2400, "parity": "even", "data": 7, "stop": 2}).text == "2400 7E2"
    assert Wiring({}, "tcp").text == "Modbus TCP"


def test_try_of_a_line_that_only_brings_broken_bytes_asks_little_and_says_so() -> None:
    asked = []

    async def ask(request: pdu.Request) -> bytes:
        asked.append(request)
        raise BadReply("3 bytes came", b"abc")

    device = load(cbor.encode(checked_of(PROBE).document)).device()
    with pytest.raises(BadReply, match="3 bytes came"):
        asyncio.run(ModbusLook(device, 1, ask).run(True))
    assert len(asked) <= BROKEN_MAX


def test_try_says_to_machines_too_that_nobody_answers(tmp_path, capfd) -> None:
    for bus, numbered in (("modbus: {}", True), ("serial: {start: 55, length: 2}", False)):
        leader, follower = os.openpty()
        path = tmp_path / "p.yaml"
        test = 'holding: {0: "0001"}' if numbered else "received: 55 01"
        at = 0 if numbered else 1
        path.write_text(
            f"name: P\n{bus}\nchannels: {{a: {{at: {at}}}}}\ntests: [{{{test}, gives: {{a: 1}}}}]\n"
        )
        place = os.ttyname(follower)
        assert main(["profile", "try", str(path), place, "--timeout", "0.1", "--json"]) == 69
        out, err = capfd.readouterr()
        told = json.loads(out)
        assert told["schema"] == "tidegate.try/1"
        assert "nobody answers" in told["error"]
        assert told["at"] == (f"{place}, unit 1" if numbered else place)
        assert ("unit number" in err) == numbered
        os.close(leader)
        os.close(follower)
