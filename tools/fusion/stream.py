"""Which numbers of one stream (gateway, log, ring) the platform has accounted for.

A number is accounted for when its reading is stored, a gap explains it, or it was given up
because the gateway said that it will never come. `high` is what is acknowledged.
Pure: knows no database, no pack and no time.
"""

from __future__ import annotations

from gateway.core.errors import BadReply

ISLANDS_MAX = 64  # ranges above a hole; a window of 20 packs makes at most 20
AHEAD_MAX = 1 << 20  # numbers above `high` that are kept: a whole damaged segment, many times
NUMBER_MAX = (1 << 62) - 1  # a database column holds it, and the number after it


class Stream:
    """The highest number below which all is accounted for, and the islands above it."""

    def __init__(self, high: int = 0, islands: list[tuple[int, int]] | None = None) -> None:
        self.high = high
        self.islands = islands or []  # (first, last), rising, apart from each other and from high

    def has(self, first: int, last: int) -> bool:
        """Return whether every number of `first`..`last` is accounted for already."""
        return last <= self.high or any(a <= first and last <= b for a, b in self.islands)

    def takes(self, first: int, last: int) -> bool:
        """Return whether the range may be added: near enough, and not one island too many."""
        if last > self.high + AHEAD_MAX:
            return False
        touches = first <= self.high + 1 or any(
            first <= b + 1 and a <= last + 1 for a, b in self.islands
        )
        return touches or len(self.islands) < ISLANDS_MAX

    def add(self, first: int, last: int) -> None:
        """Account for `first`..`last`."""
        merged: list[tuple[int, int]] = []
        for a, b in [(1, self.high), *self.islands]:
            if b + 1 < first or last + 1 < a:
                merged.append((a, b))
            else:
                first, last = min(a, first), max(b, last)
        merged.append((first, last))
        merged.sort()
        self.high = merged[0][1]
        self.islands = merged[1:]

    def pass_to(self, low: int) -> list[tuple[int, int]]:
        """Give up every number below `low`; return the ranges that were not accounted for."""
        holes = self.missing(low - 1)
        if holes:
            self.add(self.high + 1, low - 1)
        return holes

    def missing(self, last: int) -> list[tuple[int, int]]:
        """Return the ranges up to `last` that are not accounted for."""
        holes = []
        at = self.high + 1
        for a, b in self.islands:
            if a > last:
                break
            holes.append((at, a - 1))
            at = b + 1
        if at <= last:
            holes.append((at, last))
        return holes


def subtract(whole: tuple[int, int], part: tuple[int, int]) -> list[tuple[int, int]]:
    """Return what is left of the range `whole` without `part`."""
    left = (whole[0], min(whole[1], part[0] - 1))
    right = (max(whole[0], part[1] + 1), whole[1])
    return [one for one in (left, right) if one[0] <= one[1]]


def to_text(islands: list[tuple[int, int]]) -> str:
    """Return islands as "65-128 200-210", the form a person and the database read."""
    return " ".join(f"{first}-{last}" for first, last in islands)


def from_text(text: str) -> list[tuple[int, int]]:
    """Return the islands written by `to_text`; BadReply if they are not."""
    try:
        pairs = [one.split("-") for one in text.split()]
        return [(int(first), int(last)) for first, last in pairs]
    except ValueError:
        raise BadReply(f"not ranges of numbers: {text!r}")
