"""The bytes of one channel to its value, and a value back to bytes. Knows no table, no address.

Order of evaluation: bytes, order, type, bits, none, then map or flags or scale and offset.
"""

from __future__ import annotations

import binascii
import struct
from typing import TYPE_CHECKING

from drivers.profile import number
from gateway.core.errors import ConfigError
from gateway.core.reading import GOOD, SENTINEL

if TYPE_CHECKING:
    from typing import Any

    from drivers.profile.expr import Value
    from drivers.profile.image import Image

ORDERS = ("ABCD", "DCBA", "CDAB", "BADC")  # where the bytes of 0x0A0B0C0D stand on the wire
TYPES = {
    "bool": (1, 8),
    "u": (8, 16, 24, 32, 48, 64),
    "s": (8, 16, 24, 32, 48, 64),
    "sm": (8, 16),  # sign and magnitude
    "f": (16, 32, 64),
    "bcd": (8, 16, 24, 32, 48, 64),
    "sbcd": (8, 16, 24, 32, 48, 64),  # the top bit is the sign
}
TEXT_MAX = 250  # bytes of strN and hexN: 125 registers, the most one request reads
_FLOATS = {16: (">e", 4), 32: (">f", 7), 64: (">d", 15)}  # form, significant digits


class Layout:
    """How a number or text lies in `count` registers (or bytes, if `width` is 1); one a channel."""

    __slots__ = ("base", "bits", "count", "none", "order", "size", "width")

    def __init__(
        self,
        name: str,
        order: str,
        bits: tuple[int, int] | None,
        none: list[Any],
        width: int = 2,
    ) -> None:
        self.base, self.size = split_type(name)
        if bits and (self.base not in ("u", "s") or bits[1] >= self.size):
            raise ConfigError(f"{name} has no bit {bits[1]} to name")
        self.order = order
        self.bits = bits
        self.none = none
        self.width = width
        self.count = (words if width == 2 else octets)(self.base, self.size)

    def __repr__(self) -> str:
        return f"{self.base}{self.size} {self.order} {self.bits} {self.none} {self.width}"

    def take(self, image: Image, table: str, address: int) -> bytes | None:
        """Return the bytes that `image` has there, None if not all of them came."""
        return image.take(table, address, self.count)

    def value(self, data: bytes) -> tuple[Value, str]:
        """Return the value `data` holds and its quality; the value is None unless good."""
        data = arrange(data, self.order)
        if self.base == "str":
            return self._text(data[: self.size])
        if self.base == "hex":
            digits = binascii.hexlify(data[: self.size]).decode()
            return (None, SENTINEL) if digits in self.none else (digits, GOOD)
        size = self.size if self.base != "bool" else 8 * len(data)
        pattern = int.from_bytes(data, "big") & ((1 << size) - 1)
        if self.bits:
            low, high = self.bits
            size = high - low + 1
            pattern = pattern >> low & ((1 << size) - 1)
        if self.base in ("u", "s", "sm", "bool"):
            if pattern in self.none:
                return None, SENTINEL
            return self._whole(pattern, size), GOOD
        if self.base == "f":
            value = _real(pattern, size)
        else:
            value = _digits(pattern, size, self.base == "sbcd")
        return (None, SENTINEL) if value is None or value in self.none else (value, GOOD)

    def pattern(self, value: int | Any) -> bytes:
        """Return the bytes that `value` (a whole number, real or text) takes in the registers."""
        if self.base in ("str", "hex"):
            return arrange(self._packed_text(value), self.order)
        size = self.size if self.base != "bool" else 8 * self.width
        if self.base == "f":
            pattern = _real_pattern(value, size)
        else:
            pattern = self._whole_pattern(value, size)
        return arrange(pattern.to_bytes(self.width * self.count, "big"), self.order)

    def _whole(self, pattern: int, size: int) -> bool | int:
        if self.base == "bool" or size == 1:
            return pattern != 0
        sign = 1 << size - 1
        if self.base == "u" or not pattern & sign:
            return pattern
        return pattern - 2 * sign if self.base == "s" else -(pattern - sign)

    def _text(self, data: bytes) -> tuple[Value, str]:
        # Some devices put one character into each register: then every other byte is 0.
        odd, even = _every_other(data, 1), _every_other(data, 0)
        if len(data) > 2 and not any(even):
            data = odd
        elif len(data) > 2 and not any(odd):
            data = even
        data = data.split(b"\x00")[0]
        if any(byte < 0x20 or byte > 0x7E for byte in data):
            return None, SENTINEL
        text = data.decode().strip()
        return (None, SENTINEL) if text in self.none else (text, GOOD)

    def _whole_pattern(self, value: Any, size: int) -> int:
        value = int(value) if isinstance(value, bool) else value
        if not isinstance(value, int):
            raise ConfigError(f"{value} is no whole number of steps")
        if self.base in ("bcd", "sbcd"):
            return _digits_pattern(value, size, self.base == "sbcd")
        lowest = 0 if self.base in ("u", "bool") else -(1 << size - 1)
        highest = (1 << size) - 1 if self.base in ("u", "bool") else (1 << size - 1) - 1
        if self.base == "sm":
            lowest = -highest
        elif self.base == "bool":
            highest = 1
        if not lowest <= value <= highest:
            raise ConfigError(f"{value} does not fit {self.base}{size}: {lowest}..{highest}")
        if self.base == "sm" and value < 0:
            return (1 << size - 1) - value
        return value & ((1 << size) - 1)

    def _packed_text(self, value: Any) -> bytes:
        if not isinstance(value, str):
            raise ConfigError(f"{value} is no text")
        try:
            data = value.encode() if self.base == "str" else binascii.unhexlify(value)
        except ValueError:
            raise ConfigError(f"{value!r} is not hexadecimal")
        if len(data) > self.size:
            raise ConfigError(f"{value!r} is longer than {self.size} bytes")
        return data + bytes(self.width * self.count - len(data))


