"""Readings into the packs of the wire contract and back: SenML-CBOR plus ignorable labels.

Record k of a pack is sequence number `seq` + k, so a pack needs no number per record.
Knows no topic, no broker and no clock: wall time comes from the `stamp` it is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core import cbor
from gateway.core.clock import SYNCED
from gateway.core.decimal import Decimal, parts
from gateway.core.errors import BadReply
from gateway.core.reading import GOOD, RINGS, Gap
from gateway.core.record import Record
from gateway.uplink import senml
from gateway.uplink.bases import (
    CLOCK,
    CLOCKS,
    DEVICE_RUN_MIN,
    EARLIEST_MS,
    HIGH_TIME,
    UPTIME,
    URN,
    Head,
    Times,
    changes,
)
from gateway.uplink.topics import is_count, is_gateway_id, is_log_id

if TYPE_CHECKING:
    from typing import Any

    from gateway.core.reading import Batch, Reading, Value
    from gateway.uplink.bases import Stamper

GAP_POINT = "gateway/gap"
# Labels of ours; RFC 8428 §4.4 lets every reader pass over them.
LOG, SEQ, COUNT, LOW, BOOT, QUALITY, PARTIAL = "log", "seq", "cnt", "low", "boot", "q", "part"

_NO_VALUE = senml.field(senml.DATA, b"")
_INT_MAX = 1 << 64
_SECONDARY_VERSION = senml.field(senml.BASE_VERSION, senml.VERSION | senml.SECONDARY_UNITS)
_HEAD_BYTES = 3  # of the longest array (RFC 8949 §3.1)
_MAPS = [cbor.head(5, count) for count in range(24)]  # a record has sixteen fields at most
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
        self._gw = gw
        self._base_name = senml.field(senml.BASE_NAME, f"{URN}{gw}:")
        self._units = units
        self._heads: dict[str, Head] = {}

    def pack(self, batch: Batch, stamp: Stamper) -> bytes:
        """Return `batch` as a pack; ValueError if an item has no SenML form."""
        return senml.array(self._records(batch.items, batch.boot, stamp, _labels(batch)))

    def snapshot(
        self, latest: list[Reading], boot: int, stamp: Stamper, *, partial: bool = False
    ) -> bytes:
        """Return the latest readings (of this `boot`) as a pack outside every log.

        What has no SenML form, and the last that no pack has room for, is left out: the rings' own
        packs tell of it. `partial`: other points have values too.
        """
        kept: list[Reading | Gap] = [one for one in latest if self._is_sayable(one)]
        kept = kept[: senml.RECORDS_MAX]
        labels = [senml.field(PARTIAL, True)] if partial else []
        return senml.array(_fitting(self._records(kept, boot, stamp, labels) if kept else []))

    def _is_sayable(self, item: Reading) -> bool:
        try:
            return bool(self._head(item.point) and _value(item))
        except ValueError:
            return False

    def _records(
        self, items: list[Reading | Gap], boot: int, stamp: Stamper, labels: list[bytes]
    ) -> list[bytes]:
        heads = [self._head(GAP_POINT if isinstance(one, Gap) else one.point) for one in items]
        by_device = changes(heads) * DEVICE_RUN_MIN <= len(items)
        times = Times(items, boot, stamp)
        device = b"" if by_device else self._base_name
        opening: list[bytes] = []  # of record 1, which is finished last
        records: list[bytes] = []
        for place, item in enumerate(items):
            head = heads[place]
            name = head.short if by_device else head.long
            if isinstance(item, Gap):
                fields = [name, _gap(item)]
            else:
                fields = [name, _value(item)]
                if item.at_ms != times.at_ms:
                    fields += times.moved(place, item)
                fields += times.shared
                if item.quality != GOOD:
                    fields.append(senml.field(QUALITY, item.quality))
            if by_device and head.device != device:
                device = head.device
                fields.append(device)
            if place:
                records.append(_record(fields, head.count))
            else:
                opening = fields
                records.append(b"")
        opening += labels + times.opening()
        if not by_device:
            opening.append(device)
        if any(head.is_secondary for head in heads):
            opening.append(_SECONDARY_VERSION)
        records[0] = _record(opening, heads[0].count)
        return records

    def _head(self, point: str) -> Head:
        head = self._heads.get(point)
        if head is None:
            head = self._heads[point] = Head(self._gw, point, self._units.get(point, ""))
        return head


def encode(batch: Batch, stamp: Stamper, gw: str, units: dict[str, str]) -> bytes:
    """Return `batch` as a pack; ValueError if an item has no SenML form."""
    return Packer(gw, units).pack(batch, stamp)


def decode(data: bytes) -> Pack:
    """Return what a gateway packed; BadReply for anything else."""
    records = _records(data)
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
    if clock not in CLOCKS:
        raise BadReply(f"pack: clock {clock!r}", data)
    gw = _gateway(records[0].name, data)
    items = [_item(record, gw, data) for record in records]
    return Pack(gw, labels[LOG], labels[SEQ], labels[LOW], labels[BOOT], clock, items)


def decode_snapshot(data: bytes) -> list[Sample]:
    """Return the readings of a snapshot; BadReply for anything else."""
    return read_snapshot(data)[0]


def read_snapshot(data: bytes) -> tuple[list[Sample], bool]:
    """Return the readings, and whether other points have values too; BadReply if malformed."""
    if data == cbor.encode([]):
        return [], False
    records = _records(data)
    gw = _gateway(records[0].name, data)
    items = [_item(record, gw, data) for record in records]
    samples = [item for item in items if isinstance(item, Sample)]
    return samples, records[0].extra.get(PARTIAL) is True


def _records(data: bytes) -> list[senml.Resolved]:
    records = senml.read(data)
    if not records:  # SenML allows records of base fields alone; they say nothing of any point
        raise BadReply("pack: base fields, and no record", data)
    return records


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


def _gap(gap: Gap) -> bytes:
    told = {1: gap.ring, 2: gap.log_id, 3: gap.first, 4: gap.last, 5: gap.count, 6: gap.reason}
    return senml.field(senml.DATA, cbor.encode(told))


def _labels(batch: Batch) -> list[bytes]:
    return [
        senml.field(LOG, batch.log_id),
        senml.field(SEQ, batch.seq),
        senml.field(COUNT, len(batch.items)),
        senml.field(LOW, batch.low),
        senml.field(BOOT, batch.boot),
    ]


def _record(fields: list[bytes], count: int) -> bytes:
    """Return a record whose first field is a head of `count` fields."""
    if len(fields) > 2:
        fields.sort()  # labels sort as deterministic CBOR wants: shortest first
    return _MAPS[count - 1 + len(fields)] + b"".join(fields)


def _fitting(records: list[bytes]) -> list[bytes]:
    room = senml.PACK_BYTES_MAX - _HEAD_BYTES
    for number, record in enumerate(records):
        room -= len(record)
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
    if record.time_ms < EARLIEST_MS:
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
