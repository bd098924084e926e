"""CPython's event loop on Linux, with timers that fire on time.

asyncio waits in epoll, whose time-outs are rounded up to whole milliseconds, and the kernel wakes
a sleeper some 100 us late: a line at 115200 baud is silent for 1.75 ms between frames, and every
such delay is time its wire stands still.
"""

from __future__ import annotations

import asyncio
import select
import selectors
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any, TypeVar

    T = TypeVar("T")

SLACK_NS = 1_000  # the kernel may add this to a time-out, to wake for several at once; else 50_000
EARLY_S = 0.000_15  # waking takes 60 to 120 us: this long before a timer the loop stays awake
_SLACK_FILE = "/proc/self/timerslack_ns"


def new_loop() -> asyncio.AbstractEventLoop:
    """Return a loop whose timers fire some ten microseconds after their time."""
    if not hasattr(selectors, "EpollSelector"):
        return asyncio.SelectorEventLoop()  # kqueue's time-outs are nanoseconds
    return asyncio.SelectorEventLoop(_Selector())


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` on such a loop to its end and return its result."""
    be_punctual()
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(work)


def be_punctual() -> None:
    """Let the kernel wake this process when it said, where it can be told so."""
    try:
        with open(_SLACK_FILE, "w") as file:
            file.write(str(SLACK_NS))
    except OSError:
        pass  # a kernel without the file: timers are 50 us late


if hasattr(selectors, "EpollSelector"):

    class _Selector(selectors.EpollSelector):
        """Waits in select(), for the one descriptor that stands for all of epoll's.

        It returns before the time, and at once when little is left: the loop then asks again.
        """

        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            if timeout is not None and timeout > 0:
                if timeout > EARLY_S:
                    select.select((self.fileno(),), (), (), timeout - EARLY_S)
                timeout = 0
            return super().select(timeout)
