"""Talking to Modbus units: frames on a line, retries, time-outs that learn, units that are silent.

Knows framings and outcomes; knows no profile, no register and no schedule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.breaker import CAP_MS, Breaker, Patience
from drivers.profile.plan import Cost
from drivers.protocol import ascii as ascii_frames
from drivers.protocol import mbap, rtu
from drivers.protocol.pdu import READ_COILS, READ_DISCRETE_INPUTS
from drivers.use import Use
from drivers.window import Window
from drivers.witness import Witness
from gateway.core import aio, log
from gateway.core.errors import BadReply, ConfigError, LinkError, NoReply, Refused

if TYPE_CHECKING:
    from typing import Any

    from drivers.line import Line
    from drivers.protocol.pdu import Request

TIMEOUT_MS = 1000  # where neither profile nor site says; slow sensors answer within half of it
TRIES = 2  # noise takes one of a pair at most; a third would only cost time
BROADCAST = 0  # on TCP too: behind a gateway is a line, and all on it would obey
BEHIND_A_GATEWAY = (10, 11)  # exceptions by which a Modbus gateway says that its unit is silent

_BESIDE_BYTES = 3  # of an RTU frame beside its PDU: unit and CRC
ECHO_TOLD = (
    "the adapter hears what it sends: that is recognised and left out; to save its time, let the"
    " adapter switch its receiver off while it sends"
)

# framing → (functions, bytes on the wire per byte of a PDU, bytes beside them)
_FRAMINGS: dict[str, tuple[Any, int, int]] = {
    "rtu": (rtu, 1, 3),
    "ascii": (ascii_frames, 2, 7),
    "tcp": (mbap, 1, 7),
}


class ModbusBus:
    """Modbus on one line: `framing` "rtu", "ascii" or "tcp", `cost` what a read takes on it.

    `whole` says that a reply shows nothing before its last byte, as behind a serial server.
    """

    def __init__(
        self, name: str, line: Line | Window, framing: str, cost: Cost, whole: bool = False
    ) -> None:
        self.name = name
        self.cost = cost
        self._line = line
        self._frames, width, beside = _FRAMINGS[framing]
        self._wire_us = cost.byte_us  # per byte of a PDU, which `width` bytes carry
        self._beside_us = beside * cost.byte_us // width
        self._whole = whole
        self.numbered = framing == "tcp"  # a late reply is known by its number
        self._number = 0
        self._presence = log.Presence(name)
        self._witness = Witness() if framing == "rtu" else None
        self.use = Use(line.width)

    @property
    def notes(self) -> list[str]:
        """What is wrong with the line, in sentences for a technician."""
        found = []
        if self._line.echoes:
            found.append(ECHO_TOLD)
        if self._witness is not None and self._witness.told_of_strangers():
            found.append(self._witness.told_of_strangers())
        return found

    def note_of(self, unit: int) -> str:
        """Return what is wrong with this address, or ""."""
        return "" if self._witness is None else self._witness.told(unit)

    def check_unit(self, number: int, name: str) -> None:
        """ConfigError if this framing cannot ask for that unit: a person must know at the start."""
        if number == BROADCAST:
            raise ConfigError(f"device {name}: unit 0 is for all at once, and none may answer")
        try:
            self._frames.frame(number, b"")
        except ConfigError as error:
            raise ConfigError(f"device {name}: {error}")

    async def exchange(
        self, unit: int, request: Request, timeout_ms: int, pause_ms: int
    ) -> tuple[bytes, int | None]:
        """Return the reply PDU, and its delay beyond its bytes' time on the wire, if that is known.

        Raises NoReply, BadReply, LinkError.
        """
        self._number += 1
        message = request.encode()
        frame = self._frames.frame(unit, message, self._number)
        reader = self._frames.ReplyReader(unit, request, self._number)
        openings = self._line.openings
        sent_us = self._wire_us * len(message) + self._beside_us
        beyond_us = sent_us
        if self._whole:
            beyond_us += self._wire_us * _reply_bytes(request) + self._beside_us
        timeout_ms += beyond_us // 1000
        began_us = aio.now_us()
        reply = b""
        doubt = ""
        try:
            reply = await self._line.exchange(frame, reader, timeout_ms, 1000 * pause_ms)
        except (LinkError, ConfigError) as error:
            # A port that only a person can open is gone like any other, until it is opened.
            self._presence.lose(str(error), aio.now_ms())
            raise LinkError(str(error))
        finally:
            self.use.add(began_us, aio.now_us())
            doubt = self._look(frame, reply)
        self._presence.find(aio.now_ms())
        if doubt:
            raise BadReply(doubt, reply)
        if openings != self._line.openings:
            return reply, None
        wire_us = sent_us + self._wire_us * len(reply) + self._beside_us
        return reply, max(0, aio.now_us() - self._line.sent_at_us - wire_us) // 1000

    def _look(self, frame: bytes, reply: bytes) -> str:
        """Let the witness see what came beside the reply; return why the reply is in doubt."""
        line, witness = self._line, self._witness
        if witness is None or isinstance(line, Window):
            return ""
        heard, stale = line.heard, line.stale
        line.stale = b""
        beside = len(frame) if line.echoes else 0
        if reply and not stale and len(heard) == beside + len(reply) + _BESIDE_BYTES:
            return witness.pass_by(frame, aio.now_ms())
        return witness.look(frame, stale, heard, reply != b"", aio.now_ms())


class Unit:
    """One unit on a bus: asked again once, waited for as it deserves, left alone when silent.

    `counts` holds how many requests had which outcome.
    """

    def __init__(
        self,
        name: str,
        bus: ModbusBus,
        number: int,
        timeout_ms: int = TIMEOUT_MS,
        pause_ms: int = 0,
        cap_ms: int = CAP_MS,
        tries: int = TRIES,
    ) -> None:
        bus.check_unit(number, name)
        self.turn = aio.Lock()  # held for a try, or for a command's whole sequence
        self.asked_at_ms = 0  # the last time it was
        self.counts = {"answered": 0, "no-reply": 0, "bad-reply": 0, "refused": 0}
        self._bus = bus
        self._number = number
        self._timeout_ms = timeout_ms
        self._pause_ms = pause_ms
        self._tries = tries
        self._patience = Patience(timeout_ms)
        self._breaker = Breaker(cap_ms)
        self._presence = log.Presence(name)
        self._late: dict[tuple[int, int], tuple[Request, int]] = {}

    @property
    def silent(self) -> bool:
        """True while it counts as dead: it is only probed."""
        return self._breaker.open

    @property
    def in_doubt(self) -> str:
        """Why nobody knows who answers at this address, in a sentence, or ""."""
        return self._bus.note_of(self._number)

    @property
    def latency_ms(self) -> int:
        """How long its replies take, at most, beyond their bytes' time on the wire."""
        return self._patience.latency_ms

    def allows(self, now_ms: int) -> bool:
        """Return whether it may be asked now."""
        return self._breaker.allows(now_ms)

    async def ask(self, request: Request, held: bool = False) -> bytes:
        """Return the payload of the reply; raises NoReply, BadReply, Refused, LinkError.

        `held` says that the caller holds the `turn`; otherwise others may ask between two tries.
        """
        began_ms = aio.now_ms()
        tries = 1 if self.silent else self._tries
        earlier_ms = 0  # this long before, the same was asked and not answered yet
        while True:
            tries -= 1
            await self._begin(request, held)
            try:
                payload = await self._ask_once(request, earlier_ms)
            except NoReply as error:
                self.counts["no-reply"] += 1
                self._missed(error, began_ms, last=not tries)
                self._expect_late(request)
                earlier_ms += aio.now_ms() - self.asked_at_ms
                if not tries:
                    raise
            except BadReply as error:
                if self.in_doubt:  # somebody lives there: no use in asking again, nor in silence
                    self.counts["unit-conflict"] = self.counts.get("unit-conflict", 0) + 1
                    self._heard(None)
                    raise
                self.counts["bad-reply"] += 1
                self._missed(error, began_ms, last=not tries)
                if not tries:
                    raise
            else:
                # This may have been the reply to an earlier try: then another is on its way.
                if self._late_until_ms(request) > self.asked_at_ms:
                    self._expect_late(request)
                return payload
            finally:
                if not held:
                    self.turn.release()

    async def _begin(self, request: Request, held: bool) -> None:
        """Take the turn, at a time at which no late reply could be taken for this request's."""
        while True:
            if not held:
                await self.turn.acquire()
            late, until_ms = self._late.get((request.function, request.count), (request, 0))
            self.asked_at_ms = aio.now_ms()
            if late is request or until_ms <= self.asked_at_ms:
                return
            if not held:
                self.turn.release()
            await aio.sleep_ms(until_ms - self.asked_at_ms)

    async def _ask_once(self, request: Request, earlier_ms: int) -> bytes:
        timeout_ms = self._patience.timeout_ms()
        reply, latency_ms = await self._bus.exchange(
            self._number, request, timeout_ms, self._pause_ms
        )
        if latency_ms is not None:
            latency_ms += earlier_ms
        try:
            payload = request.parse(reply)
        except Refused as error:
            if error.code in BEHIND_A_GATEWAY:
                raise NoReply(str(error))
            self.counts["refused"] += 1
            self._heard(latency_ms)
            raise
        self.counts["answered"] += 1
        self._heard(latency_ms)
        return payload

    def _heard(self, latency_ms: int | None) -> None:
        self._breaker.answered()
        self._presence.find(aio.now_ms())
        if latency_ms is not None:
            self._patience.heard(latency_ms)

    def _missed(self, error: Exception, began_ms: int, last: bool) -> None:
        self._patience.missed()
        if last:
            now_ms = aio.now_ms()
            self._breaker.missed(now_ms, now_ms - began_ms)
            if self._breaker.open:
                self._presence.lose(str(error), now_ms)

    # A unit that answers late could be taken to answer the next request, if the replies to both
    # look alike: nothing but time can tell then. Registers must never be taken for others.

    def _expect_late(self, request: Request) -> None:
        now_ms = aio.now_ms()
        until_ms = max(now_ms, self._late_until_ms(request)) + self._timeout_ms
        until_ms = min(until_ms, now_ms + self._tries * self._timeout_ms)
        if not self._bus.numbered:
            self._late[request.function, request.count] = (request, until_ms)

    def _late_until_ms(self, request: Request) -> int:
        return self._late.get((request.function, request.count), (request, 0))[1]


def _reply_bytes(request: Request) -> int:
    """Return the size of the longest reply PDU to a read."""
    bits = request.function in (READ_COILS, READ_DISCRETE_INPUTS)
    return 2 + ((request.count + 7) // 8 if bits else 2 * request.count)
