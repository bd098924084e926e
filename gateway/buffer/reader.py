"""A place in a ring that hands out its readings and gaps one number at a time, in order.

Knows where it stands, so that going on costs nothing and going back a window costs little.
Decides nothing about what is missing: it says which numbers, and waits until the books know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.buffer.payload import unpack_data, unpack_gap, unpack_points
from gateway.buffer.recover import walk
from gateway.buffer.segment import DATA, GAP, HEADER_BYTES, POINTS, Entry, Walker
from gateway.core.buggify import buggify
from gateway.core.errors import BadReply, LinkError
from gateway.core.reading import Gap, Reading

if TYPE_CHECKING:
    from gateway.buffer.books import Books
    from gateway.buffer.files import File
    from gateway.buffer.ring import Ring, Segment
    from gateway.core.reading import Value

_MARK_BYTES = 4096  # between remembered places: going back re-reads less than this


class Reader:
    """Reads `ring`; `seq` is the number wanted next."""

    def __init__(self, ring: Ring, books: Books, elsewhere: Ring) -> None:
        self.seq = 1
        self.missing: tuple[int, int] | None = None  # numbers `peek` found nothing for
        self._ring = ring
        self._books = books
        self._elsewhere = elsewhere  # the other ring declares the same points
        self._segment: Segment | None = None
        self._file: File | None = None
        self._walker = Walker(self._read, 0, 0, 0)
        self._names: dict[int, dict[int, str]] = {}  # by boot, as this segment declares them
        self._marks: list[tuple[int, int]] = []  # (number, byte) in this segment
        self._opened_at = 0
        self._boot = 0
        self._first = 0
        self._items: list[Reading | Gap] = []

    def go(self, seq: int) -> None:
        """Want number `seq` next."""
        if seq == self.seq:
            return
        segment = self._ring.segments[self._ring.find(seq)]
        if segment != self._segment or buggify("reader-lost"):
            self._open(segment)
        elif seq < self.seq and not self._first <= seq < self._first + len(self._items):
            self._go_back(seq)
        self.seq = seq

    def peek(self) -> tuple[int, Reading | Gap] | None:
        """Return (boot, item) of number `seq`, which first moves over numbers known to be lost.

        None at the end of what is durable, and when `missing` says which numbers are not there.
        """
        self.missing = None
        while True:
            self.seq = self._books.skip(self._ring.name, self.seq)
            if self.seq >= self._ring.next_seq:
                return None
            if self._items and self.seq < self._first:
                self.missing = self.seq, self._first - 1
                return None
            if self._items and self.seq < self._first + len(self._items):
                return self._boot, self._items[self.seq - self._first]
            if not self._load():
                self.missing = self.seq, self._ring.next_seq - 1
                return None

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _go_back(self, seq: int) -> None:
        self._items = []
        self._walker.at, self._walker.seq = HEADER_BYTES, self._opened_at
        for mark_seq, mark_at in self._marks:
            if mark_seq <= seq:
                self._walker.at, self._walker.seq = mark_at, mark_seq

    def _load(self) -> bool:
        """Decode the next record that reaches `seq`; False if there is none."""
        while True:
            entry = self._step()
            if entry is None:
                return False
            if entry.kind == POINTS:
                self._learn(entry)
            if entry.seq + entry.count <= self.seq:
                continue
            if self._decode(entry):
                if not self._marks or entry.at - self._marks[-1][1] >= _MARK_BYTES:
                    self._marks.append((entry.seq, entry.at))
                return True

    def _step(self) -> Entry | None:
        segments = self._ring.segments
        index = _place(segments, self._segment)
        if index is None:
            index = self._ring.find(self.seq)
            self._open(segments[index])
        while True:
            assert self._segment is not None
            newest = index == len(segments) - 1
            self._walker.end = self._ring.tail if newest else self._segment.size_bytes
            entry = self._walker.next()
            # Beyond that number are copies whose sync failed: the next segment has them again.
            if entry is not None and entry.seq + entry.count - 1 <= self._ring.last_seq(index):
                return entry
            if newest:
                return None
            index += 1
            self._open(segments[index])

    def _open(self, segment: Segment) -> None:
        self.close()
        try:
            self._file = self._ring.files.open(self._ring.path(segment.name))
        except LinkError:  # its numbers will turn out to be missing
            self._file = None
        self._segment = segment
        self._walker = Walker(self._read, segment.epoch, segment.first_seq, segment.size_bytes)
        self._opened_at = segment.first_seq
        self._names = {}
        self._marks = []
        self._items = []

    def _read(self, at: int, size: int) -> bytes:
        return self._file.read(at, size) if self._file is not None else b""

    def _learn(self, entry: Entry) -> None:
        try:
            boot, rows = unpack_points(entry.payload)
        except BadReply:
            return
        names = self._names.setdefault(boot, {})
        for number, name, _ in rows:
            names[number] = name

    def _names_of(self, boot: int, rows: list[tuple[int, int, Value, str]]) -> dict[int, str]:
        """Return the names of `boot`; one that is damaged everywhere is told by its number."""
        names = self._names.setdefault(boot, {})
        missing = [row[1] for row in rows if row[1] not in names]
        if missing:
            for segment in self._elsewhere.segments:
                walker = walk(self._elsewhere, segment, segment.first_seq)
                while True:
                    entry = walker.next()
                    if entry is None:
                        break
                    if entry.kind == POINTS:
                        self._learn(entry)
        for number in missing:
            names.setdefault(number, f"unknown/{number}")
        return names

    def _decode(self, entry: Entry) -> bool:
        try:
            if entry.kind == DATA:
                boot, rows = unpack_data(entry.payload)
                names = self._names_of(boot, rows)
                items: list[Reading | Gap] = [
                    Reading(names[number], value, at_ms, quality)
                    for at_ms, number, value, quality in rows
                ]
            elif entry.kind == GAP:
                boot, gap, _, _ = unpack_gap(entry.payload)
                items = [gap]
            else:
                return False
        except BadReply:
            return False
        if len(items) != entry.count:
            return False
        self._boot, self._first, self._items = boot, entry.seq, items
        return True


def _place(segments: list[Segment], wanted: Segment | None) -> int | None:
    """Return where this very segment is; comparing fields would cost more than reading does."""
    for index, segment in enumerate(segments):
        if segment is wanted:
            return index
    return None
