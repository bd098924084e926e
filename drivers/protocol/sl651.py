"""Frames between hydrological stations and their centre (SL 651-2014 §6), HEX/BCD and ASCII.

`7E7E address… function length STX body end crc`; the ASCII form begins with SOH and writes all but
the control characters as text. What the elements of a body mean is in `sl651_elements`, who
answers what in `sl651_centre`. Knows no port and no clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.protocol import checksum, sl651_elements
from drivers.protocol.stream import MORE, Stream
from drivers.protocol.telegram import Telegram
from gateway.core.errors import BadReply
from gateway.core.record import Record

if TYPE_CHECKING:
    from typing import Any

    from drivers.protocol.sl651_elements import Items

STX, ETX, EOT, ENQ, ACK, NAK, SYN, ETB, ESC = 0x02, 0x03, 0x04, 0x05, 0x06, 0x15, 0x16, 0x17, 0x1B
ENDS_UP = (ETX, ETB)  # tables 11 and 12
ENDS_DOWN = (ENQ, ACK, NAK, EOT, ESC)
BODY_MAX = 4095  # bytes between start and end: twelve bits count them

HEARTBEAT, TEST, EVEN, TIMED, THRESHOLD, HOURLY, MANUAL, PICTURE = range(0x2F, 0x37)
QUERY, QUERY_PERIOD, QUERY_MANUAL, QUERY_ELEMENTS = 0x37, 0x38, 0x39, 0x3A
SET_BASIC, READ_BASIC, SET_RUNNING, READ_RUNNING = 0x40, 0x41, 0x42, 0x43
VERSION, STATUS, SET_PASSWORD, SET_CLOCK, SET_CARD = 0x45, 0x46, 0x49, 0x4A, 0x4B
EVENTS, READ_CLOCK = 0x50, 0x51

_UNSET = "0000"  # the password of a station that has none

_START, _START_TEXT = b"\x7e\x7e", b"\x01"
_HEAD, _HEAD_TEXT = 14, 24  # bytes from the start to STX or SYN, both included
_PACKETS = {False: 3, True: 6}  # bytes of total and number after SYN, by whether it is text
_ELEMENTS = (0x46, 0x47, 0x48, SET_CLOCK, SET_CARD, READ_CLOCK)  # and reports
_PARAMETERS = (SET_BASIC, READ_BASIC, SET_RUNNING, READ_RUNNING, SET_PASSWORD)
_ASKED = (QUERY_ELEMENTS, READ_BASIC, READ_RUNNING)
_COUNTS = 32  # of events in one answer (table 84)
_DIGITS = b"0123456789abcdefABCDEF"


class Frame(Record):
    """One frame. `station`: ten hex digits. `packets` and `packet` are 0 but after SYN.

    `body` is what lies between start and end, without the packet numbers. `end` is the control
    character that ends it; `up`: from the station.
    """

    __slots__ = (
        "body",
        "centre",
        "end",
        "function",
        "packet",
        "packets",
        "password",
        "station",
        "text",
        "up",
    )

    def __init__(
        self,
        station: str,
        function: int,
        body: bytes,
        end: int,
        centre: int = 1,
        password: str = _UNSET,
        up: bool = True,
        packets: int = 0,
        packet: int = 0,
        text: bool = False,
    ) -> None:
        self.station = station
        self.function = function
        self.body = body
        self.end = end
        self.centre = centre
        self.password = password
        self.up = up
        self.packets = packets
        self.packet = packet
        self.text = text

    @property
    def serial(self) -> int:
        """The number of the report, 0 from a centre and where a further packet has none."""
        raw = self.body[: 4 if self.text else 2]
        if self.packet > 1 or len(raw) < (4 if self.text else 2):
            return 0
        return int(raw, 16) if self.text else int.from_bytes(raw, "big")

    @property
    def sent(self) -> str:
        """When it was sent, by its sender's clock; "" where a further packet does not say it."""
        if self.packet > 1:
            return ""
        raw = self.body[4:16] if self.text else self.body[2:8]
        return sl651_elements.time(_decoded(raw) if self.text else raw.hex())


def stream() -> Stream:
    """Return what cuts both forms out of a stream."""
    return Stream(_START[:1] + _START_TEXT, size)


