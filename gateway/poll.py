"""What is due when on one bus, and the loop that asks for it.

Knows periods, lanes and deadlines; knows no protocol and no device: what is asked is the
caller's business. `Schedule` never asks for the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core import aio
from gateway.core.buggify import buggify
from gateway.core.errors import BadReply, LinkError, NoReply, Refused
from gateway.core.reading import BAD_REPLY, NO_REPLY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from typing import Any

    from gateway.core.reading import Reading

COMMAND, ALARM, ORDINARY = 0, 1, 2  # lanes: the lowest number goes first
ONCE = 0  # a period: asked until it succeeds, then not again

URGENT_MAX = 8  # polls of higher lanes in a row, before what is due in a lower one goes first
COMMANDS_MAX = 32  # waiting at a time; more would be stale before they ran
RETRY_FIRST_MS = 1_000  # after the first failure of what is asked once, doubled each time
RETRY_MAX_MS = 60_000

_GOLDEN = 618  # thousandths; its multiples fill a circle evenly, however many there are
_ASK_AGAIN = (NO_REPLY, BAD_REPLY)


class Item:
    """Something to ask for: `key` says what to the caller, every `period_ms` (or ONCE).

    Its deadline is `deadline_ms` after it falls due, by default a period. `polls` were done,
    `overruns` could not be; `effective_ms` is the smoothed time from one poll to the next.
    """

    __slots__ = (
        "_began_ms",
        "_due_ms",
        "_failures",
        "_tick_ms",
        "deadline_ms",
        "effective_ms",
        "key",
        "lane",
        "overruns",
        "period_ms",
        "polls",
    )

    def __init__(
        self, key: Any, period_ms: int, lane: int = ORDINARY, deadline_ms: int = 0
    ) -> None:
        self.key = key
        self.period_ms = period_ms
        self.lane = lane
        self.deadline_ms = deadline_ms or period_ms
        self.polls = 0
        self.overruns = 0
        self.effective_ms = period_ms
        self._due_ms: int | None = None  # None: asleep
        self._tick_ms = 0  # the tick it was run for last
        self._began_ms: int | None = None
        self._failures = 0

    def start(self, now_ms: int, phase_ms: int) -> None:
        """Fall due at once, then at every period after `now_ms` + `phase_ms`."""
        self._due_ms = now_ms
        self._tick_ms = now_ms + phase_ms - self.period_ms

    def wait_ms(self, now_ms: int) -> int | None:
        """Return how long until it is due, 0 or less if it is, None if it sleeps."""
        return None if self._due_ms is None else self._due_ms - now_ms

    def began(self, now_ms: int) -> None:
        """Note that it is run, for the last of the ticks that have passed."""
        if self.period_ms != ONCE:
            passed = max(0, (now_ms - self._tick_ms) // self.period_ms)
            # The run at the start, if it comes late, is also the one for the first tick.
            self.overruns += max(0, passed - 1) if self._began_ms is None else passed
            self._tick_ms += passed * self.period_ms
        if self._began_ms is not None:
            self.effective_ms += (now_ms - self._began_ms - self.effective_ms) // 4
        self._began_ms = now_ms

    def ended(self, now_ms: int, ok: bool) -> None:
        """Note that it was run, and settle when it is due again."""
        self.polls += 1
        if self.period_ms == ONCE:
            wait_ms = min(RETRY_FIRST_MS << min(self._failures, 16), RETRY_MAX_MS)
            self._due_ms = None if ok else now_ms + wait_ms
            self._failures = 0 if ok else self._failures + 1
            return
        # Of the ticks that have passed only the last may still be run: its period is not over.
        passed = (now_ms - self._tick_ms) // self.period_ms
        self.overruns += max(0, passed - 1)
        self._tick_ms += max(1, passed) * self.period_ms
        self._due_ms = self._tick_ms


class Schedule:
    """Which item is next: the first lane, in it the earliest deadline; late ticks are dropped."""

    def __init__(self, items: Iterable[Item], start_ms: int) -> None:
        self.items = list(items)
        self.closed = False
        self._commands: list[Item] = []
        self._passed = [0, 0, 0]  # by lane: how many of higher lanes went first in a row
        for item, phase_ms in zip(self.items, phases_ms([one.period_ms for one in self.items])):
            item.start(start_ms, phase_ms)

    def next(self, now_ms: int) -> tuple[Item | None, int | None]:
        """Return (the item to run now, 0), or (None, ms until one is due; None: none ever is)."""
        first: list[Item | None] = [None, None, None]
        least: list[int] = [0, 0, 0]
        soonest_ms: int | None = None
        for item in self.items:
            wait_ms = item.wait_ms(now_ms)
            if wait_ms is None:
                continue
            if wait_ms > 0:
                soonest_ms = wait_ms if soonest_ms is None else min(soonest_ms, wait_ms)
            elif first[item.lane] is None or wait_ms + item.deadline_ms < least[item.lane]:
                first[item.lane], least[item.lane] = item, wait_ms + item.deadline_ms
        if self._commands:
            first[COMMAND] = self._commands[0]
        found = first[COMMAND] or first[ALARM] or first[ORDINARY]
        for lane in (ORDINARY, ALARM):
            if self._passed[lane] >= URGENT_MAX and first[lane]:
                found = first[lane]
        if found is None:
            return None, soonest_ms
        for lane in (ALARM, ORDINARY):
            self._passed[lane] = self._passed[lane] + 1 if found.lane < lane else 0
        if found.lane == COMMAND:
            self._commands.pop(0)
        found.began(now_ms)
        return found, 0

    def done(self, item: Item, now_ms: int, ok: bool = True) -> None:
        """Note that `item` ended; one that is asked once is asked again later unless `ok`."""
        if item.lane != COMMAND:
            item.ended(now_ms, ok)

    def submit(self, key: Any) -> bool:
        """Let a command run once, before any poll; False if too many are waiting."""
        if len(self._commands) >= COMMANDS_MAX:
            return False
        self._commands.append(Item(key, ONCE, COMMAND))
        return True

    def again(self, key: Any, now_ms: int) -> None:
        """Ask for the ONCE items with this key anew: what they ask has come back."""
        for item in self.items:
            if item.key == key and item.period_ms == ONCE:
                item.start(now_ms, 0)

    def close(self) -> None:
        """End the loop after the poll under way."""
        self.closed = True


def phases_ms(periods_ms: list[int]) -> list[int]:
    """Return when in its period each item is run: even within a period, shifted between them."""
    phases = []
    for place in range(len(periods_ms)):
        period_ms = periods_ms[place]
        alike = periods_ms.count(period_ms)
        turn = periods_ms[:place].count(period_ms)
        shorter = len({other for other in periods_ms if ONCE < other < period_ms})
        share = 1000 * turn + shorter * _GOLDEN % 1000
        phases.append(period_ms - period_ms * share // (1000 * alike))
    return phases


async def poll_bus(
    schedule: Schedule,
    poll: Callable[[Item], Awaitable[list[Reading]]],
    sink: Callable[[list[Reading]], None],
    wake: aio.Event,
) -> None:
    """Poll what is due, one item at a time, until the schedule is closed.

    Whoever submits a command or closes the schedule sets `wake`. A poll that could bring nothing
    may raise any error but ConfigError.
    """
    while not schedule.closed:
        if buggify("poll-overrun"):
            await aio.sleep_ms(7_000)
        item, wait_ms = schedule.next(aio.now_ms())
        if item is None:
            await aio.rest(wait_ms, wake)
            continue
        try:
            readings = await poll(item)
            ok = not any(one.quality in _ASK_AGAIN for one in readings)
        except (NoReply, BadReply, LinkError):
            readings, ok = [], False
        except Refused:
            readings, ok = [], True
        schedule.done(item, aio.now_ms(), ok)
        if readings:
            sink(readings)
