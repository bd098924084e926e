"""Modbus TCP frames: replies find their request by transaction, and nothing else passes."""

from __future__ import annotations

import json

from drivers.protocol import mbap, pdu
from gateway.core.errors import BadReply, ConfigError, NoReply
from tests.portable.support import raised

ASKED = pdu.read(3, 107, 3)
REPLY = bytes.fromhex("0306022b00000064")
FRAME = mbap.frame(1, REPLY, 0x12345)


def reader():
    return mbap.ReplyReader(1, ASKED, 0x12345)


def test_mbap_frame_of_the_published_example():
    checked = 0
    with open("tests/vectors/modbus-frames.jsonl") as file:
        for line in file:
            example = json.loads(line)
            if example["kind"] == "mbap":
                body = bytes.fromhex(example["body"])
                head = bytes.fromhex(example["check"])
                assert mbap.frame(body[0], body[1:], example["number"]) == head + body
                checked += 1
    assert checked == 1


def test_mbap_every_split_of_the_bytes_gives_the_same_reply():
    assert FRAME[:2] == b"\x23\x45"
    for cut in range(len(FRAME) + 1):
        one = reader()
        found = [one.feed(FRAME[:cut]), one.feed(FRAME[cut:])]
        assert found in ([None, REPLY], [REPLY, None])


def test_mbap_late_replies_are_passed_over_by_their_transaction():
    late = mbap.frame(1, REPLY, 7) + mbap.frame(9, b"\x83\x02", 8)
    assert reader().feed(late + FRAME) == REPLY
    one = reader()
    assert one.feed(late) is None
    assert "earlier" in str(one.give_up())


def test_mbap_a_wrong_head_ends_the_exchange_at_once():
    for place, byte in ((2, 1), (3, 1), (4, 1), (5, 0), (5, 1), (5, 255)):
        bad = bytearray(FRAME)
        bad[place] = byte
        assert raised(BadReply, reader().feed, bytes(bad)).got == bytes(bad)
    raised(BadReply, reader().feed, mbap.frame(2, REPLY, 0x12345))
    raised(BadReply, reader().feed, mbap.frame(1, b"\x04" + REPLY[1:], 0x12345))
    raised(BadReply, reader().feed, mbap.frame(1, REPLY[:-2], 0x12345))


def test_mbap_every_flipped_bit_of_the_head_is_caught():
    for place in range(8 * 9):  # head, function and byte count; TCP itself guards the rest
        bad = bytearray(FRAME)
        bad[place >> 3] ^= 1 << (place & 7)
        one = reader()
        try:
            found = one.feed(bytes(bad))
        except BadReply:
            continue
        assert found is None, place
        assert isinstance(one.give_up(), BadReply)


def test_mbap_nothing_is_no_reply_a_part_a_bad_one_and_a_flood_ends():
    assert isinstance(reader().give_up(), NoReply)
    one = reader()
    assert one.feed(FRAME[:-1]) is None
    assert "cut short" in str(one.give_up())
    raised(BadReply, reader().feed, mbap.frame(1, REPLY, 7) * 200)


def test_mbap_units_and_the_longest_reply():
    raised(ConfigError, mbap.frame, 256, b"\x03")
    asked = pdu.read(3, 0, 125)
    whole = b"\x03\xfa" + bytes(250)
    assert mbap.ReplyReader(0, asked).feed(mbap.frame(0, whole)) == whole


def test_mbap_a_server_reads_request_after_request():
    server = mbap.RequestReader()
    two = mbap.frame(1, ASKED.encode(), 1) + mbap.frame(2, ASKED.encode(), 2)
    assert server.feed(two[:-1]) == (1, ASKED.encode())
    assert server.number == 1
    assert server.feed(b"") is None
    assert server.feed(two[-1:]) == (2, ASKED.encode())
    assert server.number == 2
    raised(BadReply, server.feed, b"GET / HTTP/1.1")
