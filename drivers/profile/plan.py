"""Which registers to read together: the fewest microseconds of wire time for the fields wanted.

Knows addresses, frame lengths and what a device refused; knows no values, no bytes and no clock.
A field is anything with `table`, `address` and `count` (registers, or bits of a bit table).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Protocol

    class Place(Protocol):
        """Where a value stands in a device."""

        @property
        def table(self) -> str: ...
        @property
        def address(self) -> int: ...
        @property
        def count(self) -> int: ...


BIT_TABLES = ("coil", "discrete")

# (request bytes, reply bytes beside the data, bytes on the wire per data byte) of a read:
# the PDU of Modbus V1.1b3 §6.1-6.4 in the frame of the serial line (V1.02 §2.5) or of TCP.
_FRAMES = {"rtu": (8, 5, 1), "ascii": (17, 11, 2), "tcp": (12, 9, 1)}

TURNAROUND_US = 5_000  # what a device thinks before it answers, when nothing was measured yet
ROUND_TRIP_US = 2_000  # the same for a device on a local network
_TCP_BYTE_US = 1  # 10 Mbit/s: what small boards do
_SILENCE_BITS = 35  # 3.5 characters between frames (serial line V1.02 §2.5.1.1), in tenth chars
_SILENCE_MIN_US = 1_750  # the same above 19200 baud


class Range(Record):
    """`count` registers (or bits) of `table` from `address` on, read by one request."""

    __slots__ = ("address", "count", "table")

    def __init__(self, table: str, address: int, count: int) -> None:
        self.table = table
        self.address = address
        self.count = count

    @property
    def end(self) -> int:
        """The address after the last."""
        return self.address + self.count

    def holds(self, other: Place) -> bool:
        """Return whether all of `other` lies within this range."""
        return (
            self.table == other.table
            and self.address <= other.address
            and other.address + other.count <= self.end
        )


class Cost(Record):
    """Wire time of a read: `request_us` for any, and `byte_us` more for each byte of data."""

    __slots__ = ("byte_us", "request_us")

    def __init__(self, request_us: int, byte_us: int) -> None:
        self.request_us = request_us
        self.byte_us = byte_us

    def read_us(self, table: str, count: int) -> int:
        """Return the microseconds from the silence before the request to the reply's end."""
        size_bytes = (count + 7) // 8 if table in BIT_TABLES else 2 * count
        return self.request_us + self.byte_us * size_bytes


