"""The CBOR we speak (RFC 8949): deterministic when written, strict when read.

Written: map keys in length-first order (§4.2.3), shortest floats, definite lengths: the same
bytes as cbor2's canonical form. Read: no indefinite lengths, no duplicate keys, no tag but 4
(decimal fraction), no bytes left over, nothing deeper or longer than the limits.
On CPython `cbor_cpython` writes the same bytes through cbor2, several times faster.
Knows no file and no network: the caller says how large an input it lets in.
"""

from __future__ import annotations

import struct
import sys
from typing import TYPE_CHECKING

from gateway.core.decimal import EXPONENT_MAX, EXPONENT_MIN, Decimal, decimal
from gateway.core.errors import BadReply

if TYPE_CHECKING:
    from typing import Any

DEPTH_MAX = 8  # arrays and maps inside each other; our deepest format uses six
_INT_MAX = 1 << 64
_UINT, _NINT, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = range(8)
_SIMPLE_VALUES = {20: False, 21: True, 22: None}
_FLOATS = {25: (2, ">e"), 26: (4, ">f"), 27: (8, ">d")}
_DECIMAL_TAG = 4
_FLOAT16_MAX = 65504.0  # beyond these, packing would overflow
_FLOAT32_MAX = 3.4028234663852886e38


def head(major: int, number: int) -> bytes:
    """Return the initial bytes of a data item (§3)."""
    if number < 24:
        return bytes((major << 5 | number,))
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 1 << 8 * size:
            return bytes((major << 5 | info,)) + number.to_bytes(size, "big")
    raise ValueError(f"{number} needs more than 64 bits")


_SMALL = [head(_UINT, number) for number in range(24)]
_DECIMALS = [b"\xc4\x82" + head(_NINT, at) for at in range(-EXPONENT_MIN)]  # exponents from -1 down


def number(value: int | Decimal) -> bytes:
    """Return a whole number of 64 bits or a decimal, as `encode` would: they are nearly all."""
    if isinstance(value, int):
        return _whole(value)
    return _DECIMALS[-1 - value.exponent] + _whole(value.mantissa)


def encode_portably(value: Any) -> bytes:
    """Return `value` as deterministic CBOR; TypeError or ValueError for what we do not speak."""
    out = bytearray()
    _write(out, value)
    return bytes(out)


def decode(data: bytes, depth_max: int = DEPTH_MAX) -> Any:
    """Return the one item in `data`; BadReply with the reason for anything not ours."""
    reader = _Reader(data)
    value = reader.item(depth_max)
    if reader.at != len(data):
        raise BadReply(f"CBOR: {len(data) - reader.at} bytes left over", data)
    return value


def decode_at(data: bytes, at: int, depth_max: int) -> tuple[Any, int]:
    """Return the item that begins at byte `at`, and where it ends; BadReply as `decode`."""
    reader = _Reader(data)
    reader.at = at
    return reader.item(depth_max), reader.at


def _write(out: bytearray, value: Any) -> None:
    if value is None or isinstance(value, bool):
        out.append(0xF6 if value is None else 0xF5 if value else 0xF4)
    elif isinstance(value, int):
        out += head(_UINT, value) if value >= 0 else head(_NINT, -1 - value)
    elif isinstance(value, float):
        out += _float(value)
    elif isinstance(value, str):
        text = value.encode()
        out += head(_TEXT, len(text)) + text
    elif isinstance(value, (bytes, bytearray)):
        out += head(_BYTES, len(value)) + value
    elif isinstance(value, (list, tuple)):
        out += head(_ARRAY, len(value))
        for item in value:
            _write(out, item)
    elif isinstance(value, dict):
        pairs = [(encode_portably(key), value[key]) for key in value]
        pairs.sort(key=_length_first)
        out += head(_MAP, len(pairs))
        for key, item in pairs:
            out += key
            _write(out, item)
    elif isinstance(value, Decimal):
        out += head(_TAG, _DECIMAL_TAG)
        _write(out, [value.exponent, value.mantissa])
    else:
        raise TypeError(f"no CBOR form for {type(value).__name__}")


def _whole(number: int) -> bytes:
    if number < 0:
        return head(_NINT, -1 - number)
    if number < 24:
        return _SMALL[number]
    if number < 256:
        return b"\x18" + bytes((number,))
    if number < 65_536:
        return b"\x19" + number.to_bytes(2, "big")
    return head(_UINT, number)


