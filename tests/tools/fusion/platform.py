"""The ingest function over a database in memory or in a file, without a broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.tools.fusion.fake import WALL_MS
from tools.fusion import schema
from tools.fusion.ingest import Ingest

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

NOW = WALL_MS + 1_000_000


class Platform:
    def __init__(
        self, path: Path | None = None, database: sqlite3.Connection | None = None
    ) -> None:
        self.database = database or schema.create_or_open(path or ":memory:")
        self.ingest = Ingest(self.database)

    def take(self, *messages: tuple[str, bytes], now_ms: int = NOW) -> dict[tuple[str, str], int]:
        """Receive, commit, and return what is acknowledged by (gateway, ring)."""
        for topic, payload in messages:
            self.ingest.receive(topic, payload, now_ms)
        acks = self.ingest.commit(now_ms)
        return {(gw, ack.ring): ack.seq for gw, ack in acks}

    def rows(self, sql: str, *arguments: object) -> list[tuple]:
        return self.database.execute(sql, arguments).fetchall()

    def numbers(self) -> list[int]:
        return [row[0] for row in self.rows("SELECT seq FROM readings ORDER BY stream_id, seq")]

    def rejections(self) -> list[str]:
        return [row[0] for row in self.rows("SELECT reason FROM rejected ORDER BY rejected_id")]
