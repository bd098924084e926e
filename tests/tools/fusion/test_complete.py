"""Every reading that was due and did not come has its cause, and the sums are exact."""

from __future__ import annotations

import pytest

from gateway.core.reading import CRIT, NO_REPLY, OUT_OF_RANGE, SENTINEL
from tests.tools.fusion.history import DAY, DOOR, HOUR, LEVEL, METER, History, check

END = 6 * HOUR  # when most reports are made
DUE = 2_160  # by then, every 10 s


def day_of(every: int, from_s: int = 0, to_s: int = DAY) -> range:
    return range(from_s, to_s, every)


@pytest.fixture
def history() -> History:
    made = History()
    made.birth(0, "first", level=10)
    return made


def test_complete_day_is_what_its_period_says_and_100_percent(history: History) -> None:
    history.read(LEVEL, day_of(10, 0, DAY + HOUR))
    found = check(history.report(DAY + HOUR))["gateways"][0]["points"][0]["days"][0]
    assert (found["due"], found["delivered"], found["complete"]) == (8_640, 8_640, 100.0)
    assert found["missing"] == {}
    assert found["clock"] == {"synced": 8_640, "fixed-up": 0, "bounded": 0}


def test_complete_readings_without_value_are_the_bus_or_the_sensor(history: History) -> None:
    history.read(LEVEL, day_of(10, 0, 3 * HOUR))
    history.read(LEVEL, day_of(10, 3 * HOUR, 3 * HOUR + 170), NO_REPLY)
    history.read(LEVEL, [3 * HOUR + 170], SENTINEL)
    history.read(LEVEL, [3 * HOUR + 180], OUT_OF_RANGE)
    history.read(LEVEL, day_of(10, 3 * HOUR + 190, END))
    assert history.missing(END) == {
        "due": DUE,
        "delivered": DUE - 19,
        "missing": {"bus": {"no-reply": 17}, "sensor": {"sentinel": 1, "out-of-range": 1}},
    }


def test_complete_slots_without_an_attempt_while_the_gateway_was_up_are_the_bus() -> None:
    history = History()
    history.birth(0, "first", level=10, meter=60)
    history.together({LEVEL: 10, METER: 60}, 0, HOUR)
    history.read(METER, day_of(60, HOUR, HOUR + 600))
    history.together({LEVEL: 10, METER: 60}, HOUR + 600, END)
    # From 01:00:00 to 01:09:50.
    assert history.missing(END)["missing"] == {"bus": {"absent": 60}}
    assert history.missing(END, METER) == {"due": 360, "delivered": 360, "missing": {}}


@pytest.mark.parametrize(
    ("ended", "missing"),
    [
        ("power", {"power": {"power-cut": 60}}),
        ("crashed", {"crash": {"crashed": 60}}),
        ("stopped", {"operator": {"stopped": 60}}),
        (None, {"unknown": {"down": 60}}),
    ],
)
def test_complete_silence_before_a_boot_has_the_cause_its_birth_tells(
    history: History, ended: str | None, missing: dict[str, object]
) -> None:
    history.read(LEVEL, day_of(10, 0, 2 * HOUR))
    history.birth(2 * HOUR + 595, ended, level=10)
    for at_s in (3 * HOUR, 4 * HOUR):  # a retained message is sent again with each connection
        history.tell(at_s, ended, level=10)
    history.read(LEVEL, day_of(10, 2 * HOUR + 600, END))
    assert history.missing(END) == {"due": DUE, "delivered": DUE - 60, "missing": missing}
    lives = history.report(END)["gateways"][0]["lives"]
    assert [(life["boot"], life["ended_before"]) for life in lives] == [(1, "first"), (2, ended)]


def test_complete_power_cut_of_the_manual_takes_what_was_in_ram_too(history: History) -> None:
    history.read(LEVEL, day_of(10, 0, 3 * HOUR))  # the last one stays in RAM, and is no more
    history.birth(3 * HOUR + 67, "power", level=10)
    history.read(LEVEL, [at + 7 for at in day_of(10, 3 * HOUR + 60, END)])
    assert history.missing(END)["missing"] == {"power": {"power-cut": 7}}


