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
) -> list[Range]:
    """Return the ranges that bring every field for the least wire time, in address order.

    A range is no longer than the maximum unless one field is, bridges at most `gap` unwanted
    addresses in a row, and holds no refused range. A field that was refused alone is left out.
    """
    refused = list(refused)
    tables: dict[str, list[Range]] = {}
    for field in fields:
        span = Range(field.table, field.address, field.count)
        if span not in refused:
            tables.setdefault(field.table, []).append(span)
    found = []
    for table in sorted(tables):
        longest = max_bits if table in BIT_TABLES else max_words
        walls = [one for one in refused if one.table == table]
        found += _cheapest(outer(tables[table]), cost, longest, gap, walls)
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


def demand(groups: Iterable[tuple[int, list[Range]]], cost: Cost) -> int:
    """Return the microseconds of its line a device needs per second.

    `groups` holds (period in ms, plan); what is read only once, period 0, does not count.
    """
    return sum([plan_us(ranges, cost) * 1000 // period for period, ranges in groups if period])


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


def _cheapest(
    spans: list[Range], cost: Cost, longest: int, gap: int, walls: list[Range]
) -> list[Range]:
    """Return the cheapest cover, by the exact minimum over every last range.

    Starts and ends both rise from span to span, so some cheapest cover is made of ranges over
    consecutive spans: the best cover of the first n is the best of some fewer and one range.
    """
    best_us, first = [0], [0]  # for the first n spans: the least time, where its last range starts
    for end in range(1, len(spans) + 1):
        least_us = first_best = -1
        for start in range(end - 1, -1, -1):
            joined = _join(spans[start:end])
            if start < end - 1 and not _together(
                spans[start : start + 2], joined, longest, gap, walls
            ):
                break
            total_us = best_us[start] + cost.read_us(joined.table, joined.count)
            if least_us < 0 or total_us <= least_us:  # of equals the one with fewer requests
                least_us, first_best = total_us, start
        best_us.append(least_us)
        first.append(first_best)
    found: list[Range] = []
    end = len(spans)
    while end:
        found.append(_join(spans[first[end] : end]))
        end = first[end]
    found.reverse()
    return found


def _together(
    pair: Sequence[Range], joined: Range, longest: int, gap: int, walls: list[Range]
) -> bool:
    """Return whether `joined`, whose first two spans are `pair`, may be one request."""
    if joined.count > longest or pair[1].address - pair[0].end > gap:
        return False
    return not any(joined.holds(wall) for wall in walls)


def _join(spans: Sequence[Range]) -> Range:
    start = spans[0].address
    return Range(spans[0].table, start, spans[-1].end - start)
