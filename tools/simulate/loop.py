"""A loop in virtual time that can be stopped dead between any two of its turns.

Knows no agent. Nothing in it waits: where a real loop would sleep, the clock jumps. It has no
selector, as no file descriptor of a simulation is real, and calls in order of time, then of asking.
"""

from __future__ import annotations

import asyncio
from heapq import heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context
    from typing import Any, TypeVarTuple, Unpack

    Given = TypeVarTuple("Given")

STILL_MAX = 20_000  # turns within one moment: far more than all that can be due at once
END_MS = 600_000  # for cancelled tasks to end, in virtual time; none waits for so long


class Call(asyncio.TimerHandle):
    """Something to be called; what asyncio wants to know of a handle, and no more."""

    __slots__ = ("call", "given", "off", "within")

    def __init__(
        self, when_s: float, call: Callable[..., Any], given: Any, within: Context | None
    ) -> None:
        self._when = when_s
        self.call = call
        self.given = given
        self.within = within
        self.off = False

    def cancel(self) -> None:
        self.off = True

    def cancelled(self) -> bool:
        return self.off


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop in virtual time from `start_s` on.

    `strike` is called at turn `strike_at`, `spun` if turn follows turn and time stands still,
    `fell` with what a callback raised: what a task raises is its owner's business.
    """

    def __init__(self, start_s: float) -> None:
        super().__init__()
        self.now_s = start_s
        self.turns = 0
        self.strike_at = 0
        self.still = 0  # turns since time went on
        self.spun: Callable[[], None] = self.stop
        self.strike: Callable[[], None] = self.stop
        self.fell: Callable[[Exception], None] = lambda _error: None
        self._due: list[Call] = []
        self._timers: list[tuple[float, int, Call]] = []
        self._asked = 0
        self._stopping = False
        # Whatever ends a task here is looked at by the world, not by a log.
        self.set_exception_handler(lambda _loop, _context: None)

    def time(self) -> float:
        return self.now_s

    def call_soon(
        self,
        callback: Callable[[Unpack[Given]], object],
        *args: *Given,
        context: Context | None = None,
    ) -> Call:
        call = Call(0.0, callback, args, context)
        self._due.append(call)
        return call

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Given]], object],
        *args: *Given,
        context: Context | None = None,
    ) -> Call:
        call = Call(when, callback, args, context)
        self._asked += 1
        heappush(self._timers, (when, self._asked, call))
        return call

    def call_later(
        self,
        delay: float,
        callback: Callable[[Unpack[Given]], object],
        *args: *Given,
        context: Context | None = None,
    ) -> Call:
        return self.call_at(self.now_s + delay, callback, *args, context=context)

    def end(self) -> None:
        """Cancel every task, see all of them end, and close."""
        self.strike_at = 0
        tasks = asyncio.all_tasks(self)
        for task in sorted(tasks, key=lambda task: task.get_name()):
            task.cancel()
        if tasks:
            self.run_until_complete(asyncio.wait(tasks, timeout=END_MS / 1000))
        left = [task.get_name() for task in tasks if not task.done()]
        self.close()
        if left:
            raise RuntimeError(f"would not end: {left}")

    def _run_once(self) -> None:
        """Turn until somebody says stop: BaseEventLoop looks at that after each of its turns."""
        while True:
            self.turns += 1
            if self.turns == self.strike_at:
                self.strike()
            self._pass_time()
            due, self._due = self._due, []
            for one in due:
                if not one.off:
                    self._do(one)
            if self._stopping:
                return

    def _pass_time(self) -> None:
        """Find what is due; if nothing is, go to the time when something will be."""
        timers = self._timers
        while timers and timers[0][2].off:
            heappop(timers)
        if self._due or self._stopping:
            self.still += 1
            if self.still > STILL_MAX:
                self.still = 0
                self.spun()
        elif not timers:
            raise RuntimeError("nothing is left that could ever happen")
        elif timers[0][0] > self.now_s:
            self.now_s = timers[0][0]
            self.still = 0
        while timers and timers[0][0] <= self.now_s:
            self._due.append(heappop(timers)[2])

    def _do(self, one: Call) -> None:
        try:
            if one.within is None:
                one.call(*one.given)
            else:
                one.within.run(one.call, *one.given)
        except Exception as error:  # noqa: BLE001 - no loop dies of a callback
            self.fell(error)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException:  # noqa: BLE001, S110 - the end of a life, which its world has noted
            pass
