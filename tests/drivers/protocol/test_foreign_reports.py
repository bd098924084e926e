"""Others' readers and writers of NMEA 0183 and ECHONET Lite, both directions."""

from __future__ import annotations

import random

import pynmea2
import pytest
from pychonet import LowVoltageSmartElectricEnergyMeter
from pychonet.lib.functions import buildEchonetMsg, decodeEchonetMsg

from drivers.protocol import echonet, nmea
from gateway.core.errors import BadReply

CASES = 300
THEIRS = LowVoltageSmartElectricEnergyMeter.EPC_FUNCTIONS


def test_pynmea2_reads_what_we_write_and_we_what_it_writes() -> None:
    chance = random.Random(183)
    places = 0
    for _ in range(CASES):
        place = [
            f"{chance.randrange(90):02}{chance.randrange(60):02}.{chance.randrange(10**5):05}",
            chance.choice("NS"),
            f"{chance.randrange(180):03}{chance.randrange(60):02}.{chance.randrange(10**4):04}",
            chance.choice("EW"),
        ]
        rmc = ["235959.50", "A", *place, "12.5", "271.3", "311299", "1.5", "E", "A"]
        gga = ["120000", *place, "1", "07", "1.1", "3.4", "M", "38.1", "M", "", ""]
        for kind, fields in (("RMC", rmc), ("GGA", gga)):
            ours = nmea.build("GN" + kind, fields)
            theirs = pynmea2.parse(ours.decode().strip(), check=True)
            again = pynmea2.NMEASentence.parse(str(theirs))
            assert str(again) == ours.decode().strip()
            found = {name: values[0] for name, values in nmea.read(ours).items}
            assert float(found["latitude"]) == pytest.approx(theirs.latitude, abs=1e-8)
            assert float(found["longitude"]) == pytest.approx(theirs.longitude, abs=1e-8)
            places += 1
        written = pynmea2.RMC("GP", "RMC", rmc).render() + "\r\n"
        found = {name: values[0] for name, values in nmea.read(written.encode()).items}
        assert found["utc"] == "1999-12-31T23:59:59.50"
    assert places == 2 * CASES


def test_pynmea2_and_we_refuse_the_same_damage() -> None:
    whole = nmea.build("WIMWV", ["214.8", "R", "0.1", "K", "A"])
    compared = 0
    for at in range(1, len(whole) - 5):
        for bit in range(7):
            bad = bytearray(whole)
            bad[at] ^= 1 << bit
            with pytest.raises(BadReply):
                nmea.read(bytes(bad))
            with pytest.raises((pynmea2.ParseError, ValueError)):
                pynmea2.parse(bytes(bad).decode("latin-1").strip(), check=True)
            compared += 1
    assert compared == 7 * 21


def test_pychonet_reads_what_we_write_and_we_what_it_writes() -> None:
    chance = random.Random(3610)
    for number in range(CASES):
        items = [
            (f"{chance.randrange(0x80, 0x100):02X}", chance.randbytes(chance.randrange(1, 9)))
            for _ in range(chance.randrange(1, 6))
        ]
        frame = echonet.Frame(number, echonet.METER, echonet.CONTROLLER, echonet.GET_RES, items)
        theirs = decodeEchonetMsg(echonet.build(frame))
        assert (theirs["TID"], theirs["ESV"], theirs["SEOJGC"]) == (number, 0x72, 0x02)
        held = [(f"{one['EPC']:02X}", bytes(one["EDT"])) for one in theirs["OPC"]]
        assert held == items
        asked = buildEchonetMsg(
            {
                "TID": number + 1,
                "SEOJ": 0x05FF01,
                "DEOJGC": 0x02,
                "DEOJCC": 0x88,
                "DEOJCI": 0x01,
                "ESV": 0x62,
                "OPC": [{"EPC": int(code, 16), "PDC": 0, "EDT": 0} for code, _ in items],
            }
        )
        assert bytes(asked) == echonet.get(number + 1, [code for code, _ in items])


def test_pychonet_and_we_find_the_same_power_and_energy() -> None:
    chance = random.Random(288)
    meter = echonet.Meter()

    def facts(code: str, data: bytes) -> list[str]:
        frame = echonet.Frame(1, echonet.METER, echonet.CONTROLLER, 0x72, [(code, data)])
        return [str(values[0]) for _, values in meter.take(frame).items]

    facts("D3", b"\x00\x00\x00\x01")
    facts("E1", b"\x00")
    nothing = (b"\x80\x00\x00\x00", b"\x7f\xff\xff\xff", b"\x7f\xff\xff\xfe")
    powers = [
        chance.randrange(-50_000, 50_000).to_bytes(4, "big", signed=True) for _ in range(CASES)
    ]
    energies = [chance.randrange(10**8).to_bytes(4, "big") for _ in range(CASES)]
    for data in [*powers, *nothing]:
        assert facts("E7", data) == [_text(THEIRS[0xE7](data))]
    for data in [*energies, b"\xff\xff\xff\xfe"]:
        assert facts("E0", data) == [_text(THEIRS[0xE0](data))]
    for data in [one[2:] + other[2:] for one, other in zip(powers, energies, strict=True)]:
        theirs = THEIRS[0xE8](data)
        for ours, name in zip(facts("E8", data), ("r_phase", "t_phase"), strict=True):
            assert ours == _text(theirs[f"{name}_amperes"])


def _text(number: float | None) -> str:
    return "" if number is None else f"{number:g}" if isinstance(number, float) else str(number)
