"""Sentences of NMEA 0183 (IEC 61162-1): GNSS receivers, weather stations, echo sounders.

Every sentence gives its fields by position under its own name; the common ones give named facts,
too, signs and directions applied, "" where the sender says that a value is not valid. Knows no
port and no clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.protocol import checksum
from drivers.protocol.stream import MORE, Stream
from drivers.protocol.telegram import Telegram
from gateway.core.errors import BadReply

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    Facts: TypeAlias = "list[tuple[str, str]]"

SENTENCE_MAX = 82  # characters of a sentence we send, `$` and CR LF included (§5.3)
ACCEPTED_MAX = 256  # and of one we take: makers' own sentences are longer
DECIMALS = 8  # of degrees: a millimetre on the ground

_STARTS = b"$!"
_ENDS = b"\r\n"
_SPEEDS = {
    "N": "wind_speed_kn",
    "K": "wind_speed_kmh",
    "M": "wind_speed_m_s",
    "S": "wind_speed_mph",
}
_CENTURY = 80  # dates have two digits of the year: from here on the last century's
_UNITED = {  # (fact, field, unit): those whose unit stands in the next field
    "VTG": (
        ("course", 0, "T"),
        ("course_magnetic", 2, "M"),
        ("speed_kn", 4, "N"),
        ("speed_kmh", 6, "K"),
    ),
    "MTW": (("water_temperature", 0, "C"),),
    "DBT": (("depth_ft", 0, "f"), ("depth", 2, "M")),
    "HDT": (("heading", 0, "T"),),
    "MDA": (
        ("pressure_bar", 2, "B"),
        ("air_temperature", 4, "C"),
        ("water_temperature", 6, "C"),
        ("dew_point", 12, "C"),
        ("wind_direction", 14, "T"),
        ("wind_speed_kn", 18, "N"),
        ("wind_speed_m_s", 20, "M"),
    ),
}


def stream() -> Stream:
    """Return what cuts sentences out of a stream."""
    return Stream(_STARTS, size)


def size(got: bytes, at: int) -> int:
    """Return the size of the sentence at `got[at]`, 0 if there is none, MORE if more must tell.

    -n says that n bytes were looked at in vain.
    """
    for place in range(at + 1, min(len(got), at + ACCEPTED_MAX)):
        byte = got[place]
        if (byte < 0x20 and byte != 0x0D) or byte >= 0x7F or byte == _STARTS[0]:
            whole = place + 1 - at
            if byte == 0x0A and not refusal(got[at : at + whole]):
                return whole
            return -whole if whole > 2 and byte == 0x0A else 0
    return MORE if len(got) - at < ACCEPTED_MAX else -ACCEPTED_MAX


def refusal(sentence: bytes) -> str:
    """Return why these bytes are not exactly one sentence, in words; "" if they are."""
    body = sentence.rstrip(_ENDS)
    if body[:1] not in (b"$", b"!") or not sentence.endswith(b"\n"):
        return "it begins with neither $ nor !, or its line does not end"
    if len(sentence) - len(body) > 2 or len(sentence) > ACCEPTED_MAX:
        return f"it has more than one end, or more than {ACCEPTED_MAX} characters"
    if [True for byte in body if not 0x20 <= byte < 0x7F] or b"$" in body[1:]:
        return "it holds bytes that are no text"
    if body[-3:-2] != b"*":
        return "it has no check sum"
    right = checksum.compute("xor8", body[1:-3]).hex().upper().encode()
    if body[-2:].upper() != right:
        return f"the check sum is {repr(body[-2:])[2:-1]}, these characters have {right.decode()}"
    return ""


def build(name: str, fields: list[str]) -> bytes:
    """Return a sentence, GPGGA or PGRME and its fields; ValueError if it is too long."""
    body = ",".join([name] + fields).encode()
    start = b"!" if name[2:] in ("VDM", "VDO") else b"$"
    made = start + body + b"*" + checksum.compute("xor8", body).hex().upper().encode() + _ENDS
    if len(made) > SENTENCE_MAX or refusal(made):
        raise ValueError(f"{made!r} is no sentence of up to {SENTENCE_MAX} characters")
    return made


def read(sentence: bytes) -> Telegram:
    """Return a sentence's fields under its name, then its facts; BadReply for what is none.

    `address` is the talker (GP, WI …), "" for a maker's own sentence; `kind` is GGA, RMC …, or a
    maker's with its P. A sentence that only asks for another one says so.
    """
    why = refusal(sentence)
    if why:
        raise BadReply(why, sentence)
    name, *fields = sentence.rstrip(_ENDS)[1:-3].decode().split(",")
    own = name[:1] == "P"
    talker, kind = ("", name) if own else (name[:-3], name[-3:])
    asks = len(name) == 5 and name[4] == "Q" and not own
    strange = [char for char in name if not ("A" <= char <= "Z" or "0" <= char <= "9")]
    if strange or len(name) < 4:
        raise BadReply(f"{name!r} names no sentence", sentence)
    items: list[Any] = [(kind, fields)]
    if not asks and kind in _UNITED:
        items += [(fact, [value]) for fact, value in _united(kind, fields)]
    if not asks and kind in _FACTS:
        wide = fields + [""] * (_WIDTH - len(fields))
        items += [(fact, [value]) for fact, value in _FACTS[kind](wide)]
    return Telegram(talker, items, kind=kind, asks=asks)


def _united(kind: str, fields: list[str]) -> Facts:
    """Return the facts whose unit must be the one of the table."""
    if kind == "VTG" and fields[8:9] == ["N"]:  # the mode: not valid
        fields = []
    found = []
    for fact, at, unit in _UNITED[kind]:
        right = fields[at + 1 : at + 2] == [unit]
        found.append((fact, _number(fields[at]) if right else ""))
    return found


def _gga(fields: list[str]) -> Facts:
    valid = fields[5] not in ("", "0")
    return [
        ("time", _time(fields[0])),
        ("latitude", _degrees(fields[1], fields[2], valid)),
        ("longitude", _degrees(fields[3], fields[4], valid)),
        ("fix", _number(fields[5])),
        ("satellites", _number(fields[6])),
        ("hdop", _number(fields[7])),
        ("altitude", _number(fields[8]) if valid and fields[9] == "M" else ""),
        ("geoid", _number(fields[10]) if valid and fields[11] == "M" else ""),
    ]


def _rmc(fields: list[str]) -> Facts:
    valid = fields[1] == "A" and fields[11] != "N"
    date, time = fields[8], _time(fields[0])
    utc = ""
    if valid and time and len(date) == 6 and date.isdigit():
        century = "19" if int(date[4:]) >= _CENTURY else "20"
        utc = f"{century}{date[4:]}-{date[2:4]}-{date[:2]}T{time}"
    variation = _number(fields[9]) if valid else ""
    return [
        ("status", fields[1]),
        ("utc", utc),
        ("latitude", _degrees(fields[2], fields[3], valid)),
        ("longitude", _degrees(fields[4], fields[5], valid)),
        ("speed_kn", _number(fields[6]) if valid else ""),
        ("course", _number(fields[7]) if valid else ""),
        ("variation", "-" + variation if variation and fields[10] == "W" else variation),
    ]


def _gll(fields: list[str]) -> Facts:
    valid = fields[5] == "A" and fields[6] != "N"
    return [
        ("status", fields[5]),
        ("time", _time(fields[4])),
        ("latitude", _degrees(fields[0], fields[1], valid)),
        ("longitude", _degrees(fields[2], fields[3], valid)),
    ]


def _zda(fields: list[str]) -> Facts:
    day, month, year = fields[1:4]
    time = _time(fields[0])
    whole = time and (day + month + year).isdigit() and (len(day), len(year)) == (2, 4)
    return [("utc", f"{year}-{month}-{day}T{time}" if whole else "")]


def _mwv(fields: list[str]) -> Facts:
    valid = fields[4] == "A"
    angle = {"R": "wind_angle_relative", "T": "wind_angle"}.get(fields[1])
    speed = _SPEEDS.get(fields[3])
    found = [("status", fields[4])]
    found += [(angle, _number(fields[0]) if valid else "")] if angle else []
    return found + ([(speed, _number(fields[2]) if valid else "")] if speed else [])


def _gsa(fields: list[str]) -> Facts:
    names = ("pdop", "hdop", "vdop")
    return [("fix", _number(fields[1]))] + [
        (name, _number(fields[14 + at])) for at, name in enumerate(names)
    ]


def _dpt(fields: list[str]) -> Facts:
    return [("depth", _number(fields[0])), ("transducer", _number(fields[1]))]


def _xdr(fields: list[str]) -> Facts:
    """Return a transducer's value by type, name and unit, C.TEMP.C: two never share one."""
    found = []
    for at in range(0, len(fields) - 3, 4):
        kind, value, unit, name = fields[at : at + 4]
        if kind and name:
            found.append((f"{kind}.{name}.{unit}", _number(value)))
    return found


