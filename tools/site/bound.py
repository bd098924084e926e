"""What no plan can be cheaper than: prices of fields that no request earns more than it costs.

Knows fields, how often each is wanted and what a device may be asked for; knows no plan's model,
neither ticks nor chains. Give each field a price so that no legal request brings fields of a
higher sum than its own wire time. Then whoever reads every field as often as wanted, in whatever
order and with whatever requests, pays at least the prices. The best prices are the dual of the
cheapest flow through the fields in order of address; the plan's own requests are the flow to
begin with.
"""

from __future__ import annotations

from itertools import pairwise
from math import lcm
from typing import TYPE_CHECKING, NamedTuple

from drivers.profile.plan import BIT_TABLES, Cost, Range
from drivers.profile.slot import ONCE

if TYPE_CHECKING:
    from drivers.modbus import ModbusDevice
    from drivers.profile.image import Field

    Limits = tuple[int, int, int]  # registers, bits, gap
    Arcs = dict[tuple[int, int], int]  # (first field, the one after the last) → microseconds


class Wanted(NamedTuple):
    """A place of `table`, to be read `times` in a while."""

    span: Range
    times: int


class Proof(NamedTuple):
    """In `span_ms` the plan takes `plan_us`, and no plan less than `least_us`."""

    span_ms: int
    plan_us: int
    least_us: int

    @property
    def exact(self) -> bool:
        """Whether the plan is proved to be the least."""
        return self.plan_us == self.least_us

    @property
    def ratio(self) -> float:
        """How much of the minimum the plan takes; 1.0 if it is proved to be it."""
        return self.plan_us / self.least_us if self.least_us else 1.0


