"""Check sums of field devices, by the names that profiles use.

Knows no frame: what is summed and where the sum stands is the caller's.
"""

from __future__ import annotations

from array import array
from binascii import crc32

from gateway.core.errors import ConfigError

# name → bytes it takes on the wire
SIZES: dict[str, int] = {
    "sum8": 1,  # sum of all bytes
    "sum16": 2,  # the same, high byte first
    "neg8": 1,  # what makes the sum 0
    "inv8": 1,  # the sum with every bit turned
    "xor8": 1,
    "crc8": 1,  # polynomial 07, start 00
    "crc16": 2,  # Modbus: polynomial A001 (reflected), start FFFF, low byte first
    "crc16-ccitt": 2,  # polynomial 1021, start FFFF, high byte first
    "crc16-x25": 2,  # polynomial 8408 (reflected), start FFFF, every bit turned, low byte first
    "crc32": 4,  # IEEE 802.3, low byte first
}

_CRC8, _MODBUS, _CCITT, _X25 = 0x07, 0xA001, 0x1021, 0x8408
_tables: dict[int, array[int]] = {}


def compute(name: str, data: bytes, seed: int = 0) -> bytes:
    """Return the check sum of `data` as sent; ConfigError for an unknown name.

    `seed` is added to a sum (those with the request in front need it) and XORed into a CRC's
    start: crc16 with FFFF starts at 0 (ARC, as P1 meters and SDI-12 do), crc16-ccitt too (XMODEM).
    """
    if name not in SIZES:
        raise ConfigError(f"unknown check sum {name!r}; known: {' '.join(sorted(SIZES))}")
    if name == "xor8":
        value = _xor(data, seed & 0xFF)
    elif name == "crc8":
        value = _high_first(_CRC8, 8, data, seed & 0xFF)
    elif name == "crc16":
        value = _low_first(_MODBUS, data, 0xFFFF ^ seed & 0xFFFF)
    elif name == "crc16-ccitt":
        value = _high_first(_CCITT, 16, data, 0xFFFF ^ seed & 0xFFFF)
    elif name == "crc16-x25":
        value = 0xFFFF ^ _low_first(_X25, data, 0xFFFF ^ seed & 0xFFFF)
    elif name == "crc32":
        value = crc32(data, seed & 0xFFFFFFFF)
    else:
        total = sum(data) + seed
        value = {"neg8": -total, "inv8": ~total}.get(name, total)
    size = SIZES[name]
    value &= (1 << 8 * size) - 1
    low_first = name in ("crc16", "crc16-x25", "crc32")
    return value.to_bytes(size, "little" if low_first else "big")


def _xor(data: bytes, value: int) -> int:
    for byte in data:
        value ^= byte
    return value


def _low_first(polynomial: int, data: bytes, rest: int) -> int:
    """Return a CRC whose bits go in lowest first."""
    table = _tables.get(polynomial)
    if table is None:
        table = array("H", [_shifted_down(polynomial, byte) for byte in range(256)])
        _tables[polynomial] = table
    for byte in data:
        rest = rest >> 8 ^ table[(rest ^ byte) & 0xFF]
    return rest


def _high_first(polynomial: int, bits: int, data: bytes, rest: int) -> int:
    """Return a CRC of 8 or 16 bits whose bits go in highest first."""
    table = _tables.get(polynomial)
    if table is None:
        table = array("H", [_shifted_up(polynomial, bits, byte) for byte in range(256)])
        _tables[polynomial] = table
    mask = (1 << bits) - 1
    for byte in data:
        rest = rest << 8 & mask ^ table[(rest >> bits - 8 ^ byte) & 0xFF]
    return rest


def _shifted_down(polynomial: int, rest: int) -> int:
    for _ in range(8):
        rest = rest >> 1 ^ (polynomial if rest & 1 else 0)
    return rest


def _shifted_up(polynomial: int, bits: int, byte: int) -> int:
    rest = byte << bits - 8
    for _ in range(8):
        rest = rest << 1 ^ (polynomial if rest >> bits - 1 & 1 else 0)
    return rest & (1 << bits) - 1
