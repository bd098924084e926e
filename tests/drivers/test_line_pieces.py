"""However a reply arrives, cut, glued or behind garbage, it is found, and no other is taken."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from drivers.line import LUMP_MS, Line
from drivers.protocol import pdu, rtu
from gateway.core.errors import BadReply, NoReply
from tests.support import virtual
from tests.support.wire import Wire

UNIT = 17
ASKED = pdu.read(3, 107, 3)
REQUEST = rtu.frame(UNIT, ASKED.encode())
REPLY = bytes.fromhex("0306022b00000064")
FRAME = rtu.frame(UNIT, REPLY)
NEXT = pdu.read(3, 0, 4)
NEXT_REPLY = bytes.fromhex("03080001000200030004")
GARBAGE = st.binary(max_size=40)
PIECES = st.lists(st.integers(1, 40), max_size=8)
PAUSES_MS = st.integers(0, LUMP_MS - 1)


def in_pieces(data, sizes, pause_ms):
    """Return what a wire plays: the first piece in 20 ms, each further one a pause later."""
    came, delay_ms = [], 20
    for size in [*sizes, len(data)]:
        if data:
            came.append((delay_ms, data[:size]))
        data, delay_ms = data[size:], pause_ms
    return came


async def exchange(line, asked=ASKED, timeout_ms=100):
    request = rtu.frame(UNIT, asked.encode())
    return await line.exchange(request, rtu.ReplyReader(UNIT, asked), timeout_ms)


def line_on(wire, echoes=None):
    async def opened():
        return wire

    return Line(opened, 4011, echoes)


def heard(*answers, echoes=None):
    """Return what each exchange brings, as bytes or the kind of its error."""

    async def story():
        line = line_on(Wire(*answers), echoes)
        found = []
        for number in range(len(answers)):
            try:
                found.append(await exchange(line, NEXT if number else ASKED))
            except (NoReply, BadReply) as error:
                found.append(type(error))
        return found

    return virtual.run(story())


def test_every_pair_of_cuts_of_a_reply_is_put_together_again():
    tried = 0
    for first in range(1, len(FRAME)):
        for second in range(1, len(FRAME) - first):
            assert heard(in_pieces(FRAME, [first, second], 16)) == [REPLY]
            tried += 1
    assert tried == 45


@given(GARBAGE, PIECES, PAUSES_MS)
def test_a_reply_behind_any_garbage_in_any_pieces_is_found(garbage, sizes, pause_ms):
    assert heard(in_pieces(garbage + FRAME, sizes, pause_ms), echoes=False) == [REPLY]


@given(PIECES, PAUSES_MS)
def test_a_reply_behind_the_echo_of_its_request_is_found_in_any_pieces(sizes, pause_ms):
    for echoes in (None, True):
        assert heard(in_pieces(REQUEST + FRAME, sizes, pause_ms), echoes=echoes) == [REPLY]


@given(GARBAGE, PIECES)
def test_what_is_glued_to_a_reply_does_not_reach_the_next_exchange(tail, sizes):
    second = [(20, rtu.frame(UNIT, NEXT_REPLY))]
    for glued in (FRAME + tail, FRAME + FRAME, FRAME + rtu.frame(UNIT, NEXT_REPLY)):
        found = heard(in_pieces(glued, [], 0), second)
        assert found == [REPLY, NEXT_REPLY]
        found = heard(in_pieces(FRAME + FRAME, sizes, 0), second)
        assert found == [REPLY, NEXT_REPLY]


@given(st.integers(0, 260), PIECES)
def test_a_reply_of_another_size_that_comes_late_is_never_the_next_ones(delay_ms, sizes):
    late = in_pieces(FRAME, sizes, 3)
    late[0] = (delay_ms, late[0][1])
    first, second = heard(late, [(20, rtu.frame(UNIT, NEXT_REPLY))])
    assert first in (REPLY, NoReply, BadReply)
    assert second in (NEXT_REPLY, NoReply, BadReply)


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_garbage_alone_is_no_reply_and_no_value(before, between):
    found = heard([(20, before)], [(20, between)])
    assert set(found) <= {NoReply, BadReply}