_FACTS: dict[str, Callable[[list[str]], Facts]] = {
    "GGA": _gga,
    "RMC": _rmc,
    "GLL": _gll,
    "ZDA": _zda,
    "MWV": _mwv,
    "GSA": _gsa,
    "DPT": _dpt,
    "XDR": _xdr,
}
_WIDTH = 20  # fields that the facts look at, at most; those a sentence lacks are empty


def _number(text: str) -> str:
    """Return a number as it stands, "" if it is none."""
    bare = text[1:] if text[:1] in ("-", "+") else text
    return text if bare.replace(".", "", 1).isdigit() else ""


def _time(text: str) -> str:
    """Return hhmmss[.ss] as hh:mm:ss[.ss], "" if it is none."""
    if not text[:6].isdigit() or len(text) < 6 or (text[6:] and not _number("0" + text[6:])):
        return ""
    if int(text[:2]) > 23 or int(text[2:4]) > 59 or int(text[4:6]) > 60:
        return ""
    return f"{text[:2]}:{text[2:4]}:{text[4:]}"


def _degrees(text: str, side: str, valid: bool) -> str:
    """Return [d]ddmm.mmm and N, S, E or W as signed degrees, "" if they are none."""
    whole, _, fraction = text.partition(".")
    if not valid or side not in ("N", "S", "E", "W") or not (whole + fraction).isdigit():
        return ""
    if len(whole) not in (4, 5) or int(whole[-2:]) > 59 or len(fraction) > DECIMALS:
        return ""
    minutes = int(whole[:-2]) * 60 + int(whole[-2:])
    scale: int = 10 ** len(fraction)
    limit = 90 if side in ("N", "S") else 180
    parts = minutes * scale + int(fraction or "0")
    if parts > limit * 60 * scale:
        return ""
    one: int = 10**DECIMALS
    value = (parts * one + 30 * scale) // (60 * scale)
    sign = "-" if side in ("S", "W") and value else ""
    return f"{sign}{value // one}.{value % one:08}"
