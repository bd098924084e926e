"""The lives of gateways: boots, how each ended, which points were due in it, and its connection.

A life is one boot of one card. It is known by its birth certificate or, if it never had a
connection, by its packs. Nothing here commits. Knows no topic and no bytes of a message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.fusion.store import MINUTE_MS, Budget

if TYPE_CHECKING:
    import sqlite3
    from typing import Any

# How the life before a boot ended, as a birth says it; NULL where none did.
FIRST, STOPPED, CRASHED, POWER = "first", "stopped", "crashed", "power"
ENDS = (FIRST, STOPPED, CRASHED, POWER)

NEW_LIVES_MAX = 600  # of a gateway a minute: an outage may bring the lives of months at once
PRESENCE_MAX = 4_096  # changes of a gateway's connection kept, the newest
HEALTH_DAYS_MAX = 400  # days of a gateway's worst hours left
HOURS_MAX = 87_600  # of buffer left, ten years: whoever tells more is not believed
DAY_MS = 1_440 * MINUTE_MS

_KEEP = """
DELETE FROM {0} WHERE gateway_id = ?1 AND {1} <
  (SELECT {1} FROM {0} WHERE gateway_id = ?1 ORDER BY {1} DESC LIMIT 1 OFFSET ?2)
"""


class Lives:
    """The rows of lives by (gateway, log, boot), cached."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._cards: dict[tuple[int, str, bytes], int] = {}
        self._newest: dict[int, tuple[int, int]] = {}  # gateway → card, boot
        self._ids: dict[tuple[int, int, int], int] = {}  # gateway, card, boot
        self._periods: dict[int, dict[int, int | None]] = {}  # gateway → point → every_ms
        self._budgets: dict[int, Budget] = {}  # of gateways with new lives
        for gateway_id, ring, log, card in database.execute("SELECT * FROM cards"):
            self._cards[gateway_id, ring, log] = card
        for gateway_id, card, boot, life_id in database.execute(
            "SELECT gateway_id, card, boot, life_id FROM lives"
        ):
            self._ids[gateway_id, card, boot] = life_id
            self._newest[gateway_id] = max(self._newest.get(gateway_id, (0, 0)), (card, boot))

    def life(self, gateway_id: int, ring: str, log: bytes, boot: int, now_ms: int) -> int:
        """Return the row of the life `boot` in which `log` was written, made if it is new."""
        card = self._cards.get((gateway_id, ring, log))
        if card is None:
            card = self._card(gateway_id, ring, log, boot)
        found = self._ids.get((gateway_id, card, boot))
        if found is None:
            budget = self._budgets.setdefault(gateway_id, Budget(NEW_LIVES_MAX))
            budget.take(f"boot {boot} is new, and so were too many", now_ms)
            found = self._database.execute(
                "INSERT INTO lives (gateway_id, card, boot, ended, version, first_ms)"
                " VALUES (?, ?, ?, NULL, '', ?)",
                (gateway_id, card, boot, now_ms),
            ).lastrowid
            assert found is not None
            self._ids[gateway_id, card, boot] = found
            newest = max(self._newest.get(gateway_id, (0, 0)), (card, boot))
            self._newest[gateway_id] = newest
        return found

    def birth(
        self,
        gateway_id: int,
        logs: dict[str, bytes],
        told: tuple[int, str | None, str],  # boot, ended, version
        points: list[tuple[int, int]],  # row, every_ms
        now_ms: int,
    ) -> None:
        """Take a birth certificate; the same one again changes nothing."""
        boot, ended, version = told
        life_id = 0
        for ring, log in logs.items():
            life_id = self.life(gateway_id, ring, log, boot, now_ms)
        if not life_id:
            return
        self._database.execute(
            "UPDATE lives SET ended = coalesce(?, ended), version = ? WHERE life_id = ?",
            (ended, version, life_id),
        )
        if self._ids[(gateway_id, *self._newest[gateway_id])] == life_id:
            self._reschedule(gateway_id, life_id, dict(points))

    def presence(self, gateway_id: int, state: str, now_ms: int) -> None:
        """Note that the connection came or went, if it did."""
        last = self._database.execute(
            "SELECT state FROM presence WHERE gateway_id = ? ORDER BY at_ms DESC LIMIT 1",
            (gateway_id,),
        ).fetchone()
        if last is not None and last[0] == state:
            return
        self._database.execute(
            "INSERT OR REPLACE INTO presence VALUES (?, ?, ?)", (gateway_id, now_ms, state)
        )
        self._keep("presence", "at_ms", gateway_id, PRESENCE_MAX)

    def health(self, gateway_id: int, told: dict[str, Any], now_ms: int) -> None:
        """Keep the fewest hours left and the fullest ring of the day."""
        hours, fill = hours_left(told), fill_of(told)
        self._database.execute(
            "INSERT INTO health_days VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " hours_left = min(coalesce(hours_left, excluded.hours_left),"
            "  coalesce(excluded.hours_left, hours_left)),"
            " fill = max(coalesce(fill, excluded.fill), coalesce(excluded.fill, fill)),"
            " volatile = max(volatile, excluded.volatile)",
            (gateway_id, now_ms // DAY_MS, hours, fill, told.get("durable") is False),
        )
        self._keep("health_days", "day", gateway_id, HEALTH_DAYS_MAX)

    def _card(self, gateway_id: int, ring: str, log: bytes, boot: int) -> int:
        """Return the card of a log that is new: a new one if boots are counted from 1 again."""
        card, newest_boot = self._newest.get(gateway_id, (1, 0))
        has_log = any(
            one[0] == gateway_id and one[1] == ring and known == card
            for one, known in self._cards.items()
        )
        if has_log and boot <= newest_boot:
            card += 1
        self._cards[gateway_id, ring, log] = card
        self._database.execute(
            "INSERT INTO cards VALUES (?, ?, ?, ?)", (gateway_id, ring, log, card)
        )
        return card

    def _reschedule(self, gateway_id: int, life_id: int, points: dict[int, int]) -> None:
        """Write which points are due how often from this life on, where that is new."""
        known = self._periods.get(gateway_id)
        if known is None:
            known = self._periods[gateway_id] = self._load(gateway_id)
        wanted: dict[int, int | None] = dict.fromkeys(known)
        wanted.update(points)
        changed = [
            (point_id, life_id, every_ms)
            for point_id, every_ms in wanted.items()
            if point_id not in known or known[point_id] != every_ms
        ]
        self._database.executemany("INSERT OR REPLACE INTO periods VALUES (?, ?, ?)", changed)
        known.update(wanted)

    def _load(self, gateway_id: int) -> dict[int, int | None]:
        rows = self._database.execute(
            "SELECT point_id, p.every_ms FROM points JOIN periods p USING (point_id)"
            " JOIN lives USING (life_id) WHERE points.gateway_id = ? ORDER BY card, boot",
            (gateway_id,),
        )
        return dict(rows.fetchall())  # of each point the row of its newest life remains

    def _keep(self, table: str, column: str, gateway_id: int, rows: int) -> None:
        self._database.execute(_KEEP.format(table, column), (gateway_id, rows - 1))


def hours_left(told: dict[str, Any]) -> float | None:
    """Return the hours that health told the buffer lasts, None if that is no such number."""
    return _number(told.get("hours_left"), HOURS_MAX)


def fill_of(told: dict[str, Any]) -> float | None:
    """Return which part of its ring health told is full, None if that is no such number."""
    return _number(told.get("fill"), 1)


def _number(value: object, most: float) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        return None
    return float(value)
