"""Completeness as a page, as JSON and as CSV, over two days of which 17 readings are missing."""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import io
import json
import zoneinfo
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.core.errors import ConfigError
from gateway.core.reading import NO_REPLY, SENTINEL
from tests.tools.fusion import fake
from tests.tools.fusion.history import DAY, HOUR, LEVEL, METER, MIDNIGHT_MS, History, check
from tests.tools.fusion.test_report import shape
from tools.fusion import cli, complete, page, report, text
from tools.fusion.days import Days

if TYPE_CHECKING:
    from tools.fusion.complete import Document

GOLDEN = Path(__file__).with_name("completeness.txt")
BOTH = {LEVEL: 10, METER: 60}
NOW = 2 * DAY


def tell(history: History) -> History:
    """Two days: 5 without reply, 7 in a power cut, 1 sentinel, 4 evicted; an hour off line."""
    history.size = 7  # a minute
    history.birth(0, "first", level=10, meter=60)
    history.together(BOTH, 0, 5 * HOUR)
    for at_s in range(5 * HOUR, 5 * HOUR + 50, 10):
        history.read(LEVEL, [at_s], NO_REPLY)
    history.read(METER, [5 * HOUR])
    history.read(LEVEL, [5 * HOUR + 50])
    history.together(BOTH, 5 * HOUR + 60, 9 * HOUR)
    history.birth(9 * HOUR + 61, "power", level=10, meter=60)
    history.together(BOTH, 9 * HOUR + 60, 30 * HOUR)
    history.read(LEVEL, [30 * HOUR], SENTINEL)
    history.read(METER, [30 * HOUR])
    history.read(LEVEL, range(30 * HOUR + 10, 30 * HOUR + 60, 10))
    history.send(*fake.state(state="offline"), 31 * HOUR)
    history.together(BOTH, 30 * HOUR + 60, 31 * HOUR)
    history.read(METER, [31 * HOUR])
    first, last = history.read(LEVEL, range(31 * HOUR, 31 * HOUR + 40, 10), lose=True)
    history.read(LEVEL, range(31 * HOUR + 40, 31 * HOUR + 60, 10))
    history.together(BOTH, 31 * HOUR + 60, 32 * HOUR, late_s=HOUR)
    history.tell(32 * HOUR, "power", level=10, meter=60)
    history.gap(32 * HOUR, first, last, "evicted")
    history.together(BOTH, 32 * HOUR, NOW)
    health = dict.fromkeys(report.IDENTITY, 0)
    told = fake.health(**health, fill=0.12, hours_left=61.4, durable=True)  # type: ignore[arg-type]
    history.send(*told, NOW - 4)
    return history


@pytest.fixture(scope="module")
def document() -> Document:
    return check(tell(History()).report(NOW, 2))


def test_page_reads_as_the_golden_page(document: Document) -> None:
    assert "\n".join(page.lines(document)) + "\n" == GOLDEN.read_text()


def test_page_in_the_manual_is_the_golden_page() -> None:
    manual = Path(__file__).parents[3] / "docs" / "fusion.md"
    assert GOLDEN.read_text() in manual.read_text()


def test_page_proves_that_all_but_seventeen_arrived_and_says_why(document: Document) -> None:
    assert (document["due"], document["delivered"]) == (20_160, 20_160 - 17)
    assert document["missing"] == {
        "bus": {"no-reply": 5},
        "sensor": {"sentinel": 1},
        "power": {"power-cut": 7},
        "budget": {"evicted": 4},
    }
    gateway = document["gateways"][0]
    assert gateway["down_ms"] == {"power": 70_000}
    assert gateway["up_ms"] == NOW * 1000 - 10_000 - 70_000
    assert gateway["offline_ms"] == HOUR * 1000
    assert [one["ended_before"] for one in gateway["lives"]] == ["first", "power"]


def test_page_fits_a_hundred_columns_and_carries_no_control_character(document: Document) -> None:
    wide = json.loads(json.dumps(document).replace("river-3/level", "河川水位/" * 9 + "\\u001b[2J"))
    lines = page.lines(wide)
    assert len(lines) > 10
    assert max(map(page.width, lines)) <= 100
    assert all(line.isprintable() for line in lines)
    assert any("河川" in line and "…" in line for line in lines)


def test_page_aligns_wide_characters() -> None:
    made = page.table(("NAME", "N", "WHY"), {0}, [("水位", "1", "-"), ("level", "20", "bus 1")])
    assert made == ["NAME    N  WHY", "水位    1  -", "level  20  bus 1"]
    assert {page.width(line[: line.index(end)]) for line, end in zip(made[1:], "-b", strict=True)}