def serial_cost(
    framing: str, baud: int, char_bits: int, pause_us: int = 0, turnaround_us: int = TURNAROUND_US
) -> Cost:
    """Return the cost on a serial line; `char_bits` counts start, data, parity and stop bits."""
    request, reply, width = _FRAMES[framing]
    char_us = (char_bits * 1_000_000 + baud // 2) // baud
    silence_us = max(_SILENCE_MIN_US, char_us * _SILENCE_BITS // 10, pause_us)
    return Cost(char_us * (request + reply) + silence_us + turnaround_us, char_us * width)


def tcp_cost(framing: str = "tcp", round_trip_us: int = ROUND_TRIP_US) -> Cost:
    """Return the cost over a network, where the round trip outweighs the bytes."""
    request, reply, width = _FRAMES[framing]
    return Cost(_TCP_BYTE_US * (request + reply) + round_trip_us, _TCP_BYTE_US * width)


def plan(
    fields: Iterable[Place],
    cost: Cost,
    max_words: int,
    max_bits: int,
    gap: int = 0,
    refused: Iterable[Range] = (),
    known: Iterable[Place] = (),
) -> list[Range]:
    """Return the ranges that bring every field for the least wire time, in address order.

    A range is no longer than the maximum unless one field is, bridges at most `gap` unwanted
    addresses in a row, and holds no refused range. Fields of `known` are read at other times, so
    that they may be bridged as a whole. A field that was refused alone is left out.
    """
    refused = list(refused)
    given_up = {(one.table, one.address, one.count) for one in refused}
    tables: dict[str, list[Range]] = {}
    for field in fields:
        if (field.table, field.address, field.count) not in given_up:
            span = Range(field.table, field.address, field.count)
            tables.setdefault(field.table, []).append(span)
    places = sorted([(one.address, one.address + one.count, one.table) for one in known])
    found = []
    for table in sorted(tables):
        longest = max_bits if table in BIT_TABLES else max_words
        walls = [one for one in refused if one.table == table]
        spans = outer(tables[table])
        others = [(start, end) for start, end, where in places if where == table]
        found += _cheapest(spans, cost, _lowest(spans, longest, gap, walls, others))
    return found


def split(span: Range, fields: Iterable[Place]) -> tuple[Range, Range, Range] | None:
    """Cut a refused range near its middle, between two fields; None if it holds only one.

    Returns both halves, and the two fields at the cut as one range: the range to call refused
    should each half be read without trouble.
    """
    inside = outer([Range(one.table, one.address, one.count) for one in fields if span.holds(one)])
    if len(inside) < 2:
        return None
    middle = span.address + span.end
    cut = min(
        range(1, len(inside)), key=lambda i: abs(inside[i - 1].end + inside[i].address - middle)
    )
    return _join(inside[:cut]), _join(inside[cut:]), _join(inside[cut - 1 : cut + 1])


def plan_us(ranges: Iterable[Range], cost: Cost) -> int:
    """Return the wire time of reading all of `ranges` once."""
    return sum([cost.read_us(one.table, one.count) for one in ranges])


def demand(loads: Iterable[tuple[int, int]]) -> int:
    """Return the microseconds of its line a device needs per second.

    `loads` holds (period in ms, microseconds each time); period 0 is once, and does not count.
    """
    return sum([us * 1000 // period for period, us in loads if period])


def demand_text(demand_us: int) -> str:
    """Say how much of each second a line is busy."""
    return f"needs {demand_us / 1_000_000:.2f} s per 1 s"


def rows(ranges: Iterable[Range], cost: Cost) -> list[str]:
    """Return one line of text per request of a plan: table, addresses, count and wire time."""
    lines = []
    for one in ranges:
        what = "bit" if one.table in BIT_TABLES else "register"
        amount = f"{one.count} {what}{'' if one.count == 1 else 's'}"
        time_ms = cost.read_us(one.table, one.count) / 1000
        lines.append(
            f"{one.table:<8} {one.address:>5}..{one.end - 1:<5} {amount:<13} {time_ms:7.1f} ms"
        )
    return lines


def outer(spans: list[Range]) -> list[Range]:
    """Return one table's spans in address order without those that lie within another."""
    kept: list[Range] = []
    for span in sorted(spans, key=lambda one: (one.address, -one.count)):
        if not kept or span.end > kept[-1].end:
            kept.append(span)
    return kept


def _lowest(
    spans: list[Range],
    longest: int,
    gap: int,
    walls: list[Range],
    others: list[tuple[int, int]],
) -> list[int]:
    """Return, for each span as the last of a range, the first that one request may begin with.

    What makes a range too long, or hold a wall or a wide hole, does so in any that holds it:
    the first never goes back from one span to the next.
    """
    walls = sorted(walls, key=lambda one: one.end)
    found: list[int] = []
    low = passed = place = 0
    wall = -1  # the highest start of a range that is refused and ends by now
    for last, span in enumerate(spans):
        while passed < len(walls) and walls[passed].end <= span.end:
            wall = max(wall, walls[passed].address)
            passed += 1
        if last and span.address - spans[last - 1].end > gap:
            hole = spans[last - 1].end
            while place < len(others) and others[place][0] < hole:
                place += 1
            if _widest(hole, span.address, others, place) > gap:
                low = last
        while low < last and (
            span.end - spans[low].address > longest or spans[low].address <= wall
        ):
            low += 1
        found.append(low)
    return found


def _widest(start: int, end: int, others: list[tuple[int, int]], place: int) -> int:
    """Return the most addresses in a row of a hole that no other, as a whole in it, takes."""
    widest = 0
    while place < len(others) and others[place][0] < end:
        if others[place][1] <= end:
            widest = max(widest, others[place][0] - start)
            start = max(start, others[place][1])
        place += 1
    return max(widest, end - start)


def _cheapest(spans: list[Range], cost: Cost, lowest: list[int]) -> list[Range]:
    """Return the cheapest cover, by the exact minimum over every last range.

    Starts and ends both rise from span to span, so some cheapest cover is made of ranges over
    consecutive spans: the best cover of the first n is the best of some fewer and one range.
    A range's bytes are what its end takes less what its start takes, for words and, of starts at
    the same bit of a byte, for bits: the best start of a lane stays the best until it is too far.
    """
    unit = 8 if spans[0].table in BIT_TABLES else 1  # addresses that share their bytes
    unit_us = cost.byte_us if unit == 8 else 2 * cost.byte_us
    lanes: list[list[tuple[int, int]]] = [[] for _ in range(unit)]  # (time, start), both rising
    best_us, first = [0], [0]  # for the first n spans: the least time, where its last range starts
    for last, span in enumerate(spans):
        lane = lanes[span.address % unit]
        here_us = best_us[last] - span.address // unit * unit_us
        while lane and lane[-1][0] > here_us:
            lane.pop()
        lane.append((here_us, last))
        least_us, least_start = -1, 0
        for bit in range(unit):
            lane = lanes[bit]
            while lane and lane[0][1] < lowest[last]:
                lane.pop(0)
            if lane:
                here_us, start = lane[0]
                here_us += cost.request_us + (span.end - bit + unit - 1) // unit * unit_us
                if least_us < 0 or (here_us, start) < (least_us, least_start):
                    least_us, least_start = here_us, start  # of equals the longest
        best_us.append(least_us)
        first.append(least_start)
    ranges: list[Range] = []
    end = len(spans)
    while end:
        ranges.append(_join(spans[first[end] : end]))
        end = first[end]
    ranges.reverse()
    return ranges


def _join(spans: Sequence[Range]) -> Range:
    start = spans[0].address
    return Range(spans[0].table, start, spans[-1].end - start)
