"""What the records of a segment say: one CBOR map each, values ⇄ bytes.

Knows the integer keys; knows no file and no numbering. Key 1 is always the boot count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core import cbor
from gateway.core.clock import Anchor
from gateway.core.decimal import Decimal
from gateway.core.errors import BadReply
from gateway.core.reading import GOOD, OUT_OF_RANGE, QUALITIES, RINGS, Gap
from gateway.core.record import Record

if TYPE_CHECKING:
    from typing import Any

    from gateway.core.reading import Point, Reading, Value

READING_BYTES_MAX = 4096  # half a pack; a longer text or blob could not be sent on
POINTS_BYTES_MAX = 8192  # of one POINTS record; a longer table takes several

_INTEGER_MAX = 1 << 64  # CBOR's own whole numbers end here
_ARRAY = 4
_THREE, _FOUR = cbor.head(_ARRAY, 3), cbor.head(_ARRAY, 4)
_DATA_BOOT, _T0, _ROWS = b"\xa3\x01", 2, 3  # the keys of DATA, as they stand
_VALUE_DEPTH = cbor.DEPTH_MAX - 3  # inside a row, of the rows, of the map
_QUALITY_NUMBERS = {name: number for number, name in enumerate(QUALITIES)}


class Boot(Record):
    """Who writes: boot count, the kernel's boot id, our version; `log_id` and the books.

    `more` of the books is None in what version 0.1 wrote.
    """

    __slots__ = ("books", "boot", "files", "kernel", "log_id", "more", "version")

    def __init__(
        self,
        boot: int,
        kernel: str,
        version: str,
        log_id: bytes,
        files: int,
        books: Any,
        more: Any = None,
    ) -> None:
        self.boot = boot
        self.kernel = kernel
        self.version = version
        self.log_id = log_id
        self.files = files
        self.books = books
        self.more = more


class Table:
    """The points of one boot and their short numbers, in order of declaration; only grows."""

    def __init__(self) -> None:
        self.points: list[tuple[str, str]] = []  # (name, unit); the place is the number
        self._numbers: dict[str, int] = {}

    def number(self, name: str, unit: str = "") -> int:
        """Return the number of the point `name`, declaring it if it is new."""
        known = self._numbers.get(name)
        if known is None:
            known = self._numbers[name] = len(self.points)
            self.points.append((name, unit))
        return known

    def declare(self, points: list[Point]) -> None:
        """Give every point of `points` a number."""
        for point in points:
            self.number(point.name, point.unit)


def pack_reading(dt_ms: int, number: int, value: Value, quality: str) -> bytes:
    """Return one reading `dt_ms` after its record's first; what no pack can carry has no value."""
    place = _QUALITY_NUMBERS[quality]
    start = (_FOUR if place else _THREE) + cbor.number(dt_ms) + cbor.number(number)
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        whole = value if isinstance(value, int) else value.mantissa
        if -_INTEGER_MAX <= whole < _INTEGER_MAX:
            return start + cbor.number(value) + (cbor.number(place) if place else b"")
    else:
        packed = start + cbor.encode(value) + (cbor.number(place) if place else b"")
        if len(packed) <= READING_BYTES_MAX:
            return packed
    return cbor.encode([dt_ms, number, None, _QUALITY_NUMBERS[OUT_OF_RANGE]])


def pack_data(boot: int, t0_ms: int, readings: list[bytes]) -> bytes:
    """Return a DATA payload of readings made by `pack_reading`."""
    start = b"\xa3\x01" + cbor.encode(boot) + b"\x02" + cbor.encode(t0_ms) + b"\x03"
    return start + cbor.head(_ARRAY, len(readings)) + b"".join(readings)


