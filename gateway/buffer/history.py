"""What the log of both rings tells of the lives before: the books and the anchors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.buffer import recover
from gateway.buffer.books import Books
from gateway.core.errors import BadReply
from gateway.core.reading import BULK, CRIT, RINGS

if TYPE_CHECKING:
    from gateway.buffer.ring import Ring
    from gateway.core.clock import Anchor

ANCHORS_MAX = 64  # repeated in every segment: 4 KiB, or a quarter of a small one


def books(rings: dict[str, Ring], found: dict[str, recover.Found], notes_max: int) -> Books:
    """Return the accounts as the newest BOOT record and the notes after it tell them."""
    logs = {ring: rings[ring].log_id for ring in RINGS}
    newest = Books(logs, notes_max)
    # Crit knows best, unless its BOOT record is older than the one in bulk.
    for ring in (CRIT, BULK):
        last = found[ring].last
        if last is not None:
            told = Books(logs, notes_max)
            try:
                told.load(last.books, last.more)
            except BadReply:  # intact, but not of our making
                continue
            if ring == CRIT or told.upto > newest.upto or found[CRIT].last is None:
                newest = told
    for seq, gap, again, void in found[CRIT].gaps:
        newest.enter(seq, gap, again, void)
    lost = found[CRIT].cursor_lost or found[BULK].cursor_lost
    if lost or not newest.marked:
        for seq, gap in recover.all_gaps(rings[CRIT], 0 if lost else rings[CRIT].cursor + 1):
            if lost:
                newest.recall(seq, gap)
            newest.mark(seq)
        newest.marked = True
    return newest


def anchors(found: dict[str, recover.Found]) -> list[Anchor]:
    """Return the anchors of both rings, each once, in order of time."""
    known = list({anchor for ring in RINGS for anchor in found[ring].anchors})
    known.sort(key=_by_time)
    return known


def thin(known: list[Anchor], segment_bytes: int) -> None:
    """Drop the oldest that are neither their boot's first nor its last, or the oldest."""
    while len(known) > min(ANCHORS_MAX, segment_bytes // 256):
        boots = [anchor.boot for anchor in known]
        inner = [at for at in range(1, len(boots) - 1) if boots[at - 1] == boots[at + 1]]
        known.pop(inner[0] if inner else 0)


def _by_time(anchor: Anchor) -> tuple[int, int, int, int, str]:
    return anchor.boot, anchor.at_ms, anchor.wall_ms, anchor.error_ms, anchor.source
