"""Readings into the packs of the wire contract and back: SenML-CBOR plus ignorable labels.

Record k of a pack is sequence number `seq` + k, so a pack needs no number per record.
Knows no topic, no broker and no clock: wall time comes from the `stamp` it is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core import cbor
from gateway.core.clock import BOUNDED, FIXED_UP, SYNCED
from gateway.core.decimal import Decimal, decimal, parts
from gateway.core.errors import BadReply
from gateway.core.reading import GOOD, RINGS, Gap
from gateway.core.record import Record
from gateway.uplink import senml
from gateway.uplink.topics import is_count, is_gateway_id, is_log_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from gateway.core.clock import Stamp
    from gateway.core.reading import Batch, Reading, Value

    # (boot, boot-relative ms) → when that was
    Stamper: TypeAlias = Callable[[int, int], Stamp]

URN = "urn:dev:tidegate:"
GAP_POINT = "gateway/gap"
# Labels of ours; RFC 8428 §4.4 lets every reader pass over them.
LOG, SEQ, COUNT, LOW, BOOT, CLOCK = "log", "seq", "cnt", "low", "boot", "clk"
QUALITY, HIGH_TIME, UPTIME = "q", "thi", "up"

# RFC 8798 table 2; a pack that uses one must say version 26 (RFC 9100 §4).
_SECONDARY = (
    " ms min h MHz kW kVA kvar Ah Wh kWh varh kvarh kVAh Wh/km KiB GB Mbit/s B/s MB/s mV mA dBm "
    "ug/m3 mm/h m/h ppm /100 /1000 hPa mm cm km km/h "
)

_CLOCKS = (SYNCED, FIXED_UP, BOUNDED)  # from best to worst
_EARLIEST_MS = senml.ABSOLUTE_S * 1000  # 1978-07-04: below it SenML would read "relative to now"
_NO_VALUE = senml.field(senml.DATA, b"")
_INT_MAX = 1 << 64
_HEAD_BYTES = 3  # of the longest array (RFC 8949 §3.1); that of a record takes one
_QUALITY_MAX = 32  # a later gateway may know words that this platform does not


class Sample(Record):
    """A reading as the platform sees it: its time lies in `low_ms`..`high_ms` (Unix).

    `uptime_ms` is the gateway's time since boot, given when the wall time is only bounded.
    """

    __slots__ = ("high_ms", "low_ms", "point", "quality", "unit", "uptime_ms", "value")

    def __init__(
        self,
        point: str,
        unit: str,
        value: Value,
        low_ms: int,
        high_ms: int,
        quality: str,
        uptime_ms: int | None = None,
    ) -> None:
        self.point = point
        self.unit = unit
        self.value = value
        self.low_ms = low_ms
        self.high_ms = high_ms
        self.quality = quality
        self.uptime_ms = uptime_ms


class Pack(Record):
    """Items `seq`, `seq` + 1 … of log `log_id` of gateway `gw`; nothing below `low` will come."""

    __slots__ = ("boot", "clock", "gw", "items", "log_id", "low", "seq")

    def __init__(
        self,
        gw: str,
        log_id: bytes,
        seq: int,
        low: int,
        boot: int,
        clock: str,
        items: list[Sample | Gap],
    ) -> None:
        self.gw = gw
        self.log_id = log_id
        self.seq = seq
        self.low = low
        self.boot = boot
        self.clock = clock
        self.items = items


class Packer:
    """Makes the packs of gateway `gw`; `units` maps a point to its wire unit (absent = none)."""

    def __init__(self, gw: str, units: dict[str, str]) -> None:
        self._base_name = senml.field(senml.BASE_NAME, f"{URN}{gw}:")
        self._units = units
        self._heads: dict[str, list[bytes]] = {}  # name and unit of each point, encoded once

    def pack(self, batch: Batch, stamp: Stamper) -> bytes:
        """Return `batch` as a pack; ValueError if an item has no SenML form."""
        return senml.join(self._records(batch.items, batch.boot, stamp, batch))

    def snapshot(self, latest: list[Reading], boot: int, stamp: Stamper) -> bytes:
        """Return the latest readings (of this `boot`) as a pack outside every log.

        What has no SenML form, and the last that no pack has room for, is left out: the rings' own
        packs tell of it.
        """
        kept: list[Reading | Gap] = [one for one in latest if self._is_sayable(one)]
        kept = kept[: senml.RECORDS_MAX]
        records = self._records(kept, boot, stamp, None) if kept else []
        return senml.join(_fitting(records))

    def _is_sayable(self, item: Reading) -> bool:
        try:
            return bool(self._head(item.point) and _value(item))
        except ValueError:
            return False

    def _records(
        self, items: list[Reading | Gap], boot: int, stamp: Stamper, batch: Batch | None
    ) -> list[list[bytes]]:
        records: list[list[bytes]] = []
        base_ms: int | None = None
        time_ms, time_field = 0, b""
        clock = 0
        secondary = False
        for item in items:
            if isinstance(item, Gap):
                records.append(_gap(item))
                continue
            at = stamp(boot, item.at_ms)
            low_ms = max(at.low_ms, _EARLIEST_MS)
            if base_ms is None:
                base_ms = low_ms
            clock = max(clock, _CLOCKS.index(at.quality))
            secondary = secondary or is_secondary(self._units.get(item.point, ""))
            fields = self._head(item.point) + [_value(item)]
            if low_ms != base_ms:
                if low_ms != time_ms:  # a device's channels share their time
                    time_ms = low_ms
                    time_field = senml.field(senml.TIME, decimal(low_ms - base_ms, -3))
                fields.append(time_field)
            if item.quality != GOOD:
                fields.append(senml.field(QUALITY, item.quality))
            if at.quality == BOUNDED:
                high_ms = max(low_ms, at.high_ms)
                fields.append(senml.field(HIGH_TIME, decimal(high_ms, -3)))
                fields.append(senml.field(UPTIME, decimal(item.at_ms, -3)))
            if len(fields) > 2:
                fields.sort()
            records.append(fields)
        records[0] += self._bases(base_ms, secondary) + _labels(batch, clock)
        records[0].sort()  # labels sort as deterministic CBOR wants: shortest first
        return records

    def _head(self, point: str) -> list[bytes]:
        head = self._heads.get(point)
        if head is None:
            if not senml.is_name(f"{URN}{point}"):
                raise ValueError(f"point {point!r} is no SenML name")
            head = [senml.field(senml.NAME, point)]
            if self._units.get(point):
                head.append(senml.field(senml.UNIT, self._units[point]))
            self._heads[point] = head
        return head

    def _bases(self, base_ms: int | None, secondary: bool) -> list[bytes]:
        fields = [self._base_name]
        if base_ms is not None:
            fields.append(senml.field(senml.BASE_TIME, decimal(base_ms, -3)))
        if secondary:
            version = senml.VERSION | senml.SECONDARY_UNITS
            fields.append(senml.field(senml.BASE_VERSION, version))
        return fields


def is_secondary(unit: str) -> bool:
    """Return whether `unit` is one of RFC 8798's, which a pack must declare."""
    return f" {unit} " in _SECONDARY


