"""NMEA 0183: published sentences mean what they say, damaged ones nothing."""

from __future__ import annotations

import json

from drivers.protocol import nmea
from gateway.core.errors import BadReply
from tests.portable.support import raised

NAMES = {  # the published fact: ours
    "lat": "latitude",
    "lon": "longitude",
    "alt_m": "altitude",
    "sats": "satellites",
    "time": "utc",
    "speed_kn": "speed_kn",
    "course_true": "course",
    "speed_kmh": "speed_kmh",
}


def examples():
    with open("tests/vectors/report-frames.jsonl") as file:
        rows = [json.loads(line) for line in file if '"nmea0183"' in line]
    for row in rows:
        row["bytes"] = row["text"].encode()
    return rows


def facts(name, *fields):
    found = nmea.read(nmea.build(name, list(fields)))
    assert found.items[0] == (found.kind, list(fields))
    return {fact: value for fact, [value] in found.items[1:]}


def test_published_sentences_are_read_as_published():
    checked = 0
    for row in examples():
        found = {name: values[0] for name, values in nmea.read(row["bytes"]).items}
        for name, stated in row["facts"]:
            held = found[NAMES[name]]
            if isinstance(stated, str):
                assert held + "Z" == stated
            else:
                assert abs(float(held) - stated) < 1e-7, (name, held, stated)
            checked += 1
        [name, *fields] = row["text"][1:-5].split(",")
        assert nmea.build(name, fields) == row["bytes"]
    assert (checked, len(examples())) == (10, 3)


def test_what_is_void_has_no_value():
    time, place = "225446", ["4916.45", "N", "12311.12", "W"]
    void = facts("GPRMC", time, "V", *place, "000.5", "054.7", "191194", "020.3", "E")
    assert [void[name] for name in ("latitude", "utc", "speed_kn", "variation")] == [""] * 4
    assert void["status"] == "V"
    found = facts("GNRMC", time, "A", *place, "0.5", "54.7", "191124", "3.1", "W", "A")
    assert (found["utc"], found["variation"]) == ("2024-11-19T22:54:46", "-3.1")
    assert facts("GNRMC", time, "A", *place, "1", "2", "191124", "", "", "N")["latitude"] == ""
    assert facts("GPGGA", time, *place, "0", "00", "", "", "M", "", "M", "", "")["latitude"] == ""
    assert facts("GPGLL", *place, time, "A", "A")["longitude"] == "-123.18533333"
    assert facts("GPGLL", *place, time, "V", "N")["longitude"] == ""
    assert facts("GPVTG", "1", "T", "", "M", "2", "N", "3", "K", "N")["speed_kn"] == ""
    assert facts("WIMWV", "214.8", "R", "0.1", "K", "V")["wind_speed_kmh"] == ""


def test_common_sentences_of_weather_and_water():
    assert facts("WIMWV", "214.8", "T", "7.5", "M", "A") == {
        "status": "A",
        "wind_angle": "214.8",
        "wind_speed_m_s": "7.5",
    }
    xdr = facts("WIXDR", "C", "-3.4", "C", "TEMP", "P", "1.0121", "B", "BARO")
    assert xdr == {"C.TEMP.C": "-3.4", "P.BARO.B": "1.0121"}
    assert facts("GPZDA", "160012.71", "11", "03", "2004", "-1", "00") == {
        "utc": "2004-03-11T16:00:12.71"
    }
    assert facts("SDDBT", "7.7", "f", "2.3", "M", "1.3", "F") == {"depth_ft": "7.7", "depth": "2.3"}
    assert facts("SDDPT", "2.3", "0.5")["depth"] == "2.3"
    assert facts("YXMTW", "17.75", "C") == {"water_temperature": "17.75"}
    assert facts("YXMTW", "63.9", "F") == {"water_temperature": ""}
    assert facts("HEHDT", "274.07", "T") == {"heading": "274.07"}
    mda = ["30.0", "I", "1.0160", "B", "21.5", "C", "", "", "45.1", "", "9.1", "C"]
    assert facts("WIMDA", *mda)["air_temperature"] == "21.5"
    gsa = ["A", "3"] + [""] * 12 + ["2.5", "1.3", "2.1"]
    assert facts("GPGSA", *gsa) == {"fix": "3", "pdop": "2.5", "hdop": "1.3", "vdop": "2.1"}


