from drivers.profile.plan import (
    Cost,
    Range,
    demand,
    demand_text,
    plan,
    plan_us,
    rows,
    serial_cost,
    split,
    tcp_cost,
)

SLOW = serial_cost("rtu", 9600, 11)


def words(address, count=1):
    return Range("holding", address, count)


def test_plan_thirty_adjacent_registers_are_one_request():
    assert plan([words(i) for i in range(30)], SLOW, 125, 2000) == [words(0, 30)]


def test_plan_never_reads_a_hole_it_was_not_allowed():
    assert plan([words(0), words(2)], SLOW, 125, 2000) == [words(0), words(2)]
    assert plan([words(0), words(2)], SLOW, 125, 2000, gap=1) == [words(0, 3)]
    assert plan([words(0), words(3)], SLOW, 125, 2000, gap=1) == [words(0), words(3)]


def test_plan_crosses_fields_read_at_other_times_as_wholes_only():
    fields = [words(0), words(3)]

    def found(known, gap):
        return plan(fields, SLOW, 125, 2000, gap, (), known)

    assert found([words(1, 2)], 0) == found([words(2), words(1)], 0) == [words(0, 4)]
    assert found([words(1)], 0) == [words(0), words(3)]
    assert found([words(1)], 1) == [words(0, 4)]
    assert found([words(2, 2)], 1) == found([words(0, 2)], 1) == [words(0), words(3)]
    assert plan(fields, SLOW, 125, 2000, 0, {words(1, 2)}, [words(1, 2)]) == fields


def test_plan_a_readable_hole_dearer_than_a_request_is_not_read():
    cheap = Cost(10_000, 1000)
    assert plan([words(0), words(7)], cheap, 125, 2000, gap=100) == [words(0), words(7)]
    assert plan([words(0), words(6)], cheap, 125, 2000, gap=100) == [words(0, 7)]


def test_plan_never_cuts_a_field():
    fields = [words(i, 2) for i in range(0, 10, 2)]
    assert plan(fields, SLOW, 5, 2000) == [words(0, 2), words(2, 4), words(6, 4)]


def test_plan_a_maximum_of_one_means_one_field_per_request():
    fields = [words(0, 2), words(2), words(3)]
    assert plan(fields, SLOW, 1, 2000) == fields


def test_plan_keeps_tables_apart_and_counts_bits_by_eight():
    fields = [Range("coil", i, 1) for i in range(20)] + [words(0), Range("input", 1, 1)]
    assert plan(fields, SLOW, 10, 16) == [
        Range("coil", 0, 4),
        Range("coil", 4, 16),
        words(0),
        Range("input", 1, 1),
    ]


def test_plan_fields_over_each_other_are_read_once():
    fields = [words(0), words(0, 2), words(1), words(1, 2), words(0, 2)]
    assert plan(fields, SLOW, 125, 2000) == [words(0, 3)]
    assert plan(fields, SLOW, 2, 2000) == [words(0, 2), words(1, 2)]


def test_plan_reads_around_what_was_refused():
    fields = [words(i) for i in range(10)]
    assert plan(fields, SLOW, 125, 2000, 5, {words(4)}) == [words(0, 4), words(5, 5)]


def test_plan_does_not_cross_a_refused_seam():
    fields = [words(i) for i in range(10)]
    assert plan(fields, SLOW, 125, 2000, 0, {words(4, 2)}) == [words(0, 5), words(5, 5)]


def test_plan_a_wide_field_is_tried_though_a_part_was_refused():
    assert plan([words(4, 2)], SLOW, 125, 2000, 0, {words(4)}) == [words(4, 2)]
    assert plan([words(4, 2)], SLOW, 125, 2000, 0, {words(4, 2)}) == []


def test_split_cuts_near_the_middle_and_leaves_the_hole_out():
    fields = [words(0, 2), words(2), words(6), words(7, 2)]
    assert split(words(0, 9), fields) == (words(0, 3), words(6, 3), words(2, 5))
    assert split(words(0, 3), fields) == (words(0, 2), words(2), words(0, 3))


def test_split_parts_fields_that_overlap():
    assert split(words(0, 3), [words(0, 2), words(1, 2)]) == (words(0, 2), words(1, 2), words(0, 3))


def test_split_one_field_cannot_be_cut():
    assert split(words(0, 2), [words(0, 2), words(1), words(5)]) is None


def test_cost_counts_the_bytes_of_the_frames():
    # 8 bytes asked, 5 + 60 answered, 3.5 characters of silence: 76.5 characters of 1146 us.
    assert SLOW.read_us("holding", 30) == 73 * 1146 + 4011 + 5000
    assert SLOW.read_us("coil", 9) == 15 * 1146 + 4011 + 5000
    fast = serial_cost("rtu", 115200, 10, pause_us=3000, turnaround_us=0)
    assert fast.read_us("input", 1) == 15 * 87 + 3000
    assert serial_cost("ascii", 9600, 10).read_us("input", 2) == 36 * 1042 + 3647 + 5000
    assert tcp_cost().read_us("input", 100) == 2221


def test_demand_is_wire_time_per_second():
    second = [words(0, 30)]
    cost = Cost(40_000, 1000)
    assert plan_us(second, cost) == 100_000
    us = plan_us(second, cost)
    needs = demand([(1000, us), (10_000, us), (0, us), (50, us)])
    assert needs == 100_000 + 10_000 + 2_000_000
    assert demand_text(1_700_000) == "needs 1.70 s per 1 s"


def test_rows_show_each_request_with_its_cost():
    assert rows([words(0, 30), Range("coil", 7, 1)], Cost(1000, 100)) == [
        "holding      0..29    30 registers      7.0 ms",
        "coil         7..7     1 bit             1.1 ms",
    ]
