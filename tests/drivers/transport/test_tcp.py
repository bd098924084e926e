"""The TCP leaf on the loopback: keepalive, time-outs, closing from either side."""

from __future__ import annotations

import asyncio
import socket

import pytest

from drivers.transport.tcp import open_tcp
from gateway.core import aio
from gateway.core.errors import ConfigError, LinkError


async def served(talk, use):
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    connection = await open_tcp("127.0.0.1", server.sockets[0].getsockname()[1])
    try:
        await use(connection)
    finally:
        connection.close()
        server.close()


def test_tcp_bytes_come_and_stale_ones_are_dropped():
    told = asyncio.Event()

    async def talk(reader, writer):
        await reader.readexactly(3)
        writer.write(b"stale")
        await writer.drain()
        await reader.readexactly(3)
        writer.write(b"fresh")
        await writer.drain()
        told.set()

    async def use(connection):
        await connection.write(b"one")
        stale = b""
        while stale != b"stale":
            await aio.sleep_ms(0)
            stale += connection.drop_input()
        await connection.write(b"two")
        assert await connection.read(3) + await connection.read(100) == b"fresh"

    aio.run(served(talk, use))


def test_tcp_closed_by_the_other_side_is_a_link_error_everywhere():
    async def talk(reader, writer):
        writer.write(b"last")
        writer.close()

    async def use(connection):
        assert await aio.within(2000, connection.read(100)) == b"last"
        with pytest.raises(LinkError, match="closed by the other side"):
            await aio.within(2000, connection.read(100))
        with pytest.raises(LinkError):
            connection.drop_input()

    aio.run(served(talk, use))


def test_tcp_asks_the_system_to_notice_a_dead_peer():
    async def talk(reader, writer):
        await reader.read()

    async def use(connection):
        plain = connection._writer.get_extra_info("socket")
        assert plain.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert plain.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 10
        assert plain.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 25_000

    aio.run(served(talk, use))


def test_tcp_a_host_that_does_not_answer_is_a_link_error_in_time(monkeypatch):
    async def never(host, port):
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio, "open_connection", never)

    async def story():
        with pytest.raises(LinkError, match="no answer within 30 ms"):
            await open_tcp("192.0.2.1", 502, 30)

    aio.run(story())


def test_tcp_a_name_that_means_nothing_is_a_link_error(monkeypatch):
    async def unknown(host, port):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(asyncio, "open_connection", unknown)

    async def story():
        with pytest.raises(LinkError, match=r"tcp nowhere:502: .*not known"):
            await open_tcp("nowhere", 502)

    aio.run(story())


@pytest.mark.parametrize(("host", "port"), [("a..b", 502), ("x" * 70, 502), ("127.0.0.1", 99999)])
def test_tcp_what_is_no_address_is_for_a_person_to_mend(host, port):
    with pytest.raises(ConfigError, match=r"^tcp "):
        aio.run(open_tcp(host, port, 500))


def test_tcp_a_port_that_nobody_listens_on_is_called_so():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(LinkError, match=f"^tcp 127.0.0.1:{port}: nobody listens on this port$"):
        aio.run(open_tcp("127.0.0.1", port))
