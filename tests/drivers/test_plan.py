"""The planner against every set of legal ranges, and its promises on larger maps."""

from __future__ import annotations

import sys
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.profile.plan import Cost, Range, outer, plan, plan_us

SPANS = st.builds(
    Range, st.sampled_from(["holding", "coil"]), st.integers(0, 24), st.integers(1, 4)
)
COSTS = st.builds(Cost, st.integers(1, 60), st.integers(0, 9))


def whole_in(run: range, places: list[Range]) -> set[int]:
    """The addresses of a run that some place, all of it in the run, takes."""
    inside = [one for one in places if run.start <= one.address and one.end <= run.stop]
    return {address for one in inside for address in range(one.address, one.end)}


def runs(span: Range, taken: set[int]) -> list[range]:
    """The runs of addresses of `span` that are not taken."""
    found: list[range] = []
    for address in range(span.address, span.end):
        if address not in taken:
            if found and found[-1].stop == address:
                found[-1] = range(found[-1].start, address + 1)
            else:
                found.append(range(address, address + 1))
    return found


def legal(
    span: Range,
    fields: list[Range],
    longest: int,
    gap: int,
    refused: set[Range],
    known: list[Range],
) -> bool:
    """Whether a device may be asked for `span`: said of addresses, not of neighbours."""
    if span in fields:
        return True
    if span.count > longest or any(span.holds(one) for one in refused):
        return False
    taken = {at for one in fields if span.holds(one) for at in range(one.address, one.end)}
    others = [one for one in known if one.table == span.table]
    for run in runs(span, taken):
        unknown = set(run) - whole_in(run, others)
        if any(len(part) > gap for part in runs(span, set(range(99)) - unknown)):
            return False
    return True


def brute_force(
    fields: list[Range],
    cost: Cost,
    longest: int,
    gap: int,
    refused: set[Range],
    known: list[Range] | None = None,
) -> int:
    """The least cost over every set of legal ranges, also such that overlap or hold waste."""
    wanted = sorted({one for one in fields if one not in refused}, key=str)
    useful: dict[int, int] = {}  # the fields a range brings, as bits: its cost
    for table in {one.table for one in wanted}:
        mine = [one for one in wanted if one.table == table]
        low, high = min(one.address for one in mine), max(one.end for one in mine)
        for start in range(low, high):
            for count in range(1, high - start + 1):
                span = Range(table, start, count)
                if legal(span, mine, longest, gap, refused, known or []):
                    bits = sum(1 << place for place, one in enumerate(wanted) if span.holds(one))
                    costs_us = cost.read_us(table, count)
                    useful[bits] = min(useful.get(bits, costs_us), costs_us)
    least: list[int | None] = [0] + [None] * ((1 << len(wanted)) - 1)
    for read in range(len(least)):
        here = least[read]
        if here is not None:
            for bits, costs_us in useful.items():
                there = least[read | bits]
                least[read | bits] = min(there or here + costs_us, here + costs_us)
    found = least[-1]
    assert found is not None
    return found


@given(
    st.lists(SPANS, max_size=6),
    COSTS,
    st.integers(1, 20),
    st.integers(0, 6),
    st.sets(SPANS, max_size=2),
    st.lists(SPANS, max_size=4),
)
def test_plan_is_the_least_of_all_sets_of_legal_ranges(
    fields: list[Range],
    cost: Cost,
    longest: int,
    gap: int,
    refused: set[Range],
    known: list[Range],
) -> None:
    found = plan(fields, cost, longest, longest, gap, refused, known)
    assert plan_us(found, cost) == brute_force(fields, cost, longest, gap, refused, known)
    wanted = [one for one in fields if one not in refused]
    for span in found:
        mine = [one for one in wanted if one.table == span.table]
        assert legal(span, mine, longest, gap, refused, known)
    assert all(any(span.holds(one) for span in found) for one in wanted)


NEAR = st.builds(Range, st.just("input"), st.integers(0, 8), st.integers(1, 3))


