"""A TCP connection as a transport: for Modbus TCP, and for serial servers that pass bytes through.

Knows no protocol.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import TYPE_CHECKING

from drivers.transport.inbox import Inbox
from gateway.core import aio
from gateway.core.errors import ConfigError, LinkError

if TYPE_CHECKING:
    from typing import Any

CONNECT_MAX_MS = 5000
_READ_SIZE = 1024
# A peer that lost its power says nothing: ask after 10 s of silence, give up after 3 × 5 s. What
# was sent and not even received counts the same; else the kernel tries for a quarter of an hour.
_KEEPALIVE = (
    ("TCP_KEEPIDLE", 10),
    ("TCP_KEEPINTVL", 5),
    ("TCP_KEEPCNT", 3),
    ("TCP_USER_TIMEOUT", 25_000),
)
FULL_S = 60  # a connection closed sooner than this had to make room, or was never wanted
_REFUSED = "nobody listens on this port"
_FULL = "does it serve another master already? Many devices serve one to four"


async def open_tcp(host: str, port: int, timeout_ms: int = CONNECT_MAX_MS) -> Tcp:
    """Connect; LinkError with the reason if that fails or takes longer than `timeout_ms`.

    ConfigError for what can be no host or port.
    """
    name = f"tcp {host}:{port}"
    try:
        reader, writer = await aio.within(timeout_ms, asyncio.open_connection(host, port))
    except aio.TimeoutError:
        raise LinkError(f"{name}: no answer within {timeout_ms} ms; is it switched on, same net?")
    except OSError as error:
        refused = error.errno == errno.ECONNREFUSED
        raise LinkError(f"{name}: {_REFUSED if refused else error}")
    except (ValueError, OverflowError) as error:  # no name of a host, or no port
        raise ConfigError(f"{name}: {error}")
    return Tcp(name, reader, writer)


class Tcp:
    """An open connection; made by `open_tcp`."""

    def __init__(self, name: str, reader: Any, writer: Any) -> None:
        self._name = name
        self._writer = writer
        self._inbox = Inbox()
        _keep_alive(writer)
        self._opened_at_ms = aio.now_ms()
        self._pump = asyncio.create_task(self._read_on(reader))

    async def read(self, size_max: int) -> bytes:
        """Wait for 1..size_max bytes; LinkError when the connection is gone."""
        return await self._inbox.take(size_max)

    async def write(self, data: bytes) -> None:
        """Send all of `data`; LinkError when the connection is gone."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise LinkError(f"{self._name}: {error}")

    def drop_input(self) -> bytes:
        """Throw away and return what came in; LinkError when the connection is gone."""
        return self._inbox.drop()

    def close(self) -> None:
        """Close the connection."""
        self._pump.cancel()
        self._writer.close()
        plain = getattr(self._writer, "s", None)
        if plain:  # MicroPython's stream closes its socket only in wait_closed()
            plain.close()

    async def _read_on(self, reader: Any) -> None:
        # Reads at once, not when asked, so that `drop_input` sees what is stale and what is gone.
        try:
            data = await reader.read(_READ_SIZE)
            while data:
                self._inbox.put(data)
                data = await reader.read(_READ_SIZE)
            why = "closed by the other side"
            age_s = (aio.now_ms() - self._opened_at_ms) // 1000
            if age_s < FULL_S:
                why += f" after {age_s} s; {_FULL}"
        except OSError as error:
            why = str(error)
        self._inbox.lose(LinkError(f"{self._name}: {why}"))


def _keep_alive(writer: Any) -> None:
    if not hasattr(socket, "TCP_KEEPIDLE"):
        return  # boards: the exchange's own time-out must do
    plain = writer.get_extra_info("socket")
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEPALIVE:
        if hasattr(socket, option):  # TCP_USER_TIMEOUT is Linux's
            plain.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
