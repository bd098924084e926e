from drivers.frames import Frames, image, write_request
from drivers.profile.model import Image, load
from gateway.core import cbor
from gateway.core.decimal import parse
from gateway.core.errors import BadReply, ConfigError, Refused
from tests.portable.support import raised

D = parse
H = bytes.fromhex

PMS = {
    "start": [b"\x42\x4d"],
    "length": {"at": 2, "type": "u16", "plus": 4},
    "check": {"is": "sum16"},
}
PMS_FRAME = H("424D001C000400070008000400070008" + "0384010E00320006000200009700" + "0238")
SDS = {"start": [b"\xaa\xc0"], "length": [10], "check": {"is": "sum8", "from": 2}, "end": b"\xab"}
SDS_FRAME = H("AAC08C009400BCF9D5AB")
DLT_FRAME = H("FEFEFEFE6818201222206568910A33323435333333 33C7561316".replace(" ", ""))
RUUVI = H("0512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F")
P1 = b"/KFM5KAIFA-METER\r\n\r\n1-0:1.8.1(000671.578*kWh)\r\n1-0:1.7.0(00.318*kW)\r\n!\r\n"

CH_PM = [{"id": "pm2_5", "at": 12, "type": "u16"}, {"id": "last", "at": -1}]
CH_SDS = [{"id": "pm2_5", "at": 2, "type": "u16", "order": "DCBA", "scale": D("0.1")}]
CH_DLT = [{"id": "v_#", "of": ["a", "b", "c"], "in": "0201FF00", "at": 0, "step": 2}]
CH_DLT[0].update({"type": "bcd16", "scale": D("0.1")})
CH_RUUVI = [{"id": "t", "at": 1, "type": "s16", "order": "ABCD", "scale": D("0.005")}]
CH_RUUVI.append({"id": "h", "at": 3, "type": "u16", "order": "ABCD", "none": [0xFFFF]})
CH_P1 = [{"id": "e", "in": "1-0:1.8.1", "at": 0, "says": ["kwh"]}]
CH_P1.append({"id": "p", "in": "1-0:1.7.0", "at": 0, "says": ["w"]})
CH_NAMED = [
    {"id": "p.v", "in": "p", "at": 1},
    {"id": "q.v", "in": "q", "at": 1},
    {"id": "first", "at": 0},
]
NAMED = [
    {"id": "p", "start": [b"\x01"], "length": [3]},
    {"id": "q", "start": [b"\x02"], "length": [3]},
]


def profile(bus, channels, messages=(), **keys):
    document = {"tidegate": 1, "name": "X", "every": 10000, "bus": bus, "channels": channels}
    rows = []
    for row in messages:
        rows.append({"id": ""})
        rows[-1].update(row)
    if rows:
        document["messages"] = rows
    document.update(keys)
    return load(cbor.encode(document))


# bus, channels, messages, more keys, frame, what the device then says
VECTORS = [
    ("serial", CH_PM, [PMS], {}, PMS_FRAME, {"pm2_5": 7, "last": 0x38}),
    ("serial", CH_SDS, [SDS], {}, SDS_FRAME, {"pm2_5": 14}),
    ("serial", CH_SDS, [SDS], {}, b"\xaa\xc0\x00" + SDS_FRAME + b"\xaa", {"pm2_5": 14}),
    ("dlt645", CH_DLT, [], {}, DLT_FRAME, {"v_a": 0, "v_b": 0, "v_c": D("239.4")}),
    (
        "ble",
        CH_RUUVI,
        [{"start": [b"\x05"], "length": [24]}],
        {},
        RUUVI,
        {"t": D("24.3"), "h": 21396},
    ),
    ("iec62056", CH_P1, [], {}, P1, {"e": D("671.578")}),
    ("serial", CH_NAMED, NAMED, {}, b"\x02\x07\x00", {"q.v": 7, "first": 2}),
    ("serial", CH_NAMED, NAMED, {}, b"\x01\x07\x00\x02\x08\x00", {"p.v": 7, "q.v": 8, "first": 2}),
]


def test_frames_of_every_bus_are_decoded():
    for bus, channels, messages, keys, frame, wanted in VECTORS:
        found = profile(bus, channels, messages, **keys)
        known = {}
        found.device().decode(image(found, frame), known)
        assert known == wanted, (bus, known)