def size(got: bytes, at: int) -> int:
    """Return the size of the frame at `got[at]`, 0 if there is none, MORE if more must tell.

    -n says that n bytes were looked at in vain.
    """
    text = got[at : at + 1] == _START_TEXT
    start = _START_TEXT if text else _START
    head, tail = (_HEAD_TEXT, 5) if text else (_HEAD, 3)
    seen = got[at : at + head]
    if not seen.startswith(start[: len(seen)]) or (text and _strange(seen[1 : head - 1])):
        return 0
    if len(seen) < head:
        return MORE
    length = int(seen[-5:-1], 16) if text else int.from_bytes(seen[-3:-1], "big")
    if length >> 12 not in (0, 8) or seen[-1] not in (STX, SYN):
        return 0
    whole = head + (length & BODY_MAX) + tail
    if at + whole > len(got):
        return MORE
    return -whole if refusal(got[at : at + whole]) else whole


def refusal(frame: bytes) -> str:
    """Return why these bytes are not exactly one frame, in words; "" if they are."""
    text = frame[:1] == _START_TEXT
    head, check = (_HEAD_TEXT, 4) if text else (_HEAD, 2)
    if len(frame) < head + check + 2 or not frame.startswith(_START_TEXT if text else _START):
        return "it is too short, or begins with neither 7E7E nor SOH"
    if text and (_strange(frame[1 : head - 1]) or _strange(frame[-check:])):
        return "its head holds more than hexadecimal digits"
    length = int(frame[head - 5 : head - 1], 16) if text else frame[11] << 8 | frame[12]
    if length >> 12 not in (0, 8):
        return f"direction and length {length:04X} say neither up nor down"
    held = len(frame) - head - check - 1
    if held != length & BODY_MAX:
        return f"it says its body has {length & BODY_MAX} bytes, and has {held}"
    start, end = frame[head - 1], frame[-check - 1]
    if start not in (STX, SYN) or (start == SYN and held < _PACKETS[text]):
        return f"its body begins after {start:02X}, or is too short"
    if end not in (ENDS_DOWN if length >> 12 else ENDS_UP):
        return f"{end:02X} does not end a frame {'down' if length >> 12 else 'up'}"
    right = _crc(frame[:-check])
    stands = bytes.fromhex(_decoded(frame[-check:])) if text else frame[-check:]
    if stands != right:
        return f"the check sum is {stands.hex().upper()}, these bytes have {right.hex().upper()}"
    return ""


def parse(frame: bytes) -> Frame:
    """Return a frame's parts; BadReply says what is wrong with it."""
    why = refusal(frame)
    if why:
        raise BadReply(why, frame)
    text = frame[:1] == _START_TEXT
    head, check = (_HEAD_TEXT, 4) if text else (_HEAD, 2)
    bare = bytes.fromhex(_decoded(frame[1 : head - 1])) if text else frame[2 : head - 1]
    up = bare[9] >> 4 == 0
    centre = bare[0] if up else bare[5]
    station = (bare[1:6] if up else bare[:5]).hex()
    body, packets, packet = frame[head : -check - 1], 0, 0
    if frame[head - 1] == SYN:
        width = _PACKETS[text]
        numbers = _decoded(body[:width]) if text else body[:width].hex()
        if _strange(numbers.encode()):
            raise BadReply("the numbers of the packets are no digits", frame)
        packets, packet = int(numbers[:3], 16), int(numbers[3:], 16)
        if not 1 <= packet <= packets:
            raise BadReply(f"there is no packet {packet} of {packets}", frame)
        body = body[width:]
    if packet <= 1 and (len(body) < (16 if text else 8) or (text and _strange(body[:16]))):
        raise BadReply("it has no serial number and time of sending", frame)
    password = bare[6:8].hex()
    return Frame(
        station, bare[8], body, frame[-check - 1], centre, password, up, packets, packet, text
    )


def build(frame: Frame) -> bytes:
    """Return a frame as sent; ValueError if its body is too long for one."""
    station, centre = bytes.fromhex(frame.station), bytes((frame.centre,))
    bare = centre + station if frame.up else station + centre
    bare += bytes.fromhex(frame.password) + bytes((frame.function,))
    numbers = f"{frame.packets:03X}{frame.packet:03X}" if frame.packets else ""
    body = (numbers.encode() if frame.text else bytes.fromhex(numbers)) + frame.body
    if not 1 <= len(body) <= BODY_MAX:
        raise ValueError(f"a body of {len(body)} bytes is not one of 1 to {BODY_MAX}")
    bare += (len(body) | (0 if frame.up else 0x8000)).to_bytes(2, "big")
    made = _START_TEXT + bare.hex().upper().encode() if frame.text else _START + bare
    made += bytes((SYN if frame.packets else STX,)) + body + bytes((frame.end,))
    crc = _crc(made)
    return made + (crc.hex().upper().encode() if frame.text else crc)


