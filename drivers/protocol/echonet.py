"""Frames of ECHONET Lite (version 1.14, part 2), and what a smart meter's properties mean.

`10 81 TID SEOJ DEOJ ESV OPC (EPC PDC EDT)…`. The low-voltage smart electric energy meter is class
0288 of the device objects' appendix. Knows no module, no port and no clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.protocol.telegram import Telegram
from gateway.core.decimal import decimal, multiply
from gateway.core.errors import BadReply, Refused
from gateway.core.record import Record

if TYPE_CHECKING:
    from typing import Any, TypeAlias

    Items: TypeAlias = "list[tuple[str, bytes]]"

PORT = 3610  # UDP
CONTROLLER, METER = "05ff01", "028801"
SET_I, SET_C, GET, INF_REQ, SET_GET = 0x60, 0x61, 0x62, 0x63, 0x6E
SET_RES, GET_RES, INF, INFC, INFC_RES, SET_GET_RES = 0x71, 0x72, 0x73, 0x74, 0x7A, 0x7E
SET_I_SNA, SET_C_SNA, GET_SNA, INF_SNA, SET_GET_SNA = 0x50, 0x51, 0x52, 0x53, 0x5E
FRAME_MAX = 1232  # bytes of one UDP packet on a Wi-SUN link

_START = b"\x10\x81"
_HEAD = 12  # bytes up to OPC
_REQUESTS = (SET_I, SET_C, GET, INF_REQ, SET_GET)
_ANSWERS = (SET_RES, GET_RES, INF, INFC, INFC_RES, SET_GET_RES)
_TWO_LISTS = (SET_GET, SET_GET_RES, SET_GET_SNA)
_REFUSALS = (SET_I_SNA, SET_C_SNA, GET_SNA, INF_SNA, SET_GET_SNA)

COEFFICIENT, DIGITS, UNIT = "D3", "D7", "E1"
FIXED = (COEFFICIENT, DIGITS, UNIT)  # what a meter must say before its energies mean anything
_UNITS = {0: 0, 1: -1, 2: -2, 3: -3, 4: -4, 0x0A: 1, 0x0B: 2, 0x0C: 3, 0x0D: 4}
_ENERGIES = {"E0": "energy_import", "E3": "energy_export"}
_LATEST = {"EA": "energy_import_half_hour", "EB": "energy_export_half_hour"}
_DAYS = {"E2": "energy_import_day", "E4": "energy_export_day"}
_HALF_HOURS = 48
_DIGITS_MAX = 8  # of an energy; more is no value


class Frame(Record):
    """One frame; objects in six hex digits. A Set's properties are named set.80 beside a Get's."""

    __slots__ = ("destination", "items", "service", "source", "tid")

    def __init__(
        self,
        tid: int,
        source: str,
        destination: str,
        service: int,
        items: Items,
    ) -> None:
        self.tid = tid
        self.source = source
        self.destination = destination
        self.service = service
        self.items = items


def get(tid: int, properties: list[str], destination: str = METER) -> bytes:
    """Return a request for properties, by their hex codes."""
    items = [(code, b"") for code in properties]
    return build(Frame(tid, CONTROLLER, destination, GET, items))


def build(frame: Frame) -> bytes:
    """Return a frame as sent; ValueError if it has too many properties or bytes."""
    first = [(code[4:], data) for code, data in frame.items if code[:4] == "set."]
    rest = [(code, data) for code, data in frame.items if code[:4] != "set."]
    made = _START + frame.tid.to_bytes(2, "big")
    made += bytes.fromhex(frame.source + frame.destination) + bytes((frame.service,))
    made += _list(first) + _list(rest) if frame.service in _TWO_LISTS else _list(rest)
    if len(made) > FRAME_MAX:
        raise ValueError(f"{len(made)} bytes are too many for one packet: {FRAME_MAX}")
    return made


def parse(frame: bytes) -> Frame:
    """Return a frame's parts; BadReply for what is none, or is cut."""
    if frame[:2] != _START or len(frame) < _HEAD:
        raise BadReply("it does not begin with 1081 and a head", frame)
    service = frame[10]
    if service not in _REQUESTS + _ANSWERS + _REFUSALS:
        raise BadReply(f"{service:02X} is no service", frame)
    items, at = _properties(frame, 11)
    if service in _TWO_LISTS:
        rest, at = _properties(frame, at)
        items = [("set." + code, data) for code, data in items] + rest
    if at != len(frame):
        raise BadReply(f"{len(frame) - at} bytes follow the last property", frame)
    tid = frame[2] << 8 | frame[3]
    return Frame(tid, frame[4:7].hex(), frame[7:10].hex(), service, items)


def read(frame: bytes) -> Telegram:
    """Return a frame's properties as items: hex code, data.

    `address` is the object that sends it, `kind` the one it is for, `control` the service. Refused
    if the object has none of the properties; BadReply for what is no frame.
    """
    return telegram(parse(frame))