def unpack_data(payload: bytes) -> tuple[int, list[tuple[int, int, Value, str]]]:
    """Return (boot, [(at_ms, point number, value, quality), …]); BadReply if it is not DATA."""
    try:
        quick = _quickly(payload)
    except IndexError:  # cut short: the strict way says where
        quick = None
    if quick is not None:
        return quick
    found = _map(payload, 1, 2, 3)
    t0_ms = _number(found[2], payload)
    readings = []
    for item in _list(found[3], payload):
        if not isinstance(item, list) or not 3 <= len(item) <= 4:
            raise BadReply("DATA: a reading is not a list of three or four", payload)
        place = _number(item[3], payload) if len(item) == 4 else 0
        at_ms = t0_ms + _number(item[0], payload)
        readings.append((at_ms, _number(item[1], payload), item[2], _quality(place)))
    return _number(found[1], payload), readings


def pack_time(anchor: Anchor) -> bytes:
    """Return a TIME payload."""
    return cbor.encode(
        {1: anchor.boot, 2: anchor.at_ms, 3: anchor.wall_ms, 4: anchor.error_ms, 5: anchor.source}
    )


def unpack_time(payload: bytes) -> Anchor:
    """Return the anchor; BadReply if it is not TIME."""
    found = _map(payload, 1, 2, 3, 4, 5)
    boot, at_ms, wall_ms, error_ms = [_number(found[key], payload) for key in (1, 2, 3, 4)]
    return Anchor(boot, at_ms, wall_ms, error_ms, str(found[5]))


def pack_gap(boot: int, gap: Gap, again: tuple[int, int] | None, void: int) -> bytes:
    """Return a GAP payload; `void` numbers were no readings.

    `again`: it was noted and counted before, under crit numbers of that range.
    """
    found = {1: boot, 2: gap.ring, 3: gap.log_id, 4: gap.first, 5: gap.last, 6: gap.count}
    found[7] = gap.reason
    if again is not None:
        found[8] = True
        found[10] = list(again)
    if void:
        found[9] = void
    return cbor.encode(found)


def unpack_gap(payload: bytes) -> tuple[int, Gap, tuple[int, int] | None, int]:
    """Return (boot, gap, again, void); BadReply if it is not GAP."""
    found = _map(payload, 1, 2, 3, 4, 5, 6, 7)
    first, last, count = [_number(found[key], payload) for key in (4, 5, 6)]
    if found[2] not in RINGS or not isinstance(found[3], bytes) or first > last:
        raise BadReply("GAP: no such ring, log or range", payload)
    gap = Gap(found[2], found[3], first, last, count, str(found[7]))
    void = _number(found.get(9, 0), payload)
    again: tuple[int, int] | None = None
    if found.get(8) is True:  # version 0.1 did not say where before
        since, upto = _list(found.get(10, [0, 0]), payload)
        again = _number(since, payload), _number(upto, payload)
    return _number(found[1], payload), gap, again, void


def pack_boot(boot: Boot) -> bytes:
    """Return a BOOT payload."""
    found = {1: boot.boot, 2: boot.kernel, 3: boot.version, 4: boot.log_id, 5: boot.files}
    found[6] = boot.books
    if boot.more is not None:
        found[7] = boot.more
    return cbor.encode(found)


def unpack_boot(payload: bytes) -> Boot:
    """Return who wrote; BadReply if it is not BOOT."""
    found = _map(payload, 1, 2, 3, 4, 5, 6)
    if not isinstance(found[4], bytes) or len(found[4]) != 8:
        raise BadReply("BOOT: a log id is not eight bytes", payload)
    boot, files = _number(found[1], payload), _number(found[5], payload)
    return Boot(boot, str(found[2]), str(found[3]), found[4], files, found[6], found.get(7))


def pack_points(boot: int, table: Table, start: int) -> list[bytes]:
    """Return POINTS payloads that declare the points from number `start` on."""
    payloads = []
    rows: list[list[Any]] = []
    size = 0
    for number in range(start, len(table.points)):
        name, unit = table.points[number]
        rows.append([number, name, unit])
        size += len(name) + len(unit) + 8
        if size > POINTS_BYTES_MAX:
            payloads.append(cbor.encode({1: boot, 2: rows}))
            rows, size = [], 0
    if rows:
        payloads.append(cbor.encode({1: boot, 2: rows}))
    return payloads


