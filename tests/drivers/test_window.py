"""Several exchanges on one Modbus TCP connection: in virtual time, and over real sockets."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.protocol import mbap, pdu
from drivers.transport.inbox import Inbox
from drivers.transport.tcp import open_tcp
from drivers.window import WIDTH_MAX, Window
from gateway.core import aio
from gateway.core.errors import BadReply, LinkError, NoReply
from tests.support import virtual

COUNT = 3


def value(number):
    """A reply that only this exchange can have."""
    return bytes([3, 2 * COUNT]) + bytes([number & 0xFF]) * (2 * COUNT)


class Server:
    """A transport; `plan(number)` gives (delay in ms, bytes) for what comes after a request."""

    def __init__(self, plan):
        self.plan = plan
        self.inbox = Inbox()
        self.sent = []
        self.closed = False

    async def open(self):
        return self

    async def read(self, size_max):
        return await self.inbox.take(size_max)

    async def write(self, data):
        number = int.from_bytes(data[:2], "big")
        self.sent.append((aio.now_ms(), number))
        loop = asyncio.get_running_loop()
        for delay_ms, came in self.plan(number):
            loop.call_later(delay_ms / 1000, self.inbox.put, came)

    def drop_input(self):
        return self.inbox.drop()

    def close(self):
        self.closed = True


async def ask(window, number, timeout_ms=100, unit=1, pause_us=0):
    asked = pdu.read(3, 0, COUNT)
    request = mbap.frame(unit, asked.encode(), number)
    reader = mbap.ReplyReader(unit, asked, number)
    return await window.exchange(request, reader, timeout_ms, pause_us)


def answered(delay_ms):
    return lambda number: [(delay_ms, mbap.frame(1, value(number), number))]


@pytest.mark.parametrize("width", [1, 4, WIDTH_MAX])
def test_window_so_many_exchanges_are_in_flight_and_no_more(width):
    async def story():
        server = Server(answered(20))
        window = Window(server.open, width)
        found = await asyncio.gather(*[ask(window, number) for number in range(32)])
        assert found == [value(number) for number in range(32)]
        window.close()
        assert server.closed
        return aio.now_ms(), [at for at, _ in server.sent]

    took_ms, sent = virtual.run(story())
    assert abs(took_ms - 20 * 32 // width) <= 1
    assert max(sent.count(at) for at in sent) == width


@given(st.permutations(range(8)), st.lists(st.integers(1, 40), max_size=12), st.booleans())
def test_window_replies_in_any_order_cut_anywhere_reach_whom_they_answer(order, cuts, strangers):
    async def story():
        stream = b""
        for number in order:
            if strangers:  # of an exchange that is over, or of nobody
                stream += mbap.frame(1, value(99), 1000 + number)
            stream += mbap.frame(1, value(number), number)
        server = Server(lambda _: [])
        window = Window(server.open, 8)
        asking = [asyncio.create_task(ask(window, number)) for number in range(8)]
        await aio.sleep_ms(1)
        for size in [*cuts, len(stream)]:
            server.inbox.put(stream[:size])
            stream = stream[size:]
            await aio.sleep_ms(1)
        assert await asyncio.gather(*asking) == [value(number) for number in range(8)]
        assert window.stale_bytes == strangers * 8 * len(mbap.frame(1, value(99)))
        window.close()

    virtual.run(story())


def test_window_a_reply_that_comes_late_is_dropped_and_counted():
    async def story():
        server = Server(lambda number: answered(150 if number == 1 else 80)(number))
        window = Window(server.open, 2)
        with pytest.raises(NoReply):
            await ask(window, 1)
        assert aio.now_ms() == 100
        assert await ask(window, 2) == value(2)
        assert window.stale_bytes == len(mbap.frame(1, value(1)))
        window.close()

    virtual.run(story())


def test_window_one_that_is_silent_holds_up_no_other():
    async def story():
        server = Server(lambda number: [] if number == 0 else answered(10)(number))
        window = Window(server.open, 2)
        silent = asyncio.create_task(ask(window, 0, 1000))
        await aio.sleep_ms(1)
        for number in range(1, 50):
            assert await ask(window, number) == value(number)
        assert aio.now_ms() < 600
        with pytest.raises(NoReply):
            await silent
        assert aio.now_ms() in (1000, 1001)
        window.close()

    virtual.run(story())


def test_window_a_reply_that_has_begun_may_go_on_and_one_cut_short_says_so():
    async def story():
        frame = mbap.frame(1, value(1), 1)
        window = Window(Server(lambda _: [(90, frame[:5]), (120, frame[5:])]).open)
        assert await ask(window, 1) == value(1)
        window.close()
        window = Window(Server(lambda _: [(90, frame[:8])]).open)
        with pytest.raises(BadReply, match="cut short"):
            await ask(window, 1)
        window.close()

    virtual.run(story())


def test_window_what_is_no_modbus_tcp_ends_the_connection_and_all_that_wait_for_it():
    async def story():
        server = Server(lambda number: [(10, b"HTTP/1.1 400 Bad Request")] if number == 2 else [])
        window = Window(server.open, 3)
        found = await asyncio.gather(
            *[ask(window, number) for number in range(3)], return_exceptions=True
        )
        assert [type(one) for one in found] == [BadReply] * 3
        assert server.closed
        with pytest.raises(LinkError, match="not Modbus TCP"):
            while True:
                await ask(window, 5)

    virtual.run(story())


def test_window_a_lost_connection_ends_its_exchanges_and_the_next_opens_another():
    servers = [Server(lambda number: answered(5)(number) if number < 2 else []) for _ in range(2)]
    given = list(servers)

    async def opened():
        return given.pop(0)

    async def story():
        window = Window(opened, 4)
        assert await ask(window, 1) == value(1)
        waiting = [asyncio.create_task(ask(window, number)) for number in (7, 8)]
        await aio.sleep_ms(1)
        servers[0].inbox.lose(LinkError("closed by the other side"))
        for one in waiting:
            with pytest.raises(LinkError, match="closed by the other side"):
                await one
        assert await ask(window, 0) == value(0)
        assert window.openings == 2
        window.close()

    virtual.run(story())


def test_window_a_cancelled_exchange_makes_room_and_its_reply_is_nobodys():
    async def story():
        window = Window(Server(answered(50)).open, 1)
        with pytest.raises(aio.TimeoutError):
            await aio.within(20, ask(window, 1))
        assert await ask(window, 2) == value(2)
        assert window.stale_bytes > 0
        window.close()

    virtual.run(story())


def test_window_a_unit_is_left_alone_for_its_pause_and_others_are_not():
    async def story():
        frames = {1: 1, 2: 1, 3: 2}
        server = Server(lambda number: [(10, mbap.frame(frames[number], value(number), number))])
        window = Window(server.open, 2)
        await ask(window, 1)
        await asyncio.gather(
            ask(window, 2, pause_us=30_000), ask(window, 3, unit=2, pause_us=30_000)
        )
        window.close()
        return {number: at for at, number in server.sent}

    sent = virtual.run(story())
    assert abs(sent[2] - 40) <= 1
    assert abs(sent[3] - 10) <= 1


def test_window_over_a_real_socket_with_replies_shuffled_and_glued():
    dice = random.Random(5)

    async def talk(reader, writer):
        requests, held = mbap.RequestReader(), []
        data = await reader.read(1000)
        while data:
            found = requests.feed(data)
            while found:
                held.append(mbap.frame(found[0], value(requests.number), requests.number))
                found = requests.feed(b"")
            dice.shuffle(held)
            writer.write(b"".join(held))
            held = []
            data = await reader.read(1000)
        writer.close()

    async def story():
        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        window = Window(lambda: open_tcp("127.0.0.1", port), 8)
        found = await asyncio.gather(*[ask(window, number, 5000) for number in range(200)])
        assert found == [value(number) for number in range(200)]
        assert (window.openings, window.stale_bytes) == (1, 0)
        window.close()
        server.close()

    aio.run(story())


def test_window_a_device_that_serves_one_master_and_closes_the_oldest_is_named():
    oldest = []

    async def talk(reader, writer):
        if oldest:
            oldest.pop().close()
        oldest.append(writer)
        requests = mbap.RequestReader()
        data = await reader.read(1000)
        while data:
            found = requests.feed(data)
            if found and requests.number != 9:
                writer.write(mbap.frame(found[0], value(requests.number), requests.number))
            data = await reader.read(1000)

    async def story():
        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        window = Window(lambda: open_tcp("127.0.0.1", port), 2)
        assert await ask(window, 1, 5000) == value(1)
        waiting = asyncio.create_task(ask(window, 9, 5000))
        await aio.sleep_ms(0)
        other = await open_tcp("127.0.0.1", port)
        with pytest.raises(LinkError, match="another master"):
            await waiting
        assert await ask(window, 2, 5000) == value(2)  # it had worked: opened anew at once
        assert window.openings == 2
        window.close()
        other.close()
        server.close()

    aio.run(story())
