"""Hydrology frames (SL 651-2014): published ones mean what they say, in both forms."""

from __future__ import annotations

import json

from drivers.protocol import sl651, sl651_elements
from drivers.protocol.stream import Stream
from gateway.core.errors import BadReply
from tests.portable.support import raised

ENDS = {"ETX": 3, "ETB": 0x17, "EOT": 4, "ENQ": 5, "ESC": 0x1B}
ITEMS = [
    ("ST", ["0012345678", "H"]),
    ("TT", ["2025-01-15T06:30"]),
    ("AI", ["-5.3"]),
    ("Z", ["-0.120"]),
    ("PJ", [""]),
    ("DRP", ["0.0", "25.4", ""] + ["0.1"] * 9),
    ("DRZ2", ["1.05", ""] + ["655.34"] * 10),
    ("ZT", b"\x00\x00\x04\x81"),
    ("VT", ["12.20"]),
]


def examples():
    with open("tests/vectors/report-frames.jsonl") as file:
        rows = [json.loads(line) for line in file if '"sl651"' in line]
    for row in rows:
        row["bytes"] = row["text"].encode() if "text" in row else bytes.fromhex(row["frame"])
    return rows


def same(held, stated):
    """Return whether an item's values are the published ones."""
    if isinstance(stated, str):
        return held == (bytes.fromhex(stated[4:]) if stated[:4] == "hex " else [stated])
    wanted = stated if isinstance(stated, list) else [stated]
    if [value == "" for value in held] != [value is None for value in wanted]:
        return False
    return not [
        text for text, value in zip(held, wanted) if text and abs(float(text) - value) > 1e-9
    ]


def test_published_frames_are_read_as_published():
    frames = bad = facts = 0
    for row in examples():
        if "bad" in row:
            assert row["bad"] in str(raised(BadReply, sl651.read, row["bytes"])), row
            bad += 1
            continue
        frame, head = sl651.parse(row["bytes"]), row["head"]
        assert (frame.station, frame.function) == (row["address"], row["control"]), row
        assert (frame.centre, frame.up) == (head["centre"], head["up"]), row
        assert frame.password == head.get("password", frame.password), row
        assert frame.end == ENDS[head.get("end", "ETX")], row
        if "packets" in head:
            assert (frame.packets, frame.packet) == (head["packets"], head["packet"]), row
            assert (len(frame.body), frame.serial, frame.sent) == (head["size"], 0, ""), row
            raised(BadReply, sl651.read, row["bytes"])
        else:
            assert (frame.serial, frame.sent) == (head["serial"], head["sent"]), row
            found = sl651.read(row["bytes"])
            assert (found.asks, found.kind) == (not head["up"], row.get("kind", "")), row
            items = [item for item in found.items if item[0] not in ("serial", "sent", "ST")]
            if "facts" in row:
                assert [word for word, _ in items] == [word for word, _ in row["facts"]], row
                for (word, held), (_, stated) in zip(items, row["facts"]):
                    assert same(held, stated), (word, held, stated)
                    facts += 1
            if "body" in row:
                assert row["body"] in row["frame"]
        assert sl651.build(frame) == row["bytes"], row
        frames += 1
    assert (frames, bad, facts) == (39, 4, 83)


def test_parameters_of_a_station_are_named_by_their_identifiers():
    [basic, running] = [
        sl651.read(row["bytes"]).items[2:]
        for row in examples()
        if row.get("control") in (0x41, 0x42) and row["head"]["up"]
    ]
    assert basic[0] == ("ST", ["0011223344"])
    assert basic[1] == ("01", bytes.fromhex("05000000"))
    assert [word for word, _ in basic[1:]] == ["01", "02", "03", "04", "05", "0C", "0D", "0F"]
    assert running[9] == ("28", bytes.fromhex("00010000"))
    asked = [
        sl651.read(row["bytes"])
        for row in examples()
        if row.get("control") in (0x3A, 0x41, 0x43) and not row["head"]["up"]
    ]
    assert [len(one.items) - 2 for one in asked] == [1, 8, 13]
    assert asked[0].items[2] == ("DRP", [])
    relay = b"\x0e\x06" + bytes(6) + b"\x03\x10\x12\x34"
    assert sl651_elements.read_parameters(relay, 0) == [("0E", bytes(6)), ("03", b"\x12\x34")]


