"""Packets of environmental data loggers (HJ 212-2017 §6, and its 2005 edition): read and built.

`##`, four digits of length, the data segment, a check sum in four hex digits, CR LF. Annex A's
check sum shifts only its own high byte in, so it has 256 values: what it lets through is checked
no further here. Knows no port, no clock, and not what a factor code means.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from drivers.protocol import checksum
from drivers.protocol.stream import MORE, Stream
from drivers.protocol.telegram import Telegram
from gateway.core.errors import BadReply
from gateway.core.record import Record

if TYPE_CHECKING:
    from typing import Any, TypeAlias

    Group: TypeAlias = "list[tuple[str, str]]"

ANNEX_A, MODBUS = "annex-a", "modbus"  # the check sum of the standard, and that of some loggers
SEGMENT_MAX = 1024  # bytes of a data segment we send (table 2)
ACCEPTED_MAX = 4096  # and of one we take: loggers with many factors exceed the standard
GROUPS_MAX = 256  # of the items of one packet

REALTIME, STATUS, DAY, RUN_TIME, MINUTE, HOUR, BOOT = 2011, 2021, 2031, 2041, 2051, 2061, 2081
INFORMATION = 3020
GET_TIME, SET_TIME, ASK_TIME = 1011, 1012, 1013
REQUEST_ACK, RESULT, NOTICE_ACK, DATA_ACK, BEAT = 9011, 9012, 9013, 9014, 9015
SYSTEM = "91"  # ST of what the two sides say about the talk itself

ACKNOWLEDGE, SPLIT = 1, 2  # bits of Flag; from bit 2 on its version
VERSION_2005, VERSION_2017 = 0, 1

_HEAD, _TAIL = 6, 6  # `##` and the length; check sum and CR LF
_NAMES = ("QN", "ST", "CN", "PW", "MN", "Flag", "PNUM", "PNO")
_table = array("H", [])


class Packet(Record):
    """One packet. `groups`: the items of CP, each the (name, value) pairs that belong together.

    `qn` is the number of a request or upload, a time with milliseconds, "" where none is given;
    `flag` None where the edition has none. `pnum` and `pno` are 0 but in a part of several.
    """

    __slots__ = ("cn", "flag", "groups", "mn", "pno", "pnum", "pw", "qn", "st")

    def __init__(
        self,
        st: str,
        cn: int,
        mn: str,
        groups: list[Group] | None = None,
        qn: str = "",
        pw: str = "",
        flag: int | None = None,
        pnum: int = 0,
        pno: int = 0,
    ) -> None:
        self.st = st
        self.cn = cn
        self.mn = mn
        self.groups = groups or []
        self.qn = qn
        self.pw = pw
        self.flag = flag
        self.pnum = pnum
        self.pno = pno

    @property
    def wants_answer(self) -> bool:
        """Whether the sender asks for an acknowledgement (bit A of Flag)."""
        return self.flag is not None and self.flag & ACKNOWLEDGE != 0

    @property
    def version(self) -> int:
        """The edition: 0 is 2005, 1 is 2017, 2 is said by later dialects."""
        return (self.flag or 0) >> 2

    def value(self, name: str) -> str:
        """Return the first value of this name, "" if there is none."""
        for group in self.groups:
            for known, value in group:
                if known == name:
                    return value
        return ""


def stream(crc: str = ANNEX_A) -> Stream:
    """Return what cuts packets out of a stream."""
    return Stream(b"#", lambda got, at: size(got, at, crc))


def size(got: bytes, at: int, crc: str = ANNEX_A) -> int:
    """Return the size of the packet at `got[at]`, 0 if there is none, MORE if more must tell.

    -n says that n bytes were looked at in vain.
    """
    head = got[at : at + _HEAD]
    if head[:2] != b"##"[: len(head)] or (head[2:] and not _digits(head[2:])):
        return 0
    if len(head) < _HEAD:
        return MORE
    whole = _HEAD + int(head[2:]) + _TAIL
    if whole > _HEAD + ACCEPTED_MAX + _TAIL:
        return 0
    if at + whole > len(got):
        return MORE
    return -whole if refusal(got[at : at + whole], crc) else whole


def refusal(packet: bytes, crc: str = ANNEX_A) -> str:
    """Return why these bytes are not exactly one packet, in words; "" if they are."""
    if packet[:2] != b"##" or not _digits(packet[2:_HEAD]) or len(packet) < _HEAD + _TAIL:
        return "it does not begin with ## and four digits"
    length, held = int(packet[2:_HEAD]), len(packet) - _HEAD - _TAIL
    if length != held or held > ACCEPTED_MAX:
        return f"it says its data have {length} bytes, and has {held}"
    if packet[-2:] != b"\r\n":
        return "it does not end with CR LF"
    stands, right = packet[-_TAIL:-2], _check(packet[_HEAD:-_TAIL], crc)
    if stands.upper() != right:  # loggers write either case
        return f"the check sum is {repr(stands)[2:-1]}, these bytes have {right.decode()}"
    return ""


def parse(packet: bytes, crc: str = ANNEX_A) -> Packet:
    """Return a packet's parts; BadReply says what is wrong with it."""
    why = refusal(packet, crc)
    if why:
        raise BadReply(why, packet)
    try:
        segment = packet[_HEAD:-_TAIL].decode()
    except ValueError:
        raise BadReply("its data are no UTF-8", packet) from None
    front, mark, rest = segment.partition("CP=&&")
    body, end, after = rest.partition("&&")
    if not mark or not end or after.strip(";"):
        raise BadReply("its data hold no CP=&&…&&", packet)
    fields: dict[str, str] = {}
    for part in front.split(";"):
        name, equals, value = part.partition("=")
        if part and (not equals or name not in _NAMES or name in fields):
            raise BadReply(f"{part[:24]!r} stands before CP", packet)
        fields[name] = value
    numbers = [fields.get(name, "0") for name in ("CN", "Flag", "PNUM", "PNO")]
    if [True for number in numbers if not number.isdigit() or len(number) > 4]:
        raise BadReply("CN, Flag, PNUM and PNO are numbers", packet)
    if not fields.get("MN") or "CN" not in fields:
        raise BadReply("it says neither who sends it (MN) nor what it is (CN)", packet)
    cn, flag, pnum, pno = [int(number) for number in numbers]
    if pnum and not 1 <= pno <= pnum:
        raise BadReply(f"there is no packet {pno} of {pnum}", packet)
    text = [fields.get(name, "") for name in ("ST", "MN", "QN", "PW")]
    groups = _groups(body, packet)
    known = flag if "Flag" in fields else None
    return Packet(text[0], cn, text[1], groups, text[2], text[3], known, pnum, pno)


