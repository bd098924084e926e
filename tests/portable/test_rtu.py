"""RTU frames: whatever the line does to them, the right value comes, or none."""

from __future__ import annotations

import json

from drivers.protocol import pdu, rtu
from gateway.core.errors import BadReply, ConfigError, NoReply, Refused
from tests.portable.support import raised

ASKED = pdu.read(3, 107, 3)
REPLY = bytes.fromhex("0306022b00000064")
FRAME = rtu.frame(17, REPLY)
LATE = rtu.frame(17, bytes.fromhex("0304aaaaaaaa"))  # an earlier question's, two registers
OTHER = rtu.frame(5, REPLY)


def reply(data, asked=ASKED, unit=17):
    return rtu.ReplyReader(unit, asked).feed(data)


def test_rtu_crc_and_frames_of_published_examples():
    checked = 0
    with open("tests/vectors/modbus-frames.jsonl") as file:
        for line in file:
            example = json.loads(line)
            body, check = bytes.fromhex(example["body"]), bytes.fromhex(example["check"])
            if example["kind"] in ("crc", "rtu"):
                assert rtu.crc(body) == check, example
                checked += 1
            if example["kind"] == "rtu":
                assert rtu.frame(body[0], body[1:]) == body + check
    assert checked == 24


def test_rtu_every_split_of_the_bytes_gives_the_same_reply():
    for cut in range(len(FRAME) + 1):
        reader = rtu.ReplyReader(17, ASKED)
        found = [reader.feed(FRAME[:cut]), reader.feed(FRAME[cut:])]
        assert found in ([None, REPLY], [REPLY, None])
    reader = rtu.ReplyReader(17, ASKED)
    found = [reader.feed(FRAME[at : at + 1]) for at in range(len(FRAME))]
    assert found == [None] * (len(FRAME) - 1) + [REPLY]


def test_rtu_every_flipped_bit_is_caught():
    frames = (
        (ASKED, FRAME),
        (pdu.write_register(1, 3), rtu.frame(17, bytes.fromhex("0600010003"))),
        (pdu.report_server_id(), rtu.frame(17, bytes.fromhex("1103010203"))),
        (ASKED, rtu.frame(17, b"\x83\x02")),
        (pdu.read(3, 0, 125), rtu.frame(17, b"\x03\xfa" + bytes(range(250)))),
    )
    checked = 0
    for asked, whole in frames:
        for place in range(8 * len(whole)):
            bad = bytearray(whole)
            bad[place >> 3] ^= 1 << (place & 7)
            reader = rtu.ReplyReader(17, asked)
            assert reader.feed(bytes(bad)) is None, place
            assert isinstance(reader.give_up(), BadReply)
            checked += 1
    assert checked == 8 * (11 + 8 + 8 + 5 + 255)


def test_rtu_every_truncated_reply_is_caught():
    for cut in range(1, len(FRAME)):
        for part in (FRAME[:cut], FRAME[cut:]):
            reader = rtu.ReplyReader(17, ASKED)
            assert reader.feed(part) is None
            assert isinstance(reader.give_up(), BadReply)


def test_rtu_garbage_before_the_reply_is_passed_over():
    for garbage in (
        b"\x00",
        b"\xff" * 7,
        b"\x11",
        b"\x11\x03",
        b"\x11\x03\x06",
        b"\x11\x83" * 9,
        FRAME[:-1],
    ):
        assert reply(garbage + FRAME) == REPLY, garbage


def test_rtu_a_late_reply_of_another_unit_function_or_count_is_passed_over():
    other_function = rtu.frame(17, bytes.fromhex("0406aaaaaaaaaaaa"))
    for before in (OTHER, LATE, other_function, OTHER + LATE + other_function):
        assert reply(before + FRAME) == REPLY
        reader = rtu.ReplyReader(17, ASKED)
        assert reader.feed(before) is None
        assert isinstance(reader.give_up(), BadReply)
    reader = rtu.ReplyReader(17, ASKED)
    reader.feed(OTHER)
    assert "unit 5 answered" in str(reader.give_up())


def test_rtu_an_echo_of_the_request_is_passed_over_unless_it_equals_the_reply():
    requests = (
        (ASKED, REPLY),
        (pdu.write_registers(1, [10, 258]), bytes.fromhex("1000010002")),
        (pdu.write_coils(1, [True]), bytes.fromhex("0f00010001")),
        (pdu.read_write_registers(1, 1, 1, [1]), bytes.fromhex("17020001")),
        (pdu.report_server_id(), bytes.fromhex("110101")),
    )
    for asked, answer in requests:
        echo = rtu.frame(17, asked.encode())
        assert reply(echo + rtu.frame(17, answer), asked) == answer
        assert reply(echo, asked) is None
    write = pdu.write_coil(172, True)  # here the two are one; telling them apart is the line's task
    reader = rtu.ReplyReader(17, write)
    echo = rtu.frame(17, write.encode())
    assert [reader.feed(echo), reader.feed(echo)] == [write.encode(), write.encode()]


def test_rtu_payload_that_looks_like_a_refusal_is_not_one():
    inner = rtu.frame(17, b"\x83\x02")
    asked = pdu.read(3, 0, 3)
    whole = rtu.frame(17, b"\x03\x06" + inner + b"\x00")
    assert asked.parse(reply(whole, asked)) == inner + b"\x00"
    assert reply(whole[:-1] + b"\x99", asked) is None


def test_rtu_a_refusal_is_a_reply():
    assert reply(rtu.frame(17, b"\x83\x02")) == b"\x83\x02"
    assert raised(Refused, ASKED.parse, b"\x83\x02").code == 2


def test_rtu_nothing_is_no_reply_and_noise_without_end_a_bad_one():
    assert isinstance(rtu.ReplyReader(17, ASKED).give_up(), NoReply)
    reader = rtu.ReplyReader(17, ASKED)
    error = raised(BadReply, reader.feed, b"\x11\x03" * rtu.SIZE_MAX * 3)
    assert len(error.got) > rtu.INPUT_MAX


def test_rtu_units_that_cannot_answer_are_a_configuration_error():
    raised(ConfigError, rtu.frame, 0, b"\x03")
    raised(ConfigError, rtu.frame, 256, b"\x03")


def test_rtu_a_server_finds_requests_the_same_way():
    asked = rtu.frame(17, ASKED.encode())
    for cut in range(len(asked)):
        reader = rtu.RequestReader()
        assert reader.feed(asked[:cut]) is None
        assert reader.feed(asked[cut:]) == (17, ASKED.encode())
    assert rtu.RequestReader().feed(b"\x00\xff" + asked) == (17, ASKED.encode())
    unknown = rtu.frame(17, b"\x63\x01\x02")
    assert rtu.RequestReader().feed(unknown) == (17, b"\x63\x01\x02")
