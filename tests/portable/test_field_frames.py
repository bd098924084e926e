"""Readers of meters and sensors: published frames mean what they say, damaged ones nothing."""

from __future__ import annotations

import json

from drivers.protocol import bthome, cjt188, dlt645, iec62056, mbus, mibeacon, sdi12
from drivers.protocol.frame import Splitter
from gateway.core.errors import BadReply, Refused
from tests.portable.support import raised

READERS = {
    "dlt645-2007": dlt645.read,
    "dlt645-1997": dlt645.read,
    "cjt188": cjt188.read,
    "mbus": mbus.read,
    "iec62056-21": iec62056.read,
    "iec62056-21-p1": iec62056.read,
    "sdi12": sdi12.read,
    "bthome": bthome.read,
    "mibeacon": mibeacon.read,
}
COUNTS = {
    "dlt645-2007": 24,
    "dlt645-1997": 6,
    "cjt188": 14,
    "mbus": 9,
    "iec62056-21": 3,
    "iec62056-21-p1": 3,
    "sdi12": 3,
    "bthome": 10,
    "mibeacon": 5,
}
STEPS = {  # BTHome: what a value's last digit is, and whether it has a sign
    "packet_id": (1, False),
    "battery": (1, False),
    "temperature": (0.01, True),
    "temperature_58": (0.35, True),
    "humidity": (0.01, False),
    "moisture": (0.01, False),
    "illuminance": (0.01, False),
    "power_5c": (0.01, True),
    "current_5d": (0.001, True),
    "water": (0.001, False),
    "direction": (0.01, False),
    "precipitation": (0.1, False),
}


def examples(*protocols):
    with open("tests/vectors/field-frames.jsonl") as file:
        rows = [json.loads(line) for line in file]
    for row in rows:
        row["bytes"] = row["text"].encode("utf-8") if "text" in row else bytes.fromhex(row["frame"])
    return [row for row in rows if not protocols or row["protocol"] in protocols]


def telegram(row, frame=None):
    return READERS[row["protocol"]](row["bytes"] if frame is None else frame)


def plain(items):
    return [[name, data.hex() if isinstance(data, bytes) else data] for name, data in items]


def bcd(data):
    digits = bytes(reversed(data)).hex()
    return int(digits)


def little(data, signed):
    value = int.from_bytes(data, "little")
    return value - (1 << 8 * len(data)) if signed and data[-1] & 0x80 else value


def flipped(frame):
    for place in range(8 * len(frame)):
        bad = bytearray(frame)
        bad[place >> 3] ^= 1 << (place & 7)
        yield bytes(bad)


def test_published_frames_of_every_protocol_are_read_as_published():
    counts = {}
    for row in examples():
        protocol = row["protocol"]
        counts[protocol] = counts.get(protocol, 0) + 1
        if "bad" in row:
            assert row["bad"] in str(raised(BadReply, telegram, row)), row
        elif "refused" in row:
            assert raised(Refused, telegram, row).code == row["refused"], row
        else:
            found = telegram(row)
            if "items" in row:
                assert plain(found.items) == row["items"], row
            for name in ("address", "kind"):
                if name in row:
                    assert getattr(found, name) == row[name], row
            if "records" in row:
                assert len(found.items) == row["records"], row
    assert counts == COUNTS


