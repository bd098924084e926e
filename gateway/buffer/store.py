"""The buffer on disk: two rings under one set of books. Synchronous; one thread at a time.

Knows what to write when, what to give up when a ring is full, and what to note about it; leaves
bytes to `segment`, order of writing to `ring`, and waiting to whoever calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.buffer import cursor as slots
from gateway.buffer import history, quarantine, recover
from gateway.buffer.books import NOTES_MAX, NOTES_MIN, Books
from gateway.buffer.payload import (
    Boot,
    Table,
    pack_boot,
    pack_data,
    pack_gap,
    pack_points,
    pack_time,
    wire_bytes,
)
from gateway.buffer.reader import Reader
from gateway.buffer.ring import Draft, Ring
from gateway.buffer.segment import BOOT, DATA, GAP, POINTS, TIME, record_bytes
from gateway.core.buggify import buggify
from gateway.core.errors import ConfigError
from gateway.core.reading import BULK, CRIT, RINGS, Batch, Gap
from gateway.core.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.buffer.files import Files
    from gateway.buffer.room import Room
    from gateway.core.clock import Anchor
    from gateway.core.reading import Reading

_MIB = 1 << 20


class Settings(Record):
    """How much room each ring takes, in files of `segment_bytes`; `commit_ms` is for bulk.

    A first start writes `at_once_bytes` of each ring before the first reading, the rest later.
    """

    __slots__ = ("at_once_bytes", "bulk_bytes", "commit_ms", "crit_bytes", "segment_bytes")

    def __init__(
        self,
        crit_bytes: int = 32 * _MIB,
        bulk_bytes: int = 512 * _MIB,
        segment_bytes: int = 4 * _MIB,
        commit_ms: int = 10_000,
        at_once_bytes: int = 8 * _MIB,
    ) -> None:
        self.crit_bytes = crit_bytes
        self.bulk_bytes = bulk_bytes
        self.segment_bytes = segment_bytes
        self.commit_ms = commit_ms
        self.at_once_bytes = at_once_bytes


class Group(Record):
    """Readings of one future record, packed against the first one's time."""

    __slots__ = ("readings", "size_bytes", "t0_ms")

    def __init__(self, t0_ms: int) -> None:
        self.t0_ms = t0_ms
        self.readings: list[bytes] = []
        self.size_bytes = 0


class Work:
    """What one commit makes durable; what has become so is taken out of it."""

    def __init__(self) -> None:
        self.groups: dict[str, list[Group]] = {ring: [] for ring in RINGS}
        self.dropped = dict.fromkeys(RINGS, 0)
        self.anchors: list[Anchor] = []


