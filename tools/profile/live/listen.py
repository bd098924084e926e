"""One look at a device with frames of its own: what it sends by itself, and what it is asked for.

Knows messages and requests as the profile declares them; knows no port (a transport is given).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.frames import Frames
from drivers.profile.image import Image
from drivers.protocol.frame import FRAME_MAX, Shape, Splitter
from gateway.core import aio
from gateway.core.errors import BadReply, NoReply
from tools.profile.live.look import Exchange, Look

if TYPE_CHECKING:
    from drivers.frames import Request
    from drivers.opener import Transport
    from drivers.profile.map import Map

_READ_SIZE = 1024
SHOWN_MAX = 64  # bytes of what came and was no frame


class FrameLook(Look):
    """A look over `transport` at the device with this `address` (bytes, for {addr} of requests).

    A message that does not come within `wait_ms` is missing; NoReply if none does.
    """

    def __init__(self, device: Map, transport: Transport, address: bytes, wait_ms: int) -> None:
        super().__init__(device)
        self._frames = Frames(device.profile, device.settings)
        self._transport = transport
        self._address = address
        self._wait_ms = wait_ms
        self._heard = b""

    async def run(self) -> None:
        """Wake the device, hear what it sends, ask for the rest, let it sleep; then doubt it."""
        line = self.device.profile.line
        if "wake" in line:
            data, wait_ms = line["wake"]
            await self._transport.write(data)
            await aio.sleep_ms(wait_ms)
        asked = {request.message for request in self._frames.asks()}
        streams = [row for row in self.device.profile.messages if row["id"] not in asked]
        if streams:
            await self._listen(streams)
        for request in self._frames.asks():
            await self._ask(request)
        if "sleep" in line:
            await self._transport.write(line["sleep"])
        if not [one for one in self.exchanges if not one.why]:
            self._nothing()
        self.doubt()

    def _nothing(self) -> None:
        """Raise what explains that no frame came."""
        if not self._heard:
            raise NoReply("nothing came")
        shape = Shape(self.device.profile.messages[0])
        heard = self._heard[:SHOWN_MAX]
        shown = heard.hex(" ").upper()
        why = f"{len(self._heard)} bytes came, and no frame of this profile among them: {shown}"
        raise BadReply(f"{why} ({shape.refusal(heard)})", heard)

    async def _listen(self, rows: list[dict[str, object]]) -> None:
        splitter = Splitter([Shape(row) for row in rows], midway=True)
        found: dict[str, bytes] = {}
        left_ms = self._wait_ms
        began_ms = aio.now_ms()
        while len(found) < len(rows) and left_ms > 0:
            for number, frame in splitter.feed(await self._read(left_ms)):
                found[str(rows[number]["id"])] = frame
            left_ms = self._wait_ms - (aio.now_ms() - began_ms)
        for name, frame in found.items():
            self._note(name, b"", frame)

    async def _ask(self, request: Request) -> None:
        rows = [row for row in self.device.profile.messages if row["id"] == request.message]
        sent = request.build(self._address)
        self._transport.drop_input()
        await self._transport.write(sent)
        splitter = Splitter([Shape(row) for row in rows])
        got, fed, began_ms = b"", 0, aio.now_ms()
        left_ms = self._wait_ms
        while left_ms > 0:
            got += await self._read(left_ms)
            left_ms = self._wait_ms - (aio.now_ms() - began_ms)
            if sent.startswith(got):
                continue  # the line's echo, so far
            fed = fed or (len(sent) if got.startswith(sent) else 0)
            for _, frame in splitter.feed(got[fed:]):
                self._note(request.message, sent, frame)
                return
            fed = len(got)
        shape = Shape(rows[0])
        why = f"no frame of it: {shape.refusal(got)}" if got else "no answer"
        title = _title(request.message)
        self.add(Exchange(title, sent, got[:SHOWN_MAX], why, lambda _image: None, "as" in rows[0]))

    async def _read(self, wait_ms: int) -> bytes:
        try:
            data: bytes = await aio.within(wait_ms, self._transport.read(_READ_SIZE))
        except aio.TimeoutError:
            return b""
        self._heard = (self._heard + data)[-FRAME_MAX:]
        return data

    def _note(self, message: str, sent: bytes, frame: bytes) -> None:
        def put(image: Image) -> None:
            self._frames.put(image, frame, sent or None, message)

        rows = [row for row in self.device.profile.messages if row["id"] == message]
        self.add(Exchange(_title(message), sent, frame, "", put, "as" in rows[0]))


def _title(message: str) -> str:
    return f"message {message}" if message else "message"