@settings(max_examples=400)
@given(
    st.lists(NEAR, min_size=2, max_size=5),
    st.integers(0, 3),
    st.sets(NEAR, min_size=1, max_size=2),
    st.lists(NEAR, max_size=3),
)
def test_plan_is_the_least_around_walls_and_over_holes_that_are_known(
    fields: list[Range], gap: int, refused: set[Range], known: list[Range]
) -> None:
    cost = Cost(40, 1)  # whoever may join does
    found = plan(fields, cost, 125, 2000, gap, refused, known)
    assert plan_us(found, cost) == brute_force(fields, cost, 125, gap, refused, known)
    wanted = [one for one in fields if one not in refused]
    assert all(legal(span, wanted, 125, gap, refused, known) for span in found)


@settings(max_examples=400)
@given(st.sets(st.integers(0, 40), min_size=3, max_size=7), COSTS, st.integers(1, 34))
def test_plan_bits_pay_by_the_byte_wherever_they_stand(
    bits: set[int], cost: Cost, longest: int
) -> None:
    """Eight bits share a byte from the first one read on: a plan may use the rest of its bytes."""
    fields = [Range("coil", at, 1) for at in bits]
    costs = [Cost(cost.request_us % 8 + 1, cost.byte_us), cost]
    for one in costs:
        found = plan(fields, one, 125, longest, 40)
        assert plan_us(found, one) == brute_force_bits(sorted(bits), one, longest)


def brute_force_bits(bits: list[int], cost: Cost, longest: int) -> int:
    """The least over every way to cut a row of bits, each a request of its own or not."""
    least = []
    for cuts in range(1 << (len(bits) - 1)):
        groups = [[bits[0]]]
        for place, bit in enumerate(bits[1:]):
            if cuts >> place & 1:
                groups.append([])
            groups[-1].append(bit)
        counts = [group[-1] - group[0] + 1 for group in groups]
        if max(counts) <= longest:
            least.append(sum(cost.read_us("coil", count) for count in counts))
    return min(least)


@given(
    st.lists(
        st.builds(Range, st.just("input"), st.integers(0, 3000), st.integers(1, 4)), max_size=120
    ),
    COSTS,
    st.integers(4, 125),
    st.integers(0, 20),
)
def test_plan_brings_every_field_and_keeps_its_limits(
    fields: list[Range], cost: Cost, longest: int, gap: int
) -> None:
    found = plan(fields, cost, longest, longest, gap)
    assert all(any(one.holds(field) for one in found) for field in fields)
    assert all(one.count <= longest for one in found)
    assert found == sorted(found, key=lambda one: one.address)
    wanted = {address for one in fields for address in range(one.address, one.end)}
    for one in found:
        run = 0
        for address in range(one.address, one.end):
            run = 0 if address in wanted else run + 1
            assert run <= gap


@given(
    st.lists(st.builds(Range, st.just("coil"), st.integers(0, 24), st.integers(1, 4)), max_size=12)
)
def test_plan_outer_spans_rise_at_both_ends_and_hold_all(spans: list[Range]) -> None:
    kept = outer(spans)
    assert all(a.address < b.address and a.end < b.end for a, b in pairwise(kept))
    assert all(any(one.holds(span) for one in kept) for span in spans)


def calls(table: str, channels: int) -> int:
    """How many functions are called to plan so many channels."""
    fields = [Range(table, 2 * place, 1) for place in range(channels)]
    walls = [Range(table, 20 * place, 3) for place in range(channels // 10)]
    counted = 0

    def count(_frame: object, event: str, _value: object) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        plan(fields, Cost(12_000, 1_000), 125, 2000, 4, walls, fields)
    finally:
        sys.setprofile(before)
    return counted


def test_plan_takes_steps_in_proportion_to_its_channels() -> None:
    """Counted, not timed: what a PC does in milliseconds a small board must do as well."""
    for table in ("holding", "coil"):
        assert calls(table, 512) <= 2.2 * calls(table, 256)
        assert calls(table, 512) <= 30 * 512
