"""From a name to a socket: what fails at each step becomes one LinkError that names it."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from typing import TYPE_CHECKING, Any

import pytest

from gateway.core.errors import LinkError
from gateway.uplink import dial_cpython
from gateway.uplink.dial_cpython import dial

if TYPE_CHECKING:
    from collections.abc import Callable


def listening() -> socket.socket:
    sock = socket.create_server(("127.0.0.1", 0))
    sock.setblocking(False)
    return sock


def test_dial_goes_on_when_the_kernel_has_no_such_family(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name may have an IPv6 address where the kernel has IPv6 switched off."""
    make: Callable[..., socket.socket] = socket.socket

    def without_ipv6(family: int = -1, *more: Any, **named: Any) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(97, "Address family not supported by protocol")
        return make(family, *more, **named)

    async def story() -> None:
        server = listening()
        port = server.getsockname()[1]
        both = [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
        ]

        async def addresses(_host: str, _port: int) -> list[Any]:
            return both

        monkeypatch.setattr(dial_cpython, "_addresses", addresses)
        monkeypatch.setattr(socket, "socket", without_ipv6)
        sock = await dial("broker", port, None)
        assert sock.family == socket.AF_INET
        sock.close()
        both.pop()
        with pytest.raises(LinkError, match="TCP: ::1 port"):
            await dial("broker", port, None)
        monkeypatch.undo()
        server.close()

    asyncio.run(story())


def test_dial_reset_before_the_handshake_is_a_link_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a proxy does that has nobody behind it: it takes the connection, and resets it."""
    connect = dial_cpython._connect

    async def story() -> None:
        server = listening()

        async def connect_and_be_reset(*given: Any) -> Any:
            found = await connect(*given)
            taken, _ = server.accept()
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            taken.send(b"x")
            taken.close()
            return found

        monkeypatch.setattr(dial_cpython, "_connect", connect_and_be_reset)
        with pytest.raises(LinkError, match="TLS: "):
            await dial("127.0.0.1", server.getsockname()[1], ssl.create_default_context())
        server.close()

    asyncio.run(story())
