"""What the platform knows, written to its database inside one open transaction.

Nothing here commits: `ingest` does, and acknowledges afterwards. A database error is not handled:
the process ends and starts again from what was committed.
Knows no topic and no bytes of a pack.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.decimal import Decimal
from gateway.core.errors import Refused
from gateway.core.reading import GOOD
from tools.fusion import stream
from tools.fusion.stream import Stream

if TYPE_CHECKING:
    import sqlite3
    from typing import Any

    from gateway.core.reading import Gap, Value
    from gateway.uplink.pack import Sample

POINTS_MAX = 4_096  # names and units of one gateway; its site file has a few hundred
NEW_GATEWAYS_MAX = 60  # a minute: strangers may publish where the broker has no access rules
NEW_STREAMS_MAX = 120  # a minute: two rings of each new gateway
REJECTED_MAX = 1_000  # rows kept, the newest
REJECTED_BYTES = 64  # of each, enough to recognise what it was
HEALTH_MINUTES = 1_440  # one row a minute, one day
MINUTE_MS = 60_000

LOST = "lost"  # it came neither itself nor as a gap, and never will
BEFORE = "before"  # sent before this database first heard of the log

_INTEGER_MAX = 1 << 63


class Known:
    """A stream: its row, whose it is, its account, and what was seen since the last flush."""

    __slots__ = ("account", "duplicates", "gateway_id", "gw", "log", "low", "ring", "stream_id")

    def __init__(
        self, stream_id: int, gateway: tuple[int, str], log: bytes, ring: str, account: Stream
    ) -> None:
        self.stream_id = stream_id
        self.gateway_id, self.gw = gateway
        self.log = log
        self.ring = ring
        self.account = account
        self.low = 1
        self.duplicates = 0


class Store:
    """The rows of the database by their names, cached."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self.database = database
        self.touched: dict[int, Known] = {}  # streams that a flush must write
        self._gateways: dict[str, int] = dict(
            database.execute("SELECT name, gateway_id FROM gateways")
        )
        self._streams: dict[tuple[int, bytes, str], Known] = {}
        self._points: dict[int, dict[tuple[str, str], int]] = {}
        self._gateway_budget = Budget(NEW_GATEWAYS_MAX)
        self._stream_budget = Budget(NEW_STREAMS_MAX)
        for stream_id, gateway_id, gw, log, ring, low, high, islands in database.execute(
            "SELECT stream_id, gateway_id, name, log, ring, low, high, islands"
            " FROM streams JOIN gateways USING (gateway_id)"
        ):
            account = Stream(high, stream.from_text(islands))
            known = Known(stream_id, (gateway_id, gw), log, ring, account)
            known.low = low
            self._streams[gateway_id, log, ring] = known

    def gateway(self, name: str, now_ms: int) -> int:
        """Return the row of gateway `name`, made if it is new; Refused if too many are new."""
        found = self._gateways.get(name)
        if found is None:
            self._gateway_budget.take(f"gateway {name} is new, and so were too many", now_ms)
            found = self._gateways[name] = self._insert(
                "INSERT INTO gateways (name, state, version, boot, first_ms, seen_ms, rejected)"
                " VALUES (?, 'unknown', '', 0, ?, ?, 0)",
                (name, now_ms, now_ms),
            )
        return found

    def stream(self, gw: str, log: bytes, ring: str, low: int, now_ms: int) -> Known:
        """Return the stream, made if it is new with `low` as its first number."""
        gateway_id = self.gateway(gw, now_ms)
        known = self._streams.get((gateway_id, log, ring))
        if known is None:
            self._stream_budget.take(f"log {log.hex()} is new, and so were too many", now_ms)
            stream_id = self._insert(
                "INSERT INTO streams (gateway_id, log, ring, high, low, islands, duplicates,"
                " first_ms, seen_ms) VALUES (?, ?, ?, 0, 1, '', 0, ?, ?)",
                (gateway_id, log, ring, now_ms, now_ms),
            )
            known = Known(stream_id, (gateway_id, gw), log, ring, Stream())
            self._streams[gateway_id, log, ring] = known
            self.give_up(known, low, BEFORE, now_ms)
        self.touched[known.stream_id] = known
        return known

    def point(self, gateway_id: int, name: str, unit: str, now_ms: int, ring: str = "") -> int:
        """Return the row of a point, made if it is new; Refused beyond POINTS_MAX."""
        points = self._points.get(gateway_id)
        if points is None:
            points = self._points[gateway_id] = {
                (row[0], row[1]): row[2]
                for row in self.database.execute(
                    "SELECT name, unit, point_id FROM points WHERE gateway_id = ?", (gateway_id,)
                )
            }
        found = points.get((name, unit))
        if found is None:
            if len(points) >= POINTS_MAX:
                raise Refused(f"point {name} is one more than {POINTS_MAX}")
            found = points[name, unit] = self._insert(
                "INSERT INTO points (gateway_id, name, unit, kind, ring, every_ms, first_ms)"
                " VALUES (?, ?, ?, '', ?, 0, ?)",
                (gateway_id, name, unit, ring, now_ms),
            )
        return found

    def numbers(self, known: Known, first: int, last: int) -> set[int]:
        """Return which of `first`..`last` are stored as readings."""
        rows = self.database.execute(
            "SELECT seq FROM readings WHERE stream_id = ? AND seq BETWEEN ? AND ?",
            (known.stream_id, first, last),
        )
        return {seq for (seq,) in rows}

    def readings(self, rows: list[tuple[Any, ...]]) -> int:
        """Insert rows as `row` makes them; those already there are left. Return how many new."""
        before = self.database.total_changes
        self.database.executemany(
            "INSERT OR IGNORE INTO readings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows
        )
        return self.database.total_changes - before

    def gap(self, teller: Known, seq: int, gap: Gap, now_ms: int) -> bool:
        """Insert what number `seq` of `teller` says is lost; False if that was known."""
        changed = self.database.execute(
            "INSERT OR IGNORE INTO gaps VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
            (teller.stream_id, seq, teller.gateway_id, gap.log_id, gap.ring)
            + (gap.first, gap.last, gap.count, gap.reason, now_ms),
        ).rowcount
        target = self._streams.get((teller.gateway_id, gap.log_id, gap.ring))
        if changed and target:
            self.fill(target, gap.first, gap.last)
            self.bridge(target)
            self.touched[target.stream_id] = target
        return bool(changed)

    def give_up(self, known: Known, low: int, why: str, now_ms: int) -> None:
        """Record that nothing below `low` will come, and what is missing there unexplained."""
        known.low = max(known.low, low)
        self.bridge(known)
        for first, last in known.account.pass_to(low):
            self.database.execute(
                "INSERT INTO holes VALUES (?, ?, ?, ?, ?, 0)",
                (known.stream_id, first, last, why, now_ms),
            )
            for a, b in self._gaps(known, first, last):
                self.fill(known, a, b)

    def bridge(self, known: Known) -> None:
        """Account for gaps that begin where the stream's contiguous part ends."""
        while True:
            next_number = known.account.high + 1
            found = self._gaps(known, next_number, next_number)
            if not found:
                return
            for first, last in found:
                known.account.add(first, last)

    def fill(self, known: Known, first: int, last: int) -> None:
        """Take `first`..`last` out of the stream's holes: it came after all, or is explained."""
        rows = self.database.execute(
            "SELECT first, last, why, found_ms FROM holes"
            " WHERE stream_id = ? AND first <= ? AND last >= ?",
            (known.stream_id, last, first),
        ).fetchall()
        for a, b, why, found_ms in rows:
            self.database.execute(
                "DELETE FROM holes WHERE stream_id = ? AND first = ?", (known.stream_id, a)
            )
            self.database.executemany(
                "INSERT INTO holes VALUES (?, ?, ?, ?, ?, 0)",
                [
                    (known.stream_id, *left, why, found_ms)
                    for left in stream.subtract((a, b), (first, last))
                ],
            )

    def was_given_up(self, known: Known, first: int, last: int) -> bool:
        """Return whether part of `first`..`last` is a hole or explained by a gap."""
        hole = self.database.execute(
            "SELECT 1 FROM holes WHERE stream_id = ? AND first <= ? AND last >= ? LIMIT 1",
            (known.stream_id, last, first),
        ).fetchone()
        return hole is not None or bool(self._gaps(known, first, last))

    def flush(self, now_ms: int) -> list[Known]:
        """Write the accounts that changed, beside their readings; return them."""
        flushed = list(self.touched.values())
        self.touched.clear()
        for known in flushed:
            account = known.account
            self.database.execute(
                "UPDATE streams SET high = ?, low = ?, islands = ?, duplicates = duplicates + ?,"
                " seen_ms = ? WHERE stream_id = ?",
                (account.high, known.low, stream.to_text(account.islands), known.duplicates)
                + (now_ms, known.stream_id),
            )
            known.duplicates = 0
        return flushed

    def reject(self, gw: str, topic: str, payload: bytes, reason: str, now_ms: int) -> None:
        """Keep what a message was refused for, and its first bytes; count it for its gateway."""
        newest = self._insert(
            "INSERT INTO rejected (came_ms, topic, reason, size, head) VALUES (?, ?, ?, ?, ?)",
            (now_ms, topic[:256], reason[:256], len(payload), payload[:REJECTED_BYTES]),
        )
        self.database.execute(
            "DELETE FROM rejected WHERE rejected_id <= ?", (newest - REJECTED_MAX,)
        )
        self.database.execute("UPDATE gateways SET rejected = rejected + 1 WHERE name = ?", (gw,))

    def _gaps(self, known: Known, first: int, last: int) -> list[tuple[int, int]]:
        """Return the ranges of the stream's gaps that touch `first`..`last`."""
        found: list[tuple[int, int]] = self.database.execute(
            "SELECT first, last FROM gaps WHERE gateway_id = ? AND log = ? AND ring = ?"
            " AND first <= ? AND last >= ?",
            (known.gateway_id, known.log, known.ring, last, first),
        ).fetchall()
        return found

    def _insert(self, sql: str, row: tuple[Any, ...]) -> int:
        found = self.database.execute(sql, row).lastrowid
        assert found is not None
        return found


