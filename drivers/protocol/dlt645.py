"""DL/T 645 frames of electricity meters, editions 2007 and 1997.

`[FE…] 68 A0..A5 68 C L DATA CS 16`; every byte of DATA is sent with 33H added. Knows no port, no
clock, and not what an identifier means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.protocol.frame import Shape
from drivers.protocol.telegram import Telegram, backwards, enclosed
from gateway.core.errors import BadReply, Refused

if TYPE_CHECKING:
    from typing import Any

SHAPE = Shape(
    {
        "start": [b"\x68"],
        "bytes": [[7, b"\x68"]],
        "length": {"at": 9, "plus": 12},
        "check": {"is": "sum8"},
        "end": b"\x16",
    }
)

_REPLY, _ERROR, _MORE = 0x80, 0x40, 0x20  # bits of the control code; below them the function
_READ_NEXT, _READ_NEXT_1997 = 0x12, 0x02
# function → bytes of the identifier; the functions of the two editions do not overlap
_IDENTIFIERS = {0x11: 4, _READ_NEXT: 4, 0x14: 4, 0x01: 2, _READ_NEXT_1997: 2, 0x03: 2, 0x04: 2}
_ERRORS_2007 = (
    "another error",
    "no such data",
    "password wrong or not authorised",
    "speed cannot be changed",
    "too many year zones",
    "too many day slots",
    "too many tariffs",
)


def read(frame: bytes) -> Telegram:
    """Return a request or a reply: identifiers as the standard prints them, data as the meter's.

    What a further frame holds is named after its number, 0201FF00.1 (edition 1997: 9010.next), for
    it does not begin where the data of the identifier does.
    Refused with the error word of a meter that says no; BadReply for what is no such frame.
    """
    whole = enclosed(SHAPE, b"\x68", frame)
    control = whole[8]
    function = control & 0x1F
    data = bytes([(byte - 0x33) & 0xFF for byte in whole[10:-2]])
    if control & _REPLY and control & _ERROR:
        raise _refused(function, data)
    width = _IDENTIFIERS.get(function, 0)
    items: list[Any] = []
    if width and (data or not control & _REPLY):
        if len(data) < width:
            raise BadReply(f"{len(data)} bytes are no identifier of {width}", frame)
        items.append(_item(data, width, function if control & _REPLY else 0, frame))
    elif data:
        items.append(("", data))
    more = control & (_REPLY | _MORE) == _REPLY | _MORE
    return Telegram(backwards(whole[1:7]), items, control, "", more, not control & _REPLY)


def _item(data: bytes, width: int, answers: int, frame: bytes) -> tuple[str, bytes]:
    """Return (identifier, bytes) of what answers a function, or of a request if that is 0."""
    name, held = backwards(data[:width]), data[width:]
    if answers == _READ_NEXT:
        if not held:
            raise BadReply("a further frame ends with its number", frame)
        return f"{name}.{held[-1]}", held[:-1]
    if answers == _READ_NEXT_1997:
        return name + ".next", held
    return name, held


def _refused(function: int, data: bytes) -> Refused:
    """Return a meter's error reply as an error; its code is the error word."""
    code = data[0] if data else 0
    edition_2007 = _IDENTIFIERS.get(function) != 2
    words = [text for bit, text in enumerate(_ERRORS_2007) if edition_2007 and code >> bit & 1]
    said = ", ".join(words) or "an error"
    return Refused(f"the meter says: {said} (error word {code:02X})", code)
