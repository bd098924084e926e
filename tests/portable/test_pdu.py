"""Requests and replies against the standard's worked examples, as client and as server."""

from __future__ import annotations

import json

from drivers.protocol import identification, pdu, refusal
from gateway.core.errors import BadReply, ConfigError, Refused
from tests.portable.support import raised


def examples():
    with open("tests/vectors/modbus-v1.1b3.jsonl") as file:
        return [json.loads(line) for line in file]


def test_pdu_examples_of_the_standard_as_client():
    checked = 0
    for example in examples():
        request = getattr(pdu, example["call"])(*example["args"])
        reply = bytes.fromhex(example["reply"])
        assert request.encode() == bytes.fromhex(example["request"]), example["source"]
        if "exception" in example:
            assert raised(Refused, request.parse, reply).code == example["exception"]
        elif "words" in example:
            assert pdu.words(request.parse(reply)) == example["words"]
        elif "bits" in example:
            count = len(example["bits"])
            assert pdu.bits(request.parse(reply), count) == [bool(bit) for bit in example["bits"]]
        elif "objects" in example:
            found = identification.Identification()
            found.take(request.parse(reply))
            assert found.request is None
            assert [found.objects[at].decode() for at in range(3)] == example["objects"]
        else:
            assert request.parse(reply) == b""
        checked += 1
    assert checked == 11


def test_pdu_examples_of_the_standard_as_server():
    for example in examples():
        request = pdu.Request.decode(bytes.fromhex(example["request"]))
        assert request == getattr(pdu, example["call"])(*example["args"])
        if "exception" not in example:
            reply = bytes.fromhex(example["reply"])
            assert request.reply(request.parse(reply)) == reply


def test_pdu_sizes_are_known_as_soon_as_the_length_byte_is_there():
    for example in examples():
        request = bytes.fromhex(example["request"])
        reply = bytes.fromhex(example["reply"])
        expected = pdu.Expected(pdu.Request.decode(request))
        for cut in range(len(request) + 1):
            assert pdu.request_size(request[:cut]) in (None, len(request))
        for cut in range(len(reply) + 1):
            assert expected.size(reply[:cut]) in (None, len(reply))
        assert pdu.request_size(request) == len(request)
        assert expected.size(reply) == len(reply)
    assert pdu.request_size(b"\x63") == 0


def test_pdu_every_wrong_reply_is_told_from_a_right_one():
    asked = pdu.read(3, 107, 3)
    for wrong in (
        "",
        "03",
        "0306022b0000",
        "0304022b0000",
        "0306022b0000006400",
        "0406022b00000064",
    ):
        raised(BadReply, asked.parse, bytes.fromhex(wrong))
    raised(BadReply, pdu.write_register(1, 3).parse, bytes.fromhex("0600010004"))
    raised(BadReply, pdu.write_registers(1, [10, 258]).parse, bytes.fromhex("1000010001"))
    raised(BadReply, pdu.report_server_id().parse, bytes.fromhex("1103ff"))
    assert pdu.report_server_id().parse(bytes.fromhex("1102ff01")) == b"\xff\x01"


def test_pdu_ranges_end_where_the_standard_ends_them():
    assert pdu.LIMITS[3] == 125
    for function, most in ((1, 2000), (2, 2000), (3, 125), (4, 125)):
        assert len(pdu.read(function, 0, most).encode()) == 5
        raised(ConfigError, pdu.read, function, 0, most + 1)
        raised(ConfigError, pdu.read, function, 0, 0)
        raised(ConfigError, pdu.read, function, 65536, 1)
        raised(ConfigError, pdu.read, function, -1, 1)
        raised(ConfigError, pdu.read, function, 65535, 2)
    raised(ConfigError, pdu.read, 5, 0, 1)
    longest = [
        pdu.write_coils(0, [True] * 1968),
        pdu.write_registers(65413, [65535] * 123),
        pdu.read_write_registers(0, 125, 0, [0] * 121),
    ]
    assert [len(request.encode()) for request in longest] == [252, 252, 252]
    raised(ConfigError, pdu.write_coils, 0, [True] * 1969)
    raised(ConfigError, pdu.write_registers, 0, [0] * 124)
    raised(ConfigError, pdu.write_registers, 0, [])
    raised(ConfigError, pdu.write_registers, 0, [65536])
    raised(ConfigError, pdu.write_register, 0, -1)
    raised(ConfigError, pdu.read_write_registers, 0, 1, 0, [0] * 122)
    raised(ConfigError, pdu.read_write_registers, 0, 1, 65535, [0, 0])
    raised(ConfigError, pdu.read_identification, 5, 0)


def test_pdu_a_server_refuses_what_the_standard_tells_it_to():
    cases = (
        ("", 1),
        ("63", 1),
        ("2b0d0100", 1),  # CANopen: an interface we do not have
        ("0300000000", 3),
        ("030000007e", 3),
        ("03ffff0002", 2),
        ("050000ff01", 3),
        ("0f0000000a01cd", 3),
        ("10000000020400", 3),
        ("1000000002020000", 3),
        ("2b0e0500", 3),
    )
    for wrong, code in cases:
        assert raised(Refused, pdu.Request.decode, bytes.fromhex(wrong)).code == code, wrong


def test_pdu_exceptions_say_whether_to_ask_again():
    again = [code for code in range(256) if refusal.may_succeed_later(code)]
    assert again == [5, 6, 10, 11]
    assert "illegal data address" in str(refusal.refused(2, "function 3"))
    assert "unknown" in str(refusal.refused(99, "function 3"))
    assert pdu.exception(3, 2) == b"\x83\x02"


def test_pdu_bits_and_words_come_back():
    for count in (1, 7, 8, 9, 2000):
        values = [place % 3 == 0 for place in range(count)]
        assert pdu.bits(pdu.from_bits(values), count) == values
    assert pdu.words(pdu.from_words([0, 1, 65535])) == [0, 1, 65535]


def test_identification_longer_than_one_reply_is_asked_for_in_parts():
    objects = {number: bytes([65 + number]) * 100 for number in range(7)}
    objects[0x80] = b"x" * 244
    asked = identification.Identification(identification.EXTENDED)
    rounds = 0
    while asked.request:
        sent = pdu.Request.decode(asked.request.encode())
        reply = sent.reply(identification.answer(sent, objects) or b"")
        assert len(reply) <= pdu.SIZE_MAX
        asked.take(asked.request.parse(reply))
        rounds += 1
    assert asked.objects == objects
    assert rounds == 5


def test_identification_gives_each_class_and_one_by_one():
    objects = {0: b"vendor", 1: b"code", 2: b"1.0", 5: b"model", 0x80: b"own"}
    for code, most in ((1, 3), (2, 4), (3, 5)):
        asked = identification.Identification(code)
        asked.take(identification.answer(asked.request, objects))
        assert (len(asked.objects), asked.request) == (most, None)
    one = identification.Identification(identification.ONE, 5)
    one.take(identification.answer(one.request, objects))
    assert one.objects == {5: b"model"}
    assert identification.answer(pdu.read_identification(4, 6), objects) is None


def test_identification_that_would_never_end_is_refused():
    asked = identification.Identification()
    raised(BadReply, asked.take, bytes.fromhex("01ff0001000141"))


def test_identification_every_cut_is_an_error():
    whole = bytes.fromhex("01000003000141010142020143")
    for cut in range(len(whole)):
        raised(BadReply, identification.Identification().take, whole[:cut])
