"""Elements of hydrology reports (SL 651-2014 §6.6, annexes C and D): bytes or text ⇄ (name, texts).

Both encodings of the standard give the same items: names are the ASCII identifiers of table C.1,
an extension FFxx or an identifier the table lacks keeps its hex digits. A value is a decimal
number as text, "" if the station has none. Knows no frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.decimal import parse, parts
from gateway.core.errors import BadReply

if TYPE_CHECKING:
    from typing import Any, TypeAlias

    Items: TypeAlias = "list[tuple[str, bytes | list[str]]]"

# Table C.1 from 01H on, in order: name, digits and decimals of a number; 0.0 has its own form.
_NUMBERS = (
    "AC:8.2 AI:3.1 C:3.1 DR:0.0 DT:4.2 ED:5.1 EJ:5.1 FL:5.0 GH:5.2 GN:3.0 GS:1.0 GT:3.0 "
    "GTP:3.1 H:6.2 HW:5.2 M10:4.1 M20:4.1 M30:4.1 M40:4.1 M50:4.1 M60:4.1 M80:4.1 M100:4.1 "
    "MST:4.1 NS:2.0 P1:5.1 P2:5.1 P3:5.1 P6:5.1 P12:5.1 PD:5.1 PJ:5.1 PN01:5.1 PN05:5.1 "
    "PN10:5.1 PN30:5.1 PR:5.1 PT:6.1 Q:9.3 Q1:9.3 Q2:9.3 Q3:9.3 Q4:9.3 Q5:9.3 Q6:9.3 Q7:9.3 "
    "Q8:9.3 QA:9.3 QZ:9.3 SW:11.3 UC:2.0 UE:2.0 US:4.1 VA:5.3 VJ:5.3 VT:4.2 Z:7.3 ZB:7.3 "
    "ZU:7.3 Z1:7.3 Z2:7.3 Z3:7.3 Z4:7.3 Z5:7.3 Z6:7.3 Z7:7.3 Z8:7.3 SQ:9.3 ZT:0.0 pH:4.2 "
    "DO:4.1 COND:5.0 TURB:3.0 CODMN:4.1 REDOX:5.1 NH4N:6.2 TP:5.3 TN:5.2 TOC:4.2 CU:7.4 "
    "ZN:6.4 SE:7.5 AS:7.5 THG:7.5 CD:7.5 PB:7.5 CHLA:4.2 WP1:5.2 WP2:5.2 WP3:5.2 WP4:5.2 "
    "WP5:5.2 WP6:5.2 WP7:5.2 WP8:5.2 SYL1:11.3 SYL2:11.3 SYL3:11.3 SYL4:11.3 SYL5:11.3 "
    "SYL6:11.3 SYL7:11.3 SYL8:11.3 SBL1:10.2 SBL2:10.2 SBL3:10.2 SBL4:10.2 SBL5:10.2 "
    "SBL6:10.2 SBL7:10.2 SBL8:10.2 VTA:4.1 VTB:4.1 VTC:4.1 VIA:4.1 VIB:4.1 VIC:4.1"
)
_DR, _ZT = 0x04, 0x45  # the two of them that are no number
_TT, _ST, _RGZS, _PIC, _DRP, _DRZ1, _DRZ8, _DATA = 0xF0, 0xF1, 0xF2, 0xF3, 0xF4, 0xF5, 0xFC, 0xFD
_TO_THE_END = {_RGZS: "RGZS", _PIC: "PIC", _DATA: "DATA"}  # nothing follows them
_EXTENDED = 0xFF
_BYTES = {"PIC": b"\xf3\xf3", "DATA": b"\xfd\xf6", "ZT": b"\x45\x20"}  # what no text holds
_PACKED = {"DRP": (1, 1), "DRZ": (2, 2)}  # bytes and decimals of each value, and no BCD
_RELAY = 0x0E  # the parameter whose whole definition byte is a size (table D.1)
_STEPS = "DHN"  # days, hours, minutes of a time step (tables C.2 and C.3)
_SECONDS = 12  # digits of a time with seconds; without, two fewer
MISSING = "M"  # no value, in ASCII

_names: dict[int, str] = {}
_ids: dict[str, tuple[int, int, int]] = {}


def name(number: int) -> str:
    """Return the ASCII identifier of an element, its hex digits if the table has none."""
    if not _names:
        _load()
    return _names.get(number, f"{number:02X}")


def read_hex(body: bytes, at: int, classed: bool) -> Items:
    """Return the items of a HEX/BCD body from `at` on (§6.6.3), in its order.

    ("ST", [address, class]) and ("TT", [time]) stand before what they hold for. `classed`: the
    class of a station follows its address. BadReply for what is cut or no such thing.
    """
    items: Items = []
    while at < len(body):
        number, at = _identifier(body, at)
        defined = body[at]
        at += 1
        if number in (_TT, _ST):
            held, at = _taken(body, at, 5)
            if number == _TT:
                items.append(("TT", [time(held.hex())]))
                continue
            station = [held.hex()]
            if classed and body[at : at + 1].isalpha():
                station.append(chr(body[at]))
                at += 1
            items.append(("ST", station))
        elif number in _TO_THE_END:
            items.append(_to_the_end(number, body[at:]))
            at = len(body)
        elif number == _DR:
            held, at = _taken(body, at, defined >> 3)
            items.append(("DR", [_step(held)]))
            if at < len(body):  # the element of the step, and its values to the end
                number, at = _identifier(body, at)
                items.append((name(number), _series(number, body[at], body[at + 1 :])))
                at = len(body)
        else:
            held, at = _taken(body, at, defined >> 3)
            value: Any = held if number == _ZT else _values(number, defined, held)
            items.append((name(number), value))
    return items


def read_parameters(body: bytes, at: int) -> Items:
    """Return the parameters of a station (annex D) from `at` on: (hex identifier, bytes)."""
    items: Items = []
    while at < len(body):
        number, at = _identifier(body, at)
        defined = body[at]
        if number == _ST:
            held, at = _taken(body, at + 1, 5)
            items.append(("ST", [held.hex()]))
            continue
        held, at = _taken(body, at + 1, defined if number == _RELAY else defined >> 3)
        items.append((f"{number:02X}", held))
    return items


def read_asked(body: bytes, at: int) -> Items:
    """Return identifiers that a centre asks for, which have a definition and no data."""
    items: Items = []
    while at < len(body):
        number, at = _identifier(body, at)
        at += 1
        items.append((name(number), []))
    return items


def read_text(body: bytes, at: int) -> Items:
    """Return the items of an ASCII body from `at` on (§6.6.2); BadReply as for HEX/BCD."""
    items: Items = []
    body = b" " + body[at:]
    for word in ("RGZS", "PIC", "DATA"):  # nothing follows them, and they may hold anything
        mark = b" " + word.encode() + b" "
        place = body.find(mark)
        if place >= 0:
            raw = body[place + len(mark) :]
            rest: Any = [_text(raw).strip()] if word == "RGZS" else raw[:-1]
            return read_text(body[:place], 0) + [(word, rest)]
    words = _text(body).split()
    while words:
        word = words.pop(0)
        if word == "ST":
            items.append(("ST", _some(words, 1)))
            if words and len(words[0]) == 1 and len(words) > 1 and words[1] in ("TT", "ST"):
                items[-1] = ("ST", [str(items[-1][1][0]), words.pop(0)])
        elif word == "TT":
            items.append(("TT", [time(_some(words, 1)[0])]))
        elif word[:2] == "DR" and len(word) == 5 and word[2] in _STEPS and word[3:].isdigit():
            items.append(("DR", [word[2:]]))
            return items + _columns(words)
        elif word == "ZT":
            items.append((word, _unhex(_some(words, 1)[0])))
        else:
            items.append((word, _text_values(word, _some(words, 1)[0])))
    return items


def write_hex(items: Items) -> bytes:
    """Return the HEX/BCD body of such items; ValueError for what no station could send."""
    if not _names:
        _load()
    made = b""
    for word, held in items:
        if isinstance(held, bytes):
            made += _BYTES[word] + held
        elif word == "ST":
            made += b"\xf1\xf1" + bytes.fromhex(held[0]) + "".join(held[1:]).encode()
        elif word == "TT":
            made += b"\xf0\xf0" + bytes.fromhex(_digits(held[0])[2:])
        elif word == "DR":
            place = _STEPS.find(held[0][:1])
            made += b"\x04\x18" + bytes(place) + bytes.fromhex(held[0][1:]) + bytes(2 - place)
        elif word == "RGZS":
            made += b"\xf2\xf2" + held[0].encode()
        elif word[:3] in _PACKED:
            made += _packed(word, held)
        else:
            made += _numbers(word, held)
    return made


def write_text(items: Items) -> bytes:
    """Return the ASCII body of such items, with the blank that must end it."""
    made = b""
    for word, held in items:
        if isinstance(held, bytes):
            raw = held.hex().upper().encode() if word == "ZT" else held
            made += word.encode() + b" " + raw + b" "
        elif word == "TT":
            made += b"TT " + _digits(held[0])[2:].encode() + b" "
        elif word == "DR":
            made += b"DR" + held[0].encode() + b" "
        elif word[:3] in _PACKED:
            made += word.encode() + b" " + _packed(word, held)[2:].hex().upper().encode() + b" "
        else:
            made += " ".join([word] + [value or MISSING for value in held] + [""]).encode()
    return made


def time(digits: str) -> str:
    """Return a time of 10 or 12 digits, YYMMDDhhmm[ss], as 2014-12-05T11:00[:02]; "" if none."""
    if len(digits) not in (_SECONDS - 2, _SECONDS) or not digits.isdigit():
        return ""
    pairs = [digits[at : at + 2] for at in range(0, len(digits), 2)]
    month, day, hour, minute = [int(pair) for pair in pairs[1:5]]
    second = int((pairs + ["0"])[5])
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second < 60):
        return ""
    return f"20{pairs[0]}-{pairs[1]}-{pairs[2]}T" + ":".join(pairs[3:])


def bcd(digits: str, decimals: int) -> str:
    """Return a BCD number as people write it (§6.6.3.3): FF… is negative, "" if it has no value.

    All F is the standard's mark of no value, all A that of some stations.
    """
    negative = digits[:2] == "ff"
    bare = digits[2:] if negative else digits
    if not bare.isdigit():
        return ""
    bare = bare.lstrip("0")
    bare = "0" * (decimals + 1 - len(bare)) + bare
    place = len(bare) - decimals
    text = bare[:place] + ("." + bare[place:] if decimals else "")
    return "-" + text if negative and bare.strip("0") else text


def _load() -> None:
    for at, row in enumerate(_NUMBERS.split(" ")):
        word, _, form = row.partition(":")
        digits, _, decimals = form.partition(".")
        _names[at + 1] = word
        _ids[word] = (at + 1, int(digits), int(decimals))
    _names.update(_TO_THE_END)
    _names[_DRP] = "DRP"
    for number in range(_DRZ1, _DRZ8 + 1):
        _names[number] = f"DRZ{number - _DRZ1 + 1}"


def _identifier(body: bytes, at: int) -> tuple[int, int]:
    """Return (identifier, where its definition stands); an extension FFxx is one number."""
    extended = body[at] == _EXTENDED
    end = at + (2 if extended else 1)
    if end >= len(body):
        raise BadReply("the report ends within an identifier", body)
    return (_EXTENDED << 8 | body[at + 1] if extended else body[at]), end


def _taken(body: bytes, at: int, size: int) -> tuple[bytes, int]:
    """Return (the next bytes, where they end); BadReply if there are fewer."""
    if at + size > len(body):
        raise BadReply("the report ends within a value", body)
    return body[at : at + size], at + size


def _to_the_end(number: int, rest: bytes) -> tuple[str, bytes | list[str]]:
    """Return the item of a picture, a text or bulk data, which the rest of the report is."""
    word = _TO_THE_END[number]
    return word, [_text(rest).strip()] if number == _RGZS else rest


def _values(number: int, defined: int, held: bytes) -> list[str]:
    """Return the texts of one element's data."""
    form = _PACKED.get(name(number)[:3])
    if form:
        if len(held) % form[0]:
            raise BadReply(f"{len(held)} bytes are no values of {form[0]}", held)
        return [_unpacked(held[at : at + form[0]], form[1]) for at in range(0, len(held), form[0])]
    return [bcd(held.hex(), defined & 7)] if held else []


