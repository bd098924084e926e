"""What is due when on one bus, and the loop that asks for it.

Knows periods, lanes and deadlines; knows no protocol and no device: what is asked is the
caller's business. `Schedule` never asks for the time.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from gateway.core import aio
from gateway.core.buggify import buggify
from gateway.core.errors import BadReply, LinkError, NoReply, Refused
from gateway.core.reading import BAD_REPLY, NO_REPLY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from typing import Any, TypeAlias

    from gateway.core.reading import Reading

    Poll: TypeAlias = "Callable[[Item], Awaitable[list[Reading]]]"
    Sink: TypeAlias = "Callable[[list[Reading]], None]"

COMMAND, ALARM, ORDINARY = 0, 1, 2  # lanes: the lowest number goes first
ONCE = 0  # a period: asked until it succeeds, then not again

URGENT_MAX = 8  # polls of the alarm lane in a row, before what is due in the other goes first
COMMANDS_MAX = 32  # waiting at a time; more would be stale before they ran
RETRY_FIRST_MS = 1_000  # after the first failure of what is asked once, doubled each time
RETRY_MAX_MS = 60_000

_GOLDEN = 618  # thousandths; its multiples fill a circle evenly, however many there are
_ASK_AGAIN = (NO_REPLY, BAD_REPLY)


class Item:
    """Something to ask for: `key` says what to the caller, every `period_ms` (or ONCE).

    Its deadline is `deadline_ms` after it falls due, by default a period. Of items with one
    `owner` only one is run at a time. `polls` were done, `overruns` could not be;
    `effective_ms` is the smoothed time from one poll to the next.
    """

    __slots__ = (
        "_began_ms",
        "_due_ms",
        "_failures",
        "_idle_ms",
        "_lost_ms",
        "_tick_ms",
        "deadline_ms",
        "effective_ms",
        "key",
        "lane",
        "overruns",
        "owner",
        "period_ms",
        "polls",
    )

    def __init__(
        self,
        key: Any,
        period_ms: int,
        lane: int = ORDINARY,
        deadline_ms: int = 0,
        owner: str = "",
    ) -> None:
        self.key = key
        self.period_ms = period_ms
        self.lane = lane
        self.deadline_ms = deadline_ms or period_ms
        self.owner = owner
        self.polls = 0
        self.overruns = 0
        self.effective_ms = period_ms
        self._due_ms: int | None = None  # None: asleep
        self._tick_ms = 0  # the tick it was run for last, or is to be run for
        self._began_ms: int | None = None
        self._failures = 0
        self._lost_ms = 0  # what it missed and its lane's idle time has not paid back
        self._idle_ms = 0

    def start(self, now_ms: int, phase_ms: int) -> None:
        """Fall due at once, to be run before `phase_ms` is over, and then at every period."""
        self._due_ms = now_ms
        self._tick_ms = now_ms + phase_ms - self.period_ms

    def wait_ms(self, now_ms: int) -> int | None:
        """Return how long until it is due, 0 or less if it is, None if it sleeps."""
        return None if self._due_ms is None else self._due_ms - now_ms

    def rank(self, idle_ms: int) -> int:
        """Return its place in its lane, idle for `idle_ms` by now: deadline less what it missed."""
        self._lost_ms = max(0, self._lost_ms - (idle_ms - self._idle_ms))
        self._idle_ms = idle_ms
        due_ms = self._due_ms or 0
        if self._began_ms is None:
            return min(due_ms + self.deadline_ms, self._tick_ms + self.period_ms)
        return due_ms + self.deadline_ms - self._lost_ms

    def began(self, now_ms: int) -> None:
        """Note that it is run, for the last of the ticks that have passed."""
        if self.period_ms != ONCE:
            passed = max(0, (now_ms - self._tick_ms) // self.period_ms)
            # The run at the start, if it comes late, is also the one for the first tick.
            self._miss(passed - 1 if self._began_ms is None else passed)
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
        self._miss(passed - 1)
        self._tick_ms += max(1, passed) * self.period_ms
        self._due_ms = self._tick_ms

    def _miss(self, ticks: int) -> None:
        if ticks > 0:
            self.overruns += ticks
            self._lost_ms += ticks * self.period_ms


class _Lane:
    """The items of one lane: those that wait for their time, and those that wait for the bus.

    A missed period puts an item forward by as much, so that on a bus with more to do than it
    can all come to the same share of what they ask for. Time in which nothing waited for the
    bus takes that back: a moment's trouble is forgotten, and deadlines alone count again.
    """

    def __init__(self) -> None:
        self._sleeping: list[tuple[int, int, Item]] = []  # heap of (due ms, number, item)
        self._ready: list[tuple[int, int, Item]] = []  # heap of (rank, number, item)
        self._idle_ms = 0
        self._idle_from_ms: int | None = None  # since then nothing waits; None: something does
        self._pushed = 0  # of equals who came first goes first, and items are never compared

    def push(self, item: Item, now_ms: int) -> None:
        """Take in an item that is not asleep."""
        wait_ms = item.wait_ms(now_ms)
        if wait_ms is not None:
            self._pushed += 1
            heapq.heappush(self._sleeping, (now_ms + wait_ms, self._pushed, item))

    def wake(self, now_ms: int) -> bool:
        """Rank what has fallen due; return whether anything waits for the bus."""
        if self._idle_from_ms is not None:
            until_ms = min(now_ms, self._sleeping[0][0]) if self._sleeping else now_ms
            self._idle_ms += max(0, until_ms - self._idle_from_ms)
        while self._sleeping and self._sleeping[0][0] <= now_ms:
            due_ms, _, item = heapq.heappop(self._sleeping)
            if item.wait_ms(due_ms) == 0:  # else it was asked for again before that
                self._pushed += 1
                heapq.heappush(self._ready, (item.rank(self._idle_ms), self._pushed, item))
        self._idle_from_ms = None if self._ready else now_ms
        return bool(self._ready)

    def pop(self, busy: set[str]) -> Item | None:
        """Return the first that waits for the bus and whose owner is not busy."""
        passed = []
        found = None
        while self._ready and found is None:
            entry = heapq.heappop(self._ready)
            if entry[2].owner in busy:
                passed.append(entry)
            else:
                found = entry[2]
        for entry in passed:
            heapq.heappush(self._ready, entry)
        return found

    def wait_ms(self, now_ms: int) -> int | None:
        """Return how long until something falls due, None if nothing will."""
        return self._sleeping[0][0] - now_ms if self._sleeping else None


class Schedule:
    """Which item is next: the first lane, in it the earliest deadline; late ticks are dropped."""

    def __init__(self, items: Iterable[Item], start_ms: int) -> None:
        self.items = list(items)
        self.closed = False
        self._commands: list[Item] = []
        self._busy: set[str] = set()
        self._lanes = {ALARM: _Lane(), ORDINARY: _Lane()}
        self._passed = 0  # so many polls of the alarm lane went first in a row
        for item, phase_ms in zip(self.items, phases_ms([one.period_ms for one in self.items])):
            item.start(start_ms, phase_ms)
            self._lanes[item.lane].push(item, start_ms)

    def next(self, now_ms: int) -> tuple[Item | None, int | None]:
        """Return (the item to run now, 0), or (None, ms until one is due; None: none ever is)."""
        alarms, others = self._lanes[ALARM], self._lanes[ORDINARY]
        ready = alarms.wake(now_ms), others.wake(now_ms)
        found = None
        if ready[0] and not (ready[1] and self._passed >= URGENT_MAX):
            found = alarms.pop(self._busy)
            self._passed += int(ready[1])
        if ready[1] and found is None:
            found = others.pop(self._busy)
            self._passed = 0
        if found is None and ready[0]:
            found = alarms.pop(self._busy)
        if found is None:
            waits_ms = [one.wait_ms(now_ms) for one in (alarms, others)]
            known_ms = [one for one in waits_ms if one is not None]
            return None, min(known_ms) if known_ms else None
        if found.owner:
            self._busy.add(found.owner)
        found.began(now_ms)
        return found, 0

    def done(self, item: Item, now_ms: int, ok: bool = True) -> None:
        """Note that `item` ended; one that is asked once is asked again later unless `ok`."""
        if item.lane == COMMAND:
            return
        self._busy.discard(item.owner)
        item.ended(now_ms, ok)
        self._lanes[item.lane].push(item, now_ms)

    def submit(self, key: Any) -> bool:
        """Let a command run once, before any poll; False if too many are waiting."""
        if len(self._commands) >= COMMANDS_MAX:
            return False
        self._commands.append(Item(key, ONCE, COMMAND))
        return True

    def command(self) -> Item | None:
        """Return the command to run now, None if none waits."""
        return self._commands.pop(0) if self._commands else None

    def again(self, key: Any, now_ms: int) -> None:
        """Ask for the ONCE items with this key anew: what they ask has come back."""
        for item in self.items:
            wait_ms = item.wait_ms(now_ms)
            if item.key == key and item.period_ms == ONCE and (wait_ms is None or wait_ms > 0):
                item.start(now_ms, 0)
                self._lanes[item.lane].push(item, now_ms)

    def close(self) -> None:
        """End the loop after the poll under way."""
        self.closed = True


def phases_ms(periods_ms: list[int]) -> list[int]:
    """Return when in its period each item is run: even within a period, shifted between them."""
    alike: dict[int, int] = {}
    for period_ms in periods_ms:
        alike[period_ms] = alike.get(period_ms, 0) + 1
    known = sorted([period_ms for period_ms in alike if period_ms != ONCE])
    shorter = {period_ms: place for place, period_ms in enumerate(known)}
    turns: dict[int, int] = {}
    phases = []
    for period_ms in periods_ms:
        turn = turns.get(period_ms, 0)
        turns[period_ms] = turn + 1
        share = 1000 * turn + shorter.get(period_ms, 0) * _GOLDEN % 1000
        phases.append(period_ms - period_ms * share // (1000 * alike[period_ms]))
    return phases


async def poll_bus(
    schedule: Schedule,
    poll: Poll,
    sink: Sink,
    wake: aio.Event,
    width: int = 1,
) -> None:
    """Poll what is due, up to `width` items at a time, until the schedule is closed.

    Whoever submits a command or closes the schedule sets `wake`. A command is given to `poll`
    while polls run: whoever shares a wire takes turns by exchange, so that a command waits for
    one at most. A poll that could bring nothing may raise any error but ConfigError.
    """
    stirs = [aio.Event() for _ in range(width)]
    async with aio.TaskGroup() as group:
        group.start(_run_commands(schedule, poll, sink, wake, stirs))
        for stir in stirs:
            group.start(_run_polls(schedule, poll, sink, stir, stirs))


async def _run_polls(
    schedule: Schedule, poll: Poll, sink: Sink, stir: aio.Event, stirs: list[aio.Event]
) -> None:
    while not schedule.closed:
        if buggify("poll-overrun"):
            await aio.sleep_ms(7_000)
        item, wait_ms = schedule.next(aio.now_ms())
        if item is None:
            await aio.rest(wait_ms, stir)
            continue
        ok = await _run(item, poll, sink)
        schedule.done(item, aio.now_ms(), ok)
        for other in stirs:
            if other is not stir:  # what this one will be due for may find the other idle
                other.set()


async def _run_commands(
    schedule: Schedule, poll: Poll, sink: Sink, wake: aio.Event, stirs: list[aio.Event]
) -> None:
    while not schedule.closed:
        command = schedule.command()
        if command is None:
            await aio.rest(None, wake)
            for stir in stirs:  # it may be closed, or ask for something again
                stir.set()
        else:
            await _run(command, poll, sink)


async def _run(item: Item, poll: Poll, sink: Sink) -> bool:
    """Run `item`, hand on its readings, and return whether it need not be asked again."""
    try:
        readings = await poll(item)
    except (NoReply, BadReply, LinkError):
        return False
    except Refused:
        return True
    if readings:
        sink(readings)
    return not any(one.quality in _ASK_AGAIN for one in readings)
