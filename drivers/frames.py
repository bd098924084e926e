"""A frame of a device to an Image: which message it is, whether it is sound, what it holds.

Joins profiles with the protocols' readers, for every bus but Modbus. Knows no port and no clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.profile.bus import TEXT
from drivers.profile.image import LATEST, Image
from drivers.profile.write import filled
from drivers.protocol.frame import Check, Shape, Splitter
from gateway.core.errors import BadReply, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from drivers.profile.image import Send
    from drivers.profile.model import Profile
    from drivers.protocol.telegram import Telegram

SUM_IS = "the check sum is"  # how a refusal begins that tells the right one
ADDRESS_MAX = 16  # bytes or characters that {addr} may stand for


def image(
    profile: Profile, frame: bytes, request: bytes | None = None, message: str | None = None
) -> Image:
    """Return what one frame brings; `message` or the `request` it answers say which, if known.

    BadReply if it is none of the profile's, with the right check sum where only that is wrong;
    Refused for a device's own error answer; ConfigError if a profile's messages are unsound.
    """
    made = Image()
    Frames(profile).put(made, frame, request, message)
    return made


class Frames:
    """What frames of one profile look like; made once. ConfigError if one could never fit."""

    def __init__(self, profile: Profile, settings: dict[str, Any] | None = None) -> None:
        self.profile = profile
        self.requests = [_request(profile, row, settings) for row in profile.messages]
        self._shapes = [Shape(row) for row in profile.messages]
        self._read = _reader(profile)
        if profile.bus == "serial":
            Splitter(self._shapes)  # a line can only be cut into frames whose end shows

    def put(
        self, found: Image, frame: bytes, request: bytes | None = None, message: str | None = None
    ) -> None:
        """Add what `frame` brings to `found`; see `image`."""
        telegram = self.telegram(frame, message)
        if telegram is not None:
            if telegram.asks:
                raise BadReply("a request, no answer: the line gives back what was sent", frame)
            _put_telegram(found, telegram)
        elif not self.profile.messages:  # a driver's, who alone knows them
            found.put_message(message or "", frame)
        else:
            self._put_frames(found, frame, self._candidates(request, message))

    def telegram(self, frame: bytes, message: str | None = None) -> Telegram | None:
        """Return what the protocol's own reader makes of a frame, None if the profile says it."""
        return None if self._read is None else self._read(frame, self._command(message))

    def asks(self, message: str | None = None) -> list[Request]:
        """Return the requests of one message, or of all that ask."""
        found = [one for one in self.requests if one is not None]
        return [one for one in found if message in (None, one.message)]

    def _candidates(self, request: bytes | None, message: str | None) -> list[int]:
        numbers = list(range(len(self._shapes)))
        if message is not None:
            return [one for one in numbers if self.profile.messages[one]["id"] == message]
        asked = []
        for one in numbers if request is not None else ():
            wanted = self.requests[one]
            if wanted is not None and request is not None and not wanted.refusal(request):
                asked.append(one)
        return asked or numbers

    def _put_frames(self, found: Image, frame: bytes, candidates: list[int]) -> None:
        why = ""
        for number in candidates:
            refusal = self._shapes[number].refusal(frame)
            if not refusal:
                self._put(found, number, frame)
                return
            if not why or refusal.startswith(SUM_IS):
                why = refusal
        if self.profile.bus != "serial":  # only a line brings more than one frame, or noise
            raise BadReply(why or "the profile has no such message", frame)
        splitter = Splitter([self._shapes[number] for number in candidates])
        cut = splitter.feed(frame) + splitter.flush()
        if not cut:
            raise BadReply(why or "the profile has no such message", frame)
        for index, part in cut:
            self._put(found, candidates[index], part)

    def _put(self, found: Image, number: int, frame: bytes) -> None:
        name = self.profile.messages[number]["id"]
        parts = self._shapes[number].parts(frame)
        if isinstance(parts, bytes):
            found.put_message(name, parts)
        else:
            found.put_text(name, parts)

    def _command(self, message: str | None) -> str:
        """Return what SDI-12 values answer, since they do not say it themselves."""
        if message is not None or self.profile.bus not in TEXT:
            return message or ""
        names = sorted({channel.table for channel in self.profile.channels if channel.table})
        return names[0] if len(names) == 1 else ""