def encode(batch: Batch, stamp: Stamper, gw: str, units: dict[str, str]) -> bytes:
    """Return `batch` as a pack; ValueError if an item has no SenML form."""
    return Packer(gw, units).pack(batch, stamp)


def decode(data: bytes) -> Pack:
    """Return what a gateway packed; BadReply for anything else."""
    records = senml.read(data)
    labels = records[0].extra
    clock = labels.get(CLOCK, SYNCED)
    if not is_log_id(labels.get(LOG)):
        raise BadReply("pack: no log id of 8 bytes", data)
    for name in (SEQ, COUNT, LOW, BOOT):
        if not is_count(labels.get(name)):
            raise BadReply(f"pack: label {name} is not a count", data)
    if labels[COUNT] != len(records):
        raise BadReply(f"pack: {len(records)} records, {labels[COUNT]} announced", data)
    if not 1 <= labels[LOW] <= labels[SEQ]:
        raise BadReply(f"pack: number {labels[SEQ]} below the lowest {labels[LOW]}", data)
    if clock not in _CLOCKS:
        raise BadReply(f"pack: clock {clock!r}", data)
    gw = _gateway(records[0].name, data)
    items = [_item(record, gw, data) for record in records]
    return Pack(gw, labels[LOG], labels[SEQ], labels[LOW], labels[BOOT], clock, items)


def decode_snapshot(data: bytes) -> list[Sample]:
    """Return the readings of a snapshot; BadReply for anything else."""
    if data == cbor.encode([]):
        return []
    records = senml.read(data)
    gw = _gateway(records[0].name, data)
    items = [_item(record, gw, data) for record in records]
    return [item for item in items if isinstance(item, Sample)]