def _length_first(pair: tuple[bytes, Any]) -> tuple[int, bytes]:
    return len(pair[0]), pair[0]


def _float(value: float) -> bytes:
    if value != value:
        return b"\xf9\x7e\x00"
    if abs(value) <= _FLOAT16_MAX or abs(value) == float("inf"):
        if struct.unpack(">e", struct.pack(">e", value))[0] == value:
            return b"\xf9" + struct.pack(">e", value)
    if abs(value) <= _FLOAT32_MAX or abs(value) == float("inf"):
        if struct.unpack(">f", struct.pack(">f", value))[0] == value:
            return b"\xfa" + struct.pack(">f", value)
    return b"\xfb" + struct.pack(">d", value)


class _Reader:
    """A place in the input; every cut or lie about a length is a BadReply."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def item(self, depth: int) -> Any:
        major, info, number = self._head()
        if major == _UINT:
            return number
        if major == _NINT:
            return -1 - number
        if major == _BYTES:
            return self._take(number)
        if major == _TEXT:
            return self._text(number)
        if major == _SIMPLE:
            return self._simple(info, number)
        if depth == 0:
            raise self._bad("nested too deeply")
        if major == _ARRAY:
            self._fits(number)
            return [self.item(depth - 1) for _ in range(number)]
        if major == _MAP:
            self._fits(2 * number)
            return self._map(number, depth - 1)
        return self._tagged(number)

    def _head(self) -> tuple[int, int, int]:
        at = self.at
        if at >= len(self.data):
            raise self._bad("cut short, 1 bytes wanted")
        first = self.data[at]
        self.at = at + 1
        info = first & 31
        if info < 24:
            return first >> 5, info, info
        if info > 27:
            raise self._bad(f"reserved or indefinite length 0x{first:02x}")
        return first >> 5, info, int.from_bytes(self._take(1 << info - 24), "big")

    def _take(self, size: int) -> bytes:
        at = self.at
        if size > len(self.data) - at:
            raise self._bad(f"cut short, {size} bytes wanted")
        self.at = at + size
        return self.data[at : at + size]

    def _fits(self, items: int) -> None:
        # An item is at least one byte, so a claimed length can never make us allocate more.
        if items > len(self.data) - self.at:
            raise self._bad(f"cut short, {items} items claimed")

    def _text(self, size: int) -> str:
        raw = self._take(size)
        try:
            return raw.decode()
        except ValueError:  # UnicodeError on both Pythons
            raise self._bad("text that is not UTF-8")

    def _simple(self, info: int, number: int) -> Any:
        if info in _FLOATS:
            size, form = _FLOATS[info]
            return struct.unpack(form, number.to_bytes(size, "big"))[0]
        if info < 24 and number in _SIMPLE_VALUES:
            return _SIMPLE_VALUES[number]
        raise self._bad(f"simple value {number}")

    def _map(self, count: int, depth: int) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for _ in range(count):
            key = self.item(depth)
            if isinstance(key, bool) or not isinstance(key, (int, str)):
                raise self._bad("a map key is neither integer nor text")
            if key in found:
                raise self._bad(f"key {key!r} stands twice")
            item = self.item(depth)
            found[key] = item
        return found

    def _tagged(self, tag: int) -> Any:
        if tag != _DECIMAL_TAG:
            raise self._bad(f"tag {tag}")
        major, _, count = self._head()
        if major != _ARRAY or count != 2:
            raise self._bad("a decimal fraction is not two integers")
        exponent, mantissa = self.item(0), self.item(0)
        if not _is_int(exponent) or not _is_int(mantissa):
            raise self._bad("a decimal fraction is not two integers")
        if not EXPONENT_MIN <= exponent <= EXPONENT_MAX:
            raise self._bad(f"decimal exponent {exponent}")
        number = decimal(mantissa, exponent)
        if isinstance(number, int) and not -_INT_MAX <= number < _INT_MAX:
            raise self._bad("a decimal fraction that is a whole number beyond 64 bits")
        return number

    def _bad(self, what: str) -> BadReply:
        return BadReply(f"CBOR: {what} at byte {self.at}", self.data)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


if sys.implementation.name == "cpython":
    from gateway.core import cbor_cpython

    encode = cbor_cpython.encode
else:
    encode = encode_portably
