"""One look at a Modbus device through its profile: every register once, nothing written.

Knows requests and what was refused; knows no line (who asks is given) and shows nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.modbus import BITS_MAX, WORDS_MAX
from drivers.profile.image import BIT_TABLES, Field, Image
from drivers.profile.plan import plan, split, tcp_cost
from drivers.profile.slot import NEVER
from drivers.protocol import pdu, rtu
from drivers.protocol.refusal import ILLEGAL_ADDRESS, ILLEGAL_VALUE
from gateway.core.errors import BadReply, Refused
from gateway.core.reading import BAD_REPLY, REFUSED
from tools.profile.causes import variants
from tools.profile.causes.diagnose import suspects
from tools.profile.causes.doubt import doubted
from tools.profile.live.look import Exchange, Look

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from drivers.profile.map import Map
    from drivers.profile.model import Channel
    from drivers.profile.plan import Range

NEIGHBOURS_MAX = 32  # values in doubt whose neighbours are read: a wrong profile doubts them all
BROKEN_MAX = 2  # requests in a row, each asked twice, after which a line counts as broken
READ = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}  # table → function (V1.1b3 §6.1-6.4)


class ModbusLook(Look):
    """A look at one Modbus unit.

    `ask(request)` returns a payload; it raises NoReply and LinkError, which end the look, and
    BadReply and Refused, which leave a hole; BadReply ends a look too that began with BROKEN_MAX
    of them, for then nothing useful comes. Frames are shown as on a serial line, behind TCP too.
    """

    def __init__(
        self, device: Map, unit: int, ask: Callable[[pdu.Request], Awaitable[bytes]]
    ) -> None:
        super().__init__(device)
        self._unit = unit
        self._ask = ask
        self._broken = 0

    async def run(self, everything: bool = False) -> None:
        """Read what the profile polls, and `everything` else it describes; then doubt it."""
        # What tells the model is read alone: in some devices it means that only then.
        await self._read_all(self.device.identify_fields())
        await self._read_all(wanted(self.device))
        if everything:
            for field in _never(self.device):
                await self._read_all([field])
        if self._broken == len(self.exchanges) > 0:
            raise BadReply(self.exchanges[-1].why)
        for table, address, count in self._beside():
            await self._read_beside(table, address, count)
        self.doubt()

    async def _read_all(self, fields: list[Field]) -> None:
        profile = self.device.profile
        words_max = min(profile.max, WORDS_MAX) or WORDS_MAX
        bits_max = 1 if profile.max == 1 else BITS_MAX
        # With the cost of a network there are few requests: time is not what counts here.
        for span in plan(fields, tcp_cost(), words_max, bits_max, profile.gap):
            await self._read(span, fields)

    async def _read(self, span: Range, fields: list[Field]) -> None:
        """Read a range; one that is refused in halves, until it is known what is refused."""
        request = pdu.read(READ[span.table], span.address, span.count)
        try:
            payload = await self._ask(request)
        except Refused as error:
            halves = split(span, fields) if error.code in (ILLEGAL_ADDRESS, ILLEGAL_VALUE) else None
            quality = "" if halves else REFUSED
            reply = pdu.exception(request.function, error.code)
            self._note(span, request, reply, str(error), quality)
            for half in halves[:2] if halves else ():
                await self._read(half, fields)
        except BadReply as error:
            self._note(span, request, b"", str(error), BAD_REPLY)
            self._broken += 1
            if self._broken == len(self.exchanges) == BROKEN_MAX:
                raise
        else:
            self._note(span, request, request.reply(payload), "", "")

    def _note(
        self, span: Range, request: pdu.Request, reply: bytes, why: str, quality: str
    ) -> None:
        last = span.address + span.count - 1
        title = f"{span.table} {span.address}..{last}"

        def put(image: Image) -> None:
            if not why:
                data = _cells(span.table, request.parse(reply), span.count)
                image.put(span.table, span.address, data)
            elif quality:
                image.fail(span.table, span.address, span.count, quality)

        sent = rtu.frame(self._unit, request.encode())
        received = rtu.frame(self._unit, reply) if reply else b""
        self.add(Exchange(title, sent, received, why, put))

    def _beside(self) -> list[tuple[str, int, int]]:
        """Return the places in doubt, each with a register more on either side."""
        suspected: list[Channel] = []
        for _, place, _ in doubted(self.device, self.image):
            suspected += [one for one in suspects(self.device, place.id) if one not in suspected]
        found = []
        for places in variants.alternatives(self.device):
            for place in places:
                if place.channel in suspected and place.address is not None:
                    found.append((place.channel.table, place.address, place.channel.count))
        return found[:NEIGHBOURS_MAX]

    async def _read_beside(self, table: str, address: int, count: int) -> None:
        low = max(address - 1, 0)
        whole = (low, address + count + 1 - low)
        for start, size in (whole, (low, count), (address + 1, count)):
            if size > WORDS_MAX:
                continue
            try:
                payload = await self._ask(pdu.read(READ[table], start, size))
            except (Refused, BadReply):
                continue  # then nothing stands there, which tells enough
            self.image.put(table, start, _cells(table, payload, size))
            if (start, size) == whole:
                return


def wanted(device: Map) -> list[Field]:
    """Return the fields of everything that is polled, at whatever period."""
    found = [field for period_ms in device.periods() for field in device.fields(period_ms)]
    unique = {(one.table, one.address, one.count): one for one in found}
    return [unique[key] for key in sorted(unique)]


def _never(device: Map) -> list[Field]:
    places = [place for found in variants.alternatives(device) for place in found]
    return [
        Field(place.channel.table, place.address, place.channel.count, (place.id,))
        for place in places
        if place.address is not None and place.channel.readable
        if place.channel.every_ms == NEVER or place.channel.hidden
    ]


def _cells(table: str, payload: bytes, count: int) -> bytes:
    return bytes(pdu.bits(payload, count)) if table in BIT_TABLES else payload
