"""SenML in CBOR (RFC 8428 §6): fields into bytes, bytes into resolved records.

Written: a record is a list of encoded fields, so a caller may encode a repeated field once.
Read strictly: every rule of §4 that a reader can check is checked, base fields are applied.
Knows nothing of gateways, rings or sequence numbers: foreign labels are handed on as they came.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core import cbor
from gateway.core.decimal import Decimal, add, multiply, parts
from gateway.core.errors import BadReply
from gateway.core.record import Record

if TYPE_CHECKING:
    from typing import Any

    from gateway.core.decimal import Number
    from gateway.core.reading import Value

BASE_VERSION, BASE_NAME, BASE_TIME, BASE_UNIT, BASE_VALUE, BASE_SUM = -1, -2, -3, -4, -5, -6
NAME, UNIT, VALUE, STRING, BOOLEAN, SUM, TIME, UPDATE, DATA = range(9)  # table 4

CONTENT_TYPE = "application/senml+cbor"
VERSION = 10
SECONDARY_UNITS = 1 << 4  # feature bit of RFC 9100 §3: units of RFC 8798 may occur
ABSOLUTE_S = 1 << 28  # a smaller time is relative to now (§4.5.3)
PACK_BYTES_MAX = 65_536
RECORDS_MAX = 1_024

_FEATURES_MAX = VERSION | SECONDARY_UNITS
_ALLOWED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-:./_"
_FIRST = _ALLOWED[:62]
_VALUES = (VALUE, STRING, BOOLEAN, DATA)
_BASES = (BASE_VERSION, BASE_NAME, BASE_TIME, BASE_UNIT, BASE_VALUE, BASE_SUM)
_ARRAY, _MAP = 4, 5
# Tag 4, an array of two and the exponent (RFC 8949 §3.4.4), by its distance from zero.
_LABELS: dict[int | str, bytes] = {}  # encoded once
_LABELS_MAX = 32  # RFC 8428 has 15, packs ten more
_NUMBER, _TEXT, _BOOL, _BYTES = "a number", "text", "true or false", "bytes"
_TYPES = {
    BASE_NAME: _TEXT,
    BASE_TIME: _NUMBER,
    BASE_UNIT: _TEXT,
    BASE_VALUE: _NUMBER,
    BASE_SUM: _NUMBER,
    NAME: _TEXT,
    UNIT: _TEXT,
    VALUE: _NUMBER,
    STRING: _TEXT,
    BOOLEAN: _BOOL,
    SUM: _NUMBER,
    TIME: _NUMBER,
    UPDATE: _NUMBER,
    DATA: _BYTES,
}


class Resolved(Record):
    """One record with its base fields applied (§4.6); `extra` holds labels not of RFC 8428.

    `time_ms` is Unix time, or relative to now when below ABSOLUTE_S; `value` is None if only
    `total` (the Sum) was given.
    """

    __slots__ = ("extra", "name", "time_ms", "total", "unit", "value")

    def __init__(
        self,
        name: str,
        unit: str,
        value: Value,
        total: Number | None,
        time_ms: int,
        extra: dict[str, Any],
    ) -> None:
        self.name = name
        self.unit = unit
        self.value = value
        self.total = total
        self.time_ms = time_ms
        self.extra = extra


def field(label: int | str, value: Any) -> bytes:
    """Return one encoded field of a record."""
    head = _LABELS.get(label)
    if head is None:
        head = cbor.encode(label)
        if len(_LABELS) < _LABELS_MAX:
            _LABELS[label] = head
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return head + cbor.number(value)
    return head + cbor.encode(value)


def join(records: list[list[bytes]]) -> bytes:
    """Return a pack: a definite-length array of maps, the fields in the order given."""
    out = [cbor.head(_ARRAY, len(records))]
    for fields in records:
        out.append(cbor.head(_MAP, len(fields)))
        out += fields
    return b"".join(out)


def array(records: list[bytes]) -> bytes:
    """Return a pack of encoded records."""
    return cbor.head(_ARRAY, len(records)) + b"".join(records)


def is_name(name: str) -> bool:
    """Return whether `name` may be the resolved name of a record (§4.5.1)."""
    return name != "" and name[0] in _FIRST and all(letter in _ALLOWED for letter in name)


def read(data: bytes) -> list[Resolved]:
    """Return the records of a pack, resolved; BadReply names the rule that it breaks."""
    if len(data) > PACK_BYTES_MAX:
        raise BadReply(f"SenML: {len(data)} bytes, more than {PACK_BYTES_MAX}", data[:64])
    records = cbor.decode(data)
    if not isinstance(records, list) or not records:
        raise BadReply("SenML: not an array of records", data)
    if len(records) > RECORDS_MAX:
        raise BadReply(f"SenML: {len(records)} records, more than {RECORDS_MAX}", data[:64])
    base: dict[int, Any] = {}
    found: list[Resolved] = []
    for number, record in enumerate(records):
        try:
            _check(record)
            _rebase(base, record, number)
            if any(label not in _BASES for label in record):
                found.append(_resolve(base, record))
        except ValueError as error:
            raise BadReply(f"SenML: record {number + 1}: {error}", data)
    return found


def seconds_to_ms(seconds: Number) -> int:
    """Return whole milliseconds; a float is taken to the nearest, a decimal is cut."""
    if isinstance(seconds, float):
        if not -1e15 < seconds < 1e15:
            raise ValueError(f"time {seconds}")
        return int(seconds * 1000 + 0.5) if seconds >= 0 else -int(0.5 - seconds * 1000)
    mantissa, exponent = parts(multiply(seconds, 1000))
    power: int = 10**-exponent
    return mantissa // power


def _check(record: Any) -> None:
    if not isinstance(record, dict):
        raise ValueError("not a map")  # noqa: TRY004 - becomes a BadReply, like the rest
    for label in record:
        if isinstance(label, str):
            if label.endswith("_"):
                raise ValueError(f"label {label!r} must be understood and is not")
            continue
        wanted = _TYPES.get(label)
        if label != BASE_VERSION and wanted and not _is(wanted, record[label]):
            raise ValueError(f"label {label} is not {wanted}: {record[label]!r}")


def _rebase(base: dict[int, Any], record: dict[Any, Any], number: int) -> None:
    version = record.get(BASE_VERSION, base.get(BASE_VERSION, VERSION))
    if isinstance(version, bool) or not isinstance(version, int) or version <= 0:
        raise ValueError(f"version {version!r}")
    # Versions below 10 were drafts of the same model; from 10 on each bit is a feature.
    if version > VERSION and version & ~_FEATURES_MAX:
        raise ValueError(f"version {version} needs what this reader does not understand")
    if number and version != base.get(BASE_VERSION, VERSION):
        raise ValueError("the version changes inside the pack")
    base[BASE_VERSION] = version
    for label in _BASES:
        if label in record:
            base[label] = record[label]


def _resolve(base: dict[int, Any], record: dict[Any, Any]) -> Resolved:
    name = base.get(BASE_NAME, "") + record.get(NAME, "")
    if not is_name(name):
        raise ValueError(f"name {name!r}")
    given = [label for label in _VALUES if label in record]
    if len(given) > 1 or (not given and SUM not in record):
        raise ValueError(f"{len(given)} values in one record")
    value: Value = record[given[0]] if given else None
    if given == [VALUE]:
        value = _plus(base.get(BASE_VALUE, 0), record[VALUE])
    total = None
    if SUM in record or BASE_SUM in base:
        total = _plus(base.get(BASE_SUM, 0), record.get(SUM, 0))
    time_ms = seconds_to_ms(_plus(base.get(BASE_TIME, 0), record.get(TIME, 0)))
    unit = record.get(UNIT, base.get(BASE_UNIT, ""))
    extra = {label: found for label, found in record.items() if isinstance(label, str)}
    return Resolved(name, unit, value, total, time_ms, extra)


def _plus(a: Number, b: Number) -> Number:
    if not a:
        return b
    if isinstance(a, float) or isinstance(b, float):
        total = float(a) + float(b)
        if total - total != 0:
            raise ValueError("a sum beyond every number")
        return total
    return add(a, b)


def _is(wanted: str, value: Any) -> bool:
    if isinstance(value, bool) or wanted == _BOOL:
        return isinstance(value, bool) and wanted == _BOOL
    if wanted == _NUMBER:
        finite = not isinstance(value, float) or value - value == 0
        return isinstance(value, (int, float, Decimal)) and finite
    return isinstance(value, str if wanted == _TEXT else bytes)
