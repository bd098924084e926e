"""One ring of segments: appending, rolling on, recycling, and its cursor.

Knows the order in which things must become durable; knows nothing of what records mean, and
decides neither when to commit nor what to give up when the ring is full.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.buffer import cursor as slots
from gateway.buffer.segment import (
    HEADER_BYTES,
    RECORD_BYTES,
    Header,
    pack_header,
    pack_record,
    record_bytes,
)
from gateway.core.errors import LinkError
from gateway.core.reading import CRIT, RINGS
from gateway.core.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.buffer.files import File, Files

SPARE = "spare-"  # files that wait to become a segment
GROWING = "grow-"  # files that have their space, and are not yet filled with zeros
SEGMENT = "s-"
SUFFIX = ".sgl"
CURSOR = "cursor"


class Segment(Record):
    """A segment file in use."""

    __slots__ = ("epoch", "first_seq", "name", "size_bytes")

    def __init__(self, name: str, epoch: int, first_seq: int, size_bytes: int) -> None:
        self.name = name
        self.epoch = epoch
        self.first_seq = first_seq
        self.size_bytes = size_bytes


def segment_name(epoch: int) -> str:
    """Return the name of the file that holds segment number `epoch`."""
    return f"{SEGMENT}{epoch:08}{SUFFIX}"


class Draft(Record):
    """A record that has no number yet."""

    __slots__ = ("count", "kind", "payload")

    def __init__(self, kind: int, count: int, payload: bytes) -> None:
        self.kind = kind
        self.count = count
        self.payload = payload


class Ring:
    """The ring `name` in the folder of that name; `recover.load` fills in what is on disk."""

    def __init__(self, files: Files, name: str, segment_bytes: int, files_wanted: int) -> None:
        self.files = files
        self.name = name
        self.number = RINGS.index(name)
        self.prio = 3 if name == CRIT else 0  # of 0 ordinary … 3 alarm
        self.segment_bytes = segment_bytes
        self.files_wanted = files_wanted
        self.log_id = bytes(8)
        self.segments: list[Segment] = []
        self.spares: list[str] = []
        self.growing: list[str] = []
        self._filled = 0  # bytes of the first of them
        self.tail = 0  # where the next record goes
        self.dirty_to = 0  # up to here the bytes behind the tail are a torn write's
        self.next_seq = 1
        self.cursor = 0  # confirmed by the platform, or given up
        self.saved = 0  # the cursor on disk
        self.generation = 0
        self.boot = 0
        # What a new segment starts with, so that it can be read on its own.
        self.opening: Callable[[Ring], list[Draft]] | None = None
        self._writer: File | None = None

    @property
    def low(self) -> int:
        """The lowest number still here."""
        return self.segments[0].first_seq if self.segments else self.next_seq

    def path(self, name: str) -> str:
        return f"{self.name}/{name}"

    @property
    def filled_bytes(self) -> int:
        """How far this ring has been written since it was formatted; only grows."""
        epoch = self.segments[-1].epoch if self.segments else 0
        return epoch * self.segment_bytes + self.tail

    def last_seq(self, index: int) -> int:
        """Return the last number that segment `index` can hold."""
        if index + 1 < len(self.segments):
            return self.segments[index + 1].first_seq - 1
        return self.next_seq - 1

    def find(self, seq: int) -> int:
        """Return the index of the segment that would hold number `seq`."""
        for index in range(len(self.segments) - 1, -1, -1):
            if self.segments[index].first_seq <= seq:
                return index
        return 0

    def fits(self, drafts: list[Draft]) -> bool:
        """Say whether the newest segment has room for all of `drafts`."""
        return self._fitting(drafts) == len(drafts)

    def append(self, drafts: list[Draft]) -> int:
        """Make durable as many of `drafts` as one segment takes, and return how many those are.

        LinkError: two places failed. The caller sees to a spare before it comes again.
        """
        count = self._fitting(drafts)
        if count == 0:
            self.roll()
            count = self._fitting(drafts)
            if count == 0:
                raise LinkError(f"{self.name}: a record is larger than a segment")
        try:
            self._put(drafts[:count])
        except LinkError:
            # After a failed sync the kernel may call lost pages clean: asking this file again
            # would prove nothing. The same records go to a fresh segment, once.
            self.roll()
            count = self._fitting(drafts)
            self._put(drafts[:count])
        return count

    def roll(self) -> None:
        """Go on in a spare file; its name is durable before the first record enters it."""
        if not self.spares:
            raise LinkError(f"{self.name}: no spare segment")
        spare = self.path(self.spares[0])
        epoch = self.segments[-1].epoch + 1 if self.segments else 1
        name = segment_name(epoch)
        if name in self.files.names(self.name):  # somebody renamed files; theirs stays
            name = f"{SEGMENT}{epoch:08}-{self.next_seq}{SUFFIX}"
        log_id_lo = int.from_bytes(self.log_id[:4], "little")
        header = Header(self.number, epoch, self.segment_bytes, self.next_seq, log_id_lo)
        self._drop_writer()
        file = self.files.open(spare)
        try:
            file.write(0, pack_header(header) + bytes(RECORD_BYTES))
            file.sync()
        finally:
            file.close()
        self.files.rename(spare, self.path(name))
        self.files.sync_folder(self.name)
        self.spares.pop(0)
        self.segments.append(Segment(name, epoch, self.next_seq, self.segment_bytes))
        self.tail = HEADER_BYTES
        self.dirty_to = 0
        if self.opening is not None:
            drafts = self.opening(self)
            if not self.fits(drafts):
                raise LinkError(f"{self.name}: a segment cannot hold its own opening")
            self._put(drafts)

    @property
    def files_held(self) -> int:
        """How many files this ring has, in whatever state."""
        return len(self.segments) + len(self.spares) + len(self.growing)

    def fill(self, size_bytes: int) -> None:
        """Write so many zeros more where none were written yet: that makes each commit cheaper."""
        path = self.path(self.growing[0])
        size_bytes = min(size_bytes, self.segment_bytes - self._filled)
        file = self.files.open(path)
        try:
            file.write(self._filled, bytes(size_bytes))
            file.sync()
        finally:
            file.close()
        self._filled += size_bytes
        if self._filled == self.segment_bytes:
            self.take_growing()

    def take_growing(self) -> None:
        """Make a spare of the first file that grows; half filled it serves as well."""
        name = SPARE + self.growing[0][len(GROWING) :]
        self.files.rename(self.path(self.growing[0]), self.path(name))
        self.files.sync_folder(self.name)
        self.growing.pop(0)
        self.spares.append(name)
        self._filled = 0

    def retire(self) -> None:
        """Make the oldest segment a spare. Call only with a durable cursor beyond it."""
        assert self.last_seq(0) <= self.saved
        oldest = self.segments[0]
        path = self.path(oldest.name)
        if self.files_held > self.files_wanted:
            self.files.remove(path)
        else:
            spare = f"{SPARE}{oldest.epoch:08}{SUFFIX}"
            self.files.rename(path, self.path(spare))
            if self.files.size(self.path(spare)) != self.segment_bytes:
                self.files.create(self.path(spare), self.segment_bytes)
            self.spares.append(spare)
        # Durable at once: a file must never be found under two names.
        self.files.sync_folder(self.name)
        self.segments.pop(0)

    def sync(self) -> None:
        """Make durable what a process wrote that died before its own sync."""
        file = self.files.open(self.path(self.segments[-1].name))
        try:
            file.sync()
        finally:
            file.close()

    def save_cursor(self) -> None:
        """Make the cursor durable, if it is not."""
        if self.saved != self.cursor:
            self.write_cursor()

    def write_cursor(self, flags: int = 0) -> None:
        """Write the cursor into its next slot."""
        self.generation += 1
        slot = slots.Cursor(self.log_id, self.cursor, self.boot, self.generation, flags)
        try:
            self._write_slot(slot)
        except LinkError:
            # A new descriptor and a new write: only asking the same one again would be a lie.
            self._write_slot(slot)
        self.saved = self.cursor

    def close(self) -> None:
        self._drop_writer()

    def _write_slot(self, slot: slots.Cursor) -> None:
        file = self.files.open(self.path(CURSOR))
        try:
            file.write(slots.slot_at(slot.generation), slots.pack(slot))
            file.sync()
        finally:
            file.close()

    def _fitting(self, drafts: list[Draft]) -> int:
        if not self.segments:
            return 0
        room = self.segments[-1].size_bytes - self.tail
        for index, draft in enumerate(drafts):
            room -= record_bytes(len(draft.payload))
            if room < 0:
                return index
        return len(drafts)

    def _put(self, drafts: list[Draft]) -> None:
        segment = self.segments[-1]
        seq = self.next_seq
        block = b""
        for draft in drafts:
            block += pack_record(
                draft.kind, self.prio, draft.count, seq, segment.epoch, draft.payload
            )
            seq += draft.count
        end = self.tail + len(block)
        # The zeros behind are the end mark; after a crash they also cover what was torn.
        zeros = min(max(RECORD_BYTES, self.dirty_to - end), segment.size_bytes - end)
        if self._writer is None:
            self._writer = self.files.open(self.path(segment.name))
        self._writer.write(self.tail, block + bytes(zeros))
        self._writer.sync()
        self.tail = end
        self.dirty_to = 0
        self.next_seq = seq

    def _drop_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
