"""A database of an earlier version is brought up to this one; of a later one it is refused."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from gateway.core.errors import ConfigError
from tests.tools.fusion import fake, story
from tests.tools.fusion.platform import Platform
from tools.fusion import migrate, report, schema

FIXTURE = Path(__file__).with_name("fusion-1.sql")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The hour of `story`, as the program of version 1 kept it."""
    path = tmp_path / "fusion.db"
    database = sqlite3.connect(path)
    text = FIXTURE.read_text()
    database.executescript(f"{text} PRAGMA user_version = 1;")
    database.close()
    return path


def test_migration_keeps_every_row_and_sums_what_is_there(old: Path) -> None:
    new = story.tell()
    platform = Platform(old)
    for table in ("readings", "points", "streams", "gateways", "holes", "gaps", "health"):
        assert platform.rows(f"SELECT * FROM {table}") == new.rows(f"SELECT * FROM {table}")
    sums = "SELECT point_id, bounded, quarter, first_ms, count, good, bad FROM quarters"
    assert platform.rows(sums) == new.rows(sums)
    assert len(platform.rows(sums)) > 10
    assert report.report(platform.database, story.NOW) == report.report(new.database, story.NOW)
    assert platform.rows("SELECT boot FROM lives") == [(migrate.NO_BOOT,)]
    assert platform.rows("SELECT sum(count) FROM quarters") == [(450,)]


def test_migrated_database_goes_on_and_knows_the_next_life(old: Path) -> None:
    platform = Platform(old)
    assert platform.take(fake.state(boot=8, ended="power"), story.crit(361, 370)) != {}
    lives = platform.rows("SELECT card, boot, ended FROM lives ORDER BY card, boot")
    assert lives == [(0, 0, None), (0, 1, None), (0, 8, "power")]
    again = Platform(old)
    assert again.rows("PRAGMA user_version") == [(schema.VERSION,)]


def test_migration_that_is_cut_leaves_the_old_version(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = migrate._STEPS[1].replace("INSERT INTO periods", "INSERT INTO nowhere")
    monkeypatch.setitem(migrate._STEPS, 1, cut)
    with pytest.raises(ConfigError):
        schema.create_or_open(old)
    monkeypatch.undo()
    assert Platform(old).rows("SELECT sum(count) FROM quarters") == [(450,)]


def test_database_of_a_newer_version_is_refused_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "fusion.db"
    Platform(path).database.execute("PRAGMA user_version = 99")
    for open_ in (schema.create_or_open, schema.open_readonly):
        with pytest.raises(ConfigError, match="a newer one wrote it"):
            open_(path)


def test_database_of_an_older_version_is_read_only_after_it_was_served(old: Path) -> None:
    with pytest.raises(ConfigError, match="brings them up to"):
        schema.open_readonly(old)
    schema.create_or_open(old).close()
    schema.open_readonly(old).close()