def test_complete_gateway_that_never_sent_a_birth_is_counted_and_never_due() -> None:
    history = History()
    history.boot = 1
    history.read(LEVEL, day_of(10, 0, HOUR))
    found = check(history.report(END))["gateways"][0]
    assert (found["due"], found["delivered"]) == (0, 0)
    assert found["points"][0]["delivered"] == 360
    assert found["offline_ms"] == 0


def test_complete_silence_over_lives_without_connection_has_the_cause_the_next_birth_tells(
    history: History,
) -> None:
    history.read(LEVEL, day_of(10, 0, HOUR))
    history.boot += 3  # they never read anything, and never had a connection
    history.birth(2 * HOUR, "power", level=10)
    history.read(LEVEL, day_of(10, 2 * HOUR, END))
    assert history.missing(END)["missing"] == {"power": {"power-cut": 360}}


@pytest.mark.parametrize(
    ("reason", "cause"),
    [("evicted", "budget"), ("thinned", "budget"), ("corrupt", "storage")]
    + [("rejected", "rejected"), ("consent", "consent"), ("operator", "operator")]
    + [("a later word", "unknown")],
)
def test_complete_gap_gives_its_cause_to_the_numbers_between_their_neighbours(
    reason: str, cause: str
) -> None:
    history = History()
    history.birth(0, "first", level=10, meter=60)
    both = {LEVEL: 10, METER: 60}
    history.together(both, 0, 2 * HOUR)
    first = history.next["bulk"]
    history.together(both, 2 * HOUR, 3 * HOUR, lose=True)
    history.gap(5 * HOUR, first, first + 419, reason)
    history.together(both, 3 * HOUR, END)
    assert history.missing(END)["missing"] == {cause: {reason: 360}}
    assert history.missing(END, METER)["missing"] == {cause: {reason: 60}}


def test_complete_eviction_over_a_power_cut_leaves_the_cut_what_was_never_sampled(
    history: History,
) -> None:
    history.read(LEVEL, day_of(10, 0, HOUR))
    first, _ = history.read(LEVEL, day_of(10, HOUR, 2 * HOUR), lose=True)
    history.birth(3 * HOUR, "power", level=10)
    _, last = history.read(LEVEL, day_of(10, 3 * HOUR, 4 * HOUR), lose=True)
    history.gap(5 * HOUR, first, last, "evicted")
    history.read(LEVEL, day_of(10, 4 * HOUR, END))
    assert history.missing(END)["missing"] == {
        "power": {"power-cut": 360},
        "budget": {"evicted": 720},
    }


def test_complete_single_rejected_reading_is_found_among_others_of_its_quarter(
    history: History,
) -> None:
    history.read(LEVEL, day_of(10, 0, 100))
    number, _ = history.read(LEVEL, [100], lose=True)
    history.read(LEVEL, day_of(10, 110, 200))
    history.gap(300, number, number, "rejected")
    history.read(LEVEL, day_of(10, 300, END))  # ten slots without an attempt
    assert history.missing(END)["missing"] == {"bus": {"absent": 10}, "rejected": {"rejected": 1}}


def test_complete_overflow_takes_the_last_before_it_was_told(history: History) -> None:
    history.read(LEVEL, day_of(10, 0, HOUR))
    history.read(LEVEL, day_of(10, HOUR + 100, 2 * HOUR))
    history.gap(2 * HOUR + 200, 0, 0, "overflow", 15)
    history.read(LEVEL, day_of(10, 2 * HOUR + 150, END))
    assert history.missing(END)["missing"] == {"bus": {"absent": 10}, "budget": {"overflow": 15}}


def test_complete_numbers_that_never_came_are_unknown(history: History) -> None:
    history.read(LEVEL, day_of(10, 0, HOUR))
    history.next["bulk"] += 17
    history.read(LEVEL, day_of(10, HOUR + 170, HOUR + 200))
    low = history.next["bulk"]
    topic, payload = lowest(history, low)
    history.send(topic, payload, HOUR + 210)
    history.next["bulk"] += 1
    history.read(LEVEL, day_of(10, HOUR + 210, END))
    assert history.missing(END)["missing"] == {"unknown": {"lost": 17}}


