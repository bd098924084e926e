"""A line in virtual time: silence, deadlines, echoes, late bytes, and links that come and go."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from drivers.line import LUMP_MS, Line, silence_us
from drivers.opener import BACK_OFF_MAX_MS
from drivers.protocol import mbap, pdu, rtu
from gateway.core import aio
from gateway.core.errors import BadReply, ConfigError, LinkError, NoReply
from tests.support import virtual
from tests.support.wire import Wire

ASKED = pdu.read(3, 107, 3)
REQUEST = rtu.frame(17, ASKED.encode())
REPLY = bytes.fromhex("0306022b00000064")
FRAME = rtu.frame(17, REPLY)
WRITE = pdu.write_register(1, 3)
WRITTEN = rtu.frame(17, WRITE.encode())


def line_on(wire, gap_us=0, echoes=None):
    async def opened():
        return wire

    return Line(opened, gap_us, echoes)


async def read(line, timeout_ms=100):
    return await line.exchange(REQUEST, rtu.ReplyReader(17, ASKED), timeout_ms)


async def write(line, timeout_ms=100):
    return await line.exchange(WRITTEN, rtu.ReplyReader(17, WRITE), timeout_ms)


def test_the_silence_between_frames_is_the_standards():
    found = [silence_us(baud) for baud in (1200, 9600, 19200, 38400, 115200)]
    assert found == [32084, 4011, 2006, 1750, 1750]
    assert silence_us(9600, 10, 20_000) == 23_646


def test_an_exchange_ends_as_soon_as_the_reply_is_whole():
    async def story():
        line = line_on(Wire([(20, FRAME[:4]), (16, FRAME[4:])]))
        assert await read(line) == REPLY
        return aio.now_ms()

    assert virtual.run(story()) == 36


def test_a_silent_device_costs_its_time_out_and_no_more():
    async def story():
        line = line_on(Wire())
        with pytest.raises(NoReply):
            await read(line, 300)
        return aio.now_ms()

    assert virtual.run(story()) == 300


def test_a_reply_that_has_begun_may_pass_the_deadline_lump_by_lump():
    slow = [(90, FRAME[:3]), (LUMP_MS - 1, FRAME[3:6]), (LUMP_MS - 1, FRAME[6:])]

    async def story():
        assert await read(line_on(Wire(slow))) == REPLY
        with pytest.raises(BadReply) as bad:
            await read(line_on(Wire([(90, FRAME[:3]), (LUMP_MS + 1, FRAME[3:])])))
        assert bad.value.got == FRAME[:3]

    virtual.run(story())


def test_requests_of_two_units_never_overlap_and_keep_the_gap():
    async def story():
        wire = Wire([(30, FRAME)], [(30, FRAME)], [(30, FRAME)])
        line = line_on(wire, gap_us=5000)
        await asyncio.gather(read(line), read(line), read(line))
        return [at for at, _ in wire.sent]

    first, second, third = virtual.run(story())
    assert {second - first, third - second} <= {34, 35, 36}  # noted in whole milliseconds


def test_stale_input_is_thrown_away_and_the_line_given_time_to_fall_silent():
    async def story():
        wire = Wire([(10, FRAME)])
        line = line_on(wire, gap_us=5000)
        wire.inbox.put(rtu.frame(17, b"\x03\x06" + bytes(6)))
        assert await read(line) == REPLY
        assert line.stale_bytes == len(FRAME)
        return wire.sent[0][0]

    assert virtual.run(story()) >= 5


def test_a_line_that_never_falls_silent_is_a_bad_reply_that_says_so():
    async def story():
        wire = Wire()
        line = line_on(wire, gap_us=5000)
        chatter = asyncio.create_task(chat(wire))
        with pytest.raises(BadReply, match="never silent"):
            await read(line)
        chatter.cancel()
        assert wire.sent == []

    async def chat(wire):
        while True:
            wire.inbox.put(b"$GPGGA")
            await aio.sleep_ms(3)

    virtual.run(story())


def test_a_reply_that_comes_too_late_is_never_the_next_ones():
    other = pdu.read(3, 0, 2)
    answer = bytes.fromhex("030400010002")

    async def story():
        wire = Wire([(150, FRAME)], [(60, rtu.frame(17, answer))])
        line = line_on(wire, gap_us=5000)
        with pytest.raises(NoReply):
            await read(line)
        request = rtu.frame(17, other.encode())
        assert await line.exchange(request, rtu.ReplyReader(17, other), 100) == answer

    virtual.run(story())


def test_an_echo_is_learnt_from_a_read_and_then_no_write_is_confirmed_by_it():
    async def story():
        wire = Wire(
            [(8, REQUEST), (20, FRAME)],
            [(8, WRITTEN)],
            [(8, WRITTEN), (20, WRITTEN)],
            [(8, WRITTEN[:3]), (3, WRITTEN[3:] + WRITTEN)],
        )
        line = line_on(wire)
        assert await read(line) == REPLY
        assert line.echoes is True
        with pytest.raises(NoReply):
            await write(line)
        assert await write(line) == WRITE.encode()
        assert await write(line) == WRITE.encode()

    virtual.run(story())


def test_on_a_line_without_echo_a_write_is_confirmed_at_once():
    async def story():
        line = line_on(Wire([(20, FRAME)], [(20, WRITTEN)]))
        await read(line)
        assert line.echoes is False
        assert await write(line) == WRITE.encode()
        return aio.now_ms()

    assert virtual.run(story()) == 40


def test_before_anything_is_known_of_echoes_a_write_waits_for_a_second_copy():
    async def story():
        line = line_on(Wire([(20, WRITTEN)], [(20, WRITTEN), (20, WRITTEN)]))
        assert await write(line) == WRITE.encode()
        assert (aio.now_ms(), line.echoes) == (100, None)
        assert await write(line) == WRITE.encode()
        assert (aio.now_ms(), line.echoes) == (140, True)
        known = line_on(Wire([(20, WRITTEN)]), echoes=False)
        assert await write(known) == WRITE.encode()
        assert aio.now_ms() == 160

    virtual.run(story())


def test_noise_before_a_write_is_not_taken_for_an_echo():
    async def story():
        line = line_on(Wire([(20, b"\x00" + WRITTEN)], [(20, FRAME)], [(20, WRITTEN)]))
        assert await write(line) == WRITE.encode()
        assert await read(line) == REPLY
        assert await write(line) == WRITE.encode()
        assert line.echoes is False

    virtual.run(story())


def test_only_an_echo_is_nobody_not_a_bad_reply():
    async def story():
        line = line_on(Wire([(8, REQUEST)], [(8, REQUEST)]))
        for _ in range(2):
            with pytest.raises(NoReply):
                await read(line)
        assert line.echoes is True

    virtual.run(story())


def test_modbus_tcp_over_a_line_keeps_transactions_apart():
    async def story():
        wire = Wire([(150, mbap.frame(1, REPLY, 1))], [(80, mbap.frame(1, REPLY, 2))])
        line = line_on(wire, echoes=False)
        for number, error in ((1, NoReply), (2, None)):
            request = mbap.frame(1, ASKED.encode(), number)
            work = line.exchange(request, mbap.ReplyReader(1, ASKED, number), 100)
            if error:
                with pytest.raises(error):
                    await work
            else:
                assert await work == REPLY

    virtual.run(story())


def test_a_lost_link_is_closed_and_reopened_with_growing_pauses():
    gone = LinkError("adapter pulled")
    wires = [Wire([(10, FRAME)], [(10, gone)])]
    tries = []

    async def opened():
        tries.append(aio.now_ms())
        if len(tries) == 1:
            return wires[0]
        raise LinkError("not there")

    async def story():
        line = Line(opened)
        await read(line)
        with pytest.raises(LinkError):
            await read(line)
        assert wires[0].closed
        while aio.now_ms() < 600_000:
            with pytest.raises(LinkError):
                await read(line)
            await aio.sleep_ms(50)

    virtual.run(story())
    pauses = [after - before for before, after in itertools.pairwise(tries[1:])]
    assert tries[1] <= 70  # it had worked: at once
    assert max(pauses[:1]) <= 500 + 50
    assert BACK_OFF_MAX_MS / 10 < max(pauses) <= BACK_OFF_MAX_MS + 50
    assert len(tries) > 600_000 / BACK_OFF_MAX_MS


def test_an_idle_connection_closed_by_the_device_is_reopened_without_a_loss():
    wires = [Wire([(10, FRAME)]), Wire([(10, FRAME)])]
    both = list(wires)

    async def opened():
        return wires.pop(0)

    async def story():
        line = Line(opened)
        await read(line)
        both[0].inbox.lose(LinkError("closed by the other side"))
        assert await read(line) == REPLY
        assert both[0].closed
        assert line.openings == 2

    virtual.run(story())


def test_a_port_only_a_person_can_mend_is_tried_again_with_pauses_too():
    tries = []

    async def opened():
        tries.append(1)
        raise ConfigError("permission denied")

    async def story():
        line = Line(opened)
        with pytest.raises(ConfigError):
            await read(line)
        for _ in range(100):
            with pytest.raises((LinkError, ConfigError), match="permission denied"):
                await read(line)
        assert len(tries) < 20

    virtual.run(story())


def test_a_cancelled_exchange_leaves_the_line_usable():
    async def story():
        wire = Wire([(50, FRAME)], [(10, FRAME)])
        line = line_on(wire, gap_us=5000)
        with pytest.raises(aio.TimeoutError):
            await aio.within(20, read(line))
        await aio.sleep_ms(40)
        assert await read(line) == REPLY
        assert line.stale_bytes == len(FRAME)

    virtual.run(story())


def test_a_port_that_takes_no_bytes_is_a_link_error():
    class Stuck(Wire):
        async def write(self, data):
            await aio.Event().wait()

    async def story():
        stuck = Stuck()
        with pytest.raises(LinkError, match="flow control"):
            await read(line_on(stuck))
        assert stuck.closed

    virtual.run(story())
