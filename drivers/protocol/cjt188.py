"""CJ/T 188 frames of water, heat and gas meters, editions 2004 and 2018, not encrypted.

`[FE…] 68 T A0..A6 C L DATA CS 16`, DATA = DI0 DI1 SER and what they ask for. Knows no port, no
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
        "length": {"at": 10, "plus": 13},
        "check": {"is": "sum8"},
        "end": b"\x16",
    }
)

_REPLY, _ERROR = 0x80, 0x40  # bits of the control code
_HEAD = 3  # DI0 DI1 SER


def read(frame: bytes) -> Telegram:
    """Return a request or a reply; `kind` is the meter type T as two digits.

    The standard sends identifiers low byte first (901F as 1F 90). Some meters do not, and the sum
    cannot tell: theirs comes out as 1F90, and profiles say so. Refused with the status of a meter
    that says no; BadReply for what is no such frame.
    """
    whole = enclosed(SHAPE, b"\x68", frame)
    control, data = whole[9], whole[11:-2]
    if control & _REPLY and control & _ERROR:
        code = int.from_bytes(data[1:3], "little")
        raise Refused(f"the meter says no (status {data[1:3].hex().upper() or 'none'})", code)
    items: list[Any] = []
    if data:
        if len(data) < _HEAD:
            raise BadReply(f"{len(data)} bytes are no identifier and number", frame)
        items.append((backwards(data[:2]), data[_HEAD:]))
    asks = not control & _REPLY
    return Telegram(backwards(whole[2:9]), items, control, f"{whole[1]:02X}", False, asks)
