"""The buffer's accounts: what was lost, where, and who has been told. Pure.

A loss is noted in a GAP record, which stands in the crit ring and takes a number there. The
books are the sum of those records; every BOOT record repeats them, so that a start needs to
read the newest segment only. They stay small by joining notes, never by forgetting one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.buffer.runs import Runs
from gateway.core.errors import BadReply
from gateway.core.reading import CRIT, RINGS, Gap
from gateway.core.record import Record

if TYPE_CHECKING:
    from typing import Any

NOTES_MIN = 16  # a few of each kind
NOTES_MAX = 200  # open notes that every BOOT record repeats, 5 KiB; beyond that they are joined
_MARKS_PER_NOTE = 4  # as many runs of crit numbers are repeated; more are read from the log


class Note(Record):
    """A loss noted under number `seq` of the crit ring; joined ones were from `since` on."""

    __slots__ = ("gap", "seq", "since")

    def __init__(self, seq: int, gap: Gap, since: int) -> None:
        self.seq = seq
        self.gap = gap
        self.since = since


class Books:
    """Per ring: `lost` readings that had a number, `dropped` ones that had none, `void` numbers.

    A void number was never a reading's: notes take some, and some are skipped after damage that
    cannot be counted. `notes` are those the platform may not know yet; `holes` the numbers that
    will not come, and `marks` the crit numbers of notes, both as far as a cursor is not past them.
    """

    def __init__(self, logs: dict[str, bytes], notes_max: int) -> None:
        self._notes_max = notes_max
        self.logs = logs
        self.lost = dict.fromkeys(RINGS, 0)
        self.dropped = dict.fromkeys(RINGS, 0)
        self.void = dict.fromkeys(RINGS, 0)
        self.notes: list[Note] = []
        self.holes = {ring: Runs() for ring in RINGS}
        self.marks = Runs()
        self.marked = True  # `marks` is whole; else the log must be asked
        self.untold: list[Gap] = []  # noted in a crit log that is no more
        self.upto = 0  # the last number of the crit ring that is entered here

    def enter(self, seq: int, gap: Gap, again: tuple[int, int] | None, void: int) -> None:
        """Count the loss `gap`, noted under `seq`; one noted `again`, from … to, was counted."""
        if seq <= self.upto:
            return
        self.upto = seq
        self.void[CRIT] += 1
        if self._ours(gap):
            self.void[gap.ring] += void
            told = self.dropped if gap.first == 0 else self.lost
            told[gap.ring] += 0 if again is not None else gap.count
        if again is not None:
            self._take_back(gap, again)
        self.notes.append(Note(seq, gap, seq))
        self._mark(seq, gap)

    def recall(self, seq: int, gap: Gap) -> None:
        """Take back a note that was dropped because a cursor had passed it: the cursor is lost."""
        if seq > self.upto:
            return
        if gap not in [note.gap for note in self.notes]:
            self.notes.append(Note(seq, gap, seq))
        self._mark(seq, gap)

    def mark(self, seq: int) -> None:
        """Know that crit number `seq` is a note's."""
        if seq <= self.upto and self.holes[CRIT].after(seq) == seq:
            self.marks.add(seq, seq)

    def skip(self, ring: str, seq: int) -> int:
        """Return the first number from `seq` on that is not known to be lost."""
        return self.holes[ring].after(seq)

    def readings(self, ring: str, first: int, last: int) -> int:
        """Return how many of the numbers `first`..`last` are readings that are not lost."""
        count = last - first + 1 - self.holes[ring].count(first, last)
        if ring == CRIT:
            count -= self.marks.count(first, last)
        return max(count, 0)

    def told_in(self, first: int, last: int) -> list[Note]:
        """Return the notes that are whole only with crit numbers `first`..`last`."""
        return [note for note in self.notes if note.since <= last and first <= note.seq]

    def forget(self, durable: dict[str, int]) -> None:
        """Drop what lies below the durable cursors: confirmed notes, and holes passed over."""
        self.notes = [note for note in self.notes if note.seq > durable[CRIT]]
        self.marks.drop(durable[CRIT])
        for ring in RINGS:
            self.holes[ring].drop(durable[ring])

    @property
    def crowded(self) -> bool:
        """Whether there are more notes or holes than a BOOT record should repeat."""
        return max([len(self.notes)] + [len(self.holes[ring]) for ring in RINGS]) > self._notes_max

    def join(self, durable: dict[str, int]) -> None:
        """Make one note of two until they are few, where that says nothing wrong to anyone."""
        while len(self.notes) > self._notes_max:
            found = self._pair(durable)
            if found is None:
                return
            one, other = found
            first = min(one.gap.first, other.gap.first)
            last = max(one.gap.last, other.gap.last)
            count = one.gap.count + other.gap.count
            gap = Gap(one.gap.ring, one.gap.log_id, first, last, count, one.gap.reason)
            self.notes[self.notes.index(other)] = Note(
                max(one.seq, other.seq), gap, min(one.since, other.since)
            )
            self.notes.remove(one)

    def narrowest(self, durable: dict[str, int]) -> tuple[str, int, int] | None:
        """Return the ring and the fewest numbers that stand between two holes to come, if any."""
        found: list[tuple[int, str, int, int]] = []
        for ring in RINGS:
            runs = self.holes[ring].inside(durable[ring] + 1, 1 << 64)
            for place in range(1, len(runs)):
                end, start = runs[place - 1][1], runs[place][0]
                found.append((start - end, ring, end + 1, start - 1))
        return min(found)[1:] if found else None

    def packed(self) -> list[Any]:
        """Return what a BOOT record carries, as version 0.1 reads it."""
        rings = [
            [ring, self.logs[ring], self.lost[ring], self.dropped[ring], self.void[ring]]
            for ring in RINGS
        ]
        notes = [
            [note.seq, note.gap.ring, note.gap.first, note.gap.last, note.gap.count]
            + [note.gap.reason]
            + ([] if self._ours(note.gap) else [note.gap.log_id])
            for note in self.notes
        ]
        return [rings, notes, self.upto]

    def packed_more(self) -> list[Any]:
        """Return what it carries beside that: age of each note, holes of each ring, marks."""
        few = self.marked and len(self.marks) <= self._notes_max * _MARKS_PER_NOTE
        return [
            [note.seq - note.since for note in self.notes],
            [self.holes[ring].packed() for ring in RINGS],
            self.marks.packed() if few else None,
        ]

    def load(self, packed: Any, more: Any) -> None:
        """Take over what a BOOT record carries, of the logs we still have; BadReply if foreign."""
        try:
            self._load(packed, more)
        except (KeyError, TypeError, ValueError) as error:
            raise BadReply(f"BOOT: foreign books: {error!r}")

    def _load(self, packed: Any, more: Any) -> None:
        rings, notes, upto = packed
        logs = {ring: log_id for ring, log_id, _, _, _ in rings}
        for ring, log_id, lost, dropped, void in rings:
            if self.logs[ring] == log_id:
                self.lost[ring], self.dropped[ring], self.void[ring] = lost, dropped, void
        # Numbers of another crit log mean nothing here; what they told must be told in ours.
        same = self.logs[CRIT] == logs[CRIT]
        self.upto = upto if same else 0
        ages, holes, marks = more or ([0] * len(notes), [[] for _ in RINGS], [])
        for ring, steps in zip(RINGS, holes):
            if self.logs[ring] == logs[ring]:
                self.holes[ring].load(steps)
        if same and marks is not None:
            self.marks.load(marks)
        self.marked = not same or marks is not None
        for (seq, ring, first, last, count, reason, *foreign), age in zip(notes, ages):
            gap = Gap(ring, foreign[0] if foreign else logs[ring], first, last, count, reason)
            if not same:
                self.untold.append(gap)
                continue
            self.notes.append(Note(seq, gap, seq - age))
            if more is None:
                self._mark(seq, gap)

    def _mark(self, seq: int, gap: Gap) -> None:
        self.mark(seq)
        if gap.first and self._ours(gap):
            self.holes[gap.ring].add(gap.first, gap.last)
            if gap.ring == CRIT:
                self.marks.remove(gap.first, gap.last)

    def _take_back(self, gap: Gap, again: tuple[int, int]) -> None:
        """Drop the notes that `gap`, which is told again, stands for."""
        since, upto = again
        for note in list(self.notes):
            known = note.gap
            within = since <= note.since and note.seq <= upto
            within = within and gap.first <= known.first and known.last <= gap.last
            # Two losses without numbers may look alike and be two.
            if _kind(known) == _kind(gap) and (within or (known == gap and gap.first)):
                self.notes.remove(note)

    def _pair(self, durable: dict[str, int]) -> tuple[Note, Note] | None:
        """Return two neighbours of a kind with nothing between them that may still come."""
        latest: dict[Any, Note] = {}
        # In order of numbers: what was joined then holds no note of its kind that was not.
        for note in sorted(self.notes, key=_by_number):
            kind = _kind(note.gap)
            known = latest.get(kind)
            if known is not None and self._is_gone(known.gap, note.gap, durable):
                return known, note
            latest[kind] = note
        return None

    def _is_gone(self, one: Gap, other: Gap, durable: dict[str, int]) -> bool:
        if one.first == 0 or not self._ours(one):
            return True
        # A platform takes it that no number within a gap will come.
        first = max(min(one.last, other.last), durable[one.ring]) + 1
        last = max(one.first, other.first) - 1
        return first > last or self.holes[one.ring].count(first, last) == last - first + 1

    def _ours(self, gap: Gap) -> bool:
        # Notes of a log that is no more still take a number, and the platform still wants them.
        return self.logs.get(gap.ring) == gap.log_id


def _by_number(note: Note) -> tuple[int, int]:
    return note.gap.first, note.seq


def _kind(gap: Gap) -> tuple[str, bytes, str, bool]:
    return gap.ring, gap.log_id, gap.reason, gap.first == 0