def _series(number: int, defined: int, rest: bytes) -> list[str]:
    """Return the texts of an element's values at even steps, each as wide as it is defined."""
    width = defined >> 3
    if not width or len(rest) % width:
        raise BadReply(f"{len(rest)} bytes are no values of {width}", rest)
    values: list[str] = []
    for at in range(0, len(rest), width):
        values += _values(number, defined, rest[at : at + width])
    return values


def _step(held: bytes) -> str:
    """Return a time step of days, hours and minutes in BCD as D01, H01 or N05."""
    for place, unit in enumerate(_STEPS):
        digits = held[place : place + 1].hex()
        if digits.strip("0") and digits.isdigit():
            return unit + digits
    return "H00"


def _unpacked(held: bytes, decimals: int) -> str:
    """Return a number that is no BCD; all ones is no value (notes e and f of table C.1)."""
    if held == b"\xff" * len(held):
        return ""
    return bcd(str(int.from_bytes(held, "big")), decimals)


def _text(raw: bytes) -> str:
    """Return text as it is, UTF-8 at best, without what cannot be read."""
    try:
        return raw.decode()
    except ValueError:
        return "".join([chr(byte) if 0x20 <= byte < 0x7F else "?" for byte in raw])


def _some(words: list[str], count: int) -> list[str]:
    """Take the next words; BadReply if there are fewer."""
    if len(words) < count:
        raise BadReply("the report ends after an identifier", " ".join(words).encode())
    return [words.pop(0) for _ in range(count)]


