"""What arrived, what did not, and why: the database as one document.

Only reads. The document is the contract ("tidegate.fusion.report/1"); `text` makes it readable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.fusion import chronicle
from tools.fusion.store import BEFORE, LOST

if TYPE_CHECKING:
    import sqlite3
    from typing import Any, TypeAlias

    Document: TypeAlias = dict[str, Any]

SCHEMA = "tidegate.fusion.report/1"
IDENTITY = ("sampled", "delivered", "gaps", "buffered")  # of the gateway's health
BUFFER = ("came_ms", "hours_left", "fill", "durable")  # of the same: how long it still lasts
ABSENT = "absent"  # due by its period, and not even an attempt is known


def report(
    database: sqlite3.Connection, now_ms: int, since_ms: int = 0, gateway: str = ""
) -> Document:
    """Return the document over readings made at `since_ms` (Unix) or later."""
    database.execute("BEGIN")  # one moment of the database, whatever is written meanwhile
    try:
        rows = database.execute(
            "SELECT gateway_id, name, state, version, boot, seen_ms, rejected FROM gateways"
            " WHERE name = ? OR ? = '' ORDER BY name",
            (gateway, gateway),
        ).fetchall()
        gateways = [_gateway(database, row, since_ms) for row in rows]
        rejected = database.execute(
            "SELECT came_ms, topic, reason, size FROM rejected ORDER BY rejected_id DESC LIMIT 5"
        ).fetchall()
    finally:
        database.execute("ROLLBACK")
    return {
        "schema": SCHEMA,
        "made_ms": now_ms,
        "since_ms": since_ms,
        "gateways": gateways,
        "lost": sum(one["account"]["lost"] for one in gateways),
        "rejected": [
            dict(zip(("came_ms", "topic", "reason", "size"), row, strict=True)) for row in rejected
        ],
    }


def _gateway(database: sqlite3.Connection, row: tuple[Any, ...], since_ms: int) -> Document:
    gateway_id, name, state, version, boot, seen_ms, rejected = row
    points = _points(database, gateway_id, since_ms)
    streams = [_stream(database, one) for one in _streams(database, gateway_id)]
    gaps = _gaps(database, gateway_id)
    told = chronicle.health(database, gateway_id)
    expected = [one for one in points if one["expected"]]
    return {
        "gateway": name,
        "state": state,
        "version": version,
        "boot": boot,
        "seen_ms": seen_ms,
        "rejected": rejected,
        "complete": _percent(
            sum(min(one["good"], one["expected"]) for one in expected),
            sum(one["expected"] for one in expected),
        ),
        "account": _account(told, streams, gaps),
        "health": None if told is None else {key: told.get(key) for key in BUFFER},
        "points": points,
        "streams": streams,
        "gaps": gaps,
    }


def _points(database: sqlite3.Connection, gateway_id: int, since_ms: int) -> list[Document]:
    rows = database.execute(
        "SELECT point_id, name, unit, kind, ring, every_ms,"
        " (SELECT min(at_ms) FROM readings r WHERE r.point_id = p.point_id AND at_ms >= ?1),"
        " (SELECT max(at_ms) FROM readings r WHERE r.point_id = p.point_id AND at_ms >= ?1)"
        " FROM points p WHERE gateway_id = ?2 ORDER BY name, unit",
        (since_ms, gateway_id),
    ).fetchall()
    newest: dict[str, int] = {}  # by ring: a ring is delivered oldest first, so it has one front
    for row in rows:
        newest[row[4]] = max(newest.get(row[4], 0), row[7] or 0)
    return [_point(database, row, newest[row[4]], since_ms) for row in rows]


def _point(
    database: sqlite3.Connection, row: tuple[Any, ...], newest_ms: int, since_ms: int
) -> Document:
    point_id, name, unit, kind, ring, every_ms, first_ms, last_ms = row
    by_quality = dict(
        database.execute(
            "SELECT coalesce(quality, 'good'), count(*) FROM readings"
            " WHERE point_id = ? AND at_ms >= ? GROUP BY quality",
            (point_id, since_ms),
        ).fetchall()
    )
    bounded = database.execute(
        "SELECT count(*) FROM readings WHERE point_id = ? AND at_ms >= ? AND clock = 'bounded'",
        (point_id, since_ms),
    ).fetchone()[0]
    arrived, good = sum(by_quality.values()), by_quality.pop("good", 0)
    expected = _expected(first_ms, last_ms, newest_ms, every_ms)
    missing = dict(sorted(by_quality.items()))
    if expected is not None and expected > arrived:
        missing[ABSENT] = expected - arrived
    return {
        "point": name,
        "unit": unit,
        "kind": kind,
        "ring": ring,
        "every_ms": every_ms,
        "arrived": arrived,
        "good": good,
        "expected": expected,
        "complete": _percent(good, expected),
        "missing": missing,
        "bounded": bounded,
        "first_ms": first_ms,
        "last_ms": last_ms,
        "last": _last(database, point_id, since_ms),
    }


def _expected(
    first_ms: int | None, last_ms: int | None, newest_ms: int, every_ms: int
) -> int | None:
    """Return how many readings were due from the first one to the front of the ring."""
    if first_ms is None or last_ms is None or every_ms <= 0:
        return None
    # Its next reading may be just due; only one that is overdue by half a period is missed.
    end_ms = newest_ms if newest_ms - last_ms > every_ms * 3 // 2 else last_ms
    return (end_ms - first_ms + every_ms // 2) // every_ms + 1


def _last(database: sqlite3.Connection, point_id: int, since_ms: int) -> Document | None:
    found = database.execute(
        "SELECT at_ms, until_ms, value, exact FROM readings"
        " WHERE point_id = ? AND at_ms >= ? AND quality IS NULL ORDER BY at_ms DESC LIMIT 1",
        (point_id, since_ms),
    ).fetchone()
    if found is None:
        return None
    at_ms, until_ms, value, exact = found
    shown = value.hex() if isinstance(value, bytes) else value
    return {"at_ms": at_ms, "until_ms": until_ms or at_ms, "value": shown, "exact": exact}


def _streams(database: sqlite3.Connection, gateway_id: int) -> list[tuple[Any, ...]]:
    return database.execute(
        "SELECT stream_id, ring, log, high, low, islands, duplicates, seen_ms"
        " FROM streams WHERE gateway_id = ? ORDER BY ring DESC, seen_ms, stream_id",
        (gateway_id,),
    ).fetchall()


def _stream(database: sqlite3.Connection, row: tuple[Any, ...]) -> Document:
    stream_id, ring, log, high, low, islands, duplicates, seen_ms = row
    arrived, waiting = database.execute(
        "SELECT count(*), count(*) FILTER (WHERE seq > ?) FROM readings WHERE stream_id = ?",
        (high, stream_id),
    ).fetchone()
    holes = database.execute(
        "SELECT first, last, why, found_ms FROM holes WHERE stream_id = ? ORDER BY first",
        (stream_id,),
    ).fetchall()
    return {
        "ring": ring,
        "log": log.hex(),
        "high": high,
        "low": low,
        "islands": islands,
        "arrived": arrived,
        "waiting": waiting,
        "duplicates": duplicates,
        "seen_ms": seen_ms,
        "holes": [
            dict(zip(("first", "last", "why", "found_ms"), hole, strict=True)) for hole in holes
        ],
    }


def _gaps(database: sqlite3.Connection, gateway_id: int) -> list[Document]:
    """Return the readings lost by ring, log and reason, without those that arrived all the same."""
    rows = database.execute(
        # A gateway may tell again of a gap whose first telling it lost, under another number.
        "SELECT DISTINCT ring, log, reason, first, last, count, CASE WHEN first = 0 THEN seq END,"
        " (SELECT count(*) FROM readings r JOIN streams s USING (stream_id) WHERE"
        "  s.gateway_id = g.gateway_id AND s.log = g.log AND s.ring = g.ring"
        "  AND r.seq BETWEEN g.first AND g.last)"
        " FROM gaps g WHERE gateway_id = ? ORDER BY ring DESC, log, reason, first",
        (gateway_id,),
    ).fetchall()
    found: dict[tuple[str, str, str], int] = {}
    for ring, log, reason, _, _, count, _, arrived in rows:
        key = (ring, log.hex(), reason)
        found[key] = found.get(key, 0) + max(0, count - arrived)
    return [
        {"ring": ring, "log": log, "reason": reason, "count": count}
        for (ring, log, reason), count in found.items()
    ]


def _account(told: Document | None, streams: list[Document], gaps: list[Document]) -> Document:
    """Return the gateway's identity beside what the platform counted itself."""
    identity = None
    if told is not None and all(isinstance(told.get(name), int) for name in IDENTITY):
        identity = {name: told[name] for name in (*IDENTITY, "came_ms")}
    holes = [hole for one in streams for hole in one["holes"]]
    return {
        "gateway": identity,
        "arrived": sum(one["arrived"] for one in streams),
        "waiting": sum(one["waiting"] for one in streams),
        "duplicates": sum(one["duplicates"] for one in streams),
        "gaps": sum(one["count"] for one in gaps),
        "lost": _numbers(holes, LOST),
        "before": _numbers(holes, BEFORE),
    }


def _numbers(holes: list[Document], why: str) -> int:
    return sum(hole["last"] - hole["first"] + 1 for hole in holes if hole["why"] == why)


def _percent(part: int, whole: int | None) -> float | None:
    """Return a percentage cut, not rounded: 100 means all."""
    return min(part, whole) * 10_000 // whole / 100 if whole else None