def test_frames_every_flipped_bit_is_refused_or_decoded_but_never_fails():
    refused = flips = 0
    for bus, channels, messages, keys, frame, _ in VECTORS:
        found = profile(bus, channels, messages, **keys)
        device, frames = found.device(), Frames(found)
        for bit in range(0, 8 * len(frame), 3 if len(frame) > 40 else 1):
            bad = bytearray(frame)
            bad[bit // 8] ^= 1 << bit % 8
            flips += 1
            got = Image()
            try:
                frames.put(got, bytes(bad))
            except (BadReply, Refused):
                refused += 1
            device.decode(got, {})
    assert refused > 300 and flips > 700, (refused, flips)


def test_frames_every_cut_of_a_checked_frame_is_refused():
    cuts = 0
    for bus, channels, messages, keys, frame, _ in VECTORS[:2] + VECTORS[3:4]:
        found = profile(bus, channels, messages, **keys)
        for size in range(len(frame)):
            raised(BadReply, image, found, frame[:size])
            cuts += 1
    assert cuts > 60


def test_frames_a_wrong_sum_is_told_with_the_right_one():
    found = profile("serial", CH_PM, [PMS])
    error = raised(BadReply, image, found, PMS_FRAME[:-1] + b"\x39")
    assert str(error) == "the check sum is 0239, these bytes have 0238"


def test_frames_an_echo_of_the_request_is_no_answer():
    # Writing to 0201FF00 (DL/T 645), to 901F (CJ/T 188), sending to the meter (M-Bus).
    for bus, name, sent in (
        ("dlt645", "0201FF00", "681212121212126814063332343533338A16"),
        ("cjt188", "901F", "68101234567890123404041F9000072016"),
        ("mbus", "0413", "68090968530151041301000000BD16"),
        ("iec62056", "1.8.0", "2F3F210D0A"),
    ):
        found = profile(bus, [{"id": "a", "in": name, "at": 0}])
        error = raised(BadReply, image, found, H(sent))
        assert "a request, no answer" in str(error), (bus, str(error))


def test_frames_what_was_asked_tells_which_message_came():
    rows = [
        {"id": "p", "length": [2], "ask": [b"\x50", "'addr"]},
        {"id": "q", "length": [2], "ask": [b"\x51", "'addr", "'check"], "check": {"is": "sum8"}},
    ]
    channels = [{"id": "a", "in": "p", "at": 0}, {"id": "b", "in": "q", "at": 0}]
    found = profile("serial", channels, rows)
    device = found.device()
    for request, message, wanted in [
        (b"\x50\x07", None, {"a": 9}),
        (b"\x51\x07\x58", None, {"b": 9}),
        (None, "q", {"b": 9}),
        (None, None, {"a": 9}),
    ]:
        known = {}
        device.decode(image(found, b"\x09\x09", request, message), known)
        assert known == wanted, (request, message, known)


def test_frames_a_request_is_built_with_address_setting_and_sum():
    row = {"ask": [b"\xa5", "'addr", b"\x90", "'limit", "'check"], "length": [4]}
    row["check"] = {"is": "sum8", "from": 1}
    settings = [{"id": "limit", "default": 258, "type": "u16"}]
    found = profile("serial", [{"id": "a", "at": 0}], [row], settings=settings)
    (request,) = Frames(found, found.device().settings).asks()
    assert request.build(b"\x40") == H("A540900102D3")
    assert request.refusal(H("A541900102D4")) == ""
    assert request.refusal(H("A54090010200")) == "the check sum is 00, these bytes have D3"
    assert request.refusal(b"") != "" and request.refusal(bytes(50)) != ""
    (request,) = Frames(found).asks()
    raised(ConfigError, request.build, b"\x40")


def test_frames_a_request_in_text_is_summed_as_the_answers_are():
    row = {"as": "text", "start": [b"$"], "ask": [b"$PQ*", "'check", b"\r\n"]}
    row.update({"check": {"is": "xor8", "from": 1}, "end": b"\r\n"})
    (request,) = Frames(profile("serial", [{"id": "a", "at": 0}], [row])).asks()
    assert request.build(b"") == b"$PQ*01\r\n"  # NMEA 0183: of what stands between $ and *


def test_frames_texts_come_in_columns_and_say_what_they_hold():
    row = {"as": "text", "split": ",", "end": b"\n"}
    channels = [
        {"id": "a", "at": 1},
        {"id": "b", "at": -1, "none": ["--"]},
        {"id": "c", "at": 0, "type": "str3"},
        {"id": "d", "at": 2, "match": "T=([0-9.]+)"},
        {"id": "far", "at": 9},
    ]
    found = profile("serial", channels, [row])
    device = found.device()
    known = {}
    readings = device.decode(image(found, b"R15, +2.50,T=21.5 C,--\r\n"), known)
    assert readings == [
        ("a", D("2.5"), "good"),
        ("b", None, "sentinel"),
        ("c", "R15", "good"),
        ("d", D("21.5"), "good"),
    ]
    readings = device.decode(image(found, b"a,b,c,1e999\n"), {})
    assert readings == [
        ("a", None, "sentinel"),
        ("b", None, "sentinel"),
        ("c", "a", "good"),
    ]


def test_frames_a_pattern_that_cuts_a_character_in_two_finds_nothing():
    channels = [{"id": "a", "at": 0, "type": "str5", "match": "T=(.)"}, {"id": "b", "at": 0}]
    device = profile("serial", channels, [{"as": "text"}]).device()
    found = image(device.profile, "T=\xe912\n".encode())
    assert device.decode(found, {})[-1] == ("b", None, "sentinel")  # small boards see bytes


def test_frames_a_text_of_too_many_digits_has_no_value():
    channels = [{"id": "a", "at": 0}, {"id": "b", "at": 0, "calc": ["x", "sqrt"]}]
    channels.append({"id": "c", "at": 0, "flags": {0: "on"}})
    device = profile("serial", channels, [{"as": "text"}]).device()
    for text, value in (
        (b"9" * 20, None),
        (b"-9" + b"9" * 400, None),
        (b"1e24", None),
        (b"18446744073709551615", 18446744073709551615),
        (b"0.1234567890123456785", D("0.123456789012345679")),
    ):
        readings = device.decode(image(device.profile, text + b"\n"), {})
        assert readings[0] == ("a", value, "good" if value else "out-of-range")
        cbor.encode([reading[1] for reading in readings])
    (_, _, flags) = device.decode(image(device.profile, b"1.5\n"), {})
    assert flags == ("c", None, "out-of-range")


def test_frames_no_field_reaches_from_one_value_of_a_name_to_the_next():
    wide = {"id": "wide", "in": "0213", "at": 0, "type": "u32"}
    channels = [{"id": "a", "in": "0213", "at": 0, "type": "u16"}, wide]
    channels.append({"id": "b", "in": "0213", "at": 2, "type": "u16"})
    channels.append({"id": "last", "in": "0213", "at": -2, "type": "u16"})
    channels.append({"id": "across", "in": "0213", "at": 1, "type": "u16"})
    found = profile("mbus", channels)
    got = image(found, H("680B0B680801780213010002130200AE16"))
    known = {}
    found.device().decode(got, known)
    assert known == {"a": 1, "b": 2, "last": 2}


def test_frames_a_meter_that_names_another_unit_gives_no_value():
    found = profile("iec62056", CH_P1)
    readings = found.device().decode(image(found, P1), {})
    assert readings == [("e", D("671.578"), "good"), ("p", None, "unit-conflict")]


def test_frames_alternatives_may_stand_in_different_messages():
    channels = [
        {"id": "t", "in": "p", "at": 1},
        {"id": "t", "in": "q", "at": 2, "if": ["kind", 1, "=="]},
        {"id": "kind", "in": "q", "at": 1, "hidden": True},
    ]
    found = profile("serial", channels, NAMED)
    device = found.device()
    known = {}
    assert device.decode(image(found, b"\x01\x05\x00"), known) == [("t", 5, "good")]
    assert device.decode(image(found, b"\x02\x01\x06"), known) == [("t", 6, "good")]
    assert device.decode(image(found, b"\x02\x02\x07"), known) == []
    assert device.decode(image(found, b"\x01\x08\x00"), known) == [("t", 8, "good")]


def test_frames_a_message_that_did_not_come_says_why():
    found = profile("serial", CH_NAMED, NAMED)
    got = image(found, b"\x01\x05\x00")
    got.fail("q", 0, 0, "no-reply")
    readings = found.device().decode(got, {})
    assert readings == [("p.v", 5, "good"), ("q.v", None, "no-reply"), ("first", 1, "good")]


def test_frames_writes_are_sent_as_the_profile_says():
    steps = [{"send": [b"\x10", "'value", "'check"], "value": ["x"], "type": "u16", "wait": 5}]
    channels = [{"id": "a", "at": 0, "scale": D("0.1"), "write": {"steps": steps, "repeat": 30000}}]
    row = {"length": [4], "check": {"is": "xor8"}}
    found = profile("serial", channels, [row])
    device = found.device()
    assert device.channels[0].repeat_ms == 30000
    (step,) = device.write("a", D("25.8"))
    assert step.wait_ms == 5
    assert write_request(found, step).build(b"") == H("10010213")
    raised(ConfigError, device.write, "a", 6553700)
    setup = [{"send": [b"P", "'n", b"\n"], "as": "text"}]
    text = profile("serial", [{"id": "a", "at": 0}], [{"as": "text"}], setup=setup)
    assert write_request(text, text.device().setup_steps({})[0]).parts == [b"P", "'n", b"\n"]


def test_frames_messages_no_frame_can_be_are_refused():
    rows = [
        {"length": [2], "start": [b"abc"]},
        {"length": {"at": 0, "type": "u8"}, "start": [b""]},
        {"end": b"123456789"},
    ]
    for row in rows:
        try:
            Frames(profile("serial", [{"id": "a", "at": 0}], [row]))
        except (ConfigError, BadReply):
            continue
        raise AssertionError(row)