class Store:
    """Readings, gaps, points and anchors on disk. LinkError means that the medium is gone."""

    durable = True

    def __init__(
        self,
        files: Files,
        settings: Settings,
        table: Table,
        kernel: str,
        version: str,
        random: Callable[[int], bytes],
    ) -> None:
        self.boot = 0
        self.ended = recover.FIRST  # how the life before this one did
        self.anchors: list[Anchor] = []
        self.remarks: list[str] = []
        self._files = files
        self._table = table
        self._declared = dict.fromkeys(RINGS, 0)
        self._kernel = kernel
        self._version = version
        self._settings = settings
        self._random = random
        self.rings: dict[str, Ring] = {}
        self.books = Books({}, NOTES_MAX)
        self._readers: dict[str, Reader] = {}

    def open(self) -> None:
        """Recover what is there, or format; the new boot is durable when this returns."""
        self._files.lock()
        self._plan()
        found = {}
        for ring in RINGS:
            at_once_bytes = self._settings.at_once_bytes
            found[ring] = recover.load(self.rings[ring], self._random, at_once_bytes)
            self.remarks += found[ring].remarks
        self.boot = max([found[ring].next_boot for ring in RINGS])
        self.ended = recover.how_ended([found[ring] for ring in RINGS], self._kernel)
        # So few that repeating them all leaves most of a segment to readings.
        notes_max = max(min(NOTES_MAX, self._settings.segment_bytes // 512), NOTES_MIN)
        self.books = history.books(self.rings, found, notes_max)
        self.anchors = history.anchors(found)
        history.thin(self.anchors, self._settings.segment_bytes)
        for ring in RINGS:
            self.rings[ring].boot = self.boot
            self.rings[ring].opening = self._opening
            other = self.rings[BULK if ring == CRIT else CRIT]
            self._readers[ring] = Reader(self.rings[ring], self.books, other)
        for ring in RINGS:
            for first, last, readings, void in found[ring].lost:
                # A start before this one may have noted it.
                if self.books.skip(ring, first) <= last:
                    gap = Gap(ring, self.rings[ring].log_id, first, last, readings, "corrupt")
                    self._note(gap, void=void)
        for gap in self.books.untold:
            self._note(gap, again=(0, 0))
        # A segment holds more notes than its next opening may repeat: most were confirmed since.
        self.books.forget(self._saved())
        self.books.join(self._saved())
        for ring in RINGS:
            self._start(ring)
            self._move_cursor(ring, self.rings[ring].cursor)
        self._tidy()

    def commit(self, work: Work) -> None:
        """Make `work` durable; on LinkError what is still in it is not."""
        for ring in RINGS:
            if work.dropped[ring]:
                log_id = self.rings[ring].log_id
                self._note(Gap(ring, log_id, 0, 0, work.dropped[ring], "overflow"))
                work.dropped[ring] = 0
        self.anchors += work.anchors
        history.thin(self.anchors, self._settings.segment_bytes)
        for ring in RINGS:
            self._commit_ring(self.rings[ring], work)
        work.anchors = []
        self._tidy()

    def next_batch(
        self, ring: str, after_seq: int, readings_max: int, bytes_max: int
    ) -> Batch | None:
        """Return what follows number `after_seq`, or None if nothing durable does."""
        reader = self._readers[ring]
        reader.go(max(after_seq, self.rings[ring].cursor) + 1)
        items: list[Reading | Gap] = []
        first = boot = size_bytes = 0
        while len(items) < readings_max:
            found = reader.peek()
            if found is None:
                if reader.missing is None or items:
                    break
                self._note_damage(ring, reader.missing[0], reader.missing[1])
                continue
            if not items:
                first, boot = reader.seq, found[0]
            size_bytes += wire_bytes(found[1])
            if boot != found[0] or reader.seq != first + len(items):
                break
            if items and size_bytes > bytes_max:
                break
            items.append(found[1])
            reader.seq += 1
        if not items:
            return None
        # What was confirmed is never sent again, also to a platform that has lost it.
        low = max(self.rings[ring].low, self.rings[ring].cursor + 1)
        return Batch(ring, self.rings[ring].log_id, first, low, boot, items)

    def acked(self, ring: str, seq: int) -> None:
        """The platform has everything up to `seq`, which it was sent."""
        if self.rings[ring].cursor < seq < self.rings[ring].next_seq:
            self._move_cursor(ring, seq)

    def reject(self, ring: str, seq: int, reason: str) -> None:
        """Give up number `seq`, which the platform's broker will not take."""
        place = self.rings[ring]
        if not place.cursor < seq < place.next_seq or self.books.skip(ring, seq) != seq:
            return
        reader = self._readers[ring]
        reader.go(seq)
        found = reader.peek()
        if found is None or reader.seq != seq:
            return
        what = {"ring": ring, "log": place.log_id, "seq": seq, "boot": found[0], "reason": reason}
        what["item"] = repr(found[1])
        quarantine.keep_rejected(self._files, ring, seq, what)
        self._lose(ring, seq, seq, "rejected")
        self._move_cursor(ring, place.cursor)
        self._tidy()

    def fill(self, size_bytes: int) -> bool:
        """Fill a little more of what a first start left; False if there is nothing to fill."""
        for ring in RINGS:
            if self.rings[ring].growing:
                self.rings[ring].fill(size_bytes)
                return True
        return False

    def save_cursors(self) -> None:
        """Make the cursors durable."""
        for ring in RINGS:
            self.rings[ring].save_cursor()
        self.books.forget(self._saved())

    def stopped(self) -> None:
        """Mark that this life was told to end."""
        self.rings[CRIT].write_cursor(slots.STOPPED)

    def look(self, room: Room, now_ms: int) -> None:
        """Measure how full the bulk ring is."""
        room.look(self.rings[BULK], now_ms)

    def counts(self) -> dict[str, int]:
        """Return sampled = delivered + gaps + buffered, since the rings were formatted."""
        sampled = gaps = buffered = 0
        for name in RINGS:
            ring = self.rings[name]
            sampled += ring.next_seq - 1 - self.books.void[name] + self.books.dropped[name]
            gaps += self.books.lost[name] + self.books.dropped[name]
            buffered += self.books.readings(name, ring.cursor + 1, ring.next_seq - 1)
        # Books hit by damage may know of more losses than numbers; then the numbers are wrong.
        delivered = max(sampled - gaps - buffered, 0)
        return {
            "sampled": delivered + gaps + buffered,
            "delivered": delivered,
            "gaps": gaps,
            "buffered": buffered,
        }

    def close(self) -> None:
        """Give back descriptors and the lock; saves nothing that was not durable."""
        for ring in self.rings.values():
            ring.close()
        for reader in self._readers.values():
            reader.close()
        self._files.close()

    def state(self) -> dict[str, tuple[bytes, int, int]]:
        """Return (log id, cursor, last durable number) of each ring."""
        return {
            name: (ring.log_id, ring.cursor, ring.next_seq - 1) for name, ring in self.rings.items()
        }

    def _plan(self) -> None:
        wanted = {CRIT: self._settings.crit_bytes, BULK: self._settings.bulk_bytes}
        size = self._settings.segment_bytes
        for ring, files in recover.files_wanted(self._files, wanted, size).items():
            if files * size < wanted[ring]:
                self.remarks.append(f"{ring}: {files * size} bytes, not {wanted[ring]}: disk full")
            self.rings[ring] = Ring(self._files, ring, size, files)

    def _start(self, ring: str) -> None:
        place = self.rings[ring]
        drafts = [self._boot_draft(place)] + self._point_drafts(0)
        place.next_seq = self.books.skip(ring, place.next_seq)
        # The books are not counted: they are bounded, and not what a person could change.
        opening = sum([record_bytes(len(draft.payload)) for draft in self._opening(place)[1:]])
        if opening > self._settings.segment_bytes // 2:
            size = self._settings.segment_bytes
            raise ConfigError(f"buffer segments of {size} bytes are too small for these points")
        if place.fits(drafts):
            place.append(drafts)
            self._declared[ring] = len(self._table.points)
        else:
            place.roll()

    def _note_damage(self, ring: str, first: int, last: int) -> None:
        place = self.rings[ring]
        self._lose(ring, first, last, "corrupt")
        quarantine.keep_segment(self._files, ring, place.segments[place.find(first)].name)
        self._move_cursor(ring, place.cursor)
        self._tidy()

    def _lose(self, ring: str, first: int, last: int, reason: str) -> None:
        """Note that numbers `first`..`last` are gone; notes among them are written again."""
        count = self.books.readings(ring, first, last)
        if ring == CRIT:
            # First, so that power failing in between leaves a notice twice rather than not at all.
            for note in self.books.told_in(first, last):
                self._note(note.gap, again=(note.since, note.seq))
        self._note(Gap(ring, self.rings[ring].log_id, first, last, count, reason))

    def _note(self, gap: Gap, again: tuple[int, int] | None = None, void: int = 0) -> None:
        crit = self.rings[CRIT]
        # No tidying here: it is tidying that writes most notes, and one more always fits.
        crit.append([Draft(GAP, 1, pack_gap(self.boot, gap, again, void))])
        self.books.enter(crit.next_seq - 1, gap, again, void)

    def _tidy(self) -> None:
        # Bulk first: giving up bulk readings writes notes into crit.
        for ring in (BULK, CRIT):
            place = self.rings[ring]
            if not place.spares and place.growing:
                place.take_growing()
            while not place.spares and len(place.segments) > 1:
                last = place.last_seq(0)
                if last > place.cursor:
                    self._lose(ring, place.cursor + 1, last, "evicted")
                    self._move_cursor(ring, last)
                if place.saved < last:
                    place.save_cursor()
                place.retire()
        self._relieve()

    def _relieve(self) -> None:
        """Keep the books short, so that they never have to forget."""
        if not self.books.crowded:
            return
        self.save_cursors()
        self.books.join(self._saved())
        # Two hundred losses with readings between them that nobody has confirmed: the fewest
        # readings between two of them go as well, so that two become one.
        while self.books.crowded:
            found = self.books.narrowest(self._saved())
            if found is None:
                return
            self._lose(*found, "evicted")
            self._move_cursor(found[0], self.rings[found[0]].cursor)
            self.books.join(self._saved())

    def _saved(self) -> dict[str, int]:
        return {ring: self.rings[ring].saved for ring in RINGS}

    def _move_cursor(self, ring: str, seq: int) -> None:
        # Nothing can be delivered from a hole, so the cursor passes over it.
        self.rings[ring].cursor = self.books.skip(ring, seq + 1) - 1

    def _commit_ring(self, ring: Ring, work: Work) -> None:
        groups = work.groups[ring.name]
        declared = self._declared[ring.name]
        if groups and declared < len(self._table.points):
            # Durable before the first reading of them: a reading must never lose its name.
            self._declared[ring.name] = len(self._table.points)
            self._append(ring, self._point_drafts(declared))
        drafts = [Draft(TIME, 0, pack_time(anchor)) for anchor in work.anchors]
        for group in groups:
            payload = pack_data(self.boot, group.t0_ms, group.readings)
            drafts.append(Draft(DATA, len(group.readings), payload))
        try:
            self._append(ring, drafts)
        finally:
            groups[: max(len(groups) - len(drafts), 0)] = []

    def _append(self, ring: Ring, drafts: list[Draft]) -> None:
        """Make `drafts` durable; what has become so is taken out, also when LinkError ends it."""
        while drafts:
            if not ring.fits(drafts[:1]) or buggify("early-roll"):
                ring.roll()
                # While the fresh segment has room: giving up the oldest writes notes.
                self._tidy()
            some = drafts[:1] if buggify("split-commit") else drafts
            drafts[: ring.append(some)] = []
            self._tidy()

    def _opening(self, ring: Ring) -> list[Draft]:
        self._declared[ring.name] = len(self._table.points)
        drafts = [self._boot_draft(ring)]
        drafts += [Draft(TIME, 0, pack_time(anchor)) for anchor in self.anchors]
        return drafts + self._point_drafts(0)

    def _boot_draft(self, ring: Ring) -> Draft:
        boot = Boot(
            *(self.boot, self._kernel, self._version, ring.log_id),
            *(ring.files_wanted, self.books.packed(), self.books.packed_more()),
        )
        return Draft(BOOT, 0, pack_boot(boot))

    def _point_drafts(self, start: int) -> list[Draft]:
        return [Draft(POINTS, 0, rows) for rows in pack_points(self.boot, self._table, start)]
