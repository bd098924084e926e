"""The report over one hour in which everything goes wrong, as text and as a document."""

from __future__ import annotations

import argparse
import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.core.errors import ConfigError
from tests.tools.fusion import fake, story
from tests.tools.fusion.fake import GW, WALL_MS, message
from tests.tools.fusion.platform import Platform
from tools.fusion import cli, export, report, text

if TYPE_CHECKING:
    from tools.fusion.report import Document

GOLDEN = Path(__file__).with_name("report.txt")


@pytest.fixture(scope="module")
def document() -> Document:
    return report.report(story.tell().database, story.NOW)


def test_report_reads_as_the_golden_page(document: Document) -> None:
    assert "\n".join(text.lines(document)) + "\n" == GOLDEN.read_text()


def test_report_in_the_manual_is_the_golden_page() -> None:
    manual = Path(__file__).parents[3] / "docs" / "fusion.md"
    assert GOLDEN.read_text() in manual.read_text()


def test_report_fits_a_hundred_columns_and_carries_no_control_character(
    document: Document,
) -> None:
    lines = text.lines(document)
    assert len(lines) > 10
    assert max(map(len, lines)) <= 100
    assert all(line.isprintable() for line in lines)


def test_report_colours_only_what_is_a_heading_or_lost(document: Document) -> None:
    coloured = [line for line in text.lines(document, colour=True) if "\x1b" in line]
    assert len(coloured) == 2
    assert "LOST" in coloured[1]


def test_report_names_each_missing_reading_by_its_reason(document: Document) -> None:
    points = {point["point"]: point for point in document["gateways"][0]["points"]}
    box = points["box-1/temperature"]
    # Numbers 41..44 were lost, 61..66 evicted, 81..90 are missing and 111..120 not yet sent.
    assert box["expected"] == 55
    assert box["good"] == 40 - 2 - 3
    assert box["missing"] == {"no-reply": 15 - 5, "absent": 2 + 3 + 5}
    river = points["river-3/level"]
    assert (river["expected"], river["good"], river["missing"]) == (360, 359, {"sentinel": 1})
    assert river["complete"] == 99.72
    assert points["meter-1/serial"]["expected"] is None
    assert points["meter-1/energy"]["bounded"] == 5
    assert points["meter-1/energy"]["last"]["exact"] == "12358.5"


def test_report_sets_the_gateways_account_beside_the_platforms_own(document: Document) -> None:
    account = document["gateways"][0]["account"]
    assert account["gateway"]["sampled"] == 480
    assert account["arrived"] == 360 + 20 + 20 + 16 + 14 + 10 + 10
    assert account["waiting"] == 20
    assert account["duplicates"] == 20
    assert account["gaps"] == 6
    assert account["lost"] == document["lost"] == 4


def test_report_of_the_last_minutes_counts_only_those() -> None:
    since_ms = WALL_MS + 50 * 60_000
    found = report.report(story.tell().database, story.NOW, since_ms, GW)
    points = {point["point"]: point for point in found["gateways"][0]["points"]}
    assert points["river-3/level"]["expected"] == 60
    assert points["meter-1/energy"]["arrived"] == 5


def test_report_counts_a_gap_told_twice_once_and_not_what_arrived_all_the_same() -> None:
    platform = Platform()
    platform.take(message(1), fake.gap_message(1, fake.gap(5, 8)))
    platform.take(fake.gap_message(2, fake.gap(5, 8)), message(5, 1))
    found = report.report(platform.database, story.NOW)["gateways"][0]
    assert found["gaps"] == [
        {"ring": "bulk", "log": fake.LOG.hex(), "reason": "evicted", "count": 3}
    ]


def test_report_counts_each_overflow_for_itself() -> None:
    platform = Platform()
    told = fake.Gap("bulk", fake.LOG, 0, 0, 17, "overflow")
    platform.take(fake.gap_message(1, told), fake.gap_message(2, told))
    found = report.report(platform.database, story.NOW)["gateways"][0]
    assert found["account"]["gaps"] == 34


def test_report_of_an_empty_database_says_so() -> None:
    found = report.report(Platform().database, story.NOW)
    assert text.lines(found) == ["no gateway has been heard"]


def test_report_misses_a_point_that_fell_silent_but_not_one_that_is_only_due() -> None:
    assert report._expected(0, 100_000, 109_000, 10_000) == 11
    assert report._expected(0, 100_000, 114_000, 10_000) == 11
    assert report._expected(0, 50_000, 100_000, 10_000) == 11
    assert report._expected(400, 99_700, 99_700, 10_000) == 11


@pytest.mark.parametrize(
    ("ms", "shown"),
    [(250, "250 ms"), (1_000, "1 s"), (1_500, "1500 ms"), (2_500, "2.5 s"), (60_000, "1 min")]
    + [(90_000, "90 s"), (5_400_000, "90 min"), (86_400_000, "1 d"), (-5, "-5 ms")],
)
def test_report_says_a_span_in_the_largest_unit_that_fits(ms: int, shown: str) -> None:
    assert text.duration(ms) == shown


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    cli.arguments(parser)
    return cli.main(parser.parse_args(arguments))


def test_fusion_report_finds_what_is_lost_and_says_so_by_its_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = tmp_path / "fusion.db"
    platform = Platform(database)
    platform.take(message(1))
    assert run("report", "--db", str(database)) == cli.OK
    platform.take(message(9, low=9))
    assert run("--json", "report", "--db", str(database)) == cli.FINDINGS
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["schema"] == "tidegate.fusion.report/1"
    assert found["lost"] == 4
    assert run("report", "--db", str(tmp_path / "absent.db")) == cli.NO_INPUT
    for verb in ("report", "export"):
        with pytest.raises(ConfigError, match="never been heard"):
            run(verb, "--db", str(database), "--gw", "nobody")
    capsys.readouterr()
    assert run("export", "--db", str(database), "--gw", GW) == cli.OK
    assert f"\n{GW}," in capsys.readouterr().out


def test_fusion_report_document_keeps_its_shape(document: Document) -> None:
    assert shape(document) == json.loads(GOLDEN.with_suffix(".shape.json").read_text())


def shape(value: object) -> object:
    """The keys and types of a document; of a list, its first item."""
    if isinstance(value, dict):
        return {key: shape(one) for key, one in sorted(value.items())}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def test_fusion_export_hands_on_every_reading_exactly() -> None:
    platform = story.tell()
    out = io.StringIO()
    export.write_csv(export.readings(platform.database), out)
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert len(rows) == 450
    energy = [row for row in rows if row["point"] == "meter-1/energy"]
    assert energy[0]["value"] == "12345"
    assert energy[1]["value"] == "12345.25"
    assert {row["clock"] for row in energy} == {"synced", "bounded"}
    out = io.StringIO()
    export.write_json(export.readings(platform.database, gateway="nobody"), out)
    assert out.getvalue() == ""
