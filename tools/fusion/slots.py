"""What was due and did not come: the arithmetic of completeness.

A point with a period has a slot every period. Between two readings of one point lie as many empty
slots as periods fit, rounded, less one; so what is due is what came and what is missing, and no
number has to be made to fit. Pure: knows no database, no clock and no causes but those it is told.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeAlias

    Why: TypeAlias = tuple[str, str]  # cause, reason


class Hole:
    """`count` empty slots from `first_ms` on, `step_ms` apart, of a point due every `every_ms`."""

    __slots__ = ("count", "every_ms", "first_ms", "step_ms")

    def __init__(self, first_ms: int, every_ms: int, count: int, step_ms: int = 0) -> None:
        self.first_ms = first_ms
        self.every_ms = every_ms
        self.count = count
        self.step_ms = step_ms or every_ms

    @property
    def last_ms(self) -> int:
        """When the last slot was due."""
        return self.first_ms + (self.count - 1) * self.step_ms

    def before(self, at_ms: int) -> int:
        """Return how many slots were due before `at_ms`."""
        return max(0, min(self.count, -((self.first_ms - at_ms) // self.step_ms)))

    def cut(self, number: int) -> tuple[Hole, Hole]:
        """Return the first `number` slots, and the others."""
        first_ms = self.first_ms + number * self.step_ms
        return (
            Hole(self.first_ms, self.every_ms, number, self.step_ms),
            Hole(first_ms, self.every_ms, self.count - number, self.step_ms),
        )


class Row:
    """Readings of one point: `count` from `first_ms` to `last_ms` in the life number `life`."""

    __slots__ = ("count", "first_ms", "last_ms", "life")

    def __init__(self, life: int, first_ms: int, last_ms: int, count: int) -> None:
        self.life = life
        self.first_ms = first_ms
        self.last_ms = last_ms
        self.count = count


class Change:
    """From the life number `life`, which began at `at_ms`, due `every_ms` (None: not any more)."""

    __slots__ = ("at_ms", "every_ms", "life")

    def __init__(self, life: int, at_ms: int, every_ms: int | None) -> None:
        self.life = life
        self.at_ms = at_ms
        self.every_ms = every_ms


class Walk:
    """Goes along the readings of one point and keeps what was missing between them.

    `unplaced` are the readings of each life whose time is not known: they fill slots of the
    silence in which their life lies. `begun` says that readings before the first row are known.
    """

    def __init__(self, unplaced: dict[int, int], begun: bool = False) -> None:
        self.removed: list[tuple[int, int, int]] = []  # since when, next slot, period
        self._unplaced = unplaced
        self._pieces: list[Hole] = []  # a negative count: more came than was due
        self._every_ms = 0
        self._at_ms: int | None = None  # of the last reading
        self._since_ms: int | None = None  # due since then, and not read yet
        self._life = -1
        self._begun = begun

    def change(self, change: Change) -> None:
        """Be due differently from now on."""
        self._until(change.at_ms)
        if change.every_ms is None and self._every_ms and self._at_ms is not None:
            passed = max(0, (change.at_ms - self._at_ms - self._every_ms // 2) // self._every_ms)
            next_ms = self._at_ms + (passed + 1) * self._every_ms
            self.removed.append((change.at_ms, next_ms, self._every_ms))
        self._every_ms = change.every_ms or 0
        self._at_ms = None
        self._since_ms = None if self._begun or not self._every_ms else change.at_ms
        self._begun = False

    def row(self, row: Row) -> None:
        """Go past readings."""
        every_ms = self._every_ms
        if every_ms:
            if self._at_ms is not None:
                count = (row.first_ms - self._at_ms + every_ms // 2) // every_ms - 1
                self._miss(self._at_ms + every_ms, count, range(self._life + 1, row.life + 1))
            elif self._since_ms is not None:
                count = max(0, (row.first_ms - self._since_ms) // every_ms)
                lives = range(self._life + 1, row.life + 1)
                self._miss(row.first_ms - count * every_ms, count, lives)
            inside = (row.last_ms - row.first_ms + every_ms // 2) // every_ms + 1 - row.count
            step_ms = (row.last_ms - row.first_ms) // (inside + 1) if inside > 0 else 0
            self._pieces.append(Hole(row.first_ms + step_ms, every_ms, inside, step_ms))
        self._at_ms = row.last_ms
        self._since_ms = None
        self._life = row.life

    def end(self, now_ms: int, life: int) -> None:
        """Count what was due since the last reading, up to `now_ms` in the life number `life`."""
        self._until(now_ms, range(self._life, life + 1))

    def holes(self) -> tuple[list[Hole], list[tuple[int, int]]]:
        """Return the holes, and (when, how many) came that were not due.

        A reading that came late by more than half a period stands in the next slot: one too many
        there is paid for by one too few beside it.
        """
        pieces, extra = self._pieces, []
        for index, piece in enumerate(pieces):
            if piece.count >= 0:
                continue
            if index and pieces[index - 1].count > 0:
                pieces[index - 1].count -= 1
                piece.count += 1
            if piece.count < 0 and index + 1 < len(pieces) and pieces[index + 1].count > 0:
                pieces[index + 1] = pieces[index + 1].cut(1)[1]
                piece.count += 1
            if piece.count < 0:
                extra.append((piece.first_ms, -piece.count))
        return [one for one in pieces if one.count > 0], extra

    def _until(self, end_ms: int, lives: range = range(0)) -> None:
        """Count the slots after the last reading that are overdue at `end_ms`."""
        every_ms = self._every_ms
        start_ms = self._at_ms if self._at_ms is not None else self._since_ms
        if every_ms and start_ms is not None:
            count = max(0, (end_ms - start_ms - every_ms // 2) // every_ms)
            self._miss(start_ms + every_ms, count, lives)

    def _miss(self, first_ms: int, count: int, lives: range) -> None:
        """Count empty slots, but for those that unplaced readings of these lives fill."""
        for life in [one for one in self._unplaced if one in lives and count > 0]:
            paid = min(count, self._unplaced[life])
            self._unplaced[life] -= paid
            count -= paid
        self._pieces.append(Hole(first_ms, self._every_ms, count))


class Claim:
    """`count` readings between `from_ms` and `to_ms` are missing because of `why`.

    `latest` says that they are the last before `to_ms`, not spread between the two.
    """

    __slots__ = ("count", "from_ms", "latest", "to_ms", "why")

    def __init__(
        self, from_ms: int, to_ms: int, count: int, why: Why, latest: bool = False
    ) -> None:
        self.from_ms = from_ms
        self.to_ms = to_ms
        self.count = count
        self.why = why
        self.latest = latest


class Pool:
    """The holes of the points of one ring, until each slot has a cause."""

    def __init__(self, take: Callable[[int, Hole, Why], None]) -> None:
        self._take = take  # is told (point, slots, why)
        self._holes: dict[int, list[Hole]] = {}  # by point, in the order of time

    def add(self, point: int, holes: Iterable[Hole]) -> None:
        """Take the holes of a point."""
        self._holes[point] = sorted(holes, key=_first)

    def claim(self, claim: Claim) -> None:
        """Give slots of the claim's time its cause, as many as it has readings.

        First those between its two moments; then, as readings come early and late, those that are
        less than half a period away.
        """
        given = self._give(claim, claim.count, False)
        self._give(claim, claim.count - given, True)

    def _give(self, claim: Claim, count: int, near: bool) -> int:
        """Give up to `count` slots, or all there are, the claim's cause; return how many."""
        found = []
        for point, holes in self._holes.items() if count else ():
            for index in _touching(holes, claim.from_ms, claim.to_ms):
                hole = holes[index]
                margin_ms = hole.every_ms // 2 + 1 if near else 0
                low, rest = hole.cut(hole.before(claim.from_ms - margin_ms + 1))
                found.append((point, hole, low, *rest.cut(rest.before(claim.to_ms + margin_ms))))
        found = [one for one in found if one[3].count]
        weights = [inside.count for _, _, _, inside, _ in found]
        count = min(count, sum(weights))
        shares = (
            _latest(count, [one[3] for one in found]) if claim.latest else share(count, weights)
        )
        for (point, hole, low, inside, high), number in zip(found, shares, strict=True):
            left, rest = inside.cut(inside.count - number if claim.latest else 0)
            taken, right = rest.cut(number)
            if number:
                self._take(point, taken, claim.why)
                self._holes[point].remove(hole)
                self._holes[point] += [one for one in (low, left, right, high) if one.count]
                self._holes[point].sort(key=_first)
        return count

    def silences(self, zones: list[tuple[int, int, Why]], otherwise: Why) -> None:
        """Give every slot that is left the cause of the silence it lies in, or `otherwise`.

        A silence reaches from half a period before it, when the next reading was not yet overdue,
        to a period after it, when each point has had its turn again.
        """
        zones = sorted(zones, key=lambda one: one[:2])
        ends_ms = list(accumulate((to_ms for _, to_ms, _ in zones), max))
        for point, holes in self._holes.items():
            for hole in holes:
                left = hole
                start = bisect_left(ends_ms, hole.first_ms - hole.every_ms)
                for index in range(start, len(zones)):
                    from_ms, to_ms, why = zones[index]
                    if not left.count or from_ms > left.last_ms + left.every_ms:
                        break
                    low, rest = left.cut(left.before(from_ms - left.every_ms // 2))
                    inside, left_ = rest.cut(rest.before(to_ms + left.every_ms + 1))
                    if not inside.count:
                        continue
                    if low.count:
                        self._take(point, low, otherwise)
                    self._take(point, inside, why)
                    left = left_
                if left.count:
                    self._take(point, left, otherwise)
        self._holes.clear()


def share(total: int, weights: list[int]) -> list[int]:
    """Return `total` in whole parts as the `weights` are; their sum is `total`, to the last one."""
    whole = sum(weights)
    shares, given, seen = [], 0, 0
    for weight in weights:
        seen += weight
        upto = total * seen // whole if whole else 0
        shares.append(upto - given)
        given = upto
    return shares


def _latest(total: int, holes: list[Hole]) -> list[int]:
    """Return how many of the last `total` slots lie in each hole."""
    shares = [0] * len(holes)
    for index in sorted(range(len(holes)), key=lambda one: -holes[one].last_ms):
        shares[index] = min(total, holes[index].count)
        total -= shares[index]
    return shares


def _touching(holes: list[Hole], from_ms: int, to_ms: int) -> Iterator[int]:
    """Yield the indexes of the holes that may have slots between the two moments."""
    start = bisect_left(holes, from_ms, key=lambda one: one.last_ms + one.every_ms)
    for index in range(start, len(holes)):
        if holes[index].first_ms - holes[index].every_ms > to_ms:
            return
        yield index


def _first(hole: Hole) -> int:
    return hole.first_ms