def split_type(name: str) -> tuple[str, int]:
    """Return ("u", 16) for "u16"; sizes are bits, but bytes for str and hex. ConfigError else."""
    base = name.rstrip("0123456789")
    digits = name[len(base) :]
    size = int(digits[:4]) if digits else 1  # four digits are more than any type has
    if base in ("str", "hex"):
        if digits and 1 <= size <= TEXT_MAX:
            return base, size
    elif base == "bool" and not digits:
        return base, 1
    elif base in TYPES and base != "bool" and size in TYPES[base] and digits:
        return base, size
    raise ConfigError(f"unknown type {name!r}")


def words(base: str, size: int) -> int:
    """Return how many registers a type takes."""
    if base in ("str", "hex"):
        return (size + 1) // 2
    return (size + 15) // 16


def octets(base: str, size: int) -> int:
    """Return how many bytes a type takes."""
    return size if base in ("str", "hex") else (size + 7) // 8


def arrange(data: bytes, order: str) -> bytes:
    """Return wire bytes in the order ABCD, and back: each order undoes itself."""
    if order == "ABCD" or len(data) < 2:
        return data
    if order == "DCBA":
        return bytes(reversed(data))
    pairs = [data[at : at + 2] for at in range(0, len(data), 2)]
    if order == "CDAB":
        return b"".join(list(reversed(pairs)))
    return b"".join([bytes(reversed(pair)) for pair in pairs])


def _every_other(data: bytes, first: int) -> bytes:
    return bytes([data[at] for at in range(first, len(data), 2)])


def _real(pattern: int, size: int) -> Any:
    form, digits = _FLOATS[size]
    value = struct.unpack(form, pattern.to_bytes(size // 8, "big"))[0]
    return number.from_real(value, digits)


def _real_pattern(value: Any, size: int) -> int:
    form = _FLOATS[size][0]
    if value is None or isinstance(value, str) or (size == 16 and abs(float(value)) > 65504):
        raise ConfigError(f"{value} does not fit f{size}")
    return int.from_bytes(struct.pack(form, float(value)), "big")


def _digits(pattern: int, size: int, signed: bool) -> int | None:
    sign = 1
    if signed and pattern >> size - 1:
        sign, pattern = -1, pattern - (1 << size - 1)
    value = 0
    for shift in range(size - 4, -1, -4):
        digit = pattern >> shift & 15
        if digit > 9:
            return None
        value = 10 * value + digit
    return sign * value


def _digits_pattern(value: int, size: int, signed: bool) -> int:
    highest = (8 if signed else 10) * 10 ** (size // 4 - 1) - 1
    if not (-highest if signed else 0) <= value <= highest:
        raise ConfigError(f"{value} does not fit {size // 4} decimal digits")
    pattern, left = 0, abs(value)
    for shift in range(0, size, 4):
        pattern |= left % 10 << shift
        left //= 10
    return pattern | (1 << size - 1) if value < 0 else pattern
