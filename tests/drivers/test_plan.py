"""The planner against every way of grouping the fields, and its promises on larger maps."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from drivers.profile.plan import Cost, Range, outer, plan, plan_us

if TYPE_CHECKING:
    from collections.abc import Iterator

SPANS = st.builds(
    Range, st.sampled_from(["holding", "coil"]), st.integers(0, 24), st.integers(1, 4)
)
COSTS = st.builds(Cost, st.integers(1, 60), st.integers(0, 9))


def legal(group: list[Range], longest: int, gap: int, refused: set[Range]) -> Range | None:
    """The one range over `group`, if a device may be asked for it."""
    start = min(one.address for one in group)
    end = max(one.end for one in group)
    span = Range(group[0].table, start, end - start)
    if len({one.table for one in group}) > 1:
        return None
    if span in group:  # one field holds the others
        return None if span in refused else span
    wanted = {address for one in group for address in range(one.address, one.end)}
    run = 0
    for address in range(start, end):
        run = 0 if address in wanted else run + 1
        if run > gap:
            return None
    if span.count > longest or any(span.holds(one) for one in refused):
        return None
    return span


def partitions(fields: list[Range]) -> Iterator[list[list[Range]]]:
    if not fields:
        yield []
        return
    for groups in partitions(fields[1:]):
        yield [[fields[0]], *groups]
        for place in range(len(groups)):
            yield [*groups[:place], [fields[0], *groups[place]], *groups[place + 1 :]]


def brute_force(
    fields: list[Range], cost: Cost, longest: int, gap: int, refused: set[Range]
) -> int:
    """The least cost over every partition of the fields, in any order."""
    wanted = [one for one in fields if one not in refused]
    best = None
    for groups in partitions(wanted):
        spans = [legal(group, longest, gap, refused) for group in groups]
        found = [span for span in spans if span is not None]
        if len(found) == len(spans):
            total = plan_us(found, cost)
            best = total if best is None else min(best, total)
    assert best is not None
    return best


@given(
    st.lists(SPANS, max_size=6),
    COSTS,
    st.integers(1, 12),
    st.integers(0, 6),
    st.sets(SPANS, max_size=2),
)
def test_plan_is_never_dearer_than_any_partition_of_the_fields(
    fields: list[Range], cost: Cost, longest: int, gap: int, refused: set[Range]
) -> None:
    found = plan(fields, cost, longest, longest, gap, refused)
    assert plan_us(found, cost) == brute_force(fields, cost, longest, gap, refused)


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
