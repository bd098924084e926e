"""A line and a TCP connection, on both Pythons, over the loopback."""

from __future__ import annotations

import asyncio

from drivers.line import Line
from drivers.protocol import mbap, pdu, rtu
from drivers.transport.inbox import SIZE_MAX, Inbox
from drivers.transport.tcp import open_tcp
from gateway.core import aio
from gateway.core.errors import LinkError, NoReply

PORTS = range(18502, 18602)  # MicroPython cannot tell which free port it was given
ASKED = pdu.read(3, 107, 3)
REPLY = bytes.fromhex("0306022b00000064")


class Wire:
    """Answers each request with the next of `answers`, at once."""

    def __init__(self, answers):
        self.answers = answers
        self.inbox = Inbox()
        self.closed = False

    async def read(self, size_max):
        return await self.inbox.take(size_max)

    async def write(self, data):
        self.inbox.put(self.answers.pop(0))

    def drop_input(self):
        return self.inbox.drop()

    def close(self):
        self.closed = True


async def raised(kind, work):
    try:
        await work
    except kind as error:
        return error
    raise AssertionError("nothing was raised")


async def listening(serve):
    for port in PORTS:
        try:
            return await asyncio.start_server(serve, "127.0.0.1", port), port
        except OSError:
            continue
    raise AssertionError("no free port")


def test_line_exchanges_and_echo():
    request = rtu.frame(17, ASKED.encode())

    async def story():
        wire = Wire([request + rtu.frame(17, REPLY), request, rtu.frame(17, REPLY)])

        async def opened():
            return wire

        line = Line(opened, 1000)
        assert await line.exchange(request, rtu.ReplyReader(17, ASKED), 50) == REPLY
        assert line.echoes is True
        await raised(NoReply, line.exchange(request, rtu.ReplyReader(17, ASKED), 5))
        assert await line.exchange(request, rtu.ReplyReader(17, ASKED), 50) == REPLY
        assert line.echoes is False
        line.close()
        assert wire.closed

    aio.run(story())


def test_line_over_tcp_and_a_closed_connection_opened_again():
    closed = aio.Event()

    async def serve(reader, writer):
        requests = mbap.RequestReader()
        found = requests.feed(await reader.read(300))
        if found:
            writer.write(mbap.frame(found[0], REPLY, requests.number))
            await writer.drain()
        writer.close()
        await writer.wait_closed()
        closed.set()

    async def story():
        server, port = await listening(serve)
        line = Line(lambda: open_tcp("127.0.0.1", port), 0, False)
        for number in range(3):
            request = mbap.frame(1, ASKED.encode(), number)
            reader = mbap.ReplyReader(1, ASKED, number)
            assert await line.exchange(request, reader, 2000) == REPLY
            await closed.wait()
            closed.clear()
            for _ in range(10):
                await aio.sleep_ms(0)  # lets the client see it
        assert line.openings == 3
        line.close()
        server.close()
        await server.wait_closed()

    aio.run(story())


def test_tcp_that_nobody_listens_on_is_a_link_error():
    async def story():
        error = await raised(LinkError, first_byte())
        assert "127.0.0.1:18499" in str(error)

    async def first_byte():
        connection = await open_tcp("127.0.0.1", 18499)
        await connection.read(1)  # MicroPython notices only here

    aio.run(story())


def test_inbox_keeps_the_newest_and_gives_it_before_the_bad_news():
    async def story():
        inbox = Inbox()
        inbox.put(b"x" * SIZE_MAX)
        inbox.put(b"new")
        inbox.lose(LinkError("gone"))
        taken = await inbox.take(SIZE_MAX + 3)
        assert (len(taken), taken[-3:]) == (SIZE_MAX, b"new")
        await raised(LinkError, inbox.take(1))

    aio.run(story())
