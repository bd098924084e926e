"""Which numbers of a ring will never come, or not yet, and between which moments they were made.

A number that is missing has no time. It was given out between its neighbours in the stream, so
its reading was made between theirs. Only reads, but for `settle`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.fusion import stream
from tools.fusion.slots import Claim
from tools.fusion.store import LOST
from tools.fusion.stream import Stream
from tools.fusion.sums import BUFFERED, CAUSE_OF, UNKNOWN

if TYPE_CHECKING:
    import sqlite3

    from tools.fusion.days import Days

EVER_MS = 1 << 60
_SEEK = "SELECT at_ms FROM readings WHERE stream_id = ? AND until_ms IS NULL AND seq"


def of(
    database: sqlite3.Connection, gateway_id: int, ring: str, days: Days | None, now_ms: int
) -> list[Claim]:
    """Return the claims on the missing slots of `ring`, in the order of time."""
    streams = database.execute(
        "SELECT stream_id, log, high, islands FROM streams WHERE gateway_id = ? AND ring = ?",
        (gateway_id, ring),
    ).fetchall()
    found = _overflows(database, gateway_id, ring, now_ms)
    for stream_id, log, high, islands in streams:
        found += _gaps(database, gateway_id, (stream_id, log, ring))
        found += _lost(database, stream_id)
        account = Stream(high, stream.from_text(islands))
        last = account.islands[-1][1] if account.islands else high
        for first, last_ in account.missing(last):
            around = neighbours(database, stream_id, first, last_)
            found.append(Claim(*around, last_ - first + 1, (BUFFERED, "overtaken")))
    if days is not None:
        found = [one for one in found if one.from_ms < days.to_ms and one.to_ms >= days.from_ms]
    found.sort(key=lambda one: (one.from_ms, one.to_ms))
    return found


def neighbours(
    database: sqlite3.Connection, stream_id: int, first: int, last: int
) -> tuple[int, int]:
    """Return when the readings around the numbers `first`..`last` were made."""
    low = database.execute(f"{_SEEK} < ? ORDER BY seq DESC LIMIT 1", (stream_id, first)).fetchone()
    high = database.execute(f"{_SEEK} > ? ORDER BY seq LIMIT 1", (stream_id, last)).fetchone()
    return (low[0] if low else 0), (high[0] if high else EVER_MS)


def settle(database: sqlite3.Connection) -> None:
    """Write down between which moments gaps and holes lie, while their neighbours are there."""
    places = [
        ("gaps", "told_by = ?1 AND seq = ?2", row)
        for row in database.execute(
            # Without numbers, of an overflow, the place of its telling counts.
            "SELECT told_by, seq, coalesce(stream_id, told_by), iif(first, first, seq),"
            " iif(first, last, seq) FROM gaps g LEFT JOIN streams s ON first > 0"
            "  AND s.gateway_id = g.gateway_id AND s.log = g.log AND s.ring = g.ring"
            " WHERE from_ms IS NULL"
        ).fetchall()
    ]
    places += [
        ("holes", "stream_id = ?1 AND first = ?2", (stream_id, first, stream_id, first, last))
        for stream_id, first, last in database.execute(
            "SELECT stream_id, first, last FROM holes WHERE from_ms IS NULL"
        ).fetchall()
    ]
    for table, key, (one, two, stream_id, first, last) in places:
        around = neighbours(database, stream_id, first, last)
        if around[1] < EVER_MS:  # else its later neighbour is still to come
            database.execute(
                f"UPDATE {table} SET from_ms = ?3, to_ms = ?4 WHERE {key}",  # noqa: S608
                (one, two, *around),
            )


def _gaps(
    database: sqlite3.Connection, gateway_id: int, named: tuple[int, bytes, str]
) -> list[Claim]:
    """Return what gaps tell of one stream; gaps beside each other for one reason are one."""
    stream_id, log, ring = named
    rows = database.execute(
        # A gateway may tell again of a gap whose first telling it lost, under another number.
        "SELECT first, last, max(count), reason, max(from_ms), max(to_ms),"
        " (SELECT count(*) FROM readings r WHERE r.stream_id = ?1"
        "  AND r.seq BETWEEN g.first AND g.last)"
        " FROM gaps g WHERE gateway_id = ?2 AND log = ?3 AND ring = ?4 AND first > 0"
        " GROUP BY first, last, reason ORDER BY first",
        (stream_id, gateway_id, log, ring),
    ).fetchall()
    found: list[Claim] = []
    open_: tuple[int, int, int, str] | None = None  # of neighbours not yet looked up
    for first, last, count, reason, from_ms, to_ms, arrived in rows:
        # A count of 0: the numbers were skipped, and nobody knows how many were readings.
        missing = max(0, (count or last - first + 1) - arrived)
        if from_ms is not None:
            found.append(Claim(from_ms, to_ms, missing, _why(reason)))
        elif open_ is not None and open_[1] + 1 == first and open_[3] == reason:
            open_ = (open_[0], last, open_[2] + missing, reason)
        else:
            found += _closed(database, stream_id, open_)
            open_ = (first, last, missing, reason)
    return found + _closed(database, stream_id, open_)


def _closed(
    database: sqlite3.Connection, stream_id: int, open_: tuple[int, int, int, str] | None
) -> list[Claim]:
    if open_ is None:
        return []
    first, last, count, reason = open_
    return [Claim(*neighbours(database, stream_id, first, last), count, _why(reason))]


def _lost(database: sqlite3.Connection, stream_id: int) -> list[Claim]:
    """Return the numbers that neither came nor were explained."""
    found = []
    for first, last, from_ms, to_ms in database.execute(
        "SELECT first, last, from_ms, to_ms FROM holes WHERE stream_id = ? AND why = ?",
        (stream_id, LOST),
    ).fetchall():
        around = (from_ms, to_ms)
        if from_ms is None:
            around = neighbours(database, stream_id, first, last)
        found.append(Claim(*around, last - first + 1, (UNKNOWN, "lost")))
    return found


def _overflows(
    database: sqlite3.Connection, gateway_id: int, ring: str, now_ms: int
) -> list[Claim]:
    """Return what was dropped from RAM and never had numbers: the last before it was told."""
    found = []
    for told_by, seq, count, reason, told_ms, from_ms, to_ms in database.execute(
        "SELECT told_by, seq, count, reason, told_ms, from_ms, to_ms FROM gaps"
        " WHERE gateway_id = ? AND ring = ? AND first = 0",
        (gateway_id, ring),
    ).fetchall():
        around = (from_ms, to_ms)
        if from_ms is None:
            around = neighbours(database, told_by, seq, seq)
        to_ms_ = min(around[1], told_ms, now_ms)
        found.append(Claim(around[0], max(to_ms_, around[0]), count, _why(reason), latest=True))
    return found


def _why(reason: str) -> tuple[str, str]:
    return CAUSE_OF.get(reason, UNKNOWN), reason