def _text_values(word: str, value: str) -> list[str]:
    """Return the texts of one ASCII value."""
    form = _PACKED.get(word[:3])
    if form:
        return _values(_DRP if word == "DRP" else _DRZ1, 0, _unhex(value))
    bare = value[1:] if value[:1] == "-" else value
    return [value if bare.replace(".", "", 1).isdigit() else ""]


def _unhex(value: str) -> bytes:
    """Return bytes written in hexadecimal digits; BadReply if they are none."""
    try:
        return bytes.fromhex(value)
    except ValueError:
        raise BadReply(f"{value!r} is not hexadecimal", value.encode()) from None


def _columns(words: list[str]) -> Items:
    """Return the elements of an ASCII series: their names, then their values in turn (§6.6.4.4)."""
    names: list[str] = []
    while words and (words[0] != MISSING and words[0][0].isalpha()):
        names.append(words.pop(0))
        if names[-1][:3] in _PACKED:
            break
    if not names or len(words) % len(names):
        raise BadReply(f"{len(words)} values for {len(names)} elements", " ".join(words).encode())
    items: Items = []
    for place, word in enumerate(names):
        values: list[str] = []
        for value in words[place :: len(names)]:
            values += _text_values(word, value)
        items.append((word, values))
    return items


def _digits(text: str) -> str:
    return "".join([char for char in text if char.isdigit()])


