"""Whatever comes in, the Modbus parsers give a value or one of the project's errors."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from drivers.protocol import ascii as ascii_frames
from drivers.protocol import identification, mbap, pdu, rtu
from gateway.core.errors import BadReply, NoReply, Refused, TidegateError
from tests.support.fuzz import parser

FRAMINGS = (rtu, mbap, ascii_frames)
REQUESTS = (
    pdu.read(1, 19, 19),
    pdu.read(3, 107, 3),
    pdu.write_coil(172, True),
    pdu.write_register(1, 3),
    pdu.write_coils(19, [True] * 10),
    pdu.write_registers(1, [10, 258]),
    pdu.report_server_id(),
    pdu.read_write_registers(3, 6, 14, [255] * 3),
    pdu.read_identification(1, 0),
)
PARTS = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from(
            [framing.frame(17, each.encode()) for framing in FRAMINGS for each in REQUESTS]
        ),
        st.sampled_from(
            [b"\x11", b":11", b"\r\n", b"\x00\x00\x00\x00\x00\x06\x11", b"\x11\x83\x02"]
        ),
    ),
    max_size=12,
)


@parser
@given(st.sampled_from(FRAMINGS), st.sampled_from(REQUESTS), PARTS)
def test_reply_readers_survive_anything(framing, asked, parts):
    reader = framing.ReplyReader(17, asked)
    try:
        for part in parts:
            reply = reader.feed(part)
            while reply is not None:
                asked.parse(reply)
                reply = reader.feed(b"")
    except (BadReply, Refused):
        return
    error = reader.give_up()
    assert type(error) is (BadReply if b"".join(parts) else NoReply)


@parser
@given(st.sampled_from(FRAMINGS), st.sampled_from(REQUESTS), st.binary(max_size=300), st.data())
def test_a_whole_reply_after_serial_noise_is_found_in_any_split(framing, asked, noise, data):
    payload = data.draw(st.binary(min_size=2, max_size=2)) + b"\x01\x00\x00\x00"
    count = asked.count
    size = {1: (count + 7) // 8, 3: 2 * count, 0x17: 2 * count, 0x11: 6}.get(asked.function)
    body = (payload * 9)[:size] if size else b""
    if asked.function == pdu.ENCAPSULATED:
        body = b"\x01\x00\x00\x01\x00\x01A"
    reply = asked.reply(body)
    if framing is mbap:
        noise = b""  # TCP has none
    elif asked.function in (pdu.REPORT_SERVER_ID, pdu.ENCAPSULATED):
        noise = noise.replace(b"\x11", b"")  # could claim any length, so that the line must end it
    whole = framing.frame(17, reply)
    cut = data.draw(st.integers(0, len(whole)))
    reader = framing.ReplyReader(17, asked)
    found = [reader.feed(noise + whole[:cut]), reader.feed(whole[cut:])]
    assert reply in found
    assert asked.parse(reply) == body


@parser
@given(st.sampled_from(FRAMINGS), PARTS)
def test_request_readers_survive_anything(framing, parts):
    reader = framing.RequestReader()
    try:
        for part in parts:
            found = reader.feed(part)
            if found:
                pdu.Request.decode(found[1])
    except (BadReply, Refused):
        return


@parser
@given(st.binary(max_size=260))
def test_requests_decode_to_themselves_or_are_refused(data):
    try:
        request = pdu.Request.decode(data)
    except Refused as error:
        assert error.code in (1, 2, 3)
        return
    assert request.encode() == data


@parser
@given(st.sampled_from(REQUESTS), st.binary(max_size=260))
def test_replies_parse_or_are_a_project_error(asked, data):
    try:
        payload = asked.parse(data)
    except TidegateError:
        return
    assert asked.reply(payload) == data


@parser
@given(st.binary(max_size=260))
def test_identification_survives_anything(data):
    found = identification.Identification(identification.EXTENDED)
    try:
        found.take(data)
    except BadReply as error:
        assert error.got == data
        return
    assert found.request is None or found.request.object_id > 0