def lowest(history: History, low: int) -> tuple[str, bytes]:
    """A pack that says that nothing below `low` will come."""
    from gateway.core.clock import SYNCED, Stamp
    from gateway.core.reading import BULK, Batch, Reading
    from gateway.uplink import pack, topics
    from tests.tools.fusion.history import GW, MIDNIGHT_MS, UNITS

    at_ms = MIDNIGHT_MS + (HOUR + 200) * 1000
    batch = Batch(BULK, history.logs[BULK], low, low, 1, [Reading(LEVEL, 1, 0)])
    made = pack.encode(batch, lambda *_: Stamp(at_ms, at_ms, SYNCED), GW, UNITS)
    return topics.up(GW, BULK), made


def test_complete_what_is_still_to_come_is_buffered_until_the_gateways_buffer_is_full(
    history: History,
) -> None:
    history.read(LEVEL, day_of(10, 0, 6 * HOUR))
    assert history.missing(7 * HOUR)["missing"] == {"buffered": {"on-its-way": 360}}
    late = history.missing(6 * HOUR + 80 * HOUR)  # it bridges 72 h if it does not tell better
    assert late == {
        "due": 8_640,
        "delivered": 2_160,
        "missing": {"buffered": {"on-its-way": 6_480}},
    }
    assert history.missing(100 * HOUR, day=3)["missing"] == {
        "buffered": {"on-its-way": 2_161},  # a slot is silent once the next is, too
        "unknown": {"silent": 6_479},
    }


def test_complete_counts_what_an_earlier_pack_still_holds_up_as_buffered(history: History) -> None:
    history.read(LEVEL, day_of(10, 0, HOUR))
    history.read(LEVEL, day_of(10, HOUR, HOUR + 600), lose=True)
    history.read(LEVEL, day_of(10, HOUR + 600, END))
    assert history.missing(END)["missing"] == {"buffered": {"overtaken": 60}}


def test_complete_period_changed_within_the_day_is_due_as_each_birth_says(
    history: History,
) -> None:
    history.read(LEVEL, day_of(10, 0, 2 * HOUR))
    history.birth(2 * HOUR, "stopped", level=60)
    history.read(LEVEL, day_of(60, 2 * HOUR, END))
    assert history.missing(END) == {"due": 720 + 240, "delivered": 960, "missing": {}}


def test_complete_removed_point_is_the_operators_until_the_day_ends(history: History) -> None:
    history.read(LEVEL, day_of(10, 0, 2 * HOUR))
    history.birth(2 * HOUR, "stopped", meter=60)
    history.read(METER, day_of(60, 2 * HOUR, DAY + HOUR))
    now_s = DAY + HOUR
    assert history.missing(now_s) == {
        "due": 8_640,
        "delivered": 720,
        "missing": {"operator": {"removed": 7_920}},
    }
    assert history.missing(now_s, METER)["due"] == 22 * 60
    points = history.report(now_s, 2)["gateways"][0]["points"]
    level = next(one for one in points if one["point"] == LEVEL)
    assert [day["day"][-2:] for day in level["days"]] == ["27"]


def test_complete_point_that_came_back_is_due_again(history: History) -> None:
    history.read(LEVEL, day_of(10, 0, HOUR))
    history.birth(HOUR, "stopped", meter=60)
    history.read(METER, day_of(60, HOUR, 2 * HOUR))
    history.birth(2 * HOUR, "stopped", meter=60, level=10)
    history.together({LEVEL: 10, METER: 60}, 2 * HOUR, END)
    assert history.missing(END)["missing"] == {"operator": {"removed": 360}}
    assert history.missing(END, METER)["missing"] == {}


def test_complete_point_that_is_in_the_certificate_and_never_read_is_due(
    history: History,
) -> None:
    history.tell(1, "first", level=10, meter=60)
    history.read(LEVEL, day_of(10, 0, END))
    found = history.missing(END, METER)
    assert (found["due"], found["missing"]) == (359, {"bus": {"absent": 359}})


