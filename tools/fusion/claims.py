"""Which numbers of a ring will never come, or not yet, and between which moments they were made.

A number that is missing has no time. It was given out between its neighbours in the stream, so
its reading was made between theirs. Only `settle` writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.fusion import stream
from tools.fusion.slots import Claim, share
from tools.fusion.store import LOST
from tools.fusion.stream import Stream
from tools.fusion.sums import BUFFERED, CAUSE_OF, UNKNOWN

if TYPE_CHECKING:
    import sqlite3
    from typing import TypeAlias

    from tools.fusion.days import Days
    from tools.fusion.slots import Why

    # claims, and the statement that marks their gaps or hole as settled
    Unit: TypeAlias = tuple[list[Claim], str, tuple[object, ...]]

EVER_MS = 1 << 60
_SEEK = "SELECT at_ms FROM readings WHERE stream_id = ? AND until_ms IS NULL AND seq"
_SETTLE_GAPS = (
    "UPDATE gaps SET settled = 1 WHERE gateway_id = ? AND log = ? AND ring = ?"
    " AND first BETWEEN ? AND ? AND reason = ?"
)
_SETTLE_OVERFLOW = "UPDATE gaps SET settled = 1 WHERE told_by = ? AND seq = ?"
_SETTLE_HOLE = "UPDATE holes SET settled = 1 WHERE stream_id = ? AND first = ?"


def of(
    database: sqlite3.Connection, gateway_id: int, ring: str, days: Days | None, now_ms: int
) -> list[Claim]:
    """Return the claims on the missing slots of `ring`, in the order of time."""
    found = [
        Claim(from_ms, to_ms, count, (cause, reason), bool(latest))
        for from_ms, to_ms, count, cause, reason, latest in database.execute(
            "SELECT from_ms, to_ms, count, cause, reason, latest FROM claims"
            " WHERE gateway_id = ? AND ring = ?",
            (gateway_id, ring),
        )
    ]
    for claims, _, _ in _units(database, gateway_id, ring, now_ms):
        found += claims
    for stream_id, high, islands in database.execute(
        "SELECT stream_id, high, islands FROM streams WHERE gateway_id = ? AND ring = ?",
        (gateway_id, ring),
    ).fetchall():
        account = Stream(high, stream.from_text(islands))
        last = account.islands[-1][1] if account.islands else high
        for first, last_ in account.missing(last):
            around = neighbours(database, stream_id, first, last_)
            found.append(Claim(*around, last_ - first + 1, (BUFFERED, "overtaken")))
    if days is not None:
        found = [one for one in found if one.from_ms < days.to_ms and one.to_ms >= days.from_ms]
    found.sort(key=lambda one: (one.from_ms, one.to_ms))
    return found


def settle(database: sqlite3.Connection, now_ms: int) -> None:
    """Write down the claims while the neighbours of their numbers are there."""
    for gateway_id, ring in database.execute(
        "SELECT DISTINCT gateway_id, ring FROM streams"
    ).fetchall():
        for claims, statement, key in _units(database, gateway_id, ring, now_ms):
            if any(one.to_ms == EVER_MS for one in claims):
                continue  # a later neighbour is still to come
            database.executemany(
                "INSERT INTO claims VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (gateway_id, ring, one.from_ms, one.to_ms, one.count, *one.why, one.latest)
                    for one in claims
                ],
            )
            database.execute(statement, key)


def neighbours(
    database: sqlite3.Connection, stream_id: int, first: int, last: int
) -> tuple[int, int]:
    """Return when the readings around the numbers `first`..`last` were made."""
    low = database.execute(f"{_SEEK} < ? ORDER BY seq DESC LIMIT 1", (stream_id, first)).fetchone()
    high = database.execute(f"{_SEEK} > ? ORDER BY seq LIMIT 1", (stream_id, last)).fetchone()
    return (low[0] if low else 0), (high[0] if high else EVER_MS)


def _units(database: sqlite3.Connection, gateway_id: int, ring: str, now_ms: int) -> list[Unit]:
    """Return the claims that are not written down yet."""
    found = _overflows(database, gateway_id, ring, now_ms)
    for stream_id, log in database.execute(
        "SELECT stream_id, log FROM streams WHERE gateway_id = ? AND ring = ?", (gateway_id, ring)
    ).fetchall():
        for first, last, count, reason in _gaps(database, gateway_id, log, ring):
            claims = _missing(database, stream_id, (first, last), count, _why(reason))
            found.append((claims, _SETTLE_GAPS, (gateway_id, log, ring, first, last, reason)))
        for first, last in database.execute(
            "SELECT first, last FROM holes WHERE stream_id = ? AND why = ? AND NOT settled",
            (stream_id, LOST),
        ).fetchall():
            claim = Claim(
                *neighbours(database, stream_id, first, last), last - first + 1, (UNKNOWN, "lost")
            )
            found.append(([claim], _SETTLE_HOLE, (stream_id, first)))
    return found


def _gaps(
    database: sqlite3.Connection, gateway_id: int, log: bytes, ring: str
) -> list[tuple[int, int, int, str]]:
    """Return (first, last, count, reason) of gaps; those beside each other are one."""
    found: list[tuple[int, int, int, str]] = []
    for first, last, count, reason in database.execute(
        # A gateway may tell again of a gap whose first telling it lost, under another number.
        "SELECT first, last, max(count), reason FROM gaps"
        " WHERE gateway_id = ? AND log = ? AND ring = ? AND first > 0"
        " GROUP BY first, last, reason HAVING NOT max(settled) ORDER BY first",
        (gateway_id, log, ring),
    ):
        # A count of 0: the numbers were skipped, and nobody knows how many were readings.
        numbers = last - first + 1
        readings = min(count, numbers) or numbers
        if found and found[-1][1] + 1 == first and found[-1][3] == reason:
            found[-1] = (found[-1][0], last, found[-1][2] + readings, reason)
        else:
            found.append((first, last, readings, reason))
    return found


def _missing(
    database: sqlite3.Connection, stream_id: int, gap: tuple[int, int], count: int, why: Why
) -> list[Claim]:
    """Return the claims of a gap, a part of whose readings may have arrived all the same."""
    first, last = gap
    runs = []
    for (seq,) in database.execute(
        "SELECT seq FROM readings WHERE stream_id = ? AND seq BETWEEN ? AND ?",
        (stream_id, *gap),
    ):
        count -= 1
        if seq > first:
            runs.append((first, seq - 1))
        first = seq + 1
    if first <= last:
        runs.append((first, last))
    parts = share(max(0, count), [b - a + 1 for a, b in runs])
    return [
        Claim(*neighbours(database, stream_id, a, b), part, why)
        for (a, b), part in zip(runs, parts, strict=True)
    ]


def _overflows(database: sqlite3.Connection, gateway_id: int, ring: str, now_ms: int) -> list[Unit]:
    """Return what was dropped from RAM and never had numbers: the last before it was told."""
    found: list[Unit] = []
    for told_by, seq, count, reason, told_ms in database.execute(
        "SELECT told_by, seq, count, reason, told_ms FROM gaps"
        " WHERE gateway_id = ? AND ring = ? AND first = 0 AND NOT settled",
        (gateway_id, ring),
    ).fetchall():
        from_ms, to_ms = neighbours(database, told_by, seq, seq)
        to_ms = max(from_ms, min(to_ms, told_ms, now_ms))
        claim = Claim(from_ms, to_ms, count, _why(reason), latest=True)
        found.append(([claim], _SETTLE_OVERFLOW, (told_by, seq)))
    return found


def _why(reason: str) -> Why:
    return CAUSE_OF.get(reason, UNKNOWN), reason
