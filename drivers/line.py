"""One half-duplex line: one exchange at a time, silence before it, a deadline for its reply.

Throws stale input away, recognises the line's echo of our own request. Knows no protocol (a reader
object finds the reply) and no device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.opener import Opener
from gateway.core import aio
from gateway.core.errors import BadReply, LinkError, NoReply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Protocol

    from drivers.opener import Transport
    from gateway.core.errors import TidegateError

    class Reader(Protocol):
        """What finds a reply, for one exchange; fed nothing, it gives what more it found."""

        def feed(self, data: bytes) -> bytes | None: ...
        def give_up(self) -> TidegateError: ...


LUMP_MS = 50  # adapters and serial servers deliver in lumps of 16..50 ms: a reply may pause so long
SILENCE_WAIT_MAX_MS = 500  # a line that talks on for longer has another master, or is noise
INPUT_MAX = 4096  # bytes of one exchange; readers end theirs far earlier
_READ_SIZE = 1024


def silence_us(baud: int, bits: int = 11, pause_us: int = 0) -> int:
    """Return the least silence between frames (Modbus over Serial Line V1.02 §2.5.1.1) + pause.

    3.5 characters of `bits` bits; above 19200 baud always 1.75 ms.
    """
    gap_us = 1750 if baud > 19_200 else -(-3_500_000 * bits // baud)
    return gap_us + pause_us


class Line:
    """One line over what `open_transport` gives, with `gap_us` of silence before a request.

    `stale_bytes` counts. `echoes` is None until a reply has shown it; give False where no echo can
    be (TCP), or a first write waits for its whole time-out. `sent_at_us` is when the exchange that
    ended last began with its request, after all waiting.
    """

    width = 1  # so many exchanges at a time

    def __init__(
        self,
        open_transport: Callable[[], Awaitable[Transport]],
        gap_us: int = 0,
        echoes: bool | None = None,
    ) -> None:
        self._opener = Opener(open_transport)
        self._gap_us = gap_us
        self._heard_at_us = 0  # when the line was last busy
        self._lock = aio.Lock()
        self._echoes_first = echoes
        self.echoes = echoes
        self.stale_bytes = 0
        self.stale = b""  # the end of what came unasked since somebody emptied this
        self.heard = b""  # all that came in the last exchange
        self.sent_at_us = 0

    @property
    def openings(self) -> int:
        """How often the transport was opened."""
        return self._opener.openings

    @property
    def note(self) -> str:
        """What about the transport costs speed, in a sentence, or ""."""
        return self._opener.note

    async def exchange(
        self, request: bytes, reader: Reader, timeout_ms: int, pause_us: int = 0
    ) -> bytes:
        """Send `request`, after a silence of `pause_us` or more, and return what `reader` finds.

        The reply must begin within `timeout_ms` of handing over the request. Raises NoReply,
        BadReply, LinkError; ConfigError if a person must act before the transport can be opened.
        """
        async with self._lock:
            transport = await self._ready(max(self._gap_us, pause_us))
            hearing = _Hearing(request, reader, self.echoes)
            try:
                reply = await self._exchange(transport, hearing, timeout_ms)
            except LinkError as error:
                self._lose(error)
                raise
            except BaseException:
                self._heard_at_us = aio.now_us()  # of what was sent, or is still coming
                raise
            self._heard_at_us = hearing.heard_at_us
            self._opener.worked()
            return reply

    def close(self) -> None:
        """Close the transport; the next exchange opens it again."""
        self._opener.close()
        self.echoes = self._echoes_first

    async def _ready(self, gap_us: int) -> Transport:
        transport = self._opener.transport or await self._opener.open()
        try:
            await self._silence(transport, gap_us)
        except LinkError as error:
            # Many TCP devices close an idle connection: one that has worked is opened anew at once.
            self._lose(error)
            transport = await self._opener.open()
        return transport

    def _lose(self, error: LinkError) -> None:
        self._opener.lose(error)
        self.echoes = self._echoes_first  # the next adapter may be of another kind

    async def _silence(self, transport: Transport, gap_us: int) -> None:
        """Wait until the line has been silent for the gap; what still came in is stale."""
        patient_until_us = aio.now_us() + gap_us + 1000 * SILENCE_WAIT_MAX_MS
        while True:
            silent_us = aio.now_us() - self._heard_at_us
            if silent_us < gap_us:
                await aio.sleep_us(gap_us - silent_us)
            stale = transport.drop_input()
            if not stale:
                return
            self.stale_bytes += len(stale)
            self.stale = (self.stale + stale)[-INPUT_MAX:]
            self._heard_at_us = aio.now_us()
            if self._heard_at_us > patient_until_us:
                why = "the line is never silent: another master, or noise (wiring, termination)"
                raise BadReply(why, stale)

    async def _exchange(self, transport: Transport, hearing: _Hearing, timeout_ms: int) -> bytes:
        self.sent_at_us = aio.now_us()
        deadline_us = self.sent_at_us + 1000 * timeout_ms
        left_us = 1000 * timeout_ms
        reply = None
        while reply is None and left_us > 0:
            try:
                reply = await aio.within(-(-left_us // 1000), hearing.ask_and_hear(transport))
            except aio.TimeoutError:
                deadline_us = max(deadline_us, hearing.heard_at_us + 1000 * LUMP_MS)
            left_us = deadline_us - aio.now_us()
        try:
            return hearing.end() if reply is None else reply
        finally:
            self.echoes = hearing.echoes
            self.heard = hearing.got


class _Hearing:
    """What is heard after one request, and what that says about an echo."""

    def __init__(self, request: bytes, reader: Reader, echoes: bool | None) -> None:
        self._request = request
        self._reader = reader
        self.got = b""
        self._fed = 0  # so many bytes of it were given to the reader, or are the echo
        self._double: bytes | None = None  # a reply that looks like the request: it, or its echo?
        self.echoes = echoes
        self._sent = False
        self.heard_at_us = -1000 * LUMP_MS

    async def ask_and_hear(self, transport: Transport) -> bytes:
        """Send the request, if it was not, and return the reply as soon as it is there."""
        if not self._sent:
            await transport.write(self._request)
            self._sent = True
        while True:
            data = await transport.read(_READ_SIZE)
            self.heard_at_us = aio.now_us()
            self.got += data
            if len(self.got) > INPUT_MAX:
                raise BadReply(f"{len(self.got)} bytes and no reply", self.got)
            reply = self._next()
            if reply is not None:
                return reply

    def end(self) -> bytes:
        """Return the reply at the deadline, if what came can still be one; else raise."""
        if not self._sent:
            raise LinkError("the port takes no more bytes; is its flow control off?")
        reply = self._double or self._reader.feed(self.got[self._fed :])
        if reply is not None:
            return reply
        if self.got == self._request:
            self.echoes = True
            raise NoReply("nobody answered; only the line's echo of the request came back")
        raise self._reader.give_up()

    def _next(self) -> bytes | None:
        if self.echoes is not False and self._fed == 0:
            if len(self.got) < len(self._request) and self._request.startswith(self.got):
                return None  # may become the echo
            if self.got.startswith(self._request):
                self._fed = len(self._request)
                if self.echoes is None:
                    self._double = self._reader.feed(self._request)
        reply = self._reader.feed(self.got[self._fed :])
        self._fed = len(self.got)
        if reply is not None:
            self._learn()
        return reply

    def _learn(self) -> None:
        # A reply that equals the request tells nothing; what came before it may.
        alike = self.got.endswith(self._request)
        before = self.got[: len(self.got) - len(self._request)] if alike else self.got
        if self._request in before:
            self.echoes = True
        elif not alike:
            self.echoes = False
