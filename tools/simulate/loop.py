"""A loop in virtual time that can be stopped dead between any two of its turns.

Knows no agent. Nothing in it waits: where a real loop would sleep, the clock jumps.
"""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

STILL_MAX = 20_000  # turns within one moment: far more than all that can be due at once
END_MS = 600_000  # for cancelled tasks to end, in virtual time; none waits for so long


class _Selector(selectors.SelectSelector):
    """Never asks the system: no file descriptor of the simulation is real."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        loop = self.loop
        loop.turns += 1
        if loop.turns == loop.strike_at:
            loop.strike()
        loop.still = 0 if timeout else loop.still + 1
        if loop.still > STILL_MAX:
            loop.still = 0
            loop.spun()
        if timeout is None and not loop.stopping:
            raise RuntimeError("nothing is left that could ever happen")
        if timeout:
            loop.now_s += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time from `start_s` on.

    `strike` is called at turn `strike_at`, `spun` if turn follows turn and time stands still.
    """

    def __init__(self, start_s: float) -> None:
        selector = _Selector()
        selector.loop = self
        self.now_s = start_s
        self.turns = 0
        self.strike_at = 0
        self.still = 0  # turns since time went on
        self.spun: Callable[[], None] = self.stop
        self.strike: Callable[[], None] = self.stop
        super().__init__(selector)
        # Whatever ends a task here is looked at by the world, not by a log.
        self.set_exception_handler(lambda _loop, _context: None)

    @property
    def stopping(self) -> bool:
        return bool(getattr(self, "_stopping", False))

    def time(self) -> float:
        return self.now_s

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
