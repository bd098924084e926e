"""The last act: the power is cut, and every reading is counted on the disk and in the database.

Counts from the bytes of both sides, not from anybody's counters, so it can contradict them.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.buffer.payload import unpack_gap
from gateway.buffer.segment import DATA, GAP, HEADER_BYTES, Walker, unpack_header
from gateway.core.reading import RINGS
from tools.fusion.schema import open_readonly

if TYPE_CHECKING:
    import sqlite3

    from tools.demo.world import World

SETTLE_S = 3.0  # fusion commits within 50 ms of the last message; a busy machine takes longer


class Disk:
    """What a dead agent's buffer holds: numbers of readings and of gaps, by (log, ring)."""

    def __init__(self, buffer: Path) -> None:
        self.readings: dict[tuple[int, str], set[int]] = {}
        self.gaps: dict[tuple[int, str], set[int]] = {}
        self.last: dict[tuple[int, str], int] = {}
        self.dropped = 0  # readings that never got a number: RAM was full
        for ring in RINGS:
            for path in sorted((buffer / ring).glob("s-*.sgl")):
                self._scan(path.read_bytes(), ring)

    def _scan(self, data: bytes, ring: str) -> None:
        header = unpack_header(data[:HEADER_BYTES])
        if header is None:
            return
        key = (header.log_id_lo, ring)
        readings = self.readings.setdefault(key, set())
        gaps = self.gaps.setdefault(key, set())
        walker = Walker(lambda at, size: data[at : at + size], header.epoch, 0, len(data))
        self.last[key] = max(self.last.get(key, 0), header.first_seq - 1)
        entry = walker.next()
        while entry is not None:
            numbers = range(entry.seq, entry.seq + entry.count)
            if entry.kind == DATA:
                readings.update(numbers)
            elif entry.kind == GAP:
                gaps.update(numbers)
                _, gap, again, _ = unpack_gap(entry.payload)
                self.dropped += gap.count if gap.last == 0 and not again else 0
            self.last[key] = max(self.last[key], entry.seq + entry.count - 1)
            entry = walker.next()


def account(world: World, first_value_s: float) -> dict[str, object]:
    """Cut the agent's power, let the platform finish, and return the summary."""
    restarts = world.restarts()
    world.shake("agent", True)
    world.shake("fusion", False)
    time.sleep(SETTLE_S)
    disk = Disk(world.buffer)
    database = open_readonly(world.database)
    found = {
        **compare(disk, database),
        "first_value_s": round(first_value_s, 2),
        "restarts": restarts,
    }
    return {"schema": "tidegate.demo/1", **found}


def compare(disk: Disk, database: sqlite3.Connection) -> dict[str, object]:
    """Return sampled = delivered + gaps + buffered + lost, from both sides' own records."""
    sampled = delivered = buffered = explained = 0
    for key, last in disk.last.items():
        log_lo, ring = key
        arrived, told, covered = _arrived(database, log_lo, ring)
        gap_numbers = told | disk.gaps[key]
        sampled += last - len(gap_numbers)
        delivered += len(arrived)
        buffered += len(disk.readings[key] - arrived)
        explained += len(covered - arrived - gap_numbers)
    gaps = explained + disk.dropped
    return {
        "sampled": sampled + disk.dropped,
        "delivered": delivered,
        "gaps": gaps,
        "buffered": buffered,
        "lost": sampled + disk.dropped - delivered - gaps - buffered,
        "duplicates": _duplicates(database),
        "repeats": int(_one(database, "SELECT coalesce(sum(duplicates), 0) FROM streams")),
    }


def _arrived(
    database: sqlite3.Connection, log_lo: int, ring: str
) -> tuple[set[int], set[int], set[int]]:
    """Return the numbers of readings, of gaps, and those that gaps explain, of one stream."""
    arrived: set[int] = set()
    told: set[int] = set()
    covered: set[int] = set()
    streams = "SELECT stream_id, log FROM streams WHERE ring = ?"
    for stream, log in database.execute(streams, (ring,)):
        if int.from_bytes(log[:4], "little") != log_lo:
            continue
        arrived |= _numbers(database, "SELECT seq FROM readings WHERE stream_id = ?", stream)
        told |= _numbers(database, "SELECT seq FROM gaps WHERE told_by = ?", stream)
        explained = "SELECT first, last FROM gaps WHERE log = ? AND ring = ? AND last > 0"
        for first, last in database.execute(explained, (log, ring)):
            covered.update(range(first, last + 1))
    return arrived, told, covered


def _duplicates(database: sqlite3.Connection) -> int:
    """Return how many readings stand in the database twice: same point, same time."""
    return int(
        _one(
            database,
            "SELECT coalesce(sum(n - 1), 0) FROM "
            "(SELECT count(*) AS n FROM readings GROUP BY point_id, at_ms HAVING n > 1)",
        )
    )


def _numbers(database: sqlite3.Connection, sql: str, stream: int) -> set[int]:
    return {int(row[0]) for row in database.execute(sql, (stream,))}


def _one(database: sqlite3.Connection, sql: str) -> int:
    return int(database.execute(sql).fetchone()[0])