class Budget:
    """So many a minute and no more."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._minute = 0
        self._taken = 0

    def take(self, what: str, now_ms: int) -> None:
        """Take one; Refused with `what` when this minute's are gone."""
        if now_ms // MINUTE_MS != self._minute:
            self._minute = now_ms // MINUTE_MS
            self._taken = 0
        if self._taken >= self._per_minute:
            raise Refused(f"{what} (more than {self._per_minute} a minute)")
        self._taken += 1


def row(known: Known, seq: int, point_id: int, sample: Sample, clock: str) -> tuple[Any, ...]:
    """Return a reading as a row of the table."""
    until_ms = None if sample.high_ms == sample.low_ms else sample.high_ms
    quality = None if sample.quality == GOOD else sample.quality
    clock_ = None if clock == "synced" else clock
    return (known.stream_id, seq, point_id, sample.low_ms, until_ms, clock_, quality) + columns(
        sample.value
    )


def columns(value: Value) -> tuple[Any, str | None]:
    """Return (what a query computes with, what that cannot say)."""
    if isinstance(value, bool):
        return int(value), "true" if value else "false"
    if isinstance(value, Decimal):
        return float(value), str(value)
    if isinstance(value, int) and not -_INTEGER_MAX <= value < _INTEGER_MAX:
        return float(value), str(value)
    return value, None
