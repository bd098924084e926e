"""The platform's database: its tables, its version, and how it is opened.

SQLite in WAL mode with synchronous=FULL: what is committed survives a power cut, so a commit may
be acknowledged. A database of an earlier version is brought up to this one when it is opened for
writing. Knows no pack and no broker.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from gateway.core.errors import ConfigError
from tools.fusion import migrate

VERSION = 2
BUSY_MS = 5_000  # a report that reads meanwhile never holds a lock for this long

# readings.value: what a query computes with (a real for decimals, 0 or 1 for booleans).
# readings.exact: what `value` cannot say: the decimal's digits, or true and false.
# readings.until_ms: the later bound of the time, NULL where it is known (equal to at_ms).
# readings.quality and .clock: NULL is "good" and "synced".
# A point is a name with a unit: a series never changes its meaning.
# gaps.first..last are numbers of the log `log` of `ring`, which need not be the log that told.
# gaps and holes .settled: what they claim stands in `claims`, as readings around them are pruned.
_TABLES = """
CREATE TABLE gateways (
  gateway_id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, state TEXT NOT NULL,
  version TEXT NOT NULL, boot INTEGER NOT NULL, first_ms INTEGER NOT NULL,
  seen_ms INTEGER NOT NULL, rejected INTEGER NOT NULL
) STRICT;
CREATE TABLE streams (
  stream_id INTEGER PRIMARY KEY, gateway_id INTEGER NOT NULL REFERENCES gateways,
  log BLOB NOT NULL, ring TEXT NOT NULL, high INTEGER NOT NULL, low INTEGER NOT NULL,
  islands TEXT NOT NULL, duplicates INTEGER NOT NULL, first_ms INTEGER NOT NULL,
  seen_ms INTEGER NOT NULL, UNIQUE (gateway_id, log, ring)
) STRICT;
CREATE TABLE devices (
  gateway_id INTEGER NOT NULL REFERENCES gateways, name TEXT NOT NULL, profile TEXT NOT NULL,
  digest BLOB NOT NULL, PRIMARY KEY (gateway_id, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE points (
  point_id INTEGER PRIMARY KEY, gateway_id INTEGER NOT NULL REFERENCES gateways,
  name TEXT NOT NULL, unit TEXT NOT NULL, kind TEXT NOT NULL, ring TEXT NOT NULL,
  every_ms INTEGER NOT NULL, first_ms INTEGER NOT NULL, UNIQUE (gateway_id, name, unit)
) STRICT;
CREATE TABLE readings (
  stream_id INTEGER NOT NULL REFERENCES streams, seq INTEGER NOT NULL,
  point_id INTEGER NOT NULL REFERENCES points, at_ms INTEGER NOT NULL, until_ms INTEGER,
  clock TEXT, quality TEXT, value ANY, exact TEXT, PRIMARY KEY (stream_id, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX readings_of_point ON readings (point_id, at_ms, quality);
CREATE INDEX readings_bounded ON readings (point_id, at_ms) WHERE clock = 'bounded';
CREATE TABLE gaps (
  told_by INTEGER NOT NULL REFERENCES streams, seq INTEGER NOT NULL,
  gateway_id INTEGER NOT NULL REFERENCES gateways, log BLOB NOT NULL, ring TEXT NOT NULL,
  first INTEGER NOT NULL, last INTEGER NOT NULL, count INTEGER NOT NULL, reason TEXT NOT NULL,
  told_ms INTEGER NOT NULL, settled INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (told_by, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE holes (
  stream_id INTEGER NOT NULL REFERENCES streams, first INTEGER NOT NULL, last INTEGER NOT NULL,
  why TEXT NOT NULL, found_ms INTEGER NOT NULL,
  settled INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (stream_id, first)
) STRICT, WITHOUT ROWID;
CREATE TABLE health (
  gateway_id INTEGER NOT NULL REFERENCES gateways, minute INTEGER NOT NULL,
  came_ms INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (gateway_id, minute)
) STRICT, WITHOUT ROWID;
CREATE TABLE latest (
  gateway_id INTEGER NOT NULL REFERENCES gateways, name TEXT NOT NULL, unit TEXT NOT NULL,
  at_ms INTEGER NOT NULL, quality TEXT, value ANY, exact TEXT, PRIMARY KEY (gateway_id, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE rejected (
  rejected_id INTEGER PRIMARY KEY, came_ms INTEGER NOT NULL, topic TEXT NOT NULL,
  reason TEXT NOT NULL, size INTEGER NOT NULL, head BLOB NOT NULL
) STRICT;
"""


def create_or_open(path: Path) -> sqlite3.Connection:
    """Return the database at `path` for writing, made if absent; ConfigError if it is not ours."""
    try:
        database = sqlite3.connect(path, isolation_level=None, timeout=BUSY_MS / 1000)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        if _is_empty(database):
            tables = _TABLES + migrate.ADDED
            database.executescript(f"BEGIN; {tables} PRAGMA user_version = {VERSION}; COMMIT;")
        found = _version(database, path)
        if found < VERSION:
            migrate.upgrade(database, found, VERSION)
    except sqlite3.DatabaseError as error:
        raise ConfigError(f"{path}: no database of the platform: {error}")
    return database


def open_readonly(path: Path) -> sqlite3.Connection:
    """Return the database at `path` for reading, beside a writer; ConfigError if it is not ours."""
    uri = f"{Path(path).absolute().as_uri()}?mode=ro"
    if not os.access(Path(path).absolute().parent, os.W_OK):
        uri += "&immutable=1"  # a copy on a read-only medium: nobody writes beside us
    try:
        database = sqlite3.connect(uri, uri=True, timeout=BUSY_MS / 1000)
        found = _version(database, path)
    except sqlite3.DatabaseError as error:
        raise ConfigError(f"{path}: no database of the platform: {error}")
    if found < VERSION:
        raise ConfigError(
            f"{path}: tables of version {found}: `tidegate fusion run` brings them up to {VERSION}"
        )
    return database


def _is_empty(database: sqlite3.Connection) -> bool:
    tables: int = database.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    return tables == 0


def _version(database: sqlite3.Connection, path: Path) -> int:
    found: int = database.execute("PRAGMA user_version").fetchone()[0]
    if found == 0:
        raise ConfigError(f"{path}: no database of the platform")
    if found > VERSION:
        raise ConfigError(
            f"{path}: tables of version {found}, this program knows {VERSION}: a newer one wrote it"
        )
    return found
