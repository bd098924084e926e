"""Meters of the standard protocols answer requests with the telegrams of their tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.profile.check_cpython import check_text
from drivers.profile.compile_cpython import find, load_file, shipped
from drivers.profile.model import load
from gateway.core import cbor
from gateway.core.errors import ConfigError
from tools.sim.telegrams import BUSES, IDENTIFICATION, Meter

EXAMPLES = Path(__file__).parents[2] / "drivers" / "profile" / "examples"
ENERGY = bytes.fromhex("682504030201006891083333343375394533 8B16".replace(" ", ""))


def meter(path: Path) -> Meter:
    checked = check_text(path.read_text(), str(path))
    checked.report.require()
    return Meter(load(cbor.encode(checked.document)), checked.cases)


def sdi12(tmp_path: Path) -> Meter:
    path = tmp_path / "probe.yaml"
    path.write_text(
        "name: Probe\nsdi12: {}\n"
        "channels: {level: {in: M, at: 0}, temperature: {in: M, at: 1}, fast: {in: R0, at: 0}}\n"
        'tests:\n  - in: M\n    received: "3+1.25-0.5\\r\\n"\n'
        "    gives: {level: 1.25, temperature: -0.5}\n"
        '  - in: R0\n    received: "3+9\\r\\n"\n    gives: {fast: 9}\n'
    )
    return meter(path)


def dlt645(address: str, identifier: str) -> bytes:
    body = b"\x68" + bytes.fromhex(address)[::-1] + b"\x68\x11\x04"
    body += bytes((byte + 0x33) & 0xFF for byte in bytes.fromhex(identifier)[::-1])
    return b"\xfe\xfe" + body + bytes((sum(body) & 0xFF, 0x16))


@pytest.mark.parametrize("address", ["AAAAAAAAAAAA", "000102030425"])
def test_meter_dlt645_answers_the_identifier_at_its_address_and_at_the_one_for_all(address) -> None:
    one = meter(EXAMPLES / "dlt645.yaml")
    request = dlt645(address, "00010000")
    assert one.answer(request[:-1], 0.0) is None
    assert one.answer(request, 0.0) == (ENERGY, "a test of the profile")


def test_meter_dlt645_says_why_it_is_silent() -> None:
    one = meter(EXAMPLES / "dlt645.yaml")
    told = one.answer(dlt645("000102030499", "00010000"), 0.0)
    assert told == (b"", "the meter of the tests is 000102030425, not 000102030499")
    assert one.answer(dlt645("AAAAAAAAAAAA", "0201FFFF"), 0.0) == (b"", "no test holds 0201FFFF")
    assert one.answer(ENERGY, 0.0) == (b"", "no request for data")  # its own echo


def test_meter_mbus_is_reset_and_then_gives_its_telegrams_in_turn() -> None:
    one = meter(find("elvaco/cma10"))
    assert one.answer(bytes.fromhex("1040014116"), 0.0) == (b"\xe5", "reset")
    answers = [one.answer(bytes.fromhex("107B017C16"), 0.0)[0] for _ in range(4)]
    assert all(answer[:1] == b"\x68" for answer in answers)
    assert answers[0] == answers[3] != answers[1]


def test_meter_sdi12_announces_and_then_gives_its_values(tmp_path: Path) -> None:
    one = sdi12(tmp_path)
    assert one.answer(b"?!", 0.0)[0] == b"3\r\n"
    assert one.answer(b"3M!", 0.0)[0] == b"30002\r\n"
    assert one.answer(b"3D0!", 0.0)[0] == b"3+1.25-0.5\r\n"
    assert one.answer(b"3D1!", 0.0)[0] == b"3\r\n"
    assert one.answer(b"3C!", 0.0) == (b"", "no test holds C")
    assert one.answer(b"3R0!", 0.0)[0] == b"3+9\r\n"
    assert one.answer(b"4M!", 0.0) == (b"", "the sensor of the tests is 3")
    assert one.answer(b"3M", 0.0) is None


def test_meter_iec62056_identifies_itself_and_sends_its_readings_when_acknowledged() -> None:
    names = [name for name in shipped() if load_file(find(name)).bus == "iec62056"]
    for name in names:
        one = meter(find(name))
        sent = one.sends(0.0)
        if sent:  # a customer's port sends by itself
            assert sent[0][0][:1] == b"/"
            continue
        assert one.answer(b"/?!\r\n", 0.0)[0] == IDENTIFICATION
        assert one.answer(b"\x06050\r\n", 0.0)[1] == "a test of the profile"
    assert names


def test_meters_of_every_shipped_profile_can_be_played() -> None:
    counts = dict.fromkeys(BUSES, 0)
    for name in shipped():
        bus = load_file(find(name)).bus
        if bus in BUSES:
            counts[bus] += 1
            meter(find(name))
    assert all(counts.values()), counts


def test_meter_of_another_bus_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot be played yet"):
        meter(EXAMPLES / "ruuvi_5.yaml")
