"""One half-duplex line: one exchange at a time, silence before it, a deadline for its reply.

Opens and reopens the transport, throws stale input away, recognises the line's echo of our own
request. Knows no protocol (a reader object finds the reply) and no device.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from gateway.core import aio
from gateway.core.errors import BadReply, ConfigError, LinkError, NoReply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Protocol

    from gateway.core.errors import TidegateError

    class Transport(Protocol):
        """What drivers.transport opens."""

        async def read(self, size_max: int) -> bytes: ...
        async def write(self, data: bytes) -> None: ...
        def drop_input(self) -> bytes: ...
        def close(self) -> None: ...

    class Reader(Protocol):
        """What finds a reply, for one exchange; fed nothing, it gives what more it found."""

        def feed(self, data: bytes) -> bytes | None: ...
        def give_up(self) -> TidegateError: ...


BACK_OFF_MIN_MS = 500  # reopening: a random time up to this, doubled at each failure …
BACK_OFF_MAX_MS = 30_000  # … up to this, so that a plugged adapter works again within half a minute
LUMP_MS = 50  # adapters and serial servers deliver in lumps of 16..50 ms: a reply may pause so long
SILENCE_WAIT_MAX_MS = 500  # a line that talks on for longer has another master, or is noise
INPUT_MAX = 4096  # bytes of one exchange; readers end theirs far earlier
_READ_SIZE = 1024


def silence_ms(baud: int, bits: int = 11, pause_ms: int = 0) -> int:
    """Return the least silence between frames (Modbus over Serial Line V1.02 §2.5.1.1) + pause.

    3.5 characters of `bits` bits; above 19200 baud always 1.75 ms.
    """
    gap_us = 1750 if baud > 19_200 else 3_500_000 * bits // baud
    return -(-gap_us // 1000) + pause_ms


class Line:
    """One line over what `open_transport` gives, with `gap_ms` of silence before a request.

    `stale_bytes` and `openings` count. `echoes` is None until a reply has shown it; give False
    where no echo can be (Modbus TCP), or a first write waits for its whole time-out.
    """

    def __init__(
        self,
        open_transport: Callable[[], Awaitable[Transport]],
        gap_ms: int = 0,
        echoes: bool | None = None,
    ) -> None:
        self._open_transport = open_transport
        self._gap_ms = gap_ms
        self._transport: Transport | None = None
        self._worked = False  # a reply came since the transport was opened
        self._failures = 0
        self._why = ""
        self._retry_at_ms = 0
        self._heard_at_ms = 0  # when the line was last busy
        self._lock = aio.Lock()
        self._echoes_first = echoes
        self.echoes = echoes
        self.stale_bytes = 0
        self.openings = 0

    async def exchange(self, request: bytes, reader: Reader, timeout_ms: int) -> bytes:
        """Send `request` and return the reply that `reader` finds.

        The reply must begin within `timeout_ms` of handing over the request. Raises NoReply,
        BadReply, LinkError; ConfigError if a person must act before the transport can be opened.
        """
        async with self._lock:
            transport = await self._ready()
            try:
                reply = await self._exchange(transport, request, reader, timeout_ms)
            except LinkError as error:
                self._lose(error)
                raise
            finally:
                self._heard_at_ms = aio.now_ms()
            self._worked = True
            self._failures = 0
            return reply

    def close(self) -> None:
        """Close the transport; the next exchange opens it again."""
        if self._transport:
            self._transport.close()
        self._transport = None
        self.echoes = self._echoes_first  # the next adapter may be of another kind

    async def _ready(self) -> Transport:
        transport = self._transport or await self._open()
        try:
            await self._silence(transport)
        except LinkError as error:
            # Many TCP devices close an idle connection: one that has worked is opened anew at once.
            self._lose(error)
            transport = await self._open()
        return transport

    async def _open(self) -> Transport:
        left_ms = self._retry_at_ms - aio.now_ms()
        if left_ms > 0:
            raise LinkError(f"{self._why} (next try in {left_ms / 1000:.1f} s)")
        try:
            self._transport = await self._open_transport()
        except (LinkError, ConfigError) as error:
            self._lose(error)
            raise
        self.openings += 1
        return self._transport

    def _lose(self, error: LinkError | ConfigError) -> None:
        self.close()
        self._why = str(error)
        self._retry_at_ms = aio.now_ms()
        if not self._worked:
            ceiling_ms = min(BACK_OFF_MAX_MS, BACK_OFF_MIN_MS << min(self._failures, 10))
            self._retry_at_ms += int(random.random() * ceiling_ms)
            self._failures += 1
        self._worked = False

    async def _silence(self, transport: Transport) -> None:
        """Wait until the line has been silent for the gap; what still came in is stale."""
        waiting_since_ms = aio.now_ms()
        while True:
            # Whole milliseconds: what looks like one may be nearly nothing.
            silent_ms = max(0, aio.now_ms() - self._heard_at_ms - 1)
            if silent_ms < self._gap_ms:
                await aio.sleep_ms(self._gap_ms - silent_ms)
            stale = transport.drop_input()
            if not stale:
                return
            self.stale_bytes += len(stale)
            self._heard_at_ms = aio.now_ms()
            if self._heard_at_ms - waiting_since_ms > SILENCE_WAIT_MAX_MS:
                why = "the line is never silent: another master, or noise (wiring, termination)"
                raise BadReply(why, stale)

    async def _exchange(
        self, transport: Transport, request: bytes, reader: Reader, timeout_ms: int
    ) -> bytes:
        deadline_ms = aio.now_ms() + timeout_ms
        hearing = _Hearing(request, reader, self.echoes)
        reply = None
        while reply is None and deadline_ms > aio.now_ms():
            try:
                left_ms = deadline_ms - aio.now_ms()
                reply = await aio.within(left_ms, hearing.ask_and_hear(transport))
            except aio.TimeoutError:
                deadline_ms = max(deadline_ms, hearing.heard_at_ms + LUMP_MS)
        try:
            return hearing.end() if reply is None else reply
        finally:
            self.echoes = hearing.echoes


class _Hearing:
    """What is heard after one request, and what that says about an echo."""

    def __init__(self, request: bytes, reader: Reader, echoes: bool | None) -> None:
        self._request = request
        self._reader = reader
        self._got = b""
        self._fed = 0  # so many bytes of it were given to the reader, or are the echo
        self._double: bytes | None = None  # a reply that looks like the request: it, or its echo?
        self.echoes = echoes
        self._sent = False
        self.heard_at_ms = -LUMP_MS

    async def ask_and_hear(self, transport: Transport) -> bytes:
        """Send the request, if it was not, and return the reply as soon as it is there."""
        if not self._sent:
            await transport.write(self._request)
            self._sent = True
        while True:
            data = await transport.read(_READ_SIZE)
            self.heard_at_ms = aio.now_ms()
            self._got += data
            if len(self._got) > INPUT_MAX:
                raise BadReply(f"{len(self._got)} bytes and no reply", self._got)
            reply = self._next()
            if reply is not None:
                return reply

    def end(self) -> bytes:
        """Return the reply at the deadline, if what came can still be one; else raise."""
        if not self._sent:
            raise LinkError("the port takes no more bytes; is its flow control off?")
        reply = self._double or self._reader.feed(self._got[self._fed :])
        if reply is not None:
            return reply
        if self._got == self._request:
            self.echoes = True
            raise NoReply("nobody answered; only the line's echo of the request came back")
        raise self._reader.give_up()

    def _next(self) -> bytes | None:
        if self.echoes is not False and self._fed == 0:
            if len(self._got) < len(self._request) and self._request.startswith(self._got):
                return None  # may become the echo
            if self._got.startswith(self._request):
                self._fed = len(self._request)
                if self.echoes is None:
                    self._double = self._reader.feed(self._request)
        reply = self._reader.feed(self._got[self._fed :])
        self._fed = len(self._got)
        if reply is not None:
            self._learn()
        return reply

    def _learn(self) -> None:
        # A reply that equals the request tells nothing; what came before it may.
        alike = self._got.endswith(self._request)
        before = self._got[: len(self._got) - len(self._request)] if alike else self._got
        if self._request in before:
            self.echoes = True
        elif not alike:
            self.echoes = False