def test_published_values_stand_where_the_readers_put_them():
    checked = 0
    for row in examples("dlt645-2007", "dlt645-1997"):
        if "value" in row:
            value, digits = row["value"]
            number = bcd(telegram(row).items[0][1][: digits // 2])
            assert number in [round(value * scale) for scale in (1, 10, 100, 10000)], row
            checked += 1
    for row in examples("cjt188"):
        if "current_volume" in row:
            data = telegram(row).items[0][1]
            assert (bcd(data[:4]), data[4]) == (round(row["current_volume"] * 100), 0x2C), row
            checked += 1
        if "supply_temp_c" in row:
            assert bcd(telegram(row).items[0][1][25:28]) == round(row["supply_temp_c"] * 100), row
            checked += 1
    for row in examples("iec62056-21-p1"):
        items = {code.split(":")[-1]: values for code, values in telegram(row).items}
        for code in row["codes"]:
            assert items[code] == [row["codes"][code]], code
            checked += 1
    for row in examples("bthome"):
        if "numbers" in row:
            for (name, data), number in zip(telegram(row).items, row["numbers"]):
                step, signed = STEPS[name]
                assert abs(little(data, signed) * step - number) < 0.006, row
                checked += 1
    for row in examples("sdi12"):
        [(_, values)] = telegram(row).items
        assert [float(value) for value in values] == row["numbers"]
        checked += len(values)
    assert checked == 97


def test_every_cut_frame_is_caught():
    checked = 0
    for row in examples():
        if "bad" in row or "refused" in row or row["protocol"] in ("bthome", "mibeacon"):
            continue
        size = len(row["bytes"])
        for cut in range(0, size, 1 + size // 90):
            part = row["bytes"][:cut]
            if part.endswith(b"\r\n") and row["protocol"].startswith("iec"):
                continue  # an identification alone is whole
            assert raised(BadReply, telegram, row, part), (row, cut)
            checked += 1
    assert checked > 1500


def test_every_flipped_bit_is_caught_where_there_is_a_check():
    checked = 0
    for row in examples("dlt645-2007", "dlt645-1997", "cjt188", "mbus", "sdi12"):
        if "bad" not in row and "refused" not in row and len(row["bytes"]) < 60:
            frame = row["bytes"].lstrip(b"\xfe\x00")  # damage to the preamble does no harm
            for bad in flipped(frame):
                assert raised(BadReply, telegram, row, bad), row
                checked += 1
    for bad in flipped(examples("iec62056-21")[2]["bytes"]):
        assert raised(BadReply, iec62056.read, bad)
    for bad in flipped(examples("iec62056-21-p1")[2]["bytes"]):
        assert raised(BadReply, iec62056.read, bad)
    assert checked > 8000


def test_preamble_and_noise_before_a_frame_are_passed_over_and_after_it_are_not():
    checked = 0
    for row in examples("dlt645-2007", "cjt188", "mbus"):
        if "items" in row and row["items"] and row["bytes"][0] in (0x68, 0xFE):
            for noise in (b"\xfe" * 13, b"\x00", b"\x68", b"\x68\x68\x68", row["bytes"][:-1]):
                assert telegram(row, noise + row["bytes"]) == telegram(row), row
            assert raised(BadReply, telegram, row, row["bytes"] + b"\x00")
            checked += 1
    assert checked > 30


def test_the_shapes_cut_streams_into_frames():
    checked = 0
    shapes = {"dlt645-2007": dlt645.SHAPE, "cjt188": cjt188.SHAPE, "mbus": mbus.SHAPE}
    for protocol, shape in shapes.items():
        frames = [row["bytes"].lstrip(b"\xfe\x00") for row in examples(protocol)]
        whole = [frame for frame in frames if not shape.refusal(frame)]
        stream = b"\xfe\xfe\x00\x68".join([b""] + whole)
        for size in (1, 5, 1000):
            splitter = Splitter([shape])
            found = []
            for at in range(0, len(stream), size):
                found += splitter.feed(stream[at : at + size])
            found += splitter.flush()
            assert [frame for _, frame in found] == whole
            checked += len(found)
    assert checked == 3 * (23 + 13 + 7)


def test_dlt645_parts_errors_and_short_replies():
    def frame(control, data):
        sent = bytes([(byte + 0x33) & 0xFF for byte in data])
        body = b"\x68\x12\x90\x78\x56\x34\x12\x68" + bytes((control, len(sent))) + sent
        return body + bytes((sum(body) & 0xFF, 0x16))

    first = dlt645.read(frame(0xB1, b"\x00\x01\x00\x00\x01\x02"))
    assert first.more
    assert first.items == [("00000100", b"\x01\x02")]
    following = dlt645.read(frame(0x92, b"\x00\x01\x00\x00\x03\x04\x01"))
    assert not following.more
    assert following.items == [("00000100.1", b"\x03\x04")]
    assert dlt645.read(frame(0x82, b"\x10\x90\x03\x04")).items == [("9010.next", b"\x03\x04")]
    raised(BadReply, dlt645.read, frame(0x92, b"\x00\x01\x00\x00"))
    assert dlt645.read(frame(0x94, b"")).items == []
    assert dlt645.read(frame(0x13, b"")).items == []
    raised(BadReply, dlt645.read, frame(0x91, b"\x00\x01"))
    assert "no such data, password" in str(raised(Refused, dlt645.read, frame(0xD1, b"\x06")))
    assert raised(Refused, dlt645.read, frame(0xC1, b"\x02")).code == 2
    assert raised(Refused, dlt645.read, frame(0xD1, b"")).code == 0


def test_cjt188_errors_and_identifiers_low_byte_first():
    def frame(control, data):
        body = b"\x68\x10" + bytes(7) + bytes((control, len(data))) + data
        return body + bytes((sum(body) & 0xFF, 0x16))

    answer = frame(0x81, b"\x90\x1f\x00\x05")
    assert cjt188.read(answer).items == [("1F90", b"\x05")]
    assert raised(Refused, cjt188.read, frame(0xC1, b"\x07\x02\x01")).code == 0x0102
    assert raised(Refused, cjt188.read, frame(0xC1, b"")).code == 0
    raised(BadReply, cjt188.read, frame(0x81, b"\x90\x1f"))


def test_mbus_walks_every_kind_of_record():
    def reply(records, ci=0x72, signature=b"\x00\x00"):
        header = bytes.fromhex("7856341224400107550000")[:10] + signature
        body = b"\x08\x01" + bytes((ci,)) + (header if ci == 0x72 else b"") + records
        size = bytes((len(body),))
        return b"\x68" + size + size + b"\x68" + body + bytes((sum(body) & 0xFF, 0x16))

    records = {
        "0013": b"",
        "053D": b"\x01\x02\x03\x04",
        "0E06": b"\x01" * 6,
        "07FD97F301": b"\x02" * 8,
        "848F8F8F0F13": b"\x03" * 4,
        "02FC0341424374": b"\x04\x05",
        "0DFD0E": b"\x03abc",
        "8D0113": b"\xe4\x01\x02\x03\x04",
        "0D13": b"\xf5" + bytes(48),
    }
    text = b"\x2f".join([bytes.fromhex(head) + records[head] for head in sorted(records)])
    found = mbus.read(reply(text + b"\x2f\x1f\x09\x08"))
    assert found.more
    assert (found.address, found.kind) == ("12345678", "PAD.01.07")
    wanted = [(h, records[h][1 if int(h[1], 16) == 13 else 0 :]) for h in sorted(records)]
    wanted = [({"8D0113": "8D0113E4", "0D13": "0D13F5"}.get(h, h), data) for h, data in wanted]
    assert found.items == wanted + [("1F", b"\x09\x08")]
    signs = mbus.read(reply(b"\x0d\x13\xc2\x34\x12\x0d\x13\xd2\x34\x12")).items
    assert signs == [("0D13C2", b"\x34\x12"), ("0D13D2", b"\x34\x12")]  # 1234 and -1234
    assert mbus.read(reply(b"\x0f", 0x78)).items == [("0F", b"")]
    encrypted = "a key is needed"
    assert encrypted in str(raised(BadReply, mbus.read, reply(b"\x01\x02", 0x72, b"\x10\x05")))
    assert mbus.read(reply(b"\x2f\x2f\x01\x13\x05", 0x72, b"\x10\x05")).items == [("0113", b"\x05")]
    broken = (
        "04",
        "0413010203",
        "84",
        "0493",
        "027C",
        "027C0541",
        "0D13",
        "0D1305",
        "0DFF",
        "3F13",
    )
    for bad in broken + ("84" + "80" * 11 + "0013", "04" + "93" + "80" * 11 + "00", "0D13FF"):
        raised(BadReply, mbus.read, reply(bytes.fromhex(bad)))
    raised(BadReply, mbus.read, reply(b"\x04\x13\x00\x00\x00\x01", 0x76))
    assert mbus.read(b"\xe5").control == mbus.ACK
    for bad in (b"\x10\x40\x01\x42\x16", b"\x10\x40\x01\x41\x17", b"\xe5\xe5", b""):
        raised(BadReply, mbus.read, bad)


def test_iec62056_blocks_lines_and_refusals():
    def block(text, end=b"\x03", start=b"\x02"):
        body = text + end
        return start + body + bytes((iec62056.bcc(body),))

    sets = b"0.0.0(123)\r\n1.8.0(0001.5*kWh)(x)2.8.0(7)\r\n(8)\r\n"
    wanted = [("0.0.0", ["123"]), ("1.8.0", ["0001.5*kWh", "x"]), ("2.8.0", ["7", "8"])]
    for frame in (sets, sets + b"!\r\n", block(sets + b"!\r\n"), block(sets)):
        assert iec62056.read(frame).items == wanted
    whole = iec62056.read(b"/ISK5ME\r\n" + block(sets + b"!\r\n"))
    assert (whole.kind, whole.items) == ("ISK5ME", wanted)
    assert iec62056.read(b"/ISK5ME\r\n").kind == "ISK5ME"
    assert iec62056.read(b"/ISK5ME\r\n\r\n" + sets + b"!\r\n").items == wanted
    assert iec62056.read(block(b"(230.1*V)")).items == [("", ["230.1*V"])]
    assert iec62056.read(block(sets, b"\x04")).more
    assert iec62056.read(block(b"R1\x021.8.0()", start=b"\x01")).items == [("R11.8.0", [""])]
    assert iec62056.read(block(b"B0", start=b"\x01")).items == [("B0", [])]
    assert raised(Refused, iec62056.read, block(b"(ER12)")).code == 12
    assert block(b"1.8.0(1u)")[-1] == 0x7F  # as good a check character as any
    assert iec62056.read(block(b"1.8.0(1u)")).items == [("1.8.0", ["1u"])]
    raised(BadReply, iec62056.read, block(b"1.8.0(1\x7f)"))
    bad = (b"1.8.0\r\n", b"1.8.0(1\r\n", b"1.8.0(1(2))\r\n", b"1.8.0)\r\n", b"x", b"", b"\x06050")
    for frame in bad + (b"/ISK", b"/?1\r\n", b"\x02", b"\x02\x03", b"/A\r\n1(2)\r\n!12\r\n"):
        raised(BadReply, iec62056.read, frame)
    assert "7 data bits" in str(raised(BadReply, iec62056.read, b"\xaf?!\r\n"))
    whole = examples("iec62056-21-p1")[0]["bytes"]
    for digits in (b"0E52", b"E52"):  # some meters leave zeros in front out
        frame = b"/NWA\r\n\r\n0-0:96.1.1(120)\r\n!" + digits + b"\r\n"
        assert iec62056.read(frame).items == [("0-0:96.1.1", ["120"])]
    wrong = whole[: whole.find(b"\r\n!") + 3] + b"0000\r\n"
    assert "these characters have" in str(raised(BadReply, iec62056.read, wrong))


def test_sdi12_values_of_several_answers_and_announcements():
    found = sdi12.read(b"0+1.5-2\r\n0+.25+7.\r\n", "C1")
    assert found.items == [("C1", ["+1.5", "-2", "+.25", "+7."])]
    assert sdi12.read(b"\x00\x000\r\n", "M").items == [("M", [])]
    assert sdi12.read(b"0+3.14OqZ\r\n", "MC").items == [("MC", ["+3.14"])]
    bad = (b"0+3.14\r\n1+2\r\n", b"0+12345678\r\n", b"0+\r\n", b"0+1.2.3\r\n", b"0 1\r\n", b"0+1\n")
    for frame in bad + (b"", b"\r\n", b"+1\r\n", b"0+1\xb5\r\n", b"00013\r\n", b"0+3.15OqZ\r\n"):
        raised(BadReply, sdi12.read, frame, "M")
    assert "CRC" in str(raised(BadReply, sdi12.read, b"0+3.14\r\n", "RC0"))
    assert sdi12.announced(b"00053\r\n") == sdi12.Announced("0", 5, 3)
    assert sdi12.announced(b"a01020\r\n") == sdi12.Announced("a", 10, 20)
    for frame in (b"0001\r\n", b"0+3.14\r\n", b"000x3\r\n"):
        raised(BadReply, sdi12.announced, frame)


def test_bthome_repeated_unknown_and_cut_objects():
    names = [name for name, _ in bthome.read(bytes.fromhex("4402c40902bf13f4ff")).items]
    assert names == ["temperature", "temperature.2"]
    assert bthome.read(bytes.fromhex("40530548656c6c6f")).items == [("text", b"Hello")]
    assert bthome.read(bytes.fromhex("42a58068e64854" + "0164")).address == "5448E66880A5"
    for bad in ("", "40", "40ff01", "4002c4", "4053", "405305aa", "4201", "2002c409"):
        raised(BadReply, bthome.read, bytes.fromhex(bad))
    sizes = 0
    for number in range(256):
        name, size = bthome._object(number)
        sizes += size
        if name and size and number != 0x3B:
            value = bytes(range(size))
            assert bthome.read(bytes((0x40, number)) + value).items == [(name, value)]
    assert sizes == 173 + 9 + 1
    command = bthome.read(bytes.fromhex("403b0201aabb0150"))
    assert command.items == [("command", b"\x01\xaa\xbb"), ("battery", b"\x50")]
    raised(BadReply, bthome.read, bytes.fromhex("403b"))
    raised(BadReply, bthome.read, bytes.fromhex("403b0201aa"))


def test_mibeacon_without_objects_of_old_versions_and_cut():
    assert mibeacon.read(bytes.fromhex("3050 5b05 03 4c94b438c1a4 08".replace(" ", ""))).items == []
    flower = bytes.fromhex("712098005d665544332211" + "0d0910020100")
    assert flower[0] == 0x71
    found = mibeacon.read(flower)
    assert (found.kind, found.items) == ("0098", [("conductivity", b"\x01\x00")])
    unknown = bytes.fromhex("40500a00010f5501aa")
    assert mibeacon.read(unknown).items == [("object_550f", b"\xaa")]
    for cut in range(len(flower)):
        if cut not in (12,):
            raised(BadReply, mibeacon.read, flower[:cut])
    for control in ("1010", "7060", "d050"):
        raised(BadReply, mibeacon.read, bytes.fromhex(control) + bytes(20))
