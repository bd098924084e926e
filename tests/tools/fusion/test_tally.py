"""What is summed while readings arrive is what is stored, whatever comes twice or out of order."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.reading import BULK, QUALITIES
from tests.tools.fusion import fake
from tests.tools.fusion.history import DAY, HOUR, LEVEL, METER, MIDNIGHT_MS, History, check
from tests.tools.fusion.platform import NOW, Platform
from tools.fusion import lives, page, prune, tally
from tools.fusion.tally import LATE_STEPS_MS, PROMPT_MS

COUNTS = """
SELECT point_id, at_ms / 900000, min(at_ms), max(at_ms), count(*),
  count(*) FILTER (WHERE quality IS NULL) FROM readings GROUP BY 1, 2
"""
SUMS = """
SELECT point_id, quarter, first_ms, last_ms, count, good FROM quarters WHERE NOT bounded
"""


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(1, 400), st.integers(1, 64)), max_size=12),
    st.integers(0, 3),
)
def test_tally_is_what_is_stored_whatever_comes_twice_or_out_of_order(
    packs: list[tuple[int, int]], every: int
) -> None:
    platform = Platform()
    for number, (first, count) in enumerate(packs):
        platform.ingest.receive(*fake.message(first, count), NOW)
        if every and number % every == 0:
            platform.ingest.commit(NOW)
    platform.ingest.commit(NOW)
    assert platform.rows(SUMS) == platform.rows(COUNTS)
    late = platform.rows("SELECT late FROM quarters")
    counted = sum(sum(tally.counts_of(text).values()) for (text,) in late)
    assert counted == len(platform.numbers())


@given(
    st.dictionaries(st.sampled_from(QUALITIES), st.integers(1, 1 << 40)),
    st.dictionaries(st.sampled_from(QUALITIES), st.integers(1, 1 << 40)),
)
def test_tally_adds_counts_written_as_text(one: dict[str, int], two: dict[str, int]) -> None:
    assert tally.counts_of(tally.to_text(one)) == one
    found = tally.counts_of(tally.add_counts(tally.to_text(one), tally.to_text(two)))
    assert found == {key: one.get(key, 0) + two.get(key, 0) for key in {*one, *two}}


def test_tally_steps_rise_and_one_ends_where_prompt_does() -> None:
    assert sorted(set(LATE_STEPS_MS)) == LATE_STEPS_MS
    assert PROMPT_MS in LATE_STEPS_MS
    # Steps are short: up to a month, a percentile is never told 2.5 times too late.
    assert all(b <= 2.5 * a for a, b in pairwise(LATE_STEPS_MS[:-1]))


def test_tally_keeps_no_word_that_a_stranger_made_up() -> None:
    platform = Platform()
    for number, quality in enumerate(("a b:7", "é", ":", "9:9 9", "no-reply"), 1):
        items = [fake.Reading("box/x", None, number, quality)]
        platform.take(fake.message(number, items=items))
    assert len(platform.numbers()) == 5
    ((text,),) = platform.rows("SELECT bad FROM quarters")
    assert tally.counts_of(text) == {"other": 4, "no-reply": 1}


def test_birth_that_is_sent_again_changes_nothing() -> None:
    platform = Platform()
    tables = ("lives", "cards", "periods", "presence", "points")
    platform.take(fake.state(boot=3, ended="power"), message_of(3))
    before = [platform.rows(f"SELECT * FROM {table}") for table in tables]
    for now_ms in (NOW + 10, NOW + 20):
        platform.take(fake.state(boot=3, ended="power"), now_ms=now_ms)
    assert [platform.rows(f"SELECT * FROM {table}") for table in tables] == before
    # An old one that a broker kept tells how its life began, and schedules nothing.
    platform.take(fake.state(boot=2, ended="stopped", points=[]))
    assert platform.rows("SELECT boot, ended FROM lives ORDER BY boot") == [
        (2, "stopped"),
        (3, "power"),
    ]
    assert platform.rows("SELECT every_ms FROM periods") == [(10_000,)]


def message_of(boot: int, number: int = 1) -> tuple[str, bytes]:
    batch = fake.Batch(BULK, fake.LOG, number, 1, boot, [fake.reading(number)])
    made = fake.pack.encode(batch, fake.stamp, fake.GW, fake.UNITS)
    return fake.topics.up(fake.GW, BULK), made


@pytest.mark.parametrize("ended", [None, 7, "tired", "x" * 300])
def test_birth_with_an_end_that_is_none_is_taken_without_it(ended: object) -> None:
    platform = Platform()
    platform.take(fake.state(ended=ended))
    assert platform.rejections() == []
    assert platform.rows("SELECT boot, ended FROM lives") == [(7, None)]


@pytest.mark.parametrize("logs", [7, {"bulk": b"short"}, {"other": fake.LOG}, {7: fake.LOG}])
def test_birth_with_logs_that_are_none_is_refused(logs: object) -> None:
    platform = Platform()
    platform.take(fake.state(logs=logs))
    assert len(platform.rejections()) == 1


def test_lives_that_a_stranger_makes_up_are_bounded_a_minute() -> None:
    platform = Platform()
    for boot in range(1, lives.NEW_LIVES_MAX + 50):
        platform.ingest.receive(*message_of(boot, boot), NOW)
    platform.ingest.commit(NOW)
    assert platform.rows("SELECT count(*) FROM lives") == [(lives.NEW_LIVES_MAX,)]
    assert len(platform.rejections()) == 49
    # A minute later they are taken: a gateway sends again what was not acknowledged.
    platform.take(message_of(2_000, lives.NEW_LIVES_MAX + 1), now_ms=NOW + 60_000)
    assert platform.rows("SELECT count(*) FROM lives") == [(lives.NEW_LIVES_MAX + 1,)]


def test_presence_and_health_are_kept_within_their_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lives, "PRESENCE_MAX", 10)
    monkeypatch.setattr(lives, "HEALTH_DAYS_MAX", 3)
    platform = Platform()
    for number in range(40):
        state = fake.state(state=("online", "offline")[number % 2])
        told = fake.health(hours_left=number, fill=1)
        platform.take(state, told, now_ms=NOW + number * lives.DAY_MS // 4)
    assert platform.rows("SELECT count(*) FROM presence") == [(10,)]
    least = platform.rows("SELECT hours_left FROM health_days ORDER BY day")
    assert len(least) == 3
    assert least[-2][0] % 4 == least[-1][0] % 4


def test_prune_deletes_what_is_old_and_the_completeness_of_then_stays(tmp_path: Path) -> None:
    history = History(tmp_path / "fusion.db")
    history.birth(0, "first", level=10, meter=60)
    history.together({LEVEL: 10, METER: 60}, 0, HOUR)
    first = history.next[BULK]
    history.together({LEVEL: 10, METER: 60}, HOUR, 2 * HOUR, lose=True)
    history.gap(2 * HOUR, first, history.next[BULK] - 1, "evicted")
    history.read(METER, [2 * HOUR])
    number, _ = history.read(LEVEL, [2 * HOUR], lose=True)
    history.gap(2 * HOUR + 5, number, number, "rejected")
    history.read(LEVEL, range(2 * HOUR + 10, 3 * HOUR, 10))
    before = check(history.report(3 * HOUR))
    assert {"budget", "rejected"} < set(before["missing"])
    database = history.platform.database
    noon_ms = MIDNIGHT_MS + DAY * 500
    found = prune.prune(database, noon_ms, noon_ms)
    assert found == {"readings": 420 + 1 + 359, "sums": 0}
    assert history.platform.numbers() == []
    assert history.report(3 * HOUR) == before
    # What comes again was acknowledged: it is a duplicate, and is not stored a second time.
    history.next[BULK] = 1
    history.together({LEVEL: 10, METER: 60}, 0, HOUR)
    assert history.platform.numbers() == []
    assert prune.prune(database, noon_ms, noon_ms, sums=True)["sums"] == 4 + 4 + 4 + 1
    assert prune.prune(database, noon_ms, noon_ms, sums=True) == {"readings": 0, "sums": 0}


def test_prune_keeps_a_reading_whose_time_may_be_later() -> None:
    history = History()
    history.birth(0, "first", level=10)
    history.read(LEVEL, [1, 2, 3], bounds_s=(0, 2 * DAY))
    database = history.platform.database
    assert prune.prune(database, MIDNIGHT_MS + DAY * 1000, NOW)["readings"] == 0
    assert prune.prune(database, MIDNIGHT_MS + 3 * DAY * 1000, NOW)["readings"] == 3


def test_prune_of_sums_leaves_what_was_due_then_unsaid() -> None:
    history = History()
    history.birth(0, "first", level=10)
    history.read(LEVEL, range(0, 3 * DAY, 10))
    database = history.platform.database
    now_ms = MIDNIGHT_MS + 3 * DAY * 1000
    before_ms = MIDNIGHT_MS + 36 * HOUR * 1000
    assert prune.prune(database, before_ms + 899_999, now_ms, sums=True)["sums"] == 36 * 4
    prune.prune(database, MIDNIGHT_MS, now_ms, sums=True)
    found = check(history.report(3 * DAY, 3))
    assert found["pruned_ms"] == before_ms
    assert (found["due"], found["delivered"], found["missing"]) == (12_960, 12_960, {})
    assert [day["due"] for day in found["gateways"][0]["days"]] == [0, 4_320, 8_640]
    assert "not counted before 2030-03-28 12:00:00Z: pruned" in page.lines(found)