def _value(item: Reading) -> bytes:
    value = item.value
    if value is None:
        if item.quality == GOOD:
            raise ValueError(f"{item.point}: good, but no value")
        return _NO_VALUE
    if isinstance(value, bool):
        return senml.field(senml.BOOLEAN, value)
    if isinstance(value, str):
        return senml.field(senml.STRING, value)
    if isinstance(value, bytes):
        return senml.field(senml.DATA, value)
    if isinstance(value, float):
        if value - value != 0:
            raise ValueError(f"{item.point}: {value} is no number")
    elif not -_INT_MAX <= parts(value)[0] < _INT_MAX:
        raise ValueError(f"{item.point}: {value} needs more than 64 bits")
    return senml.field(senml.VALUE, value)


def _gap(gap: Gap) -> list[bytes]:
    told = {1: gap.ring, 2: gap.log_id, 3: gap.first, 4: gap.last, 5: gap.count, 6: gap.reason}
    return [senml.field(senml.NAME, GAP_POINT), senml.field(senml.DATA, cbor.encode(told))]


def _labels(batch: Batch | None, clock: int) -> list[bytes]:
    fields = [senml.field(CLOCK, _CLOCKS[clock])] if clock else []
    if batch is not None:
        fields.append(senml.field(LOG, batch.log_id))
        fields.append(senml.field(SEQ, batch.seq))
        fields.append(senml.field(COUNT, len(batch.items)))
        fields.append(senml.field(LOW, batch.low))
        fields.append(senml.field(BOOT, batch.boot))
    return fields


def _fitting(records: list[list[bytes]]) -> list[list[bytes]]:
    room = senml.PACK_BYTES_MAX - _HEAD_BYTES
    for number, fields in enumerate(records):
        room -= 1 + sum([len(field) for field in fields])
        if room < 0:
            return records[:number]
    return records


def _gateway(name: str, data: bytes) -> str:
    gw = name[len(URN) :].split(":", 1)[0]
    if not name.startswith(f"{URN}{gw}:") or not is_gateway_id(gw):
        raise BadReply(f"pack: {name!r} names no gateway", data)
    return gw


def _item(record: senml.Resolved, gw: str, data: bytes) -> Sample | Gap:
    head = f"{URN}{gw}:"
    point = record.name[len(head) :]
    if not record.name.startswith(head) or not point:
        raise BadReply(f"pack: {record.name!r} is no point of {gw}", data)
    if point == GAP_POINT:
        return _read_gap(record.value, data)
    quality = record.extra.get(QUALITY, GOOD)
    if not isinstance(quality, str) or not 0 < len(quality) <= _QUALITY_MAX:
        raise BadReply(f"pack: quality {quality!r}", data)
    value = record.value
    if isinstance(value, bytes) and not value and quality != GOOD:
        value = None
    if value is None and quality == GOOD:
        raise BadReply(f"pack: {point} has no value and no reason", data)
    if record.time_ms < _EARLIEST_MS:
        raise BadReply(f"pack: {point} has no absolute time", data)
    high_ms = _milliseconds(record.extra.get(HIGH_TIME), data)
    uptime_ms = _milliseconds(record.extra.get(UPTIME), data)
    high_ms = record.time_ms if high_ms is None else high_ms
    if high_ms < record.time_ms:
        raise BadReply(f"pack: {point} ends before it begins", data)
    return Sample(point, record.unit, value, record.time_ms, high_ms, quality, uptime_ms)


def _milliseconds(seconds: Any, data: bytes) -> int | None:
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float, Decimal)):
        raise BadReply(f"pack: {seconds!r} is no time", data)
    try:
        return senml.seconds_to_ms(seconds)
    except ValueError as error:
        raise BadReply(f"pack: {error}", data)


def _read_gap(value: Value, data: bytes) -> Gap:
    told = cbor.decode(value, 1) if isinstance(value, bytes) else None
    if not isinstance(told, dict) or told.get(1) not in RINGS or not is_log_id(told.get(2)):
        raise BadReply("pack: malformed gap", data)
    if not all(is_count(told.get(key)) for key in (3, 4, 5)) or not isinstance(told.get(6), str):
        raise BadReply("pack: malformed gap", data)
    return Gap(told[1], told[2], told[3], told[4], told[5], told[6])