def test_both_forms_bring_the_same_items():
    for text in (False, True):
        frame = sl651.Frame("0012345678", sl651.TIMED, b"", sl651.ETX, 2, "04d2", text=text)
        sent = sl651.report(frame, 7, "2025-01-15T06:30:00", ITEMS)
        found = sl651.read(sent)
        told = [("serial", ["7"]), ("sent", ["2025-01-15T06:30:00"])]
        assert found.items == told + ITEMS
        assert (found.address, found.kind, found.control) == ("0012345678", "H", 0x32)
        assert sl651.build(sl651.parse(sent)) == sent
    for items in (
        [("DR", ["N05"]), ("PJ", ["1.0", "", "-2.5"])],
        [("DR", ["D01"]), ("Z", ["1.000"])],
        [("RGZS", ["ST 1 TT 2 Z 3"])],
        [("PIC", bytes(range(256)))],
    ):
        for text in (False, True):
            frame = sl651.Frame("0012345678", sl651.EVEN, b"", sl651.ETX, text=text)
            assert (
                sl651.read(sl651.report(frame, 1, "2025-01-15T06:30:00", items)).items[2:] == items
            )


def test_what_is_no_number_has_no_value():
    assert sl651_elements.bcd("001234", 2) == "12.34"
    assert sl651_elements.bcd("ff000120", 3) == "-0.120"
    assert sl651_elements.bcd("ff0000", 1) == "0.0"
    for digits in ("ffffff", "aaaaaaaa", "00a1", "ffff01", ""):
        assert sl651_elements.bcd(digits, 1) == ""
    assert sl651_elements.time("141205110002") == "2014-12-05T11:00:02"
    for digits in ("1412051160", "1413051100", "14120511", "aaaaaaaaaa", "1400051100"):
        assert sl651_elements.time(digits) == ""
    bad = (b"\x20", b"\x20\x19\x00", b"\xff\x11", b"\xf0\xf0\x01", b"\xf1\xf1\x01", b"\x04\x18\x00")
    for body in bad + (b"\xf5\x08\x01", b"\x04\x18\x00\x00\x05\x20\x19\x00"):
        raised(BadReply, sl651_elements.read_hex, body, 0, True)
    for body in (b"PJ ", b"ST ", b"TT", b"DRN05 PJ Z 1.0 ", b"DRN05 1.0 ", b"ZT x ", b"DRP 0 "):
        raised(BadReply, sl651_elements.read_text, body, 0)
    for items in ([("VT", ["12.345"])], [("VT", ["123.00"])], [("DRP", ["25.6"])]):
        try:
            sl651_elements.write_hex(items)
        except (ValueError, OverflowError):
            continue
        raise AssertionError(items)


def test_addresses_are_written_as_their_owners_do():
    for digits, written in (
        ("0012345678", "12345678"),
        ("1101010001", "11010100001"),
        ("330482ea60", "33048260000"),
    ):
        assert sl651.address(digits) == written
        assert sl651.station(written) == digits
        assert sl651.station(digits) == digits
    assert sl651.address("1101010000") == "1101010000"
    for written in ("", "1234567", "11010199999", "0012345xyz"):
        raised(ValueError, sl651.station, written)


def test_the_table_has_all_elements_of_the_standard():
    names = [sl651_elements.name(number) for number in range(1, 0x76)]
    assert len(set(names)) == 0x75
    anchors = {0x02: "AI", 0x20: "PJ", 0x26: "PT", 0x38: "VT", 0x39: "Z", 0x46: "pH", 0x75: "VIC"}
    assert {number: names[number - 1] for number in anchors} == anchors
    assert sl651_elements.name(0xF5) == "DRZ1"
    assert sl651_elements.name(0xFC) == "DRZ8"
    assert sl651_elements.name(0x80) == "80"
    assert sl651_elements.name(0xFF11) == "FF11"


def test_a_stream_split_anywhere_and_full_of_garbage_gives_the_same_frames():
    frames = [row["bytes"] for row in examples() if "bad" not in row]
    stream = b"".join([b"\x7e\x01\x7e\x7e\x7e" + frame for frame in frames])
    for size in (1, 7, 100, len(stream)):
        cut = sl651.stream()
        found = []
        for at in range(0, len(stream), size):
            found += cut.feed(stream[at : at + size])
        assert found == frames
        assert cut.skipped == 5 * len(frames)
    for frame in (frames[1], frames[-1]):
        for at in range(len(frame)):
            cut = sl651.stream()
            assert cut.feed(frame[:at]) == []
            assert cut.feed(frame[at:]) == [frame]


def test_a_frame_behind_one_that_never_ends_is_found_when_the_line_falls_silent():
    frame = examples()[0]["bytes"]
    hidden = sl651.stream()
    assert hidden.feed(examples()[1]["bytes"][:14] + frame) == []
    assert hidden.flush() == [frame]
    assert hidden.skipped == 14
    assert isinstance(hidden, Stream)


def test_every_flipped_bit_of_small_frames_is_caught():
    checked = 0
    for row in examples():
        if "bad" not in row and len(row["bytes"]) < 70:
            for place in range(8 * len(row["bytes"])):
                bad = bytearray(row["bytes"])
                bad[place >> 3] ^= 1 << (place & 7)
                assert raised(BadReply, sl651.parse, bytes(bad)), (row, place)
                checked += 1
    assert checked == 8768
