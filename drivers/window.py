"""One Modbus TCP connection with several exchanges in flight, told apart by their numbers.

Has the face of a Line. Knows the head of a frame (Modbus Messaging on TCP/IP V1.0b §3.1.3), which
says whose reply it is; a reader object judges the reply itself.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from drivers.line import LUMP_MS
from drivers.opener import Opener
from drivers.protocol import mbap
from gateway.core import aio
from gateway.core.errors import BadReply, LinkError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from drivers.line import Reader
    from drivers.opener import Transport
    from gateway.core.errors import TidegateError

WIDTH_MAX = 16  # the most transactions a server may be expected to hold (V1.0b §4.3.2)
_READ_SIZE = 1024
_UNIT_AT = 6
_HEAD_BYTES = 6  # number, 0, length: what tells where a frame ends


class Window:
    """Up to `width` exchanges at a time over what `open_transport` gives, in any order of replies.

    `stale_bytes` counts what answered no open exchange; `sent_at_us` is when the exchange that
    ended last began with its request.
    """

    echoes = False

    def __init__(self, open_transport: Callable[[], Awaitable[Transport]], width: int = 1) -> None:
        self.width = min(max(width, 1), WIDTH_MAX)
        self.stale_bytes = 0
        self.sent_at_us = 0
        self._opener = Opener(open_transport)
        self._opening = aio.Lock()
        self._listening: asyncio.Task[None] | None = None
        self._open: dict[int, _Asked] = {}
        self._ended = aio.Event()  # an exchange has, so another may begin
        self._got = b""  # of a frame that is not whole
        self._heard_at_us = 0
        self._quiet_since_us: dict[int, int] = {}  # by unit

    @property
    def openings(self) -> int:
        """How often the connection was opened."""
        return self._opener.openings

    @property
    def note(self) -> str:
        """What about the transport costs speed, in a sentence, or ""."""
        return self._opener.note

    async def exchange(
        self, request: bytes, reader: Reader, timeout_ms: int, pause_us: int = 0
    ) -> bytes:
        """Send a frame once there is room and its unit was left alone for `pause_us`; its reply.

        Raises NoReply, BadReply, LinkError; ConfigError if a person must act. A reply after
        `timeout_ms` is dropped when it comes.
        """
        number = int.from_bytes(request[:2], "big")
        while len(self._open) >= self.width or number in self._open:
            self._ended.clear()
            await self._ended.wait()
        asked = self._open[number] = _Asked(reader)
        try:
            await self._pause(request[_UNIT_AT], pause_us)
            transport = await self._ready()
            asked.sent = True
            asked.sent_at_us = aio.now_us()
            await self._send(transport, request, asked, timeout_ms)
            await self._wait(number, asked, timeout_ms)
        finally:
            del self._open[number]
            self._ended.set()
            self._quiet_since_us[request[_UNIT_AT]] = aio.now_us()
            self.sent_at_us = asked.sent_at_us
        if asked.error:
            raise asked.error
        if asked.reply is None:
            if self._begun(number):
                reader.feed(self._got)
            raise reader.give_up()
        self._opener.worked()
        return asked.reply

    def close(self) -> None:
        """Close the connection; the next exchange opens it again."""
        if self._listening:
            self._listening.cancel()
        self._listening = None
        self._opener.close()
        self._got = b""

    async def _ready(self) -> Transport:
        async with self._opening:
            transport = self._opener.transport
            if transport is None:
                transport = await self._opener.open()
                self._got = b""
                self._listening = asyncio.create_task(self._listen(transport))
            return transport

    async def _send(
        self, transport: Transport, request: bytes, asked: _Asked, timeout_ms: int
    ) -> None:
        try:
            await aio.within(timeout_ms, transport.write(request))
        except aio.TimeoutError:
            asked.end(LinkError("the connection takes no more bytes"))
            self._lose(transport, LinkError("the connection takes no more bytes"))
        except LinkError as error:
            asked.end(error)
            self._lose(transport, error)

    async def _wait(self, number: int, asked: _Asked, timeout_ms: int) -> None:
        deadline_us = asked.sent_at_us + 1000 * timeout_ms
        while not asked.done and (left_us := deadline_us - aio.now_us()) > 0:
            await aio.rest(-(-left_us // 1000), asked.news)
            if self._begun(number):
                deadline_us = max(deadline_us, self._heard_at_us + 1000 * LUMP_MS)

    def _begun(self, number: int) -> bool:
        """Return whether what came last is the beginning of that reply."""
        return self._got[:2] == number.to_bytes(2, "big")

    async def _pause(self, unit: int, pause_us: int) -> None:
        left_us = self._quiet_since_us.get(unit, -pause_us) + pause_us - aio.now_us()
        if left_us > 0:
            await aio.sleep_us(left_us)

    async def _listen(self, transport: Transport) -> None:
        while True:
            try:
                self._got += await transport.read(_READ_SIZE)
                self._heard_at_us = aio.now_us()
                self._share_out()
            except (LinkError, BadReply) as error:
                if transport is self._opener.transport:
                    self._listening = None
                    self._lose(transport, error)
                return

    def _share_out(self) -> None:
        """Give each whole frame to its exchange; BadReply for what is no Modbus TCP."""
        while len(self._got) >= _HEAD_BYTES:
            head = self._got[:_HEAD_BYTES]
            length = int.from_bytes(head[4:], "big")
            if head[2:4] != b"\0\0" or not 2 <= length <= mbap.SIZE_MAX - _HEAD_BYTES:
                raise BadReply("not Modbus TCP", self._got)
            frame = self._got[: _HEAD_BYTES + length]
            if len(frame) < _HEAD_BYTES + length:
                return
            self._got = self._got[len(frame) :]
            asked = self._open.get(int.from_bytes(head[:2], "big"))
            if asked is None or asked.done or not asked.sent:
                self.stale_bytes += len(frame)
            else:
                asked.hear(frame)

    def _lose(self, transport: Transport, error: LinkError | BadReply) -> None:
        """Close a connection that is gone, or out of step; all its exchanges end with it."""
        if transport is not self._opener.transport:
            return  # it was closed already
        for asked in self._open.values():
            if asked.sent and not asked.done:
                asked.end(error)
        self._opener.lose(error if isinstance(error, LinkError) else LinkError(str(error)))
        self.close()


class _Asked:
    """An exchange that is open: its `reply` or `error`, and `news` when there is one."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.news = aio.Event()
        self.reply: bytes | None = None
        self.error: TidegateError | None = None
        self.sent = False
        self.sent_at_us = 0

    @property
    def done(self) -> bool:
        return self.reply is not None or self.error is not None

    def hear(self, frame: bytes) -> None:
        """Take the frame with its number."""
        try:
            self.reply = self._reader.feed(frame)
        except BadReply as error:
            self.error = error
        if self.done:
            self.news.set()

    def end(self, error: TidegateError) -> None:
        """End without a reply."""
        self.error = error
        self.news.set()
