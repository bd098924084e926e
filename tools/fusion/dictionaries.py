"""The preset dictionaries of gateways, learned from their birth certificates and kept.

What was deflated with a dictionary that is not here cannot be read yet, and must never be read with
another one. Knows no topic; commits nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.errors import BadReply
from gateway.uplink import senml
from gateway.uplink.deflate_cpython import inflate, is_deflated
from gateway.uplink.dictionary import dictionary, identity, wanted

if TYPE_CHECKING:
    import sqlite3
    from typing import Any

KEPT_MAX = 8  # of one gateway: a broker may still hold packs of sites before the last one


class Dictionaries:
    """Every dictionary that may still be named by a pack, by gateway and id."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._known: dict[tuple[str, int], bytes] = {}
        self._newest: dict[str, int] = {}
        self._learned = 0
        for gw, number, body, learned in database.execute(
            "SELECT gateway, id, body, learned FROM dictionaries ORDER BY learned"
        ):
            self._known[gw, number] = body
            self._newest[gw] = number
            self._learned = learned

    def learn(self, birth: dict[str, Any]) -> None:
        """Keep the dictionary of a birth certificate that was checked."""
        gw, body = birth["gw"], dictionary(birth)
        number = identity(body)
        if self._known.get((gw, number), body) != body:
            body = b""
        self._known[gw, number] = body
        self._newest[gw] = number
        self._learned += 1
        self._database.execute(
            "INSERT OR REPLACE INTO dictionaries VALUES (?, ?, ?, ?)",
            (gw, number, body, self._learned),
        )
        self._forget(gw)

    def newest(self, gw: str) -> int | None:
        """Return the id of the dictionary that `gw` may use."""
        number = self._newest.get(gw)
        return number if number is not None and self._known[gw, number] else None

    def inflate(self, gw: str, payload: bytes) -> bytes:
        """Return a payload of `gw` as it was packed; BadReply while it cannot be read."""
        if not is_deflated(payload):
            return payload
        number = wanted(payload)
        if number is None:
            return inflate(payload, senml.PACK_BYTES_MAX)
        body = self._known.get((gw, number))
        if not body:
            raise BadReply(f"deflate: dictionary {number:08x} is not known yet")
        return inflate(payload, senml.PACK_BYTES_MAX, body)

    def _forget(self, gw: str) -> None:
        rows = self._database.execute(
            "SELECT id FROM dictionaries WHERE gateway = ? ORDER BY learned DESC", (gw,)
        ).fetchall()
        for (number,) in rows[KEPT_MAX:]:
            self._database.execute(
                "DELETE FROM dictionaries WHERE gateway = ? AND id = ?", (gw, number)
            )
            del self._known[gw, number]
