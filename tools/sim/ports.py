"""A pseudo-terminal that behaves like a serial line: bytes take their time.

Knows no protocol. What the far end opens is a link with a stable name, as an adapter has.
"""

from __future__ import annotations

import asyncio
import os
import selectors
import termios
import tty
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from drivers.transport.inbox import Inbox
from gateway.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

BITS = 11  # start, eight data, parity or second stop, stop: a Modbus character
_READ_SIZE = 4096
_TICK_S = 1e-5  # of a wait: a rounded one could be nothing, again and again
_SPEEDS = {
    getattr(termios, name): int(name[1:])
    for name in dir(termios)
    if name[:1] == "B" and name[1:].isdecimal()
}


class Talk(Protocol):
    """What answers on one side of a wire, until `read` gives no bytes any more."""

    async def run(
        self, read: Callable[[], Coroutine[Any, Any, bytes]], write: Callable[[bytes], None]
    ) -> None: ...


class Pty:
    """A pseudo-terminal, linked at `path` while it is open; we hold the end the master has."""

    def __init__(self, path: Path | None = None) -> None:
        self._inbox = Inbox()
        self._ours, self._theirs = (
            os.openpty()
        )  # ours keeps theirs open, so no client's end ends it
        tty.setraw(self._theirs)
        os.set_blocking(self._ours, False)
        self.device = os.ttyname(self._theirs)
        self.path = Path(self.device) if path is None else path
        if path is not None:
            if path.exists() and not path.is_symlink():
                raise ConfigError(f"{path} exists and is not a link we could replace")
            path.unlink(missing_ok=True)
            path.symlink_to(self.device)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._ours, self._readable)

    @property
    def baud(self) -> int:
        """The speed the other end has set; 0 if it is none we know."""
        return _SPEEDS.get(termios.tcgetattr(self._theirs)[4], 0)

    async def read(self) -> bytes:
        """Wait for bytes the other end wrote."""
        return await self._inbox.take(_READ_SIZE)

    def write(self, data: bytes) -> None:
        """Send to the other end; what nobody takes is lost, as on a wire."""
        try:
            os.write(self._ours, data)
        except BlockingIOError:
            pass  # the terminal's buffer is full of what nobody reads

    def close(self) -> None:
        """Remove the link and the terminal."""
        self._loop.remove_reader(self._ours)
        if self.path.is_symlink() and str(self.path.readlink()) == self.device:
            self.path.unlink()
        os.close(self._ours)
        os.close(self._theirs)

    def _readable(self) -> None:
        self._inbox.put(os.read(self._ours, _READ_SIZE))


class Pace:
    """The time bytes take on a line of `baud`; 0 means no time at all."""

    def __init__(self, baud: int = 0, bits: int = BITS) -> None:
        if baud < 0:
            raise ConfigError(f"{baud} baud is not a speed")
        self._byte_s = bits / baud if baud else 0.0
        # The silence that ends a frame: 3.5 characters, 1.75 ms above 19200 baud.
        self.silence_s = max(3.5 * self._byte_s, 0.00175) if baud else 0.0

    def wire_s(self, size: int) -> float:
        """Return how long `size` bytes take."""
        return size * self._byte_s

    async def send(self, write: Callable[[bytes], None], data: bytes, start_s: float) -> None:
        """Write `data` as it would arrive if its first bit was sent at loop time `start_s`."""
        loop = asyncio.get_running_loop()
        sent = 0
        while sent < len(data):
            since_s = loop.time() - start_s
            due = min(len(data), int(since_s / self._byte_s)) if self._byte_s else len(data)
            if due > sent:
                write(data[sent:due])
                sent = due
            else:
                await asyncio.sleep(max(_TICK_S, (sent + 1) * self._byte_s - since_s))


async def serve_on_pty(
    talk: Talk,
    path: Path | None,
    ready: Callable[[str], None] | None = None,
    baud: int = 0,
    unheard: Callable[[int], None] | None = None,
) -> None:
    """Let `talk` answer on a new pty until cancelled; `ready` is told its path when it is there.

    With `baud`, who opens it at another speed is not understood, as on a wire, and `unheard` is
    told that speed.
    """
    pty = Pty(path)

    async def understood() -> bytes:
        while True:
            data = await pty.read()
            if not baud or pty.baud == baud:
                return data
            if unheard:
                unheard(pty.baud)

    try:
        if ready:
            ready(str(pty.path))
        await talk.run(understood, pty.write)
    finally:
        pty.close()


async def serve_on_tcp(
    talk: Talk, host: str, port: int, ready: Callable[[str], None] | None = None
) -> None:
    """Let `talk` answer every client of a TCP port (0: any free one) until cancelled."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk.run(lambda: reader.read(1024), writer.write)
        except OSError:
            pass  # the client is gone; the next one may come
        finally:
            writer.close()

    server = await asyncio.start_server(converse, host, port)
    if ready:
        ready(f"{host}:{server.sockets[0].getsockname()[1]}")
    async with server:
        await server.serve_forever()


def precise_loop() -> asyncio.AbstractEventLoop:
    """Return a loop whose timers are not rounded up to whole milliseconds, as epoll's are."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())
