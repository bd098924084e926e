"""Real power cuts on a real buffer: record, cut anywhere, mount, start, compare.

A recording is a disk image, a process that lives on it several times, and the log of all block
writes. At a cut, the image of that moment is mounted (ext4 replays its journal), the buffer's own
code starts on it, and what it holds is compared with what the writer had been promised. The
next recording begins on a disk that a cut has left. A seed decides what is written and cut, but not
how it falls into the journal: two runs of one seed are not the same to the byte.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from random import Random
from typing import TYPE_CHECKING

from gateway.core.errors import LinkError
from tools.powercut import media
from tools.powercut.blocklog import ENDINGS, Cuts, read_log
from tools.powercut.ledger import Book, judge

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

IMAGE_BYTES = 10 << 20
JOURNAL_MIB = "4"  # the smallest ext4 takes
LIVES = 4
TURNS = 60
POINTS_MAX = 50  # of one recording
LIFE_S = 60.0
COMMIT = "commit=1"  # ext4's journal every second, not every five: a life is over in one
HASTE = "barrier=0"  # of what is judged nothing need be flushed


class Outcome:
    """What was seen over all cuts."""

    def __init__(self) -> None:
        self.points = 0
        self.recordings = 0
        self.entries = 0
        self.unsafe = 0  # writes that a cut could take back, over all cuts
        self.boots = 0
        self.epochs = 0  # segments opened by the end of a recording, both rings
        self.evicted = 0  # notes of evicted readings
        self.held = 0  # promises compared
        self.broken = 0  # cuts with findings
        self.findings: list[str] = []


def run(points: int, seed: int, mutant: str = "") -> Outcome:
    """Cut the power `points` times; LinkError naming the step that this machine refuses."""
    outcome = Outcome()
    dice = Random(seed)
    before: list[list[Any]] = []
    with media.workplace() as place:
        image = place / "disk.img"
        media.make_ext4(image, IMAGE_BYTES, "-J", f"size={JOURNAL_MIB}")
        while outcome.points < points and not (mutant and outcome.findings):
            base = image.read_bytes()
            log = _record(place, image, dice, before, mutant)
            book = Book(place / "book", before)
            wanted = min(points - outcome.points, POINTS_MAX)
            for left, lines in _cuts(place, base, log, book, wanted, dice, outcome):
                image.write_bytes(left)
                before = lines
    return outcome


def _record(place: Path, image: Path, dice: Random, before: list[list[Any]], mutant: str) -> bytes:
    """Live on `image` and return the log of its block writes."""
    book = place / "book"
    book.write_bytes(b"")
    value = max([line[2] for line in before if line[1] == "given"], default=0)
    with media.Exported(image, "recorder", recorded=True) as recorder:
        with media.mounted(recorder.device, place / "live", COMMIT) as live:
            for _ in range(LIVES):
                argv = [str(live / "buffer"), str(book), str(recorder.log_path)]
                argv += [str(dice.getrandbits(32)), str(value), str(TURNS)]
                argv += [mutant] if mutant else []
                _live(argv)
                lines = Book(book).until(sys.maxsize)
                value = max([value, *(line[2] for line in lines if line[1] == "given")])
        # Written back by unmounting: no cut comes so late, but the log is whole.
    return recorder.log_path.read_bytes()


def _live(argv: list[str]) -> None:
    words = [sys.executable, "-m", "tools.powercut.writer", *argv]
    done = subprocess.run(words, capture_output=True, text=True, timeout=LIFE_S, check=False)
    if done.returncode != 0:
        raise LinkError(f"the writer ended with {done.returncode}: {done.stderr[-2000:]}")


def _cuts(
    place: Path,
    base: bytes,
    log: bytes,
    book: Book,
    wanted: int,
    dice: Random,
    outcome: Outcome,
) -> Iterator[tuple[bytearray, list[list[Any]]]]:
    """Judge `wanted` cuts; yield the one the next recording is to begin on, with its promises."""
    entries = read_log(log)
    outcome.recordings += 1
    outcome.entries += len(entries)
    cuts = Cuts(base, entries, media.BLOCK_BYTES)
    # After a flush nothing is in doubt: such a cut is the one before it, with all kept.
    doubtful = [place for place, entry in enumerate(entries, 1) if entry.data]
    moments = sorted(dice.sample(doubtful, min(wanted, len(doubtful))))
    going_on = dice.choice(moments[len(moments) // 2 :])
    for moment in moments:
        ending = dice.choice(ENDINGS)
        outcome.unsafe += len(cuts.unsafe(moment))
        left = cuts.left(moment, ending, dice)
        at = entries[moment - 1].end
        found = _judge(place, left, book, at, outcome)
        outcome.points += 1
        told = f"recording {outcome.recordings}, {moment} of {len(entries)} writes, {ending}"
        outcome.broken += bool(found)
        outcome.findings += [f"{told}: {one}" for one in found]
        if moment == going_on:
            yield left, book.until(at)


def _judge(place: Path, left: bytearray, book: Book, at: int, outcome: Outcome) -> list[str]:
    ledger = book.ledger(at)
    outcome.held += sum(len(numbers) for numbers in ledger.held.values())
    image = place / f"cut-{outcome.points}.img"  # a new file: nothing of an older one is cached
    image.write_bytes(left)
    try:
        with media.mounted(image, place / "cut", HASTE) as point:
            try:
                asyncio.run(judge(str(point / "buffer"), ledger))
            except Exception as error:  # noqa: BLE001 - whatever it is, a start has failed
                ledger.findings.append(f"start: {type(error).__name__}: {error}")
            names = [name.stem[2:10] for name in point.glob("buffer/*/s-*.sgl")]
    except LinkError as error:
        return [f"mount: {error}"]
    finally:
        image.unlink()
    outcome.boots = max(outcome.boots, ledger.boot)
    outcome.epochs = max([outcome.epochs, *(int(name) for name in names)])
    outcome.evicted = max(outcome.evicted, sum(gap[4] == "evicted" for gap in ledger.gaps))
    return ledger.findings
