"""ECHONET Lite: published frames mean what they say, and a meter's energies are exact."""

from __future__ import annotations

import json

from drivers.protocol import echonet
from gateway.core.errors import BadReply, Refused
from tests.portable.support import raised


def examples():
    with open("tests/vectors/report-frames.jsonl") as file:
        rows = [json.loads(line) for line in file if '"echonet-lite"' in line]
    for row in rows:
        row["bytes"] = bytes.fromhex(row["frame"])
    return rows


def answer(*items, service=echonet.GET_RES):
    held = [(code, bytes.fromhex(data)) for code, data in items]
    return echonet.Frame(1, echonet.METER, echonet.CONTROLLER, service, held)


def test_published_frames_are_read_as_published():
    frames = bad = 0
    for row in examples():
        if "bad" in row:
            assert row["bad"] in str(raised(BadReply, echonet.read, row["bytes"])), row
            bad += 1
            continue
        frame = echonet.parse(row["bytes"])
        assert (frame.tid, frame.destination) == (row["head"]["tid"], row["head"]["deoj"])
        found = echonet.read(row["bytes"])
        assert (found.address, found.control) == (row["address"], row["control"])
        assert [[code, data.hex()] for code, data in found.items] == row["items"]
        assert found.asks == (row["control"] == 0x62)
        if "facts" in row:
            [[name, value]] = row["facts"]
            assert echonet.Meter().take(frame).items == [(name, [str(value)])]
        assert echonet.build(frame) == row["bytes"]
        frames += 1
    assert (frames, bad) == (5, 2)
    assert echonet.get(1, ["E7"]) == examples()[1]["bytes"]


def test_every_cut_and_every_wrong_length_is_caught():
    checked = 0
    for row in examples():
        if "bad" not in row:
            for cut in range(len(row["bytes"])):
                raised(BadReply, echonet.read, row["bytes"][:cut])
                checked += 1
            raised(BadReply, echonet.read, row["bytes"] + b"\x00")
    assert checked == 82
    for bad in ("108200010288010 5ff017200".replace(" ", ""), "1081000102880105ff017200"):
        raised(BadReply, echonet.read, bytes.fromhex(bad))
    raised(BadReply, echonet.read, bytes.fromhex("1081000102880105ff019901e700"))


def test_energies_are_exact_once_the_meter_told_its_unit():
    meter = echonet.Meter()
    assert meter.lacks() == ["D3", "D7", "E1"]
    assert meter.take(answer(("E0", "00003039"))).items == [("energy_import", [""])]
    said = meter.take(answer(("D3", "0000000a"), ("D7", "06"), ("E1", "02")))
    assert [code for code, _ in said.items] == ["D3", "D7", "E1"]
    assert meter.lacks() == []
    latest = "07e8010f0a1e00" + "0001e240"
    found = meter.take(
        answer(("E0", "00003039"), ("E3", "00000000"), ("EA", latest), ("EB", latest))
    )
    assert found.items == [
        ("energy_import", ["1234.5"]),
        ("energy_export", ["0"]),
        ("energy_import_half_hour", ["12345.6", "2024-01-15T10:30:00"]),
        ("energy_export_half_hour", ["12345.6", "2024-01-15T10:30:00"]),
    ]
    for nothing in ("fffffffe", "000f4240"):  # not measured; more digits than the meter has
        assert meter.take(answer(("E0", nothing))).items == [("energy_import", [""])]
    for unit, energy in (("00", "12345"), ("04", "1.2345"), ("0a", "123450"), ("0d", "123450000")):
        other = echonet.Meter()
        other.take(answer(("D3", ""), ("E1", unit), service=echonet.GET_SNA))
        assert other.take(answer(("E0", "00003039"))).items == [("energy_import", [energy])]
    odd = echonet.Meter()
    odd.take(answer(("D3", ""), ("E1", "07"), service=echonet.GET_SNA))
    assert odd.lacks() == ["E1"]


def test_power_currents_and_days():
    meter = echonet.Meter()
    assert meter.take(answer(("E7", "7ffffffe"))).items == [("power", [""])]
    currents = meter.take(answer(("E8", "00157ffe"))).items
    assert currents == [("current_r", ["2.1"]), ("current_t", [""])]
    currents = meter.take(answer(("E8", "fff60000"))).items
    assert currents == [("current_r", ["-1"]), ("current_t", ["0"])]
    meter.take(answer(("D3", "00000001"), ("E1", "01")))
    day = meter.take(answer(("E2", "0001" + "00000064" + "fffffffe" * 47))).items
    assert day[0] == ("energy_import_day", ["10"] + [""] * 47)
    assert day[1] == ("energy_import_days_ago", ["1"])
    assert meter.take(answer(("97", "07e8010f"))).items == [("97", b"\x07\xe8\x01\x0f")]
    for code, data in (("E7", "00"), ("E8", "0000"), ("E0", "00"), ("EA", "00"), ("E2", "00")):
        raised(BadReply, meter.take, answer((code, data)))


def test_refusals_and_double_lists():
    part = answer(("E7", "000002ae"), ("E9", ""), service=echonet.GET_SNA)
    assert echonet.telegram(part).items == [("E7", b"\x00\x00\x02\xae")]
    none = answer(("E9", ""), service=echonet.GET_SNA)
    assert raised(Refused, echonet.telegram, none).code == echonet.GET_SNA
    raised(Refused, echonet.telegram, answer(("80", "30"), service=echonet.SET_C_SNA))
    both = answer(("set.80", "30"), ("E7", ""), service=echonet.SET_GET)
    sent = echonet.build(both)
    assert sent[11:].hex() == "01800130" + "01e700"
    assert echonet.parse(sent) == both
    other = echonet.Frame(1, "001101", echonet.CONTROLLER, echonet.INF, [("E0", b"\x00\xdc")])
    assert echonet.Meter().take(other).items == [("E0", b"\x00\xdc")]
    raised(ValueError, echonet.build, answer(*[("E7", "00" * 255)] * 5))