def proof(device: ModbusDevice) -> Proof:
    """Return what the plan of `device` takes, and the least that any could, for all periods."""
    asked = [period for period in device.map.periods() if period != ONCE]
    kept = [every for every, _ in device.loads()]
    span_ms = lcm(*asked, *kept) if asked else 1
    times: dict[Range, int] = {}
    for period in asked:
        for one in wanted(device, period):
            span = Range(one.table, one.address, one.count)
            times[span] = max(times.get(span, 0), span_ms // period)
    fields = [Wanted(span, often) for span, often in times.items()]
    least_us = least(
        fields, requests_of(device, span_ms), device.cost, device.limits, device.refused
    )
    plan_us = sum(us * (span_ms // every) for every, us in device.loads())
    return Proof(span_ms, plan_us, least_us)


def wanted(device: ModbusDevice, period: int) -> list[Field]:
    """Return the fields of one period that the device did not refuse."""
    return [
        one
        for one in device.map.fields(period)
        if Range(one.table, one.address, one.count) not in device.refused
    ]


def requests_of(device: ModbusDevice, span_ms: int) -> list[Wanted]:
    """Return the plan's requests, each with how often it is made in the time."""
    plans = [(period, ranges) for period, ranges in device.plans() if period != ONCE]
    found = []
    place = 0
    for chain in device.chains:
        times = [span_ms // every for every in chain.every] + [0]
        for more, fewer in pairwise(times):
            found += [Wanted(span, more - fewer) for span in plans[place][1]]
            place += 1
    return found


def least(
    fields: list[Wanted],
    requests: list[Wanted],
    cost: Cost,
    limits: Limits,
    refused: set[Range],
) -> int:
    """Return the least microseconds for which all `fields` can be read; `requests` read them."""
    found = 0
    for table in {one.span.table for one in fields}:
        mine = [one for one in fields if one.span.table == table]
        rows = _rising(mine)
        walls = [one for one in refused if one.table == table]
        arcs = _arcs(rows, mine, cost, limits, walls)
        prices = _prices(rows, arcs, _flow(rows, requests, arcs, cost))
        assert all(one >= 0 for one in prices), "a price below nothing proves nothing"
        for (first, end), costs_us in arcs.items():
            assert sum(prices[first:end]) <= costs_us, "a request earns more than it costs"
        found += sum(one.times * price for one, price in zip(rows, prices, strict=True))
    return found


def _rising(fields: list[Wanted]) -> list[Wanted]:
    """Return the fields in order of address, none within another.

    Of two, one in the other, the one wanted less often is left out: that can only lower the bound.
    """

    def within(inner: Wanted, outer: Wanted) -> bool:
        return inner is not outer and outer.span.holds(inner.span)

    kept = [
        one
        for one in fields
        if not any(within(one, other) and other.times >= one.times for other in fields)
    ]
    kept = [one for one in kept if not any(within(other, one) for other in kept)]
    return sorted(kept, key=lambda one: one.span.address)


def _arcs(
    rows: list[Wanted], fields: list[Wanted], cost: Cost, limits: Limits, walls: list[Range]
) -> Arcs:
    """Return every request that a device may be asked for, over whole fields, and its wire time."""
    if not rows:
        return {}
    table = rows[0].span.table
    longest = limits[1] if table in BIT_TABLES else limits[0]
    known = {one for row in fields for one in range(row.span.address, row.span.end)}
    arcs: Arcs = {}
    for first, row in enumerate(rows):
        start = row.span.address
        arcs[first, first + 1] = cost.read_us(table, row.span.count)
        for last in range(first + 1, len(rows)):
            hole = range(rows[last - 1].span.end, rows[last].span.address)
            span = Range(table, start, rows[last].span.end - start)
            if (
                span.count > longest
                or _run(hole, known) > limits[2]
                or any(span.holds(wall) for wall in walls)
            ):
                break
            arcs[first, last + 1] = cost.read_us(table, span.count)
    return arcs


def _run(hole: range, known: set[int]) -> int:
    """Return the most addresses in a row of a hole that no field has."""
    longest = here = 0
    for address in hole:
        here = 0 if address in known else here + 1
        longest = max(longest, here)
    return longest


def _flow(rows: list[Wanted], requests: list[Wanted], arcs: Arcs, cost: Cost) -> Arcs:
    """Return how often each arc is used when `requests` are made."""
    flow: Arcs = {}
    for one in requests:
        inside = [place for place, row in enumerate(rows) if one.span.holds(row.span)]
        if inside:
            arc = (inside[0], inside[-1] + 1)
            arcs.setdefault(arc, cost.read_us(one.span.table, one.span.count))  # a wide field's
            flow[arc] = flow.get(arc, 0) + one.times
    return flow


def _prices(rows: list[Wanted], arcs: Arcs, flow: Arcs) -> list[int]:
    """Return the price of each field, by making the flow cheaper until it can be no cheaper."""
    nodes = len(rows) + 1
    spare = [-one.times for one in rows]  # how often more than wanted each field is read
    for (first, end), times in flow.items():
        for place in range(first, end):
            spare[place] += times
    assert all(times >= 0 for times in spare), "the plan reads a field less often than wanted"
    while True:
        edges = [(first, end, us) for (first, end), us in arcs.items()]
        edges += [(place + 1, place, 0) for place in range(nodes - 1)]
        edges += [(end, first, -arcs[first, end]) for (first, end) in flow]
        edges += [(place, place + 1, 0) for place in range(nodes - 1) if spare[place]]
        costs, cycle = _shortest(nodes, sorted(edges))
        if not cycle:
            return [after - before for before, after in pairwise(costs)]
        _cancel(cycle, flow, spare)


def _shortest(
    nodes: int, edges: list[tuple[int, int, int]]
) -> tuple[list[int], list[tuple[int, int, int]]]:
    """Return the least cost to each node from anywhere, or a cycle that costs less than nothing."""
    costs = [0] * nodes
    came: list[tuple[int, int, int] | None] = [None] * nodes
    node = -1
    for _ in range(nodes):
        node = -1
        for edge in edges:
            start, end, us = edge
            if costs[start] + us < costs[end]:
                costs[end] = costs[start] + us
                came[end] = edge
                node = end
        if node < 0:
            return costs, []
    for _ in range(nodes):
        node = _before(came, node)[0]
    cycle = [_before(came, node)]
    while cycle[-1][0] != node:
        cycle.append(_before(came, cycle[-1][0]))
    return costs, cycle


def _before(came: list[tuple[int, int, int] | None], node: int) -> tuple[int, int, int]:
    edge = came[node]
    assert edge is not None
    return edge


def _cancel(cycle: list[tuple[int, int, int]], flow: Arcs, spare: list[int]) -> None:
    """Send as much round the cycle as it takes."""
    back = [(end, start) for start, end, us in cycle if us < 0]
    most = [flow[arc] for arc in back]
    most += [spare[start] for start, end, us in cycle if us == 0 and end == start + 1]
    times = min(most)
    for start, end, us in cycle:
        if us < 0:
            flow[end, start] -= times
            if not flow[end, start]:
                del flow[end, start]
        elif us == 0 and end == start + 1:
            spare[start] -= times
        elif us == 0:
            spare[end] += times
        else:
            flow[start, end] = flow.get((start, end), 0) + times
