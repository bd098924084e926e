"""SGL1, the buffer's format on disk: segments of records, bytes ⇄ values.

Knows layout, CRC, epoch and order of numbers; knows no file, no clock and nothing of what a
payload means. Integers are little-endian; docs/buffer.md explains every byte.
"""

from __future__ import annotations

import struct
from binascii import crc32
from typing import TYPE_CHECKING

from gateway.core.errors import LinkError
from gateway.core.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = 1
HEADER_BYTES = 32
RECORD_BYTES = 24  # a record's header, and the zeroed end mark behind the last record
ALIGN = 8
PAYLOAD_MAX = 65_535

DATA, TIME, GAP, BOOT, AUDIT, POINTS = range(1, 7)

_MAGIC = b"SGL1"
_HEADER = "<4sBBHIIQI"
_RECORD = "<IIBBHQ"
_WINDOW_BYTES = 16_384  # read at a time, less of small segments; a longer record is read whole
_SECTOR_BYTES = 4096  # what an unreadable place on the card costs at least


class Header(Record):
    """A segment's header: its file holds `size_bytes`, its records start with `first_seq`."""

    __slots__ = ("epoch", "first_seq", "log_id_lo", "ring", "size_bytes", "version")

    def __init__(
        self, ring: int, epoch: int, size_bytes: int, first_seq: int, log_id_lo: int
    ) -> None:
        self.version = VERSION
        self.ring = ring
        self.epoch = epoch
        self.size_bytes = size_bytes
        self.first_seq = first_seq
        self.log_id_lo = log_id_lo


class Entry(Record):
    """A record found at byte `at`, `size_bytes` long with padding; numbers `seq` and following."""

    __slots__ = ("at", "count", "kind", "payload", "prio", "seq", "size_bytes")

    def __init__(self, at: int, kind: int, prio: int, count: int, seq: int, payload: bytes) -> None:
        self.at = at
        self.size_bytes = record_bytes(len(payload))
        self.kind = kind
        self.prio = prio
        self.count = count
        self.seq = seq
        self.payload = payload


def record_bytes(payload_bytes: int) -> int:
    """Return the room a record takes, header and padding included."""
    return (RECORD_BYTES + payload_bytes + ALIGN - 1) & -ALIGN


def pack_header(header: Header) -> bytes:
    """Return the 32 bytes of `header`."""
    head = struct.pack(
        _HEADER,
        *(_MAGIC, header.version, header.ring, HEADER_BYTES, header.epoch, header.size_bytes),
        *(header.first_seq, header.log_id_lo),
    )
    return head + struct.pack("<I", crc32(head))


def unpack_header(data: bytes) -> Header | None:
    """Return the header in `data`, of any version, or None if these are not 32 intact bytes."""
    if len(data) != HEADER_BYTES or data[:4] != _MAGIC:
        return None
    if crc32(data[:28]) != struct.unpack("<I", data[28:])[0]:
        return None
    _, version, ring, _, epoch, size_bytes, first_seq, log_id_lo = struct.unpack(_HEADER, data[:28])
    header = Header(ring, epoch, size_bytes, first_seq, log_id_lo)
    header.version = version
    return header


def pack_record(kind: int, prio: int, count: int, seq: int, epoch: int, payload: bytes) -> bytes:
    """Return one record, padded to a multiple of eight bytes."""
    assert 0 < len(payload) <= PAYLOAD_MAX
    assert 0 <= count < 1 << 16
    body = struct.pack(_RECORD, len(payload), epoch, kind, prio, count, seq) + payload
    return struct.pack("<I", crc32(body)) + body + bytes(-(4 + len(body)) & (ALIGN - 1))


def fields(head: bytes) -> tuple[int, int, int, int, int, int]:
    """Return (payload bytes, epoch, kind, prio, count, seq) of a record header, unchecked."""
    size, epoch, kind, prio, count, seq = struct.unpack(_RECORD, head[4:RECORD_BYTES])
    return size, epoch, kind, prio, count, seq


class Walker:
    """A place in a segment that steps from record to record and over what is damaged.

    `read(at, size)` returns bytes, fewer at the end of the file. `seq` is the number expected
    next, `end` the byte nothing is read beyond; the caller may raise `end` as the file is written.
    What could not be read lies before `blind_to`.
    """

    def __init__(self, read: Callable[[int, int], bytes], epoch: int, seq: int, end: int) -> None:
        self.at = HEADER_BYTES
        self.seq = seq
        self.end = end
        self.blind_to = 0
        self._read = read
        self._epoch = epoch
        self._base = 0
        self._window = b""
        self._piece = min(_WINDOW_BYTES, max(end // 16, 1024))

    def next(self) -> Entry | None:
        """Return the next intact record; its `seq` beyond ours means that numbers are missing."""
        entry = self._intact(self.at) or self._search()
        if entry is not None:
            self.at = entry.at + entry.size_bytes
            self.seq = entry.seq + entry.count
        return entry

    def bytes_at(self, at: int, size: int) -> bytes:
        """Return up to `size` bytes at `at`, without those beyond `end`."""
        size = min(size, self.end - at)
        if size <= 0:
            return b""
        if not self._base <= at <= at + size <= self._base + len(self._window):
            self._base = at
            self._window = self._fill(at, min(max(size, self._piece), self.end - at))
        return self._window[at - self._base : at - self._base + size]

    def _fill(self, at: int, size: int) -> bytes:
        try:
            return self._read(at, size)
        except LinkError:  # a sector the card cannot read: damage like any other
            pass
        found = b""
        while size > 0:
            piece = min(size, _SECTOR_BYTES - at % _SECTOR_BYTES)
            try:
                found += self._read(at, piece)
            except LinkError:
                found += bytes(piece)
                self.blind_to = max(self.blind_to, at + piece)
            at += piece
            size -= piece
        return found

    def _intact(self, at: int) -> Entry | None:
        head = self.bytes_at(at, RECORD_BYTES)
        if len(head) < RECORD_BYTES:
            return None
        size, epoch, kind, prio, count, seq = fields(head)
        if not 0 < size <= PAYLOAD_MAX or epoch != self._epoch or seq < self.seq:
            return None
        whole = self.bytes_at(at, RECORD_BYTES + size)
        if len(whole) < RECORD_BYTES + size:
            return None
        if crc32(whole[4:]) != struct.unpack("<I", whole[:4])[0]:
            return None
        return Entry(at, kind, prio, count, seq, whole[RECORD_BYTES:])

    def _search(self) -> Entry | None:
        # The epoch stands in every header of this segment: look for it, then check the rest.
        epoch = struct.pack("<I", self._epoch)
        at = self.at + ALIGN
        while len(self.bytes_at(at, RECORD_BYTES)) == RECORD_BYTES:
            found = self._window.find(epoch, at + 8 - self._base)
            if found < 0:
                at = (self._base + len(self._window) - RECORD_BYTES + ALIGN) & -ALIGN
                continue
            start = self._base + found - 8
            if start % ALIGN == 0:
                entry = self._intact(start)
                if entry is not None:
                    return entry
            at = (start & -ALIGN) + ALIGN
        return None