class Request:
    """What a profile asks for one message: bytes, with the device's address and a check sum.

    `parts` are bytes, "'addr" and "'check"; `check` is the row of the check sum, if there is one.
    """

    def __init__(self, message: str, parts: list[Any], check: Any, text: bool) -> None:
        self.message = message
        self.parts = parts
        self._check = None if check is None else Check(check, text)
        self._text = text
        self._ends_with_check = isinstance(parts[-1], str) and parts[-1] == "'check"

    def build(self, address: bytes) -> bytes:
        """Return the request to the device with this address; ConfigError if it needs no such."""
        made = b""
        for part in self.parts:
            if isinstance(part, bytes):
                made += part
            elif part == "'addr":
                made += address
            elif part == "'check" and self._check is not None:
                made += self._check.after(made)
            else:
                raise ConfigError(f"{{{part[1:]}}} of a request stands for nothing")
        return made

    def refusal(self, sent: bytes, says: str = "the profile asks") -> str:
        """Return "" if `sent` is this request to any address; else what it would be, in words."""
        made = self.build(self._address(sent))
        if made == sent:
            return ""
        if self._check is not None and self._ends_with_check:
            end = len(made) - self._check.size
            if made[:end] == sent[:end] and len(made) == len(sent):
                return self._check.refusal(sent)
        return f"{says} {repr(made)[1:] if self._text else _hex(made)}"

    def _address(self, sent: bytes) -> bytes:
        """Return what stands in `sent` where the address does, as far as that can be told."""
        holes = [part for part in self.parts if isinstance(part, str)]
        if "'addr" not in holes:
            return b""
        rest = len(sent) - sum([len(part) for part in self.parts if isinstance(part, bytes)])
        if self._check is not None:
            rest -= self._check.size * holes.count("'check")
        width = min(max(1, rest // holes.count("'addr")), ADDRESS_MAX)
        at = 0
        for part in self.parts:
            if isinstance(part, str):  # the address is the first: a check sum comes after all
                break
            at += len(part)
        return sent[at : at + width]


def write_request(profile: Profile, step: Send) -> Request:
    """Return the request that carries out one step; its check sum is that of the messages."""
    rows = [row for row in profile.messages if "check" in row]
    text = bool(profile.messages) and profile.text(LATEST)
    return Request("", step.parts, rows[0]["check"] if rows else None, text)


def _request(
    profile: Profile, row: dict[str, Any], settings: dict[str, Any] | None
) -> Request | None:
    if "ask" not in row:
        return None
    text = "as" in row
    parts = filled(profile, row["ask"], text, settings or {})
    return Request(row["id"], parts, row.get("check"), text)


def _reader(profile: Profile) -> Callable[[bytes, str], Telegram] | None:
    """Return the protocol's own reader; only the one in use is loaded, boards are small."""
    name = profile.ble.get("format", profile.bus)
    if name == "dlt645":
        from drivers.protocol import dlt645

        return lambda frame, _: dlt645.read(frame)
    if name == "cjt188":
        from drivers.protocol import cjt188

        return lambda frame, _: cjt188.read(frame)
    if name == "mbus":
        from drivers.protocol import mbus

        return lambda frame, _: mbus.read(frame)
    if name == "iec62056":
        from drivers.protocol import iec62056

        return lambda frame, _: iec62056.read(frame)
    if name == "sdi12":
        from drivers.protocol import sdi12

        return sdi12.read
    if name == "bthome":
        from drivers.protocol import bthome

        return lambda frame, _: bthome.read(frame)
    if name == "mibeacon":
        from drivers.protocol import mibeacon

        return lambda frame, _: mibeacon.read(frame)
    if name == "atc":
        from drivers.protocol import atc

        return lambda frame, _: atc.read(frame)
    return None


def _put_telegram(found: Image, telegram: Telegram) -> None:
    """Add the items; those of one name stand side by side, in the order they came."""
    texts: dict[str, list[str]] = {}
    data: dict[str, list[bytes]] = {}
    for name, held in telegram.items:
        if isinstance(held, bytes):
            data.setdefault(name, []).append(held)
        else:
            texts[name] = texts.get(name, []) + held
    for name in sorted(data):
        found.put_items(name, data[name])
    for name in sorted(texts):
        found.put_text(name, texts[name])


def _hex(data: bytes) -> str:
    return data.hex().upper()