def test_page_cuts_no_name_while_there_is_room() -> None:
    name = "inverter-1/" + 11 * "phase-"  # 77 columns
    made = page.table(("POINT", "DUE", "MISSING"), {0}, [(name, "1", "-")])
    assert made[1].startswith(name)


def test_page_of_days_without_readings_has_no_empty_table() -> None:
    history = History()
    history.birth(0, "first", level=10)
    history.read(LEVEL, [0, 10])
    lines = page.lines(
        complete.report(history.platform.database, NOW, days_of("UTC", "2020-01-01"))
    )
    assert not any("POINT" in line for line in lines)
    assert lines[-1] == "  nothing came in these days, and nothing was due"


def test_page_of_an_empty_database_says_so() -> None:
    assert page.lines(History().report(NOW))[-1] == "no gateway has been heard"


@pytest.mark.parametrize(
    ("health", "style", "line"),
    [
        ({"hours_left": 80.0, "fill": 0.1}, "", "buffer:   80 hours left, 10 % full of what"),
        ({"hours_left": 71.9}, text.YELLOW, "buffer:   71.9 hours left"),
        ({"hours_left": 23.9}, text.RED, "buffer:   23.9 hours left"),
        ({"hours_left": 5, "hours_left_min": 4.5}, text.RED, "5 hours left (least 4.5)"),
        ({"durable": False}, text.RED, "NOT DURABLE"),
    ],
)
def test_page_shows_by_its_colour_how_urgent_a_buffer_is(
    health: dict[str, object], style: str, line: str
) -> None:
    ((found_style, found),) = text.buffer_left(health)
    assert found_style == style
    assert line in found


def test_page_says_nothing_of_a_buffer_that_has_told_nothing() -> None:
    assert text.buffer_left({"hours_left": None, "fill": None, "durable": True}) == []


def test_report_names_the_hours_left_and_a_buffer_without_a_card() -> None:
    history = History()
    history.birth(0, "first", level=10)
    told = fake.health(hours_left=12.0, durable=False)  # type: ignore[arg-type]
    history.send(*told, 10)
    found = report.report(history.platform.database, MIDNIGHT_MS + 20_000)
    coloured = [line for line in text.lines(found, colour=True) if text.RED in line]
    assert ["12 hours" in coloured[0], "NOT DURABLE" in coloured[1]] == [True, True]


def test_csv_has_a_line_for_each_point_and_day_whose_sums_are_exact(document: Document) -> None:
    out = io.StringIO()
    page.write_csv(document, out)
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert [(row["point"], row["day"]) for row in rows] == [
        (point, day) for point in (METER, LEVEL) for day in document["days"]
    ]
    for row in rows:
        causes = sum(int(row[cause]) for cause in page.CAUSES)
        assert int(row["due"]) == int(row["delivered"]) + causes
    assert rows[3]["budget"] == "4"
    assert int(rows[3]["max_ms"]) >= HOUR * 1000


def test_completeness_document_keeps_its_shape(document: Document) -> None:
    golden = GOLDEN.with_suffix(".shape.json")
    assert shape(document) == json.loads(golden.read_text())


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    cli.arguments(parser)
    return cli.main(parser.parse_args(arguments))


def test_fusion_completeness_verb_answers_in_three_forms_and_by_its_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    history = History(tmp_path / "fusion.db")
    history.birth(0, "first", level=10)
    history.read(LEVEL, range(0, 600, 10))
    database = ("report", "--db", str(tmp_path / "fusion.db"), "--completeness")
    span = ("--from", "2030-03-26", "--to", "2030-03-28", "--tz", "Asia/Shanghai")
    # Seen from today nothing of 2030 is due yet, but what came is there.
    assert run(*database, *span) == cli.OK
    assert "60 of 60 delivered, 100.000 %" in capsys.readouterr().out
    assert run(*database, *span, "--csv") == cli.OK
    assert f",{LEVEL}," in capsys.readouterr().out.replace("330482-0017", "")
    assert run(*database, *span, "--json") == cli.OK
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "tidegate.fusion.completeness/1"
    assert found["days"] == ["2030-03-26", "2030-03-27", "2030-03-28"]
    history.birth(700, None, level=10)
    history.read(LEVEL, range(700, 800, 10))
    assert run(*database, *span) == cli.FINDINGS  # a silence that nobody explains
    assert "unknown 10" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("--tz", "Europe/Nowhere"), "no time zone"),
        (("--tz", "/etc/passwd"), "no time zone"),
        (("--tz", "../x"), "no time zone"),
        (("--from", "2030-03-27", "--to", "2030-03-26"), "2030-03-27 is after 2030-03-26"),
        (("--since", "999999999d"), "days, not 1 to"),
        (("--from", "1970-01-01"), "days, not 1 to"),
        (("--gw", "nobody"), "never been heard"),
    ],
)
def test_fusion_completeness_verb_refuses_what_makes_no_sense(
    tmp_path: Path, arguments: tuple[str, ...], what: str
) -> None:
    History(tmp_path / "fusion.db").birth(0, "first", level=10)
    with pytest.raises(ConfigError, match=what):
        run("report", "--db", str(tmp_path / "fusion.db"), "--completeness", *arguments)


