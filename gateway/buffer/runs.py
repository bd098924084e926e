"""A set of numbers kept as runs: holes in a ring, and what is not a reading. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Runs:
    """Disjoint runs in order, none touching the next."""

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        self._before: list[int] = [0]  # how many numbers stand in the runs before each; and in all

    def __len__(self) -> int:
        return len(self._firsts)

    def add(self, first: int, last: int) -> None:
        """Put `first`..`last` in; some of them may be there."""
        start, end = self._place(first - 1), self._place(last + 1)
        if end < len(self._firsts) and self._firsts[end] <= last + 1:
            end += 1
        if start < end:
            first = min(first, self._firsts[start])
            last = max(last, self._lasts[end - 1])
        self._firsts[start:end] = [first]
        self._lasts[start:end] = [last]
        self._sum_from(start)

    def remove(self, first: int, last: int) -> None:
        """Take `first`..`last` out; some of them may not be there."""
        kept = [run for run in self.inside(first, last) if run[0] < first or run[1] > last]
        start = self._place(first)
        end = self._place(last)
        if end < len(self._firsts) and self._firsts[end] <= last:
            end += 1
        rest = [(run[0], first - 1) for run in kept if run[0] < first]
        rest += [(last + 1, run[1]) for run in kept if run[1] > last]
        self._firsts[start:end] = [run[0] for run in rest]
        self._lasts[start:end] = [run[1] for run in rest]
        self._sum_from(start)

    def drop(self, upto: int) -> None:
        """Forget whole runs that end at or below `upto`."""
        gone = self._place(upto + 1)
        if gone:
            self._firsts[:gone] = []
            self._lasts[:gone] = []
            self._sum_from(0)

    def after(self, seq: int) -> int:
        """Return the first number from `seq` on that is not in."""
        place = self._place(seq)
        if place < len(self._firsts) and self._firsts[place] <= seq:
            return self._lasts[place] + 1
        return seq

    def count(self, first: int, last: int) -> int:
        """Return how many of `first`..`last` are in."""
        return max(self._upto(last) - self._upto(first - 1), 0)

    def inside(self, first: int, last: int) -> list[tuple[int, int]]:
        """Return the runs that touch `first`..`last`, whole."""
        found = []
        place = self._place(first)
        while place < len(self._firsts) and self._firsts[place] <= last:
            found.append((self._firsts[place], self._lasts[place]))
            place += 1
        return found

    def packed(self) -> list[int]:
        """Return the runs as steps: each one's first less the end before it, and its length."""
        found = []
        end = 0
        for first, last in zip(self._firsts, self._lasts):
            found += [first - end, last - first + 1]
            end = last
        return found

    def load(self, packed: Iterable[int]) -> None:
        """Put in what `packed` made; ValueError if that is not what it is."""
        end = 0
        steps = list(packed)
        for place in range(0, len(steps), 2):
            first = end + steps[place]
            end = first + steps[place + 1] - 1
            if first < 0 or end < first:
                raise ValueError("runs that run backwards")
            self.add(first, end)

    def _upto(self, seq: int) -> int:
        place = self._place(seq)
        inside = 0
        if place < len(self._firsts):
            inside = max(seq - self._firsts[place] + 1, 0)
        return self._before[place] + inside

    def _place(self, seq: int) -> int:
        """Return the place of the first run that ends at or beyond `seq`."""
        low, high = 0, len(self._lasts)
        while low < high:
            middle = (low + high) // 2
            if self._lasts[middle] < seq:
                low = middle + 1
            else:
                high = middle
        return low

    def _sum_from(self, place: int) -> None:
        self._before[place + 1 :] = []
        for index in range(place, len(self._firsts)):
            length = self._lasts[index] - self._firsts[index] + 1
            self._before.append(self._before[index] + length)
