"""The tables of version 2, and how a database of an earlier version comes by them.

A migration is one transaction: a power cut in it leaves the old version. Knows tables only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.errors import ConfigError
from gateway.core.reading import QUALITIES

if TYPE_CHECKING:
    import sqlite3

QUARTER_MS = 900_000  # every local day begins on a quarter of an hour of UTC
OTHER = "other"  # a quality that this version does not know
NO_BOOT = 0  # the life to which readings belong whose boot was not kept

# cards: which logs a gateway wrote on one card; a new card counts boots from 1 again.
# lives.ended: how the life before it ended, NULL if its birth never came.
# spans: the readings of a life and ring whose wall time is known, first to last.
# periods: how often a point is due from a life on; NULL: no longer in the birth certificate.
# quarters: the readings of a point by quarter of an hour (of the latest time they can have, if
# `bounded`). .bad: "no-reply:3 stale:1", .late: readings by step of tally.LATE_STEPS_MS.
# presence: when the gateway's connection came and went.
# claims: `count` readings of a ring between two moments are missing for a cause.
# health_days: the least and worst that a gateway told on a day (UTC).
# pruned: one row once sums were deleted: what was due before `before_ms` is not known any more.
# dictionaries.learned counts births, as clocks are set back. An empty body: two births gave this
# id, so no pack that names it can be trusted to either.
ADDED = """
CREATE TABLE cards (
  gateway_id INTEGER NOT NULL REFERENCES gateways, ring TEXT NOT NULL, log BLOB NOT NULL,
  card INTEGER NOT NULL, PRIMARY KEY (gateway_id, ring, log)
) STRICT, WITHOUT ROWID;
CREATE TABLE lives (
  life_id INTEGER PRIMARY KEY, gateway_id INTEGER NOT NULL REFERENCES gateways,
  card INTEGER NOT NULL, boot INTEGER NOT NULL, ended TEXT, version TEXT NOT NULL,
  first_ms INTEGER NOT NULL, UNIQUE (gateway_id, card, boot)
) STRICT;
CREATE TABLE spans (
  life_id INTEGER NOT NULL REFERENCES lives, ring TEXT NOT NULL, first_ms INTEGER NOT NULL,
  last_ms INTEGER NOT NULL, PRIMARY KEY (life_id, ring)
) STRICT, WITHOUT ROWID;
CREATE TABLE periods (
  point_id INTEGER NOT NULL REFERENCES points, life_id INTEGER NOT NULL REFERENCES lives,
  every_ms INTEGER, PRIMARY KEY (point_id, life_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE quarters (
  point_id INTEGER NOT NULL REFERENCES points, bounded INTEGER NOT NULL, quarter INTEGER NOT NULL,
  life_id INTEGER NOT NULL REFERENCES lives, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,
  count INTEGER NOT NULL, good INTEGER NOT NULL, fixed_up INTEGER NOT NULL, bad TEXT NOT NULL,
  late TEXT NOT NULL, late_max_ms INTEGER NOT NULL,
  PRIMARY KEY (point_id, bounded, quarter, life_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE presence (
  gateway_id INTEGER NOT NULL REFERENCES gateways, at_ms INTEGER NOT NULL, state TEXT NOT NULL,
  PRIMARY KEY (gateway_id, at_ms)
) STRICT, WITHOUT ROWID;
CREATE TABLE claims (
  gateway_id INTEGER NOT NULL REFERENCES gateways, ring TEXT NOT NULL, from_ms INTEGER NOT NULL,
  to_ms INTEGER NOT NULL, count INTEGER NOT NULL, cause TEXT NOT NULL, reason TEXT NOT NULL,
  latest INTEGER NOT NULL
) STRICT;
CREATE INDEX claims_of_ring ON claims (gateway_id, ring);
CREATE TABLE health_days (
  gateway_id INTEGER NOT NULL REFERENCES gateways, day INTEGER NOT NULL, hours_left REAL,
  fill REAL, volatile INTEGER NOT NULL, PRIMARY KEY (gateway_id, day)
) STRICT, WITHOUT ROWID;
CREATE TABLE pruned (before_ms INTEGER NOT NULL) STRICT;
CREATE TABLE dictionaries (
  gateway TEXT NOT NULL, id INTEGER NOT NULL, body BLOB NOT NULL, learned INTEGER NOT NULL,
  PRIMARY KEY (gateway, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX gaps_of_log ON gaps (gateway_id, log, ring, last);
"""

_WORDS = ", ".join(f"'{one}'" for one in QUALITIES)

# Version 1 kept no boot and no time of arrival: its readings are of one life, never late.
_FROM_1 = f"""
ALTER TABLE gaps ADD COLUMN settled INTEGER NOT NULL DEFAULT 0;
ALTER TABLE holes ADD COLUMN settled INTEGER NOT NULL DEFAULT 0;
DROP INDEX gaps_of_log;
{ADDED}
INSERT INTO lives (gateway_id, card, boot, ended, version, first_ms)
  SELECT gateway_id, 0, {NO_BOOT}, NULL, '', first_ms FROM gateways;
INSERT INTO cards SELECT gateway_id, ring, log, 0 FROM streams;
INSERT INTO quarters
  SELECT point_id, bounded, quarter, life_id, min(low), max(high), sum(some),
    sum(CASE WHEN word IS NULL THEN some ELSE 0 END), sum(fixed_up),
    coalesce(group_concat(CASE WHEN word IS NOT NULL THEN word || ':' || some END, ' '), ''),
    '', 0
  FROM (
    SELECT point_id, until_ms IS NOT NULL AS bounded,
      min(coalesce(until_ms, at_ms), g.seen_ms) / {QUARTER_MS} AS quarter, life_id,
      CASE WHEN quality IS NULL OR quality IN ({_WORDS}) THEN quality ELSE '{OTHER}' END AS word,
      min(at_ms) AS low, max(coalesce(until_ms, at_ms)) AS high, count(*) AS some,
      sum(coalesce(clock = 'fixed-up', 0)) AS fixed_up
    FROM readings JOIN points USING (point_id) JOIN gateways g USING (gateway_id)
      JOIN lives USING (gateway_id)
    GROUP BY point_id, bounded, quarter, word
  ) GROUP BY point_id, bounded, quarter;
INSERT INTO spans
  SELECT life_id, ring, min(q.first_ms), max(q.last_ms)
  FROM quarters q JOIN points USING (point_id) WHERE NOT bounded GROUP BY life_id, ring;
INSERT INTO periods
  SELECT point_id, life_id, every_ms FROM points JOIN lives USING (gateway_id) WHERE kind <> ''
    OR every_ms > 0;
"""  # noqa: S608 - constants of this file

_STEPS = {1: _FROM_1}


def upgrade(database: sqlite3.Connection, found: int, wanted: int) -> None:
    """Bring tables of version `found` up to `wanted`; ConfigError if the way is not known."""
    for version in range(found, wanted):
        if version not in _STEPS:
            raise ConfigError(f"tables of version {version} are too old for this program")
        try:
            database.executescript(
                f"BEGIN IMMEDIATE; {_STEPS[version]} PRAGMA user_version = {version + 1}; COMMIT;"
            )
        finally:
            if database.in_transaction:
                database.execute("ROLLBACK")