@pytest.mark.parametrize(
    ("arguments", "first", "last"),
    [
        ((), "2030-03-21", "2030-03-27"),
        (("--days", "1"), "2030-03-27", "2030-03-27"),
        (("--since", "24h"), "2030-03-26", "2030-03-27"),
        (("--since", "7d", "--tz", "Pacific/Kiritimati"), "2030-03-20", "2030-03-27"),
        (("--to", "2030-03-10", "--days", "3"), "2030-03-08", "2030-03-10"),
        (("--from", "2030-03-26"), "2030-03-26", "2030-03-27"),
    ],
)
def test_fusion_completeness_verb_takes_its_days_in_several_ways(
    arguments: tuple[str, ...], first: str, last: str
) -> None:
    parser = argparse.ArgumentParser()
    cli.arguments(parser)
    args = parser.parse_args(["report", "--db", "x", "--completeness", *arguments])
    days = cli._days(args, MIDNIGHT_MS)
    assert (days.names[0], days.names[-1]) == (first, last)
    assert days.to_ms - days.from_ms == len(days.names) * DAY * 1000


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("--csv",), "--csv goes with --completeness"),
        (("--tz", "UTC", "--to", "2030-03-27"), "--to, --tz go with --completeness"),
        (("--completeness", "--csv", "--json"), "--csv or --json"),
        (("--completeness", "--days", "3", "--from", "2030-03-27"), "not allowed with"),
        (("--completeness", "--days", "3", "--since", "3d"), "not allowed with"),
        (("--completeness", "--days", "99999999999"), "1 to 400"),
    ],
)
def test_fusion_report_verb_ignores_no_argument(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], what: str
) -> None:
    History(tmp_path / "fusion.db").birth(0, "first", level=10)
    with pytest.raises(SystemExit) as end:
        run("report", "--db", str(tmp_path / "fusion.db"), *arguments)
    assert end.value.code == 2
    assert what in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [("report",), ("report", "--completeness"), ("export",)],
)
def test_fusion_verbs_say_in_a_sentence_that_the_database_is_damaged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    path = tmp_path / "fusion.db"
    history = History(path)
    history.birth(0, "first", level=10)
    history.read(LEVEL, range(0, 600, 10))
    history.platform.database.close()
    page_size = 4_096
    path.write_bytes(path.read_bytes()[:page_size] + b"\xff" * (path.stat().st_size - page_size))
    assert run(*arguments, "--db", str(path)) == cli.IO_ERROR
    assert f"tidegate: {path}: " in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [("--days", "0"), ("--days", "-1"), ("--from", "27.3.2030")])
def test_fusion_completeness_verb_says_which_days_are_none(arguments: tuple[str, ...]) -> None:
    parser = argparse.ArgumentParser()
    cli.arguments(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["report", "--db", "x", "--completeness", *arguments])


def test_days_follow_the_clocks_of_their_zone() -> None:
    spring = days_of("Europe/Berlin", "2026-03-29")
    autumn = days_of("Europe/Berlin", "2026-10-25")
    assert spring.to_ms - spring.from_ms == 23 * HOUR * 1000
    assert autumn.to_ms - autumn.from_ms == 25 * HOUR * 1000
    assert autumn.index(autumn.to_ms - 1) == 0


def test_days_of_utc_need_no_time_zones_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(name: str) -> None:
        raise zoneinfo.ZoneInfoNotFoundError(name)

    monkeypatch.setattr(zoneinfo, "ZoneInfo", none)
    assert days_of("UTC", "2030-03-27").from_ms == MIDNIGHT_MS
    with pytest.raises(ValueError, match="no time zone"):
        days_of("Europe/Berlin", "2030-03-27")


def days_of(tz: str, date: str) -> Days:
    day = dt.date.fromisoformat(date)
    return Days(tz, day, day)
