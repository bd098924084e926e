"""A gateway that lies breaks neither the platform nor the reports on the others."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest

from gateway.core.reading import BULK, Gap
from tests.tools.fusion import fake
from tests.tools.fusion.history import DAY, LEVEL, MIDNIGHT_MS, History, check
from tests.tools.fusion.platform import NOW, Platform
from tools.fusion import complete, export, lives, page, prune, report, text
from tools.fusion.days import Days, local_date
from tools.fusion.slots import Hole
from tools.fusion.stream import NUMBER_MAX

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from tools.fusion.complete import Document

COLUMN_MAX = (1 << 63) - 1


def reports(platform: Platform) -> Document:
    """Make both reports, as document and as page; return the one on completeness."""
    today = local_date(NOW, "UTC")
    document = check(complete.report(platform.database, NOW, Days("UTC", today, today)))
    lines = page.lines(document) + text.lines(report.report(platform.database, NOW))
    assert max(map(page.width, lines)) <= text.COLUMNS
    return document


@pytest.mark.parametrize("boot", [NUMBER_MAX + 1, COLUMN_MAX, (1 << 64) - 1])
def test_boot_that_no_gateway_counts_to_is_refused(boot: int) -> None:
    platform = Platform()
    batch = fake.Batch(BULK, fake.LOG, 1, 1, boot, [fake.reading(1)])
    packed = fake.pack.encode(batch, fake.stamp, fake.GW, fake.UNITS)
    platform.take((fake.topics.up(fake.GW, BULK), packed), fake.state(boot=boot))
    assert len(platform.rejections()) == 2
    assert platform.take(fake.message(1)) == {(fake.GW, BULK): 4}


@pytest.mark.parametrize("last", [NUMBER_MAX, NUMBER_MAX + 1, COLUMN_MAX, (1 << 64) - 1])
@pytest.mark.parametrize("told_first", [True, False])
def test_gap_of_all_numbers_ends_nothing(last: int, told_first: bool) -> None:
    platform = Platform()
    gap = fake.gap_message(1, Gap(BULK, fake.LOG, 1, last, 5, "evicted"))
    for message in (gap, fake.message(1))[:: 1 if told_first else -1]:
        platform.take(message)
    assert len(platform.rejections()) == (last > NUMBER_MAX)
    assert platform.numbers() == [1, 2, 3, 4]
    reports(platform)


def test_gaps_of_absurd_counts_end_neither_report_nor_prune() -> None:
    platform = Platform()
    platform.take(fake.state(boot=1), fake.message(1, 4))
    for number in range(1, 5):
        gap = Gap(BULK, fake.LOG, 5 + number, 5 + number, NUMBER_MAX, "evicted")
        platform.take(fake.gap_message(number, gap))
    platform.take(fake.message(10, 4))
    assert reports(platform)["gateways"][0]["gaps"] == {"evicted": 4 * NUMBER_MAX}
    assert prune.prune(platform.database, 0, NOW) == {"readings": 0, "sums": 0}
    assert len(platform.rows("SELECT * FROM claims")) == 1


@pytest.mark.parametrize("told", [1e308, -1e308, 1 << 63, -5, 87_601, True, "many", [1]])
def test_health_of_absurd_numbers_is_not_believed(told: object) -> None:
    history = History()
    history.birth(0, "first", level=10)
    history.read(LEVEL, [10, 20])
    history.send(*fake.health(hours_left=told, fill=told), 30)  # type: ignore[arg-type]
    found = check(history.report(80 * 3_600))["gateways"][0]
    for name in ("hours_left", "fill", "hours_left_min", "fill_max"):
        assert found["health"][name] is None
    # So it bridges what a gateway does that has not told.
    assert found["missing"] == {"buffered": {"on-its-way": DAY // 10 - 3}}
    short = report.report(history.platform.database, MIDNIGHT_MS)
    assert "buffer:" not in "\n".join(text.lines(short) + page.lines(history.report(60)))


@pytest.mark.parametrize("every_ms", [1, NUMBER_MAX])
def test_birth_of_absurd_periods_makes_a_page_all_the_same(every_ms: int) -> None:
    platform = Platform()
    point = ["river-3/level", "", "m", BULK, every_ms]
    platform.take(fake.state(boot=1, points=[point]), fake.message(1, 60))
    level = reports(platform)["gateways"][0]["points"][-1]
    assert (level["every_ms"], level["delivered"] > 0) == (every_ms, True)


def test_csv_of_a_strangers_words_is_no_formula_to_a_spreadsheet() -> None:
    platform = Platform()
    words = ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "kW\x1b[2J"]
    points = [[f"box/{n}", word, word, BULK, 1_000] for n, word in enumerate(words)]
    items = [fake.Reading(f"box/{n}", word, n) for n, word in enumerate(words)]
    batch = fake.Batch(BULK, fake.LOG, 1, 1, 7, items)
    units = {f"box/{n}": word for n, word in enumerate(words)}
    packed = fake.pack.encode(batch, fake.stamp, fake.GW, units)
    platform.take(fake.state(points=points), (fake.topics.up(fake.GW, BULK), packed))
    assert platform.rejections() == []
    out = io.StringIO()
    page.write_csv(reports(platform), out)
    export.write_csv(export.readings(platform.database), out)
    cells = [cell for row in csv.reader(io.StringIO(out.getvalue())) for cell in row]
    assert sum("HYPERLINK" in cell for cell in cells) == 2 + 3
    for cell in cells:
        assert not cell.startswith(("=", "+", "@", "\t", "\r")), cell
        assert cell.isprintable()


def test_csv_leaves_numbers_below_zero_as_they_are() -> None:
    platform = Platform()
    items = [fake.Reading("box/x", value, 0) for value in (-5, -0.5, fake.decimal(-25, -1))]
    platform.take(fake.message(1, items=items))
    out = io.StringIO()
    export.write_csv(export.readings(platform.database), out)
    values = [row["value"] for row in csv.DictReader(io.StringIO(out.getvalue()))]
    assert values == ["-5", "-0.5", "-2.5"]


def steps(database: sqlite3.Connection, work: Callable[..., object], *arguments: object) -> int:
    """Return how many hundreds of instructions the database takes for `work`."""
    count = 0

    def step() -> None:
        nonlocal count
        count += 1

    database.set_progress_handler(step, 100)
    work(*arguments)
    database.set_progress_handler(None, 0)
    return count


def test_pack_costs_no_more_after_thousands_of_gaps() -> None:
    found = []
    for gaps in (10, 2_000):
        platform = Platform()
        platform.take(fake.message(1))
        for number in range(gaps):
            platform.ingest.receive(
                *fake.gap_message(number + 1, fake.gap(5 + number, 5 + number)), NOW
            )
        platform.ingest.commit(NOW)
        packs = [fake.message(5 + gaps + 4 * number) for number in range(20)]
        found.append(steps(platform.database, platform.take, *packs))
        assert len(platform.numbers()) == 84
    assert found[1] < 2 * found[0]


def test_report_on_one_gateway_costs_no_more_beside_a_hundred_others() -> None:
    found = []
    points = [[f"box/{n}", "", "", BULK, 1_000] for n in range(50)]
    for others in (1, 100):
        platform = Platform()
        for number in range(others + 1):
            gw = f"gw-{number}"
            topic, birth = fake.state(gw=gw, points=points)
            platform.take((topic.replace(fake.GW, gw), birth), now_ms=NOW + number * 60_000)
        today = local_date(NOW, "UTC")
        days = Days("UTC", today, today)
        database = platform.database
        found.append(steps(database, complete.report, database, NOW, days, "gw-0"))
    assert found[1] < 2 * found[0]


def test_gateway_that_boots_forever_costs_in_proportion(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    cut = Hole.cut
    for boots in (50, 200):
        cuts: list[int] = []
        history = History()
        for number in range(boots):
            history.birth(30 * number, "crashed", level=1)
            history.read(LEVEL, [30 * number + 5])
        with monkeypatch.context() as patch:
            patch.setattr(
                Hole, "cut", lambda hole, number, cuts=cuts: cuts.append(1) or cut(hole, number)
            )
            missing = history.missing(30 * boots)["missing"]
        assert {"crash"} <= set(missing) <= {"crash", "buffered"}
        found.append(len(cuts))
    assert found[1] < 5 * found[0]


def test_new_boots_of_one_gateway_keep_no_other_from_booting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lives, "NEW_LIVES_MAX", 2)
    platform = Platform()
    for boot in range(1, 4):
        platform.take(fake.state(boot=boot))
    assert len(platform.rejections()) == 1
    topic, birth = fake.state(gw="gw-2")
    platform.take((topic.replace(fake.GW, "gw-2"), birth))
    assert len(platform.rejections()) == 1
    assert platform.rows("SELECT count(*) FROM lives GROUP BY gateway_id") == [(2,), (1,)]
