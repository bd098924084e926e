"""Which periods are read together: the fewest microseconds of wire time per second.

Knows periods and what reading them together costs; knows no address, no device and no clock.

The model: fields of one period are read at the same ticks. A chain of periods has its ticks in
common: each reads at every so many ticks of the one before, and at a tick all that is due is read
by one plan. A period that is no multiple may join a chain by being read more often than asked:
reading early may cost less than asking twice. Chains know nothing of each other's ticks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable

EXACT_MAX = 4  # periods of which every arrangement is tried, at most 24; none shipped has more
SHARE_MAX = 2  # a tick that reads all of a chain takes at most this part of its shortest period

_DAY_MS = 86_400_000  # rates are compared as microseconds a day, in whole numbers


class Chain(Record):
    """Periods whose ticks fall together: `periods` as asked, `every` as read, both rising.

    `every` rises by whole factors; its first is how often the chain is polled.
    """

    __slots__ = ("every", "periods")

    def __init__(self, periods: tuple[int, ...], every: tuple[int, ...]) -> None:
        self.periods = periods
        self.every = every


class Ticks:
    """What of a chain is due, from poll to poll. A late poll makes none of the later ones late."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self._due_ms: list[int] = []  # by period; empty before the first poll

    def due(self, now_ms: int) -> tuple[int, ...]:
        """Return the periods to read in the poll that begins now, and count them as read.

        With a longer period all shorter ones are read: their ticks stay together.
        """
        every = self.chain.every
        if not self._due_ms:
            self._due_ms = [now_ms] * len(every)
        early_ms = every[0] // 2  # polls are that much out of step at most, or one was missed
        number = len(every)
        while number > 1 and now_ms < self._due_ms[number - 1] - early_ms:
            number -= 1
        for place in range(number):
            # Early is early for good: else polls in the middle between two ticks would waver.
            due_ms = min(now_ms, self._due_ms[place])
            passed = (now_ms - due_ms) // every[place]
            self._due_ms[place] = due_ms + (passed + 1) * every[place]
        return self.chain.periods[:number]


def arrange(periods: list[int], read_us: Callable[[tuple[int, ...]], int]) -> list[Chain]:
    """Return the chains that need the least wire time per second, the shortest period first.

    `read_us` says what reading all fields of some periods at once costs at least; it is asked
    often and should remember. The minimum is exact for up to EXACT_MAX periods, and for any
    number that divide each other; of more, the longest have ticks of their own.
    """
    periods = sorted(periods)
    whole = Chain(tuple(periods), tuple(periods))
    if _multiples(periods) and _fits(whole, read_us):
        return [whole] if periods else []
    found: list[list[Chain]] = [[]]
    for period in periods[:EXACT_MAX]:
        found = [one for chains in found for one in _placed(chains, period, read_us)]
    least = min(found, key=lambda one: _day_us(one, read_us))
    return least + [Chain((period,), (period,)) for period in periods[EXACT_MAX:]]


def loads(
    chains: list[Chain], read_us: Callable[[tuple[int, ...]], int]
) -> list[tuple[int, int, int]]:
    """Return (period asked, every, microseconds each time): what each adds to the ones before."""
    found = []
    for chain in chains:
        before_us = 0
        for number in range(len(chain.periods)):
            all_us = read_us(chain.periods[: number + 1])
            found.append((chain.periods[number], chain.every[number], all_us - before_us))
            before_us = all_us
    return found


def _placed(
    chains: list[Chain], period: int, read_us: Callable[[tuple[int, ...]], int]
) -> list[list[Chain]]:
    """Return every way to take in one more period, no shorter than those there."""
    found = [chains + [Chain((period,), (period,))]]
    for place in range(len(chains)):
        last = chains[place].every[-1]
        every = period - period % last
        longer = Chain(chains[place].periods + (period,), chains[place].every + (every,))
        if _fits(longer, read_us):
            found.append(chains[:place] + [longer] + chains[place + 1 :])
    return found


def _fits(chain: Chain, read_us: Callable[[tuple[int, ...]], int]) -> bool:
    """Whether no tick of the chain takes so long that its shortest period would suffer."""
    if len(chain.periods) < 2:
        return True
    return SHARE_MAX * read_us(chain.periods) <= 1000 * chain.every[0]


def _multiples(periods: list[int]) -> bool:
    return not [1 for place in range(1, len(periods)) if periods[place] % periods[place - 1]]


def _day_us(chains: list[Chain], read_us: Callable[[tuple[int, ...]], int]) -> int:
    return sum([us * _DAY_MS // every for _, every, us in loads(chains, read_us)], 0)
