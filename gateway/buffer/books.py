"""The buffer's accounts: what was lost, where, and who has been told. Pure.

A loss is noted in a GAP record, which stands in the crit ring and takes a number there. The
books are the sum of those records; every BOOT record repeats them, so that a start needs to
read the newest segment only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.errors import BadReply
from gateway.core.reading import CRIT, RINGS, Gap
from gateway.core.record import Record

if TYPE_CHECKING:
    from typing import Any

NOTES_MAX = 200  # open notes that every BOOT record repeats, 5 KiB; the oldest go first


class Note(Record):
    """A loss noted under number `seq` of the crit ring."""

    __slots__ = ("gap", "seq")

    def __init__(self, seq: int, gap: Gap) -> None:
        self.seq = seq
        self.gap = gap


class Books:
    """Per ring: `lost` readings that had a number, `dropped` ones that had none, `void` numbers.

    A void number was never a reading's: notes take some, and some are skipped after damage that
    cannot be counted. `notes` are those the platform may not know yet, or a reader still needs.
    """

    def __init__(self, logs: dict[str, bytes], notes_max: int) -> None:
        self._notes_max = notes_max
        self.logs = logs
        self.lost = dict.fromkeys(RINGS, 0)
        self.dropped = dict.fromkeys(RINGS, 0)
        self.void = dict.fromkeys(RINGS, 0)
        self.notes: list[Note] = []
        self.upto = 0  # the last number of the crit ring that is entered here
        self._known: dict[str, list[tuple[int, int]]] = {}  # holes, worked out from `notes`

    def enter(self, seq: int, gap: Gap, again: bool, void: int) -> None:
        """Count the loss `gap`, noted under `seq`, once; one noted `again` was counted before."""
        if seq <= self.upto:
            return
        self.upto = seq
        self.void[CRIT] += 1
        if self._ours(gap):
            self.void[gap.ring] += void
            told = self.dropped if gap.first == 0 else self.lost
            told[gap.ring] += 0 if again else gap.count
        self._known = {}
        self.notes.append(Note(seq, gap))
        self.notes[: -self._notes_max] = []

    def recall(self, seq: int, gap: Gap) -> None:
        """Take back a note that was dropped because a cursor had passed it: the cursor is lost."""
        if seq not in [note.seq for note in self.notes]:
            self._known = {}
            self.notes.append(Note(seq, gap))

    def skip(self, ring: str, seq: int) -> int:
        """Return the first number from `seq` on that is not known to be lost."""
        for first, last in self._holes(ring):
            if first <= seq <= last:
                seq = last + 1
        return seq

    def readings(self, ring: str, first: int, last: int) -> int:
        """Return how many of the numbers `first`..`last` are readings that are not lost."""
        count = last - first + 1
        done = first  # holes may overlap: up to here they are taken off
        holes = self._holes(ring)
        for start, end in holes:
            start, end = max(start, done), min(end, last)
            if start <= end:
                count -= end - start + 1
                done = end + 1
        if ring == CRIT:
            for note in self.notes:
                if first <= note.seq <= last and not _inside(holes, note.seq):
                    count -= 1
        return max(count, 0)

    def only_told(self, first: int, last: int) -> list[Gap]:
        """Return the gaps that stand in the crit ring under numbers `first`..`last` only."""
        later = [note.gap for note in self.notes if note.seq > last]
        inside = [note.gap for note in self.notes if first <= note.seq <= last]
        # Two losses without numbers may look alike, so those are always told again.
        return [gap for gap in inside if gap.first == 0 or gap not in later]

    def forget(self, durable: dict[str, int]) -> None:
        """Drop the notes that were confirmed, and whose holes lie below the durable cursors."""
        self._known = {}
        self.notes = [
            note
            for note in self.notes
            if note.seq > durable[CRIT]
            or (self._ours(note.gap) and note.gap.last > durable[note.gap.ring])
        ]

    def packed(self) -> list[Any]:
        """Return what a BOOT record carries."""
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

    def load(self, packed: Any) -> None:
        """Take over what a BOOT record carries, of the logs we still have; BadReply if foreign."""
        try:
            self._known = {}
            rings, notes, upto = packed
            logs = {ring: log_id for ring, log_id, _, _, _ in rings}
            for ring, log_id, lost, dropped, void in rings:
                if self.logs[ring] == log_id:
                    self.lost[ring], self.dropped[ring], self.void[ring] = lost, dropped, void
            # Numbers of another crit log mean nothing here; the holes they explain still do.
            same = self.logs[CRIT] == logs[CRIT]
            self.upto = upto if same else 0
            self.notes = []
            for seq, ring, first, last, count, reason, *foreign in notes:
                log_id = foreign[0] if foreign else logs[ring]
                gap = Gap(ring, log_id, first, last, count, reason)
                self.notes.append(Note(seq if same else 0, gap))
        except (KeyError, TypeError, ValueError) as error:
            raise BadReply(f"BOOT: foreign books: {error!r}")

    def _holes(self, ring: str) -> list[tuple[int, int]]:
        if ring not in self._known:
            gaps = [note.gap for note in self.notes if note.gap.ring == ring]
            holes = [(gap.first, gap.last) for gap in gaps if gap.first and self._ours(gap)]
            self._known[ring] = sorted(holes)
        return self._known[ring]

    def _ours(self, gap: Gap) -> bool:
        # Notes of a log that is no more still take a number, and the platform still wants them.
        return self.logs.get(gap.ring) == gap.log_id


def _inside(holes: list[tuple[int, int]], seq: int) -> bool:
    return any(first <= seq <= last for first, last in holes)
