"""Completeness: per point and day what was due, what came, and why the rest did not.

Only reads, and only the sums kept while readings arrived; single readings are looked at where a
gap lies between them. The document is the contract ("tidegate.fusion.completeness/1").
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tools.fusion import chronicle, claims
from tools.fusion.days import day_end_ms
from tools.fusion.lives import DAY_MS
from tools.fusion.migrate import NO_BOOT, QUARTER_MS
from tools.fusion.report import BUFFER, IDENTITY
from tools.fusion.slots import Change, Hole, Pool, Row, Walk
from tools.fusion.sums import BUFFERED, BUS, OPERATOR, UNKNOWN, Sums

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from typing import Any, TypeAlias

    from tools.fusion.chronicle import Life
    from tools.fusion.days import Days
    from tools.fusion.slots import Claim, Why

    Document: TypeAlias = dict[str, Any]

SCHEMA = "tidegate.fusion.completeness/1"
ABSENT: Why = (BUS, "absent")  # the gateway was up and there is not even a failed attempt
REMOVED: Why = (OPERATOR, "removed")  # no longer in the birth certificate
UNTOLD: Why = (UNKNOWN, "absent")  # read by a version that kept no boots
ON_ITS_WAY: Why = (BUFFERED, "on-its-way")
SILENT: Why = (UNKNOWN, "silent")  # not heard for longer than its buffer lasts
BUFFER_HOURS = 72  # what a gateway is planned to bridge, if it has not told how long it can

_ROW = "SELECT quarter, life_id, first_ms, last_ms, count FROM quarters"


class Point:
    """A point, its sums by day and the holes in it."""

    __slots__ = ("changes", "days", "every_ms", "kind", "name", "point_id", "ring", "unit")

    def __init__(
        self, row: tuple[Any, ...], days: int, changes: list[tuple[int, int | None]]
    ) -> None:
        self.point_id, self.name, self.unit, self.kind, self.ring = row
        self.days = [Sums() for _ in range(days)]
        self.changes = changes  # (number of a life, period from then on)
        self.every_ms = next((every for _, every in reversed(changes) if every), 0)


class Gateway:
    """One gateway's points over some days."""

    def __init__(
        self, database: sqlite3.Connection, gateway_id: int, days: Days, now_ms: int
    ) -> None:
        self._database = database
        self._gateway_id = gateway_id
        self._days = days
        self._now_ms = now_ms
        self._since_ms = max(days.from_ms, _pruned_ms(database))
        self._seen_ms, self._hours_left = chronicle.heard(database, gateway_id)
        self._upto_ms = max(now_ms, self._seen_ms)  # what is due later is not missing yet
        self.lives = chronicle.lives(database, gateway_id)
        self._numbers = {one.life_id: number for number, one in enumerate(self.lives)}
        self.points = {one.point_id: one for one in self._points()}
        self.rings = sorted({one.ring for one in self.points.values()})
        for ring in self.rings:
            self._account(ring)

    def front_ms(self, ring: str) -> int:
        """Return the time of the newest reading of a ring, 0 if there is none."""
        return max((one.spans[ring][1] for one in self.lives if ring in one.spans), default=0)

    def _points(self) -> list[Point]:
        changes: dict[int, list[tuple[int, int | None]]] = {}
        for point_id, life_id, every_ms in self._database.execute(
            "SELECT point_id, life_id, p.every_ms FROM points JOIN periods p USING (point_id)"
            " WHERE gateway_id = ?",
            (self._gateway_id,),
        ):
            changes.setdefault(point_id, []).append((self._numbers[life_id], every_ms))
        rows = self._database.execute(
            "SELECT point_id, name, unit, kind, ring FROM points WHERE gateway_id = ?"
            " ORDER BY name, unit",
            (self._gateway_id,),
        )
        size = len(self._days.names)
        return [Point(row, size, sorted(changes.get(row[0], []))) for row in rows]

    def _account(self, ring: str) -> None:
        """Give what did not come of the points of `ring` its cause."""
        pool = Pool(self._take)
        claimed = claims.of(self._database, self._gateway_id, ring, self._days, self._now_ms)
        for point in self.points.values():
            if point.ring == ring:
                holes = self._holes(point)
                pool.add(point.point_id, self._placed(point, holes, claimed))
        for claim in claimed:
            pool.claim(claim)
        pool.silences(self._silences(ring), ABSENT)

    def _holes(self, point: Point) -> list[Hole]:
        rows, begun, more = self._rows(point)
        unplaced = self._unplaced(point)
        changes = [] if not point.changes else self._changes(point, rows)
        walk = Walk(unplaced, begun)
        marks: list[Change | Row] = sorted(
            [*changes, *rows], key=lambda one: (one.life, isinstance(one, Row))
        )
        if begun:  # what was due when the first row was read, is known; when it began is not asked
            first = next(index for index, one in enumerate(marks) if isinstance(one, Row))
            marks = marks[max(0, first - 1) :]
        last = max([one.life for one in rows], default=-1) if more else len(self.lives)
        for mark in marks:
            if isinstance(mark, Row):
                walk.row(mark)
            elif mark.life <= last:
                walk.change(mark)
        if not more:
            walk.end(self._now_ms, len(self.lives))
        holes, extra = walk.holes()
        for at_ms, count in extra:
            index = self._days.index(at_ms)
            if 0 <= index < len(point.days):
                point.days[index].extra += count
        for since_ms, next_ms, every_ms in walk.removed:
            end_ms = min(day_end_ms(since_ms, self._days.tz), self._now_ms)
            back_ms = min([one.first_ms for one in rows if one.first_ms > since_ms] or [end_ms])
            gone = Hole(next_ms, every_ms, 1 << 40)
            self._take(point.point_id, gone.cut(gone.before(min(end_ms, back_ms)))[0], REMOVED)
        return holes

    def _placed(self, point: Point, holes: list[Hole], claimed: list[Claim]) -> Iterator[Hole]:
        """Yield the holes; what is missing within a quarter stands where it is, if one may ask."""
        for hole in holes:
            from_ms, to_ms = hole.first_ms - hole.step_ms, hole.last_ms + hole.step_ms
            spread = hole.step_ms != hole.every_ms
            if spread and any(one.from_ms <= to_ms and from_ms <= one.to_ms for one in claimed):
                left = hole.count
                for exact in self._exact(point, hole.every_ms, from_ms, to_ms):
                    yield exact.cut(left)[0] if exact.count > left else exact
                    left -= min(left, exact.count)
                hole.count = left  # its readings were pruned
            if hole.count:
                yield hole

    def _exact(self, point: Point, every_ms: int, from_ms: int, to_ms: int) -> Iterator[Hole]:
        last_ms: int | None = None
        for (at_ms,) in self._database.execute(
            "SELECT at_ms FROM readings WHERE point_id = ? AND at_ms BETWEEN ? AND ?"
            " AND until_ms IS NULL ORDER BY at_ms",
            (point.point_id, from_ms, to_ms + 1),
        ):
            if last_ms is not None:
                count = (at_ms - last_ms + every_ms // 2) // every_ms - 1
                if count > 0:
                    yield Hole(last_ms + every_ms, every_ms, count)
            last_ms = at_ms

    def _rows(self, point: Point) -> tuple[list[Row], bool, bool]:
        """Sum the point's days; return its rows, and whether others lie before and after them."""
        start, end = (at_ms // QUARTER_MS for at_ms in (self._days.from_ms, self._days.to_ms))
        known = f"{_ROW} WHERE point_id = ? AND bounded = 0 AND quarter"
        before = self._database.execute(
            f"{known} < ? ORDER BY quarter DESC LIMIT 1", (point.point_id, start)
        ).fetchall()
        after = self._database.execute(
            f"{known} >= ? ORDER BY quarter LIMIT 1", (point.point_id, end)
        ).fetchall()
        inside = []
        for bounded, quarter, *row in self._database.execute(
            "SELECT bounded, quarter, life_id, first_ms, last_ms, count, good, fixed_up, bad, late,"
            " late_max_ms FROM quarters"
            " WHERE point_id = ? AND bounded IN (0, 1) AND quarter >= ? AND quarter < ?",
            (point.point_id, start, end),
        ):
            sums = point.days[self._days.index(quarter * QUARTER_MS)]
            sums.add_row(bounded, row[3:])
            if not bounded:
                inside.append((quarter, *row[:4]))
        rows = [
            Row(self._numbers[life_id], first_ms, last_ms, count)
            for _, life_id, first_ms, last_ms, count in before + inside + after
        ]
        rows.sort(key=lambda one: (one.life, one.first_ms))
        return rows, bool(before), bool(after)

    def _unplaced(self, point: Point) -> dict[int, int]:
        rows = self._database.execute(
            "SELECT life_id, sum(count) FROM quarters WHERE point_id = ? AND bounded = 1"
            " GROUP BY life_id",
            (point.point_id,),
        )
        return {self._numbers[life_id]: count for life_id, count in rows}

    def _changes(self, point: Point, rows: list[Row]) -> list[Change]:
        """Return since when the point is due how often."""
        found = []
        for number, every_ms in point.changes:
            life = self.lives[number]
            ring = point.ring if every_ms else ""
            found.append(Change(number, life.begin_ms(ring), every_ms))
        if rows and rows[0].life < found[0].life:  # packs of lives whose birth was never heard
            first = self.lives[rows[0].life]
            found[0] = Change(rows[0].life, first.begin_ms(point.ring), found[0].every_ms)
        return found

    def _silences(self, ring: str) -> list[tuple[int, int, Why]]:
        """Return (from, to, why) of the times in which no reading of `ring` is known."""
        zones: list[tuple[int, int, Why]] = []
        last: Life | None = None
        for number, life in enumerate(self.lives):
            if ring not in life.spans:
                continue
            if last is not None:
                why = chronicle.why_down(self.lives[self._numbers[last.life_id] + 1 : number + 1])
                zones.append((last.spans[ring][1], life.spans[ring][0], why))
            if life.boot == NO_BOOT:
                zones.append((*life.spans[ring], UNTOLD))
            last = life
        if last is not None:
            hours = BUFFER_HOURS if self._hours_left is None else self._hours_left
            upto_ms = self._seen_ms + int(hours * 3_600_000)
            front_ms = self.front_ms(ring)
            zones.append((front_ms, max(front_ms, upto_ms), ON_ITS_WAY))
            zones.append((max(front_ms, upto_ms), 1 << 60, SILENT))
        return zones

    def _take(self, point_id: int, hole: Hole, why: Why) -> None:
        """Count empty slots on their days."""
        point = self.points[point_id]
        starts = self._days.starts_ms
        left, _ = hole.cut(hole.before(self._upto_ms))
        _, left = left.cut(left.before(self._since_ms))
        for index, end_ms in enumerate(starts[1:]):
            if not left.count:
                return
            inside, left = left.cut(left.before(end_ms))
            if inside.count:
                point.days[index].miss(why, inside.count)


def report(database: sqlite3.Connection, now_ms: int, days: Days, gateway: str = "") -> Document:
    """Return the document over the local `days`, as far as they have passed."""
    database.execute("BEGIN")  # one moment of the database, whatever is written meanwhile
    try:
        rows = database.execute(
            "SELECT gateway_id, name, state, version, boot, seen_ms FROM gateways"
            " WHERE name = ? OR ? = '' ORDER BY name",
            (gateway, gateway),
        ).fetchall()
        gateways = [_gateway(database, row, days, now_ms) for row in rows]
        pruned_ms = _pruned_ms(database)
    finally:
        database.execute("ROLLBACK")
    whole = Sums()
    for _, sums in gateways:
        whole.add(sums)
    return {
        "schema": SCHEMA,
        "made_ms": now_ms,
        "tz": days.tz,
        "days": days.names,
        "from_ms": days.from_ms,
        "to_ms": days.to_ms,
        "pruned_ms": pruned_ms,
        **whole.document(),
        "gateways": [one for one, _ in gateways],
    }


def _pruned_ms(database: sqlite3.Connection) -> int:
    """Return before when nothing is counted any more."""
    found: int = database.execute("SELECT coalesce(max(before_ms), 0) FROM pruned").fetchone()[0]
    return found


def _gateway(
    database: sqlite3.Connection, row: tuple[Any, ...], days: Days, now_ms: int
) -> tuple[Document, Sums]:
    gateway_id, name, state, version, boot, seen_ms = row
    found = Gateway(database, gateway_id, days, now_ms)
    by_day = [Sums() for _ in days.names]
    whole = Sums()
    points = []
    for point in found.points.values():
        total = Sums()
        for sums, of_day in zip(by_day, point.days, strict=True):
            total.add(of_day)
            if point.every_ms:
                sums.add(of_day)
        if point.every_ms:
            whole.add(total)
        if total.arrived or total.missing:
            points.append(_point(point, total, days))
    upto_ms = min(now_ms, days.to_ms)
    up_ms, down_ms = chronicle.times(found.lives, days.from_ms, upto_ms)
    document = {
        "gateway": name,
        "state": state,
        "version": version,
        "boot": boot,
        "seen_ms": seen_ms,
        **whole.document(),
        "days": [
            {"day": name, **sums.document()} for name, sums in zip(days.names, by_day, strict=True)
        ],
        "points": points,
        "lives": [_life(one) for one in found.lives if _within(one, days)],
        "up_ms": up_ms,
        "down_ms": down_ms,
        "offline_ms": chronicle.offline_ms(database, gateway_id, days.from_ms, upto_ms),
        "gaps": _gaps(database, gateway_id, days),
        "duplicates": database.execute(
            "SELECT coalesce(sum(duplicates), 0) FROM streams WHERE gateway_id = ?", (gateway_id,)
        ).fetchone()[0],
        "health": _health(database, gateway_id, days),
    }
    return document, whole


def _point(point: Point, total: Sums, days: Days) -> Document:
    due = point.every_ms > 0
    return {
        "point": point.name,
        "unit": point.unit,
        "kind": point.kind,
        "ring": point.ring,
        "every_ms": point.every_ms,
        **_told(total, due),
        "days": [
            {"day": name, **_told(sums, due)}
            for name, sums in zip(days.names, point.days, strict=True)
            if sums.arrived or sums.missing
        ],
    }


def _told(sums: Sums, due: bool) -> Document:
    """Return the sums; of a point without a period nobody knows what was due."""
    told = sums.document()
    return told if due else {**told, "due": None, "complete": None}


def _life(life: Life) -> Document:
    span = life.span
    return {
        "boot": life.boot,
        "card": life.card,
        "version": life.version,
        "ended_before": life.ended,
        "first_ms": span[0] if span else None,
        "last_ms": span[1] if span else None,
    }


def _within(life: Life, days: Days) -> bool:
    first_ms, last_ms = life.span or (life.first_ms, life.first_ms)
    return first_ms < days.to_ms and last_ms >= days.from_ms


def _gaps(database: sqlite3.Connection, gateway_id: int, days: Days) -> dict[str, int]:
    """Return how many readings the gateway said are lost, by reason, as it told in these days."""
    found: Counter[str] = Counter()  # summed here: a stranger's counts are too large for a column
    for reason, count, *_ in database.execute(
        "SELECT DISTINCT reason, count, log, ring, first, last, CASE WHEN first = 0 THEN seq END"
        " FROM gaps WHERE gateway_id = ? AND told_ms >= ? AND told_ms < ? ORDER BY reason",
        (gateway_id, days.from_ms, days.to_ms),
    ):
        found[reason] += count
    return found


def _health(database: sqlite3.Connection, gateway_id: int, days: Days) -> Document | None:
    told = chronicle.health(database, gateway_id)
    if told is None:
        return None
    least = database.execute(
        "SELECT min(hours_left), max(fill) FROM health_days WHERE gateway_id = ?"
        " AND day BETWEEN ? AND ?",
        (gateway_id, days.from_ms // DAY_MS, (days.to_ms - 1) // DAY_MS),
    ).fetchone()
    found = {name: told.get(name) for name in (*BUFFER, *IDENTITY)}
    return {**found, "hours_left_min": least[0], "fill_max": least[1]}
