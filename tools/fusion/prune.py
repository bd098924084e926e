"""Retention: single readings go after a while, what was counted of them stays.

Works beside a running platform: it never holds the database for longer than a step takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.fusion import claims
from tools.fusion.migrate import QUARTER_MS

if TYPE_CHECKING:
    import sqlite3

STEP = 5_000  # rows in one transaction: some 50 ms, in which the platform waits


def prune(
    database: sqlite3.Connection, before_ms: int, now_ms: int, sums: bool = False
) -> dict[str, int]:
    """Delete readings made before `before_ms` (Unix), their sums too if `sums`; return counts."""
    database.execute("BEGIN IMMEDIATE")
    claims.settle(database, now_ms)
    if sums:
        _forget(database, before_ms // QUARTER_MS * QUARTER_MS)
    database.execute("COMMIT")
    points = database.execute("SELECT point_id FROM points").fetchall()
    found = {"readings": 0, "sums": 0}
    for point in points:
        found["readings"] += _all(
            database,
            # Of a reading with bounds the later one counts: it may be younger than it looks.
            "DELETE FROM readings WHERE (stream_id, seq) IN (SELECT stream_id, seq FROM readings"
            " WHERE point_id = ?1 AND at_ms < ?2 AND coalesce(until_ms, at_ms) < ?2 LIMIT ?3)",
            (*point, before_ms, STEP),
        )
        if sums:
            found["sums"] += _all(
                database,
                "DELETE FROM quarters WHERE (point_id, bounded, quarter, life_id) IN"
                " (SELECT point_id, bounded, quarter, life_id FROM quarters WHERE point_id = ?1"
                "  AND bounded IN (0, 1) AND quarter < ?2 LIMIT ?3)",
                (*point, before_ms // QUARTER_MS, STEP),
            )
    return found


def _forget(database: sqlite3.Connection, before_ms: int) -> None:
    """Note that nothing is counted before `before_ms`, first of all: a cut then costs no truth."""
    latest_ms = max([before_ms, *(one for (one,) in database.execute("SELECT * FROM pruned"))])
    database.execute("DELETE FROM pruned")
    database.execute("INSERT INTO pruned VALUES (?)", (latest_ms,))
    database.execute("DELETE FROM claims WHERE to_ms < ?", (before_ms,))


def _all(database: sqlite3.Connection, sql: str, arguments: tuple[int, ...]) -> int:
    """Repeat a statement until it finds nothing more; return how many rows it changed."""
    whole = 0
    while changed := database.execute(sql, arguments).rowcount:
        whole += changed
    return whole