def head(serial: int, sent: str, text: bool = False) -> bytes:
    """Return how a body begins: the number of a report and when it is sent, 2014-12-05T11:00:02."""
    digits = "".join([char for char in sent if char.isdigit()])[2:]
    if len(digits) != 12:
        raise ValueError(f"{sent!r} is no time with seconds")
    raw = f"{serial:04X}{digits}"
    return raw.encode() if text else bytes.fromhex(raw)


def report(frame: Frame, serial: int, sent: str, items: Items) -> bytes:
    """Return a station's report with these items as `read` gives them, as sent."""
    write = sl651_elements.write_text if frame.text else sl651_elements.write_hex
    frame.body = head(serial, sent, frame.text) + write(items)
    return build(frame)


def read(frame: bytes) -> Telegram:
    """Return a whole report or request; BadReply for what is none, or for one packet of many."""
    parsed = parse(frame)
    if parsed.packets > 1:
        raise BadReply(f"packet {parsed.packet} of {parsed.packets}: alone it says nothing", frame)
    return telegram(parsed)


def telegram(frame: Frame) -> Telegram:
    """Return what a whole frame says: number and time of the report, then items by their names.

    `address` is the station, `control` the function, `kind` the station's class. BadReply if the
    body is no such thing.
    """
    start = 16 if frame.text else 8
    items: Items = []
    if len(frame.body) > start:
        items = _items(frame, start)
    classes = [held[1] for word, held in items if word == "ST" and len(held) > 1]
    told: list[Any] = [("serial", [str(frame.serial)]), ("sent", [frame.sent])]
    kind = str(classes[0]) if classes else ""
    more = frame.end == ETB
    return Telegram(frame.station, told + items, frame.function, kind, more, not frame.up)


def address(station: str) -> str:
    """Return a station's address as its owners write it (§6.2.3.2).

    Eight digits of the hydrological code, else the place code and a number of five digits; the ten
    hex digits as they are if they are neither.
    """
    number = int(station[6:], 16)
    if station[:2] == "00":
        return station[2:]
    return f"{station[:6]}{number:05}" if station[:6].isdigit() and number else station


def station(written: str) -> str:
    """Return the ten hex digits of an address as `address` writes it; ValueError if it is none."""
    if len(written) == 8 and written.isdigit():
        return "00" + written
    if len(written) == 11 and written.isdigit() and 0 < int(written[6:]) <= 0xFFFF:
        return f"{written[:6]}{int(written[6:]):04x}"
    if len(written) == 10 and not _strange(written.encode()):
        return written.lower()
    raise ValueError(f"{written!r} is no address of a station: 8, 11 or 10 hex digits")


def _items(frame: Frame, at: int) -> Items:
    """Return the items of a body after number and time of the report."""
    if frame.text:
        return sl651_elements.read_text(frame.body, at)
    if not frame.up:
        if frame.function in _ASKED:
            return sl651_elements.read_asked(frame.body, at)
        if frame.function in _PARAMETERS:
            return sl651_elements.read_parameters(frame.body, at)
        return [("", frame.body[at:])]
    reports = TEST <= frame.function <= QUERY_ELEMENTS
    if reports or frame.function in _ELEMENTS:
        return sl651_elements.read_hex(frame.body, at, reports)
    if frame.function in _PARAMETERS:
        return sl651_elements.read_parameters(frame.body, at)
    if frame.body[at : at + 2] != b"\xf1\xf1" or len(frame.body) < at + 7:
        return [("", frame.body[at:])]
    items: Items = [("ST", [frame.body[at + 2 : at + 7].hex()])]
    rest = frame.body[at + 7 :]
    if frame.function == VERSION and rest[:1] == bytes((len(rest) - 1 & 0xFF,)):
        items.append(("version", [_decoded(rest[1:])]))
    elif frame.function == EVENTS and len(rest) == 2 * _COUNTS:
        counts = [int.from_bytes(rest[2 * one : 2 * one + 2], "big") for one in range(_COUNTS)]
        items.append(("events", [str(count) for count in counts]))
    elif rest:
        items.append(("", rest))
    return items


def _crc(data: bytes) -> bytes:
    """Return Modbus's check sum with its high byte first."""
    return bytes(reversed(checksum.compute("crc16", data)))


def _strange(digits: bytes) -> bool:
    """Return whether this holds more than hexadecimal digits."""
    return bool([True for byte in digits if byte not in _DIGITS])


def _decoded(raw: bytes) -> str:
    """Return ASCII as text; what is none becomes a question mark."""
    return "".join([chr(byte) if 0x20 <= byte < 0x7F else "?" for byte in raw])
