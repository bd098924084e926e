"""A TCP proxy on loopback that misbehaves on demand: between a gateway and its broker.

Knows bytes and connections, no packet of MQTT.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    Tap = Callable[[int, bool, bytes], None]
    Pair = tuple[asyncio.StreamWriter, asyncio.StreamWriter]

PASS = "pass"  # noqa: S105 - a mode
HOLE = "hole"  # nothing moves either way, connections stay open: a dead radio link
DEAF = "deaf"  # upstream passes, what comes back is thrown away: acknowledgements are lost

CHUNK_BYTES = 4096
POLL_S = 0.02


class Proxy:
    """Listens on `port` (chosen by the system) and forwards to `target_port`."""

    def __init__(self, target_port: int) -> None:
        self.mode = PASS
        self.bytes_per_s = 0  # upstream, 0 = as fast as it comes
        self.port = 0
        self.connections = 0  # ever made
        self.resets = 0
        self.upstream_bytes = 0
        self.tap: Tap | None = None  # hears what passes: connection, whether upstream, bytes
        self._target_port = target_port
        self._open: list[Pair] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.reset()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def reset(self) -> None:
        """End every connection with an RST, as a rebooted modem's NAT does."""
        for pair in self._open:
            for writer in pair:
                sock = writer.get_extra_info("socket")
                with contextlib.suppress(OSError, AttributeError):
                    linger = struct.pack("ii", 1, 0)
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                writer.transport.abort()
            self.resets += 1
        self._open = []

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            back_reader, back_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.transport.abort()
            return
        pair = (writer, back_writer)
        self._open.append(pair)
        number = self.connections
        up, down = self._up(number, reader, back_writer), self._down(number, back_reader, writer)
        for work in (up, down):
            task = asyncio.create_task(self._pump(work, pair))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, work: Coroutine[Any, Any, None], pair: Pair) -> None:
        with contextlib.suppress(OSError):
            await work
        for writer in pair:
            writer.close()
        if pair in self._open:
            self._open.remove(pair)

    async def _up(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(CHUNK_BYTES):
            await self._while_in_hole()
            if self.tap:
                self.tap(number, True, data)
            if self.bytes_per_s:
                await asyncio.sleep(len(data) / self.bytes_per_s)
            self.upstream_bytes += len(data)
            writer.write(data)
            await writer.drain()

    async def _down(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(CHUNK_BYTES):
            await self._while_in_hole()
            if self.tap:
                self.tap(number, False, data)
            if self.mode != DEAF:
                writer.write(data)
                await writer.drain()

    async def _while_in_hole(self) -> None:
        while self.mode == HOLE:
            await asyncio.sleep(POLL_S)
