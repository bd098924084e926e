"""Adverts of the ATC1441 and PVVX firmwares for thermometers (service data 181A).

Plain or sealed; they are told apart by length alone. Knows no radio and no unit: every kind says
the same names, with its own steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.protocol import aes
from drivers.protocol.telegram import Telegram, backwards
from gateway.core.errors import BadReply

if TYPE_CHECKING:
    from typing import Any

    from drivers.protocol.aes import Block

_ATC, _PVVX, _PVVX_SEALED, _ATC_SEALED = 13, 15, 11, 8
_BESIDE = b"\x11"  # is proved, too
_PROOF = 4


def read(payload: bytes) -> Telegram:
    """Return temperature (0.01 °C), humidity (0.01 %), battery (%), voltage (mV), packet, flags.

    Numbers low byte first, as PVVX sends them. BadReply if it is neither, or sealed.
    """
    if counter(payload) is not None:
        raise BadReply("the device encrypts what it sends: a key is needed", payload)
    if len(payload) == _PVVX:
        rows = (("temperature", 6, 8), ("humidity", 8, 10), ("voltage", 10, 12))
        items: list[Any] = [(name, payload[start:end]) for name, start, end in rows]
        items += [("battery", payload[12:13]), ("packet", payload[13:14])]
        return Telegram(backwards(payload[:6]), items + [("flags", payload[14:15])])
    if len(payload) == _ATC:
        tenths = payload[6] << 8 | payload[7]
        tenths -= tenths >> 15 << 16
        items = [
            ("temperature", _word(10 * tenths, payload)),
            ("humidity", _word(100 * payload[8], payload)),
            ("voltage", bytes((payload[11], payload[10]))),
            ("battery", payload[9:10]),
            ("packet", payload[12:13]),
        ]
        return Telegram(payload[:6].hex().upper(), items)
    raise BadReply("neither ATC1441 nor PVVX", payload)


def counter(payload: bytes) -> int | None:
    """Return the counter of a sealed payload, 8 bits; None if its length is that of a plain one."""
    return payload[0] if len(payload) in (_PVVX_SEALED, _ATC_SEALED) else None


def opened(payload: bytes, address: bytes, block: Block) -> bytes:
    """Return a sealed payload as PVVX would be plain; `address` as people print it, six bytes.

    What it does not tell is FFFF or FF. BadReply if not sealed by this device with this key.
    """
    if counter(payload) is None:
        raise BadReply("not sealed", payload)
    own = bytes(reversed(address))
    # The length, type and UUID that stand before the payload are part of what is proved.
    nonce = own + bytes((len(payload) + 3, 0x16, 0x1A, 0x18)) + payload[:1]
    text = aes.opened(block, nonce, payload[1:], _BESIDE)
    if len(payload) == _PVVX_SEALED:
        values, battery = text[:4], text[4]
        flags = text[5]
    else:
        halves = text[0] - 80  # of a degree, from -40 °C
        values = _word(50 * halves, payload) + _word(50 * text[1], payload)
        battery, flags = text[2] & 0x7F, text[2] >> 7
    return own + values + b"\xff\xff" + bytes((battery, payload[0], flags))


def _word(value: int, payload: bytes) -> bytes:
    if not -0x8000 <= value <= 0x7FFF:
        raise BadReply(f"{value} hundredths are beyond what a sensor measures", payload)
    return (value & 0xFFFF).to_bytes(2, "little")
