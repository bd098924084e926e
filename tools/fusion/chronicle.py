"""The lives of a gateway as the database remembers them: when, how they ended, how it was heard."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING

from tools.fusion.lives import CRASHED, FIRST, POWER, STOPPED, fill_of, hours_left
from tools.fusion.sums import CRASH, OPERATOR, UNKNOWN
from tools.fusion.sums import POWER as POWER_CUT

if TYPE_CHECKING:
    import sqlite3
    from typing import Any

    from tools.fusion.slots import Why

_WHY: dict[str, Why] = {
    STOPPED: (OPERATOR, "stopped"),
    CRASHED: (CRASH, "crashed"),
    POWER: (POWER_CUT, "power-cut"),
    FIRST: (OPERATOR, "new-card"),  # there was a life before, and this card does not know it
}
_UNTOLD: Why = (UNKNOWN, "down")  # nobody told how the life before ended


class Life:
    """One boot of one card; `ended` says how the life before it ended, None if nobody did."""

    __slots__ = ("boot", "card", "ended", "first_ms", "life_id", "spans", "version")

    def __init__(self, row: tuple[Any, ...], spans: dict[str, tuple[int, int]]) -> None:
        self.life_id, self.card, self.boot, self.ended, self.version, self.first_ms = row
        self.spans = spans  # ring → first and last reading whose time is known

    @property
    def span(self) -> tuple[int, int] | None:
        """The first and the last reading of any ring, None if no time is known."""
        if not self.spans:
            return None
        firsts, lasts = zip(*self.spans.values(), strict=True)
        return min(firsts), max(lasts)

    def begin_ms(self, ring: str) -> int:
        """Return when it began: with its first reading of `ring`, of any, or when it was heard."""
        if ring in self.spans:
            return self.spans[ring][0]
        return self.span[0] if self.span else self.first_ms


def lives(database: sqlite3.Connection, gateway_id: int) -> list[Life]:
    """Return the lives of a gateway in the order in which it lived them."""
    spans: dict[int, dict[str, tuple[int, int]]] = {}
    for life_id, ring, first_ms, last_ms in database.execute(
        "SELECT life_id, ring, s.first_ms, last_ms FROM spans s JOIN lives USING (life_id)"
        " WHERE gateway_id = ?",
        (gateway_id,),
    ):
        spans.setdefault(life_id, {})[ring] = (first_ms, last_ms)
    rows = database.execute(
        "SELECT life_id, card, boot, ended, version, first_ms FROM lives WHERE gateway_id = ?"
        " ORDER BY card, boot",
        (gateway_id,),
    )
    return [Life(row, spans.get(row[0], {})) for row in rows]


def why_down(later: list[Life]) -> Why:
    """Return why a gateway was down, from the lives after the silence began.

    The first of them that tells knows best: lives without a connection tell nothing.
    """
    for one in later:
        if one.ended in _WHY:
            return _WHY[one.ended]
    return _UNTOLD


def heard(database: sqlite3.Connection, gateway_id: int) -> tuple[int, float | None]:
    """Return when the gateway was last heard, and the hours of buffer it then had left."""
    seen_ms = database.execute(
        "SELECT seen_ms FROM gateways WHERE gateway_id = ?", (gateway_id,)
    ).fetchone()[0]
    told = health(database, gateway_id)
    return seen_ms, told["hours_left"] if told else None


def health(database: sqlite3.Connection, gateway_id: int) -> dict[str, Any] | None:
    """Return what the gateway last told of its health, None if it never did."""
    found = database.execute(
        "SELECT came_ms, body FROM health WHERE gateway_id = ? ORDER BY minute DESC LIMIT 1",
        (gateway_id,),
    ).fetchone()
    if found is None:
        return None
    told: dict[str, Any] = json.loads(found[1])
    return {**told, "came_ms": found[0], "hours_left": hours_left(told), "fill": fill_of(told)}


def times(found: list[Life], from_ms: int, to_ms: int) -> tuple[int, dict[str, int]]:
    """Return for how long the gateway was up, and down by cause, between two moments."""
    up_ms = 0
    down_ms: dict[str, int] = {}
    last_ms: int | None = None
    after: list[Life] = []
    for life in found:
        after.append(life)
        if life.span is None:
            continue
        first_ms = life.span[0]
        if last_ms is not None:
            cause = why_down(after)[0]
            silent_ms = max(0, min(first_ms, to_ms) - max(last_ms, from_ms))
            down_ms[cause] = down_ms.get(cause, 0) + silent_ms
        up_ms += max(0, min(life.span[1], to_ms) - max(first_ms, from_ms))
        last_ms = life.span[1]
        after = []
    return up_ms, {cause: ms for cause, ms in down_ms.items() if ms}


def offline_ms(database: sqlite3.Connection, gateway_id: int, from_ms: int, to_ms: int) -> int:
    """Return for how long the gateway had no connection between two moments, as far as known."""
    rows = database.execute(
        "SELECT at_ms, state FROM presence WHERE gateway_id = ? AND at_ms < ? ORDER BY at_ms",
        (gateway_id, to_ms),
    ).fetchall()
    changes = [*rows, (to_ms, "")]
    return sum(
        max(0, end_ms - max(at_ms, from_ms))
        for (at_ms, state), (end_ms, _) in pairwise(changes)
        if state != "online"
    )