def telegram(frame: Frame) -> Telegram:
    """Return what a frame says; see `read`."""
    items: list[Any] = list(frame.items)
    if frame.service in _REFUSALS:
        items = [(code, data) for code, data in items if data and frame.service == GET_SNA]
        if not items:
            codes = " ".join([code for code, _ in frame.items])
            raise Refused(f"{frame.source} refuses {codes}", frame.service)
    asks = frame.service in _REQUESTS
    return Telegram(frame.source, items, frame.service, frame.destination, asks=asks)


class Meter:
    """A low-voltage smart electric energy meter: its properties as facts, exact in kWh, W and A.

    Energies are counted in units that only the meter knows: until it has told them (`lacks`), they
    have no value.
    """

    def __init__(self) -> None:
        self._coefficient: int | None = None
        self._exponent: int | None = None
        self._digits = _DIGITS_MAX

    def lacks(self) -> list[str]:
        """Return the properties that the meter must be asked for first."""
        found = [COEFFICIENT, DIGITS] if self._coefficient is None else []
        return found + ([UNIT] if self._exponent is None else [])

    def take(self, frame: Frame) -> Telegram:
        """Return an answer's facts; a property without a meaning here keeps its code and data.

        Refused and BadReply as `read`; BadReply also where a property has the wrong size.
        """
        for code, data in frame.items:
            if code == COEFFICIENT and frame.service in (GET_RES, GET_SNA):  # most meters have none
                self._coefficient = int.from_bytes(data, "big") if len(data) == 4 else 1
            elif code == UNIT and len(data) == 1:
                self._exponent = _UNITS.get(data[0])
            elif code == DIGITS and len(data) == 1:
                self._digits = min(data[0], _DIGITS_MAX)
        said = telegram(frame)
        if not said.asks and frame.source[:4] == METER[:4]:
            items: list[Any] = []
            for code, held in said.items:
                items += self._facts(code, held) if isinstance(held, bytes) and held else []
            said.items = items
        return said

    def _facts(self, code: str, data: bytes) -> list[Any]:
        if code == "E7":
            return [("power", [_signed(_sized(code, data, 4), 0)])]
        if code == "E8":
            _sized(code, data, 4)
            return [("current_r", [_signed(data[:2], -1)]), ("current_t", [_signed(data[2:], -1)])]
        if code in _ENERGIES:
            return [(_ENERGIES[code], [self._energy(_sized(code, data, 4))])]
        if code in _LATEST:
            _sized(code, data, 11)
            return [(_LATEST[code], [self._energy(data[7:]), _time(data[:7])])]
        if code in _DAYS:
            _sized(code, data, 2 + 4 * _HALF_HOURS)
            starts = range(2, len(data), 4)
            day = str(data[0] << 8 | data[1])  # how many days ago, E5
            values = [self._energy(data[at : at + 4]) for at in starts]
            return [(_DAYS[code], values), (_DAYS[code] + "s_ago", [day])]
        return [(code, data)]

    def _energy(self, data: bytes) -> str:
        """Return kWh exactly; "" for no value (FFFFFFFE), or as long as the unit is not known."""
        raw = int.from_bytes(data, "big")
        if self._exponent is None or self._coefficient is None or raw >= 10**self._digits:
            return ""
        return str(multiply(decimal(raw, self._exponent), self._coefficient))


def _list(items: Items) -> bytes:
    if len(items) > 255:
        raise ValueError(f"{len(items)} properties are more than 255")
    made = bytes((len(items),))
    for code, data in items:
        made += bytes((int(code, 16), len(data))) + data
    return made


def _properties(frame: bytes, at: int) -> tuple[Items, int]:
    """Return (properties of the list at `at`, where it ends)."""
    items: Items = []
    count = frame[at] if at < len(frame) else 0
    if not count and (at >= len(frame) or frame[10] not in _TWO_LISTS):
        raise BadReply("it has no properties", frame)
    at += 1
    for _ in range(count):
        end = at + 2 + (frame[at + 1] if at + 1 < len(frame) else 0)
        if end > len(frame) or at + 1 >= len(frame):
            raise BadReply("it ends within a property", frame)
        items.append((f"{frame[at]:02X}", frame[at + 2 : end]))
        at = end
    return items, at


def _sized(code: str, data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise BadReply(f"property {code} has {size} bytes, not {len(data)}", data)
    return data


def _signed(data: bytes, exponent: int) -> str:
    """Return a signed number; "" for the three marks at the ends of its range: no value."""
    top = 1 << 8 * len(data) - 1
    raw = int.from_bytes(data, "big")
    if raw in (top, top - 1, top - 2):
        return ""
    return str(decimal(raw - 2 * top if raw >= top else raw, exponent))


def _time(data: bytes) -> str:
    """Return seven bytes of date and time as 2024-01-09T15:30:00; "" if they are none."""
    year = data[0] << 8 | data[1]
    month, day, hour, minute, second = data[2], data[3], data[4], data[5], data[6]
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second < 60):
        return ""
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