def build(packet: Packet, crc: str = ANNEX_A) -> bytes:
    """Return a packet as sent; ValueError if its data are too long for one."""
    head = [("QN", packet.qn), ("ST", packet.st), ("CN", str(packet.cn)), ("PW", packet.pw)]
    head += [("MN", packet.mn), ("Flag", "" if packet.flag is None else str(packet.flag))]
    if packet.pnum:
        head += [("PNUM", str(packet.pnum)), ("PNO", str(packet.pno))]
    groups = [",".join([f"{name}={value}" for name, value in group]) for group in packet.groups]
    front = ";".join([f"{name}={value}" for name, value in head if value])
    segment = f"{front};CP=&&{';'.join(groups)}&&".encode()
    if len(segment) > SEGMENT_MAX:
        raise ValueError(f"{len(segment)} bytes are too many for one packet: {SEGMENT_MAX}")
    return f"##{len(segment):04}".encode() + segment + _check(segment, crc) + b"\r\n"


def read(packet: bytes, crc: str = ANNEX_A) -> Telegram:
    """Return what a packet says; BadReply for what is none."""
    return telegram(parse(packet, crc))


def telegram(packet: Packet) -> Telegram:
    """Return items by their names, a34004-Rtd or DataTime, in the order of the packet.

    `address` is MN, `control` CN, `kind` ST; `more` if a further packet belongs to it. What comes
    after DataTime or PolId is of that time, or of that factor.
    """
    items: list[Any] = [(name, [value]) for group in packet.groups for name, value in group]
    more = packet.pno < packet.pnum
    asks = packet.cn < REQUEST_ACK and not packet.value("DataTime")
    return Telegram(packet.mn, items, packet.cn, packet.st, more, asks)


def answer(packet: Packet, cn: int, groups: list[Group] | None = None) -> Packet:
    """Return what acknowledges a packet: its own number and password, nothing to acknowledge."""
    return Packet(SYSTEM, cn, packet.mn, groups, packet.qn, packet.pw, packet.version << 2)


def when(digits: str) -> str:
    """Return a time of 14 digits, or 17 with milliseconds, as 2016-08-01T08:58:57; "" if none."""
    if len(digits) not in (14, 17) or not digits.isdigit():
        return ""
    month, day, hour, minute, second = [int(digits[at : at + 2]) for at in range(4, 14, 2)]
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second < 60):
        return ""
    date = f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}"
    return f"{date}T{digits[8:10]}:{digits[10:12]}:{digits[12:14]}"


def annex_a(data: bytes) -> int:
    """Return the check sum of annex A: a CRC that forgets all but its high byte at each step."""
    if not _table:
        for byte in range(256):  # what Modbus's check sum makes of one byte, from 0 on
            _table.append(
                int.from_bytes(checksum.compute("crc16", bytes((byte,)), 0xFFFF), "little")
            )
    rest = 0xFFFF
    for byte in data:
        rest = _table[rest >> 8 ^ byte]
    return rest


def _check(data: bytes, crc: str) -> bytes:
    """Return the four digits of a check sum; ValueError if there is no such kind."""
    if crc == ANNEX_A:
        return f"{annex_a(data):04X}".encode()
    if crc == MODBUS:
        return bytes(reversed(checksum.compute("crc16", data))).hex().upper().encode()
    raise ValueError(f"no check sum of HJ 212 is {crc!r}")


def _groups(body: str, packet: bytes) -> list[Group]:
    """Return the items of CP: `;` between them, `,` within one."""
    groups: list[Group] = []
    for part in body.split(";"):
        group: Group = []
        for pair in part.split(","):
            name, equals, value = pair.partition("=")
            if not pair.strip():
                continue
            if not equals or not name:
                raise BadReply(f"{pair[:24]!r} is no name and value", packet)
            group.append((name, value))
        if group:
            groups.append(group)
        if len(groups) > GROUPS_MAX:
            raise BadReply(f"it has more than {GROUPS_MAX} items", packet)
    return groups


def _digits(raw: bytes) -> bool:
    return not [True for byte in raw if byte not in b"0123456789"]
