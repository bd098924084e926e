"""SDI-12 answers (SDI-12 Support Group, version 1.4): announcements, values, CRC.

Text of 7 bits: address, then values with their sign in front, then three characters of CRC if the
command asked for it. Knows no port, no clock, and not what a value means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.protocol import checksum
from drivers.protocol.telegram import Telegram
from gateway.core.errors import BadReply
from gateway.core.record import Record

if TYPE_CHECKING:
    from typing import Any

DIGITS_MAX = 7  # of one value, §4.3: "pd.d"
_CRC_SIZE = 3


class Announced(Record):
    """The answer to M, C, V or H: `count` values will be ready after `seconds`."""

    __slots__ = ("address", "count", "seconds")

    def __init__(self, address: str, seconds: int, count: int) -> None:
        self.address = address
        self.seconds = seconds
        self.count = count


def announced(frame: bytes) -> Announced:
    """Return what `atttn` (M), `atttnn` (C) or `atttnnn` (HA) says; BadReply if it is none."""
    line = _lines(frame)[0]
    rest = line[1:]
    if not 4 <= len(rest) <= 6 or not rest.isdigit():
        raise BadReply(f"{line!r} announces no measurement", frame)
    return Announced(line[:1], int(rest[:3]), int(rest[3:]))


def read(frame: bytes, command: str = "") -> Telegram:
    """Return the values of all lines of `frame` as one item, named after the command.

    The lines are the answers to D0, D1 … or R0 …, in order. A CRC is always verified, and must be
    there if the command asks for one (MC, CC1, RC0). BadReply for anything else.
    """
    values: list[str] = []
    lines = _lines(frame)
    for line in lines:
        if line[0] != lines[0][0]:
            raise BadReply(f"address {line[0]} answered amid {lines[0][0]}", frame)
        values += _values(_checked(line, command[1:2] == "C", frame), frame)
    items: list[Any] = [(command, values)]
    return Telegram(lines[0][0], items)


def crc(text: bytes) -> bytes:
    """Return the three characters that follow `text` (§4.4.12)."""
    low, high = checksum.compute("crc16", text, 0xFFFF)
    value = high << 8 | low
    return bytes((0x40 | value >> 12, 0x40 | value >> 6 & 0x3F, 0x40 | value & 0x3F))


def _lines(frame: bytes) -> list[str]:
    """Return the lines without CR LF; NULs before a line are what is left of a break."""
    lines = []
    if not frame.endswith(b"\r\n"):
        raise BadReply("an answer ends with CR LF", frame)
    for raw in frame[:-2].split(b"\r\n"):
        line = raw.lstrip(b"\x00")
        for byte in line:
            if not 0x20 < byte < 0x7F:
                raise BadReply(f"byte {byte:02X} stands in no answer (7 data bits?)", frame)
        text = line.decode()
        if not text or not ("0" <= text[0] <= "9" or "A" <= text[0].upper() <= "Z"):
            raise BadReply(f"{text!r} begins with no address", frame)
        lines.append(text)
    return lines


def _checked(line: str, wanted: bool, frame: bytes) -> str:
    """Return what follows the address, without the CRC."""
    ends_with_crc = len(line) > _CRC_SIZE and not [char for char in line[-3:] if char < "@"]
    if not ends_with_crc:
        if wanted:
            raise BadReply("the CRC that was asked for is missing", frame)
        return line[1:]
    body = line[:-_CRC_SIZE]
    right = crc(body.encode()).decode()
    if line[-_CRC_SIZE:] != right:
        raise BadReply(f"the CRC is {line[-_CRC_SIZE:]}, these characters have {right}", frame)
    return body[1:]


def _values(text: str, frame: bytes) -> list[str]:
    values: list[str] = []
    for char in text:
        if char in "+-":
            values.append(char)
        elif values and (char.isdigit() or (char == "." and "." not in values[-1])):
            values[-1] += char
        else:
            raise BadReply(f"{text!r} is no row of values", frame)
    for value in values:
        digits = len(value.replace(".", "")) - 1
        if not 1 <= digits <= DIGITS_MAX:
            raise BadReply(f"{value!r} has {digits} digits, not 1 to {DIGITS_MAX}", frame)
    return values
