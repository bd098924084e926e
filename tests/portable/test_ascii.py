"""Modbus ASCII frames: whatever the line does to them, the right value comes, or none."""

from __future__ import annotations

import json

from drivers.protocol import ascii as frames
from drivers.protocol import pdu
from gateway.core.errors import BadReply, ConfigError, NoReply
from tests.portable.support import raised

ASKED = pdu.read(3, 107, 3)
REPLY = bytes.fromhex("0306022b00000064")
FRAME = frames.frame(17, REPLY)


def reader():
    return frames.ReplyReader(17, ASKED)


def test_ascii_frames_of_published_examples():
    checked = 0
    with open("tests/vectors/modbus-frames.jsonl") as file:
        for line in file:
            example = json.loads(line)
            if example["kind"] == "ascii":
                body = bytes.fromhex(example["body"])
                text = ":" + (example["body"] + example["check"]).upper() + "\r\n"
                assert frames.frame(body[0], body[1:]) == text.encode()
                checked += 1
    assert checked == 4


def test_ascii_every_split_of_the_bytes_gives_the_same_reply():
    for cut in range(len(FRAME) + 1):
        one = reader()
        found = [one.feed(FRAME[:cut]), one.feed(FRAME[cut:])]
        assert found in ([None, REPLY], [REPLY, None])


def test_ascii_every_flipped_bit_gives_the_right_value_or_none():
    caught = 0
    for place in range(8 * len(FRAME)):
        bad = bytearray(FRAME)
        bad[place >> 3] ^= 1 << (place & 7)
        found = reader().feed(bytes(bad))
        if found is None:
            caught += 1
        else:  # only a letter's case can change unseen, and it carries nothing
            assert found == REPLY
            assert bytes(bad).upper() == FRAME
    letters = len([byte for byte in FRAME if byte >= 0x41])
    assert caught == 8 * len(FRAME) - letters


def test_ascii_garbage_echo_and_strangers_before_the_reply_are_passed_over():
    echo = frames.frame(17, ASKED.encode())
    stranger = frames.frame(5, REPLY)
    late = frames.frame(17, bytes.fromhex("0304aaaaaaaa"))
    for before in (
        b"\x00\xff",
        b"\r\n",
        b":",
        b":1103",
        b":zz\r\n",
        FRAME[:-1],
        echo,
        stranger,
        late,
    ):
        assert reader().feed(before + FRAME) == REPLY, before
        assert reader().feed(before) is None
    one = reader()
    one.feed(stranger)
    assert "unit 5 answered" in str(one.give_up())


def test_ascii_lower_case_digits_are_read():
    assert reader().feed(FRAME.lower()) == REPLY


def test_ascii_nothing_is_no_reply_a_part_a_bad_one_and_a_flood_ends():
    assert isinstance(reader().give_up(), NoReply)
    for cut in range(1, len(FRAME)):
        one = reader()
        assert one.feed(FRAME[:cut]) is None
        assert isinstance(one.give_up(), BadReply)
    raised(BadReply, reader().feed, b":11" * frames.SIZE_MAX * 2)
    raised(ConfigError, frames.frame, 0, b"\x03")


def test_ascii_a_server_finds_requests_the_same_way():
    asked = frames.frame(17, ASKED.encode())
    for cut in range(len(asked)):
        one = frames.RequestReader()
        assert one.feed(asked[:cut]) is None
        assert one.feed(asked[cut:]) == (17, ASKED.encode())
