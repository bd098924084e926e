"""Periods read together: against every arrangement, tick by tick, and against every schedule."""

from __future__ import annotations

from itertools import product
from math import lcm
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.profile.plan import Cost, Range, plan, plan_us
from drivers.profile.plan_periods import Chain, arrange, loads
from tests.drivers.test_plan import brute_force
from tools.site.bound import Wanted, least

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Groups = dict[int, list[Range]]

SPANS = st.builds(Range, st.just("holding"), st.integers(0, 12), st.integers(1, 2))
FIELDS = st.lists(SPANS, min_size=1, max_size=3)
COSTS = st.builds(Cost, st.integers(1, 60), st.integers(1, 9))
HARMONIC = st.sampled_from([(1, 2), (1, 3), (2, 4), (1, 2, 4), (1, 2, 6)])
ANY = st.sets(st.integers(2, 9), min_size=2, max_size=4).map(sorted)


def total_us(chains: list[Chain], read_us: Callable[[tuple[int, ...]], int], span: int) -> int:
    """The wire time in `span`, by going through its ticks one by one."""
    found = 0
    for chain in chains:
        for tick in range(0, span, chain.every[0]):
            due = [one for one, every in zip(chain.periods, chain.every, strict=True)
                   if tick % every == 0]  # fmt: skip
            found += read_us(tuple(due))
    return found


def arrangements(periods: list[int]) -> Iterator[list[Chain]]:
    """Every way to share out periods to chains, each read at the longest that its chain allows."""
    for seats in product(range(len(periods)), repeat=len(periods)):
        chains: dict[int, Chain] = {}
        for period, seat in zip(periods, seats, strict=True):
            before = chains.get(seat, Chain((), ()))
            every = period - period % before.every[-1] if before.every else period
            chains[seat] = Chain((*before.periods, period), (*before.every, every))
        yield list(chains.values())


@given(ANY, st.data(), COSTS, st.integers(2, 9), st.integers(0, 3))
def test_periods_are_arranged_as_no_other_arrangement_is_cheaper(
    periods: list[int], data: st.DataObject, cost: Cost, longest: int, gap: int
) -> None:
    periods = [1000 * one for one in periods]
    groups = {period: data.draw(FIELDS) for period in periods}
    asked: dict[tuple[int, ...], int] = {}

    def read_us(due: tuple[int, ...]) -> int:
        if due not in asked:
            fields = [one for period in due for one in groups[period]]
            known = [one for fields in groups.values() for one in fields]
            asked[due] = plan_us(plan(fields, cost, longest, longest, gap, (), known), cost)
        return asked[due]

    found = arrange(periods, read_us)
    span = lcm(*periods, *[every for chain in found for every in chain.every])
    mine = total_us(found, read_us, span)
    assert mine == sum(us * (span // every) for _, every, us in loads(found, read_us))
    for chains in arrangements(periods):
        kept = [every for chain in chains for every in chain.every]
        whole = lcm(span, *kept)
        # What is rounded in comparing is a microsecond a day for each period.
        allowed = len(periods) * whole // 86_400_000 + 1
        assert mine * (whole // span) <= total_us(chains, read_us, whole) + allowed
    for chain in found:
        assert all(kept <= period for period, kept in zip(chain.periods, chain.every, strict=True))
        assert all(
            later % kept == 0 for kept, later in zip(chain.every, chain.every[1:], strict=False)
        )
    assert sorted(period for chain in found for period in chain.periods) == periods


@given(HARMONIC, st.data(), COSTS, st.integers(2, 9), st.integers(0, 3))
def test_periods_that_divide_each_other_take_the_least_of_every_tick(
    periods: tuple[int, ...], data: st.DataObject, cost: Cost, longest: int, gap: int
) -> None:
    """What is due at a tick, brought by any set of legal ranges: the plan is the sum of these."""
    groups = {1000 * period: data.draw(FIELDS) for period in periods}
    known = [one for fields in groups.values() for one in fields]

    def read_us(due: tuple[int, ...]) -> int:
        fields = [one for period in due for one in groups[period]]
        return plan_us(plan(fields, cost, longest, longest, gap, (), known), cost)

    found = arrange(list(groups), read_us)
    assert len(found) == 1
    span = max(groups)
    mine = sum(us * (span // every) for _, every, us in loads(found, read_us))
    least_us = 0
    for tick in range(0, span, min(groups)):
        due = [one for period in groups if tick % period == 0 for one in groups[period]]
        least_us += brute_force(due, cost, longest, gap, set(), known)
    assert mine == least_us


def fewest(fields: list[Wanted], cost: Cost, longest: int, gap: int) -> int:
    """The least for which each field is read so many times, by trying all counts of all ranges."""
    spans = [one.span for one in fields]
    taken = {at for one in spans for at in range(one.address, one.end)}
    ranges = []
    for first in spans:
        for last in spans:
            span = Range("holding", first.address, last.end - first.address)
            holes = "".join("x" if at in taken else "." for at in range(span.address, span.end))
            joined = span.count <= longest and "." * (gap + 1) not in holes
            if span.count > 0 and (joined or span in spans):
                bits = [span.holds(one) for one in spans]
                ranges.append((bits, cost.read_us("holding", span.count)))
    start = tuple(one.times for one in fields)
    best = {start: 0}
    for todo in sorted(product(*[range(one + 1) for one in start]), key=sum, reverse=True):
        if todo not in best:
            continue
        for bits, us in ranges:
            after = tuple(max(0, one - bit) for one, bit in zip(todo, bits, strict=True))
            if after != todo:
                best[after] = min(best.get(after, best[todo] + us), best[todo] + us)
    return best[tuple(0 for _ in start)]


@settings(max_examples=200)
@given(
    st.lists(st.tuples(SPANS, st.integers(1, 4)), min_size=1, max_size=4),
    COSTS,
    st.integers(1, 9),
    st.integers(0, 3),
)
def test_bound_is_the_least_of_all_counts_of_all_legal_ranges(
    given_: list[tuple[Range, int]], cost: Cost, longest: int, gap: int
) -> None:
    """Whatever the schedule: so many reads of each field cannot be had for less than the bound."""
    wanted: dict[Range, int] = {}
    for span, times in given_:
        wanted[span] = max(times, wanted.get(span, 0))
    fields = [Wanted(span, times) for span, times in wanted.items()]
    found = least(fields, fields, cost, (longest, longest, gap), set())
    truth = fewest(fields, cost, longest, gap)
    assert found <= truth
    spans = list(wanted)
    if not any(one is not other and one.holds(other) for one in spans for other in spans):
        assert found == truth