def test_complete_point_without_a_period_is_counted_and_never_due(history: History) -> None:
    history.tell(1, "first", level=10, door=0)
    history.read(DOOR, [100, 200.5, 201])
    history.read(LEVEL, day_of(10, 0, END))
    assert history.missing(END, DOOR) == {"due": None, "delivered": 3, "missing": {}}


def test_complete_readings_that_are_early_or_late_are_neither_missing_nor_extra(
    history: History,
) -> None:
    shifts = (0, 3, -3, 6, -2, 4)  # 6 is more than half a period
    times = [at + shifts[number % 6] for number, at in enumerate(day_of(10, 10, END))]
    history.read(LEVEL, times)
    found = history.missing(END)
    assert (found["due"], found["missing"]) == (DUE - 1, {})


def test_complete_slower_schedule_than_told_is_missing(history: History) -> None:
    history.read(LEVEL, day_of(12, 0, END))
    found = history.missing(END)
    assert found["delivered"] == 1_800
    assert abs(int(str(found["due"])) - DUE) <= 1


def test_complete_readings_of_unknown_time_fill_the_silence_they_lie_in(history: History) -> None:
    history.read(LEVEL, day_of(10, 0, HOUR))
    history.birth(2 * HOUR, "power", level=10)
    history.read(LEVEL, day_of(10, 1, 1_001), bounds_s=(HOUR, 3 * HOUR), late_s=2 * HOUR)
    history.read(LEVEL, day_of(10, 2 * HOUR + 1_000, END))
    assert history.missing(END) == {
        "due": DUE,
        "delivered": DUE - 360,
        "missing": {"power": {"power-cut": 360}},
    }


def test_complete_new_card_counts_boots_from_one_and_is_a_life_of_its_own(
    history: History,
) -> None:
    history.boot = 7
    history.tell(0, "power", level=10)
    history.read(LEVEL, day_of(10, 0, HOUR))
    history.boot = 0
    history.logs = {CRIT: b"CRIT-002", "bulk": b"BULK-002"}
    history.next = {CRIT: 1, "bulk": 1}
    history.birth(2 * HOUR, "first", level=10)
    history.read(LEVEL, day_of(10, 2 * HOUR, END))
    lives = history.report(END)["gateways"][0]["lives"]
    assert [(one["card"], one["boot"]) for one in lives] == [(1, 1), (1, 7), (2, 1)]
    assert history.missing(END)["missing"] == {"operator": {"new-card": 360}}


def test_complete_days_are_local_and_their_sum_does_not_depend_on_the_zone(
    history: History,
) -> None:
    history.tell(1, "first", level=60)
    history.read(LEVEL, day_of(60, 0, 2 * DAY))
    for tz, first in (("UTC", 1_440), ("Asia/Kathmandu", 1_440 - 345), ("Asia/Tokyo", 900)):
        found = check(history.report(2 * DAY, 3, tz))["gateways"][0]["points"][0]
        assert found["days"][0]["due"] == first
        assert found["due"] == 2 * 1_440


def test_complete_says_how_late_readings_came(history: History) -> None:
    history.read(LEVEL, day_of(10, 0, 3 * HOUR), late_s=0)
    history.read(LEVEL, day_of(10, 3 * HOUR, END), late_s=6 * HOUR)
    late = history.report(END)["gateways"][0]["latency"]
    assert late["p50_ms"] == 600_000  # of packs of ten minutes
    assert late["max_ms"] == (6 * HOUR + 590) * 1000
    assert late["p95_ms"] == late["p99_ms"] == late["max_ms"]  # the end of their step is later
    assert late["prompt"] == 10.833  # 13 of 60, in the first half


def test_complete_reading_from_the_future_makes_nothing_missing_that_is_not_yet_due(
    history: History,
) -> None:
    history.read(LEVEL, day_of(10, 0, HOUR))
    history.read(LEVEL, [3_650 * DAY], late_s=HOUR + 5 - 3_650 * DAY)  # a clock gone wrong
    history.read(LEVEL, day_of(10, HOUR + 10, END))
    assert history.missing(END) == {
        "due": DUE,
        "delivered": DUE - 1,
        "missing": {"bus": {"absent": 1}},
    }
    days = check(history.report(END, 2))["gateways"][0]["days"]
    assert [day["due"] for day in days] == [DUE, 0]