def unpack_points(payload: bytes) -> tuple[int, list[tuple[int, str, str]]]:
    """Return (boot, [(number, name, unit), …]); BadReply if it is not POINTS."""
    found = _map(payload, 1, 2)
    rows = []
    for row in _list(found[2], payload):
        if not isinstance(row, list) or len(row) != 3:
            raise BadReply("POINTS: a row is not a list of three", payload)
        rows.append((_number(row[0], payload), str(row[1]), str(row[2])))
    return _number(found[1], payload), rows


def wire_bytes(item: Reading | Gap) -> int:
    """Return roughly what an item takes in a pack: only names, texts and blobs vary much."""
    if isinstance(item, Gap):
        return 64
    value = item.value
    return 24 + len(item.point) + (len(value) if isinstance(value, (str, bytes)) else 0)


def _quality(place: int) -> str:
    # A later version may know more qualities; what we cannot name is still not good.
    return QUALITIES[place] if 0 <= place < len(QUALITIES) else f"quality-{place}"


# What `pack_data` writes is read back for every pack: straight through, with no table of what may
# stand where. Anything else is left to the strict reader, which also names what is wrong.


def _quickly(payload: bytes) -> tuple[int, list[tuple[int, int, Value, str]]] | None:
    """Return what `unpack_data` does, None if it is not written as `pack_data` writes."""
    if payload[:2] != _DATA_BOOT:
        return None
    boot, at = _integer(payload, 2)
    if boot is None or payload[at] != _T0:
        return None
    t0_ms, at = _integer(payload, at + 1)
    if t0_ms is None or payload[at] != _ROWS or payload[at + 1] >> 5 != _ARRAY:
        return None
    count, at = _integer(payload, at + 1, _ARRAY)
    readings = []
    for _ in range(count or 0):
        first = payload[at]
        if first not in (0x83, 0x84):
            return None
        dt_ms, at = _integer(payload, at + 1)
        number, at = _integer(payload, at)
        value, at = _value(payload, at)
        place: int | None = 0
        if first == 0x84:
            place, at = _integer(payload, at)
        if dt_ms is None or number is None or place is None:
            return None
        readings.append((t0_ms + dt_ms, number, value, _quality(place) if place else GOOD))
    return (boot, readings) if count is not None and at == len(payload) else None


def _integer(data: bytes, at: int, major: int = 0) -> tuple[int | None, int]:
    """Return the whole number at byte `at` and where it ends; None if there is none of 32 bits."""
    first = data[at] - (major << 5)
    if 0 <= first < 24:
        return first, at + 1
    info = first & 31
    if info < 24:
        number, end = info, at + 1
    elif info == 24:
        number, end = data[at + 1], at + 2
    elif info == 25:
        number, end = data[at + 1] << 8 | data[at + 2], at + 3
    elif info == 26:
        number, end = int.from_bytes(data[at + 1 : at + 5], "big"), at + 5
    else:
        return None, at
    if end > len(data) or not 0 <= first < 0x40:
        return None, at
    return (number if first < 0x20 else -1 - number), end


def _value(data: bytes, at: int) -> tuple[Value, int]:
    first = data[at]
    if first == 0xC4 and data[at + 1] == 0x82 and 0x20 <= data[at + 2] < 0x38:
        mantissa, end = _integer(data, at + 3)
        if mantissa is not None and mantissa % 10:
            return Decimal(mantissa, 0x1F - data[at + 2]), end
    elif first < 0x3B:
        number, end = _integer(data, at)
        if number is not None:
            return number, end
    return cbor.decode_at(data, at, _VALUE_DEPTH)


def _map(payload: bytes, *keys: int) -> dict[Any, Any]:
    found = cbor.decode(payload)
    if not isinstance(found, dict):
        raise BadReply("a record's payload is not a map", payload)
    for key in keys:
        if key not in found:
            raise BadReply(f"a record's payload lacks key {key}", payload)
    return found


def _number(value: Any, payload: bytes) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadReply(f"{value!r} stands where a whole number belongs", payload)
    return value


def _list(value: Any, payload: bytes) -> list[Any]:
    if not isinstance(value, list):
        raise BadReply("a list is missing", payload)
    return value