def _scaled(text: str, decimals: int) -> int:
    """Return a decimal number as a whole one; ValueError if it has more decimals."""
    mantissa, exponent = parts(parse(text))
    if exponent + decimals < 0:
        raise ValueError(f"{text} has more than {decimals} decimals")
    whole: int = mantissa * 10 ** (exponent + decimals)
    return whole


def _packed(word: str, held: list[str]) -> bytes:
    """Return identifier, definition and data of DRP or DRZn, 12 values as the table has them."""
    width, decimals = _PACKED[word[:3]]
    number = _DRP if word == "DRP" else _DRZ1 + int(word[3:]) - 1
    made = bytes((number, 12 * width << 3))
    for value in held:
        whole = _scaled(value, decimals) if value else (1 << 8 * width) - 1
        made += whole.to_bytes(width, "big")
    return made


def _numbers(word: str, held: list[str]) -> bytes:
    """Return identifier, definition and data of one element; several values are a series."""
    number, digits, decimals = _ids.get(word) or (int(word, 16), 8, 3)
    head = bytes((_EXTENDED, number & 0xFF) if number > _EXTENDED else (number,))
    width = (digits + 1) // 2
    size = width + 1 if [True for value in held if value[:1] == "-"] else width
    made = head + bytes((size << 3 | decimals,))
    for value in held:
        whole = abs(_scaled(value or "0", decimals))
        bare = f"{whole:0{2 * size}}"
        if len(bare) > 2 * size or (len(bare.lstrip("0")) > digits):
            raise ValueError(f"{value} has more digits than {word} may have")
        data = bytes.fromhex(bare) if value else b"\xff" * size
        made += b"\xff" + data[1:] if value[:1] == "-" else data
    return made
