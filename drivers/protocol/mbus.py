"""Wired M-Bus frames (EN 13757-2) and the records of meters in them (EN 13757-3).

Items are keyed by a record's header, DIF to VIFE, in the digits of the telegram (and the LVAR of
a number of variable length): no table of quantities is needed to find a value again. Knows no
port, no clock, and not what a VIF means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.protocol import checksum
from drivers.protocol.frame import Shape
from drivers.protocol.telegram import Telegram, backwards, enclosed
from gateway.core.errors import BadReply, Refused

if TYPE_CHECKING:
    from typing import Any

SHAPE = Shape(
    {
        "start": [b"\x68"],
        "bytes": [[3, b"\x68"]],
        "length": {"at": 1, "plus": 6},
        "check": {"is": "sum8", "from": 4},
        "end": b"\x16",
    }
)
ACK = 0xE5  # the control code of an acknowledgement, which has none

EXTENSIONS_MAX = 10  # DIFEs or VIFEs of one record, EN 13757-3

_PRIMARY = 0x40  # bit of the control code: from the master, and data is for the meter
_ERROR, _FIXED, _VARIABLE, _SHORT, _BARE = 0x70, 0x73, 0x72, 0x7A, 0x78  # CI of replies, low first
_HIGH_FIRST = (0x76, 0x77)
_HEADERS = {_FIXED: 8, _VARIABLE: 12, _SHORT: 4, _BARE: 0}
_ENCRYPTED = (2, 3, 4, 5, 7, 13)  # modes of the configuration word
_LENGTHS = (0, 1, 2, 3, 4, 4, 6, 8, 0, 1, 2, 3, 4, -1, 6)  # by the low half of the DIF; -1 varies
_FILLER, _TAIL, _TAIL_AND_MORE = 0x2F, 0x0F, 0x1F
_TEXT_VIF = 0x7C  # the unit follows as a text
_TEXT_MAX = 0xBF  # of an LVAR that counts characters
_ERRORS = (
    "unspecified error",
    "CI field not implemented",
    "buffer too long",
    "too many records",
    "premature end of a record",
    "too many DIFEs",
    "too many VIFEs",
    "reserved",
    "application busy",
    "too many readouts",
)


def read(frame: bytes) -> Telegram:
    """Return an acknowledgement, a short frame or a long one with its records.

    `address` is the secondary address (8 digits) where the frame has it, else the primary one;
    `kind` is manufacturer.version.medium. Two counters of a fixed header are C1 and C2. Refused
    with the code of a meter's error reply; BadReply for what is no such frame.
    """
    if frame == bytes((ACK,)):
        return Telegram("", [], ACK)
    if frame[:1] == b"\x10":
        return _short(frame)
    whole = enclosed(SHAPE, b"\x68", frame)
    if whole[1] != whole[2] or whole[1] < 3:
        raise BadReply(f"the lengths {whole[1]} and {whole[2]} must be equal, 3 or more", frame)
    control, address, ci, data = whole[4], str(whole[5]), whole[6], whole[7:-2]
    if control & _PRIMARY:
        return Telegram(address, [("", data)] if data else [], control, asks=True)
    if ci == _ERROR:
        code = data[0] if data else 0
        said = _ERRORS[code] if code < len(_ERRORS) else "an error"
        raise Refused(f"the meter says: {said} (code {code})", code)
    if ci in _HIGH_FIRST:
        raise BadReply("the meter sends high bytes first, which EN 13757-3 has given up", frame)
    if ci not in _HEADERS or len(data) < _HEADERS[ci]:
        raise BadReply(f"CI {ci:02X} with {len(data)} bytes is no reply of a meter", frame)
    header, records = data[: _HEADERS[ci]], data[_HEADERS[ci] :]
    if ci == _FIXED:
        if len(records) != 8:
            raise BadReply(f"a fixed reply has two counters of 4 bytes, not {len(records)}", frame)
        counters: list[Any] = [("C1", records[:4]), ("C2", records[4:])]
        return Telegram(backwards(header[:4]), counters, control)
    if header and header[-1] & 0x1F in _ENCRYPTED and records[:2] != b"\x2f\x2f":
        raise BadReply("the meter's records are encrypted: a key is needed", frame)
    items, more = _records(records)
    if ci != _VARIABLE:
        return Telegram(address, items, control, "", more)
    maker = header[4] | header[5] << 8
    letters = "".join([chr(64 + (maker >> shift & 31)) for shift in (10, 5, 0)])
    kind = f"{letters}.{header[6]:02X}.{header[7]:02X}"
    return Telegram(backwards(header[:4]), items, control, kind, more)


def _short(frame: bytes) -> Telegram:
    """Return a short frame, `10 C A CS 16`."""
    if len(frame) != 5 or frame[4] != 0x16:
        raise BadReply("a short frame has 5 bytes and ends with 16", frame)
    right = checksum.compute("sum8", frame[1:3])
    if frame[3:4] != right:
        said = f"the check sum is {frame[3]:02X}, these bytes have {right[0]:02X}"
        raise BadReply(said, frame)
    return Telegram(str(frame[2]), [], frame[1], asks=frame[1] & _PRIMARY != 0)


def _records(data: bytes) -> tuple[list[Any], bool]:
    """Return (items, whether more records follow in the next telegram)."""
    items: list[Any] = []
    at = 0
    while at < len(data):
        if data[at] == _FILLER:
            at += 1
        elif data[at] in (_TAIL, _TAIL_AND_MORE):
            items.append((f"{data[at]:02X}", data[at + 1 :]))
            return items, data[at] == _TAIL_AND_MORE
        else:
            end = _header_end(data, at)
            start, stop = _value(data, data[at] & 0x0F, end)
            if start > end and data[end] > _TEXT_MAX:
                end = start  # what kind of number it is, and its sign, stands in the LVAR only
            items.append((data[at:end].hex().upper(), data[start:stop]))
            at = stop
    return items, False


def _header_end(data: bytes, at: int) -> int:
    """Return where the header of the record at `at` ends; a unit as text belongs to it."""
    dif = data[at]
    if dif & 0x0F == 0x0F:
        raise BadReply(f"DIF {dif:02X} is reserved", data)
    at = _extended(data, at, "DIFE")
    if at >= len(data):
        raise BadReply("a record ends before its VIF", data)
    vif = data[at]
    if vif & 0x7F != _TEXT_VIF:
        return _extended(data, at, "VIFE")
    text_end = at + 2 + data[at + 1] if at + 1 < len(data) else len(data) + 1
    if text_end > len(data):
        raise BadReply("a record ends within the text of its unit", data)
    return _extended(data, text_end - 1, "VIFE", vif)


def _extended(data: bytes, at: int, name: str, first: int = -1) -> int:
    """Return where the chain ends that begins at `at` (with `first`, if that stands elsewhere)."""
    byte = data[at] if first < 0 else first
    count = 0
    while byte & 0x80:
        at += 1
        count += 1
        if at >= len(data) or count > EXTENSIONS_MAX:
            raise BadReply(f"a record ends within its {name}, or has too many", data)
        byte = data[at]
    return at + 1


def _value(data: bytes, length: int, at: int) -> tuple[int, int]:
    """Return (start, stop) of the value of the record whose header ends at `at`."""
    size = _LENGTHS[length]
    if size < 0:
        if at >= len(data):
            raise BadReply("a record ends before its length", data)
        size = _variable_size(data[at])
        at += 1
    if size < 0 or at + size > len(data):
        raise BadReply("a record ends within its value", data)
    return at, at + size


def _variable_size(code: int) -> int:
    """Return the bytes of a value of variable length (EN 13757-3, LVAR); -1 if reserved."""
    if code <= _TEXT_MAX:
        return code
    if code <= 0xEF:  # decimal digits, or a number
        return code & 0x0F
    if 0xF0 <= code <= 0xF4:
        return 4 * (code - 0xEC)
    return {0xF5: 48, 0xF6: 64}.get(code, -1)
