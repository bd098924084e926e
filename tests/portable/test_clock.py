from gateway.core.clock import BOUNDED, FIXED_UP, NTP, RTC, SYNCED, UNKNOWN_MS, Anchor, Clock, Stamp

WALL = 1_800_000_000_000


def test_clock_reading_before_its_anchor_is_fixed_up() -> None:
    clock = Clock(3, [Anchor(3, 60_000, WALL, 5, NTP)])
    assert clock.wall(3, 59_000) == Stamp(WALL - 1000, WALL - 1000, FIXED_UP)
    assert clock.wall(3, 61_000) == Stamp(WALL + 1000, WALL + 1000, SYNCED)


def test_clock_uses_the_last_anchor_before_a_reading() -> None:
    stepped = WALL + 86_400_000
    clock = Clock(1, [Anchor(1, 0, WALL, 0, NTP), Anchor(1, 1000, stepped, 0, NTP)])
    assert clock.wall(1, 999).low_ms == WALL + 999
    assert clock.wall(1, 1001).low_ms == stepped + 1


def test_clock_boot_without_anchor_is_bounded_by_its_neighbours() -> None:
    clock = Clock(3, [Anchor(1, 500, WALL, 0, NTP), Anchor(3, 700, WALL + 9000, 0, NTP)])
    assert clock.wall(2, 123) == Stamp(WALL, WALL + 9000, BOUNDED)


def test_clock_never_synced_has_no_latest_time() -> None:
    # Found by simulation: the clock of the moment of sending was a day behind, or stood in 1970.
    assert Clock(1).wall(1, 123) == Stamp(0, UNKNOWN_MS, BOUNDED)
    assert Clock(2, [Anchor(1, 0, WALL, 0, NTP)]).wall(2, 5) == Stamp(WALL, UNKNOWN_MS, BOUNDED)


def test_clock_that_was_behind_in_a_later_boot_bounds_nothing() -> None:
    # Found by simulation: the latest time fell on the earliest, as if the moment were known.
    known = [Anchor(1, 0, WALL, 0, NTP), Anchor(3, 0, WALL - 86_400_000, 60_000, RTC)]
    assert Clock(4, known).wall(2, 5) == Stamp(WALL, UNKNOWN_MS, BOUNDED)


def test_clock_bounds_by_battery_clocks_only_where_nothing_better_is_known() -> None:
    # Found by simulation: a battery clock a day off moved the bounds of another boot.
    wrong = Anchor(1, 900, WALL + 86_400_000, 60_000, RTC)
    clock = Clock(2, [Anchor(1, 0, WALL, 0, NTP), wrong])
    assert clock.wall(2, 5) == Stamp(WALL, UNKNOWN_MS, BOUNDED)
    only = Clock(2, [Anchor(1, 0, WALL, 60_000, RTC), Anchor(3, 0, WALL + 9, 60_000, RTC)])
    assert only.wall(2, 5) == Stamp(WALL - 60_000, WALL + 60_009, BOUNDED)


def test_clock_that_nobody_synchronised_gives_bounds_not_a_time() -> None:
    clock = Clock(1, [Anchor(1, 0, WALL, 60_000, RTC)])
    assert clock.wall(1, 10) == Stamp(WALL - 59_990, WALL + 60_010, BOUNDED)


def test_clock_synchronised_later_in_a_boot_mends_what_the_battery_clock_bounded() -> None:
    clock = Clock(1, [Anchor(1, 0, WALL + 7000, 60_000, RTC), Anchor(1, 30_000, WALL, 5, NTP)])
    clock.anchors.append(Anchor(1, 90_000, WALL + 60_001, 5, NTP))
    assert clock.wall(1, 10_000) == Stamp(WALL - 20_000, WALL - 20_000, FIXED_UP)
    assert clock.wall(1, 30_001) == Stamp(WALL + 1, WALL + 1, SYNCED)


def test_clock_set_by_hand_after_it_was_synchronised_moves_no_reading() -> None:
    known = [Anchor(1, 0, WALL, 5, NTP), Anchor(1, 60_000, WALL - 86_400_000, 60_000, RTC)]
    found = Clock(1, known).wall(1, 100_000)
    assert found == Stamp(WALL + 100_000 - 56, WALL + 100_000 + 56, BOUNDED)


def test_clock_keeps_only_anchors_that_tell_something_new() -> None:
    clock = Clock(1)
    assert clock.observe(1000, WALL, 5, NTP) is not None
    assert clock.observe(2000, WALL + 1400, 5, NTP) is None
    assert clock.observe(3000, WALL + 2600, 5, NTP) is not None  # stepped by 600 ms
    assert clock.observe(3_603_000, WALL + 3_602_600, 5, NTP) is not None  # an hour later
    assert clock.observe(3_603_001, WALL + 3_602_601, 9, RTC) is not None  # another source
    assert len(clock.anchors) == 4