def test_makers_own_sentences_questions_and_ships_are_fields_by_position():
    own = nmea.read(nmea.build("PGRME", ["15.0", "M"]))
    assert (own.address, own.kind, own.items) == ("", "PGRME", [("PGRME", ["15.0", "M"])])
    ask = nmea.read(nmea.build("CCGPQ", ["GGA"]))
    assert ask.asks
    ship = nmea.build("AIVDM", ["1", "1", "", "B", "177KQJ5000G?tO`K>RA1wUbN0TKH", "0"])
    assert ship[:1] == b"!"
    assert nmea.read(ship).kind == "VDM"


def test_degrees_are_exact_to_eight_decimals_and_never_beyond_the_globe():
    for text, side, degrees in (
        ("0000.0001", "S", "-0.00000167"),
        ("0000.0000", "W", "0.00000000"),
        ("8959.9999", "N", "89.99999833"),
        ("18000", "W", "-180.00000000"),
        ("9000.1", "N", ""),
        ("18000.1", "E", ""),
        ("4960.0", "N", ""),
        ("4916.45", "X", ""),
        ("", "N", ""),
        ("49.1", "N", ""),
        ("4a16.45", "N", ""),
    ):
        assert nmea._degrees(text, side, True) == degrees


def test_sentences_out_of_form_are_refused():
    good = examples()[0]["bytes"]
    assert nmea.read(good[:-5] + b"*6d\r\n").kind == "GGA"
    assert nmea.read(good[:-2] + b"\n").kind == "GGA"
    bad = [b"", b"$\r\n", good[:-2], good[:-5] + b"\r\n", good + good, b"$*00\r\n", good + b"\n"]
    for one in bad + [b"$gpgga,1*%02X\r\n" % 0x7A, good.replace(b",1,", b",\x01,")]:
        assert raised(BadReply, nmea.read, one), one
    checked = 0
    for row in examples():
        for place in range(8 * len(row["bytes"])):
            flipped = bytearray(row["bytes"])
            flipped[place >> 3] ^= 1 << (place & 7)
            letter = flipped[place >> 3] in b"abcdef" and place >> 3 >= len(flipped) - 4
            if not letter:  # the check sum in lower case is the same check sum
                assert raised(BadReply, nmea.read, bytes(flipped)), bytes(flipped)
                checked += 1
    assert checked == 1463
    raised(ValueError, nmea.build, "GPGGA", ["1" * 80])
    raised(ValueError, nmea.build, "GPGGA", ["\n"])


def test_a_stream_split_anywhere_and_full_of_garbage_gives_the_same_sentences():
    sound = [row["bytes"] for row in examples()]
    stream = b"\xff$GPGGA,1\x00\r\n$$".join([b""] + sound)
    for size in (1, 7, len(stream)):
        cut, found = nmea.stream(), []
        for at in range(0, len(stream), size):
            found += cut.feed(stream[at : at + size])
        assert found == sound
    for at in range(len(sound[0])):
        cut = nmea.stream()
        assert cut.feed(sound[0][:at]) == []
        assert cut.feed(sound[0][at:]) == sound[:1]
    cut = nmea.stream()
    assert cut.feed(b"$" + b"A" * 6000) == []
    assert len(cut._got) <= nmea.ACCEPTED_MAX


def test_noise_is_passed_over_the_same_however_it_comes():
    noise = b"$!A\x01$\n!!!\n$\x80" * 3 + b"$" + b"B" * 300 + b"!\n" * 30
    whole = nmea.stream()
    assert whole.feed(noise * 20) == []
    assert whole.skipped + len(whole._got) == len(noise * 20)
    for size in (1, 7, 300):
        cut = nmea.stream()
        for at in range(0, 20 * len(noise), size):
            assert cut.feed((noise * 20)[at : at + size]) == []
        assert (cut.skipped, cut._got) == (whole.skipped, whole._got)
