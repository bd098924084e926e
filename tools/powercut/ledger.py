"""What a writer was promised, moment by moment, and whether a buffer after a power cut keeps it.

A moment is a length of the log of block writes: what was noted at it must hold after a cut at any
later one. Knows the buffer only from outside, as an uplink does.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gateway.buffer.store import Settings
from gateway.buffer.writer_cpython import open_buffer
from gateway.core.reading import BULK, CRIT, RINGS, Gap, Point, Reading

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import Any

    from gateway.buffer.buffer import Buffer

SEGMENT_BYTES = 16_384
SETTINGS = Settings(5 * SEGMENT_BYTES, 10 * SEGMENT_BYTES, SEGMENT_BYTES, 10_000)
POINTS = [Point(f"device/{number}", "", "", BULK, 0) for number in range(2)]  # a third comes later
EXPECTED = ("evicted", "rejected")  # reasons for which a durable reading may be gone

Stream = tuple[str, str]  # ring, log id


def reading(value: int) -> Reading:
    """Return the one reading that has this value: its text, point and time follow from it."""
    return Reading(f"device/{value % 3}", f"{value:>{10 + value * 7 % 90}}", value)


class Ledger:
    """The promises up to some moment."""

    def __init__(self) -> None:
        self.boot = 0
        self.given = 0  # the highest value a writer ever added
        self.logs: dict[str, str] = {}
        self.held: dict[Stream, dict[int, int]] = {}  # numbers sent, and their values; gaps: 0
        self.confirmed: dict[Stream, int] = {}
        self.gaps: set[tuple[str, str, int, int, str]] = set()
        self.findings: list[str] = []

    def take(self, kind: str, *what: Any) -> None:
        """Enter one line of a writer."""
        if kind == "boot":
            boot, logs = what
            if boot <= self.boot:
                self.findings.append(f"reused: boot {boot} after {self.boot}")
            if self.logs and logs != self.logs:
                self.findings.append(f"start: log ids {logs}, before that {self.logs}")
            self.boot, self.logs = max(boot, self.boot), logs
        elif kind == "given":
            self.given = max(self.given, what[0])
        elif kind == "held":
            ring, log, seq, values = what
            self.hold((ring, log), seq, values)
        elif kind == "confirmed":
            ring, log, seq = what
            self.confirmed[ring, log] = max(seq, self.confirmed.get((ring, log), 0))
        else:
            self.gaps.add((what[0], what[1], what[2], what[3], what[4]))

    def hold(self, stream: Stream, seq: int, values: Iterable[int]) -> None:
        """Enter numbers that were handed out, and find those that name another value by now."""
        known = self.held.setdefault(stream, {})
        for number, value in enumerate(values, seq):
            if known.setdefault(number, value) != value:
                told = f"{stream[0]} {number} was {known[number]}, now {value}"
                self.findings.append(f"altered: {told}")


class Book:
    """The lines of a writer, taken in order of their moments into a ledger."""

    def __init__(self, path: Path, before: Iterable[list[Any]] = ()) -> None:
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        # What was promised before the recording began holds at any moment of it.
        self._lines = [[0, *line[1:]] for line in before] + lines

    def until(self, moment: int) -> list[list[Any]]:
        """Return the lines that hold after a cut at `moment`."""
        return [line for line in self._lines if line[0] <= moment]

    def ledger(self, moment: int) -> Ledger:
        """Return the promises that hold after a cut at `moment`."""
        ledger = Ledger()
        for line in self.until(moment):
            ledger.take(*line[1:])
        return ledger


async def judge(path: str, ledger: Ledger) -> Ledger:
    """Start on what is left and compare; return the ledger with its findings."""
    buffer = await open_buffer(path, SETTINGS, POINTS, "0")
    try:
        if not buffer.durable:
            ledger.findings.append("start: volatile")
        logs = {ring: buffer.log_id(ring).hex() for ring in RINGS}
        ledger.take("boot", buffer.boot, logs)
        before = {ring: max(ledger.held.get((ring, logs[ring]), {0: 0})) for ring in RINGS}
        await _compare(buffer, ledger)
        for ring in RINGS:  # and it goes on, with numbers nobody has had
            value = ledger.given + (10 - ledger.given % 10) + (0 if ring == CRIT else 1)
            ledger.take("given", value)
            buffer.add(ring, [reading(value)])
            last = buffer.last(ring)
            await buffer.commit()
            if buffer.last(ring) <= max(last, before[ring]):
                ledger.findings.append(f"reused: {ring} {buffer.last(ring)}, had {before[ring]}")
    finally:
        await buffer.close()
    return ledger


async def _compare(buffer: Buffer, ledger: Ledger) -> None:
    found: dict[str, dict[int, int]] = {}
    for ring in RINGS:
        found[ring] = await _drain(buffer, ring, ledger)
        values = [value for value in found[ring].values() if value]
        if values != sorted(set(values)):
            ledger.findings.append(f"order: {ring}")
    counts = buffer.counts()
    held = sum(len([value for value in found[ring].values() if value]) for ring in RINGS)
    if counts["buffered"] != held:
        ledger.findings.append(f"account: {held} readings, counted {counts}")
    if counts["sampled"] != counts["delivered"] + counts["gaps"] + counts["buffered"]:
        ledger.findings.append(f"account: {counts}")
    for (ring, log), numbers in ledger.held.items():
        confirmed = ledger.confirmed.get((ring, log), 0)
        lost = [
            number
            for number in numbers.keys() - found[ring].keys()
            if number > confirmed and not _explained(ledger, ring, log, number)
        ]
        if lost:
            told = f"lost: {ring} {len(lost)} durable ones from {min(lost)} to {max(lost)}"
            ledger.findings.append(told)


async def _drain(buffer: Buffer, ring: str, ledger: Ledger) -> dict[int, int]:
    """Return all that would be sent: numbers and values; what nobody ever gave is a finding."""
    found: dict[int, int] = {}
    after = buffer.cursor(ring)
    while (batch := await buffer.next_batch(ring, after, 256, 1 << 16)) is not None:
        values = [entered(item, ledger) for item in batch.items]
        ledger.hold((ring, batch.log_id.hex()), batch.seq, values)
        for number, value in enumerate(values, batch.seq):
            found[number] = value
            if value > ledger.given or (value and (value % 10 == 0) != (ring == CRIT)):
                ledger.findings.append(f"invented: {ring} {number} is {value}")
        after = batch.seq + len(values) - 1
    return found


def entered(item: Reading | Gap, ledger: Ledger) -> int:
    """Return the value of a reading, or 0 for a gap, which is entered."""
    if isinstance(item, Gap):
        ledger.take("gap", *gap_line(item))
        return 0
    value = int(str(item.value))
    if item != reading(value):
        ledger.findings.append(f"altered: {item}")
    return value


def gap_line(gap: Gap) -> tuple[str, str, int, int, str]:
    """Return what is noted of a gap."""
    return gap.ring, gap.log_id.hex(), gap.first, gap.last, gap.reason


def _explained(ledger: Ledger, ring: str, log: str, number: int) -> bool:
    return any(
        (gap[0], gap[1]) == (ring, log) and gap[2] <= number <= gap[3] and gap[4] in EXPECTED
        for gap in ledger.gaps
    )
