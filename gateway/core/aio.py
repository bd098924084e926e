"""Time and tasks, in one dialect for CPython and MicroPython.

Times are whole milliseconds, and whole microseconds where a line's silence is kept.
"""

from __future__ import annotations

import asyncio
import os
import time
from asyncio import CancelledError, Event, Lock, TimeoutError, run, sleep
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any, BinaryIO, TypeVar

    T = TypeVar("T")

__all__ = ["CancelledError", "Event", "Lock", "TaskGroup", "TimeoutError"]
__all__ += ["now_ms", "now_us", "rest", "run", "sleep_ms", "sleep_us", "sync", "within"]

_ticks_ms = getattr(time, "ticks_ms", None)  # MicroPython's clock, which wraps around
_ticks_us = getattr(time, "ticks_us", None)  # wraps a thousand times as often
_ticks_diff = getattr(time, "ticks_diff", None)
_block_us = getattr(time, "sleep_us", None)
_timeout = getattr(asyncio, "timeout", None)  # MicroPython has only wait_for
_fsync = getattr(os, "fsync", None)  # MicroPython has none: its flush() is an fsync
_clock: list[int] = [_ticks_ms() if _ticks_ms else 0, 0]
_fine: list[int] = [_ticks_us() if _ticks_us else 0, 0, 0]  # tick, its now_us, its now_ms
_FINE_MAX_MS = 250_000  # under half of 2**30 us, after which ticks_us cannot tell what passed


def now_ms() -> int:
    """Milliseconds on a clock that never steps back; ask it inside a task."""
    if _ticks_ms is None or _ticks_diff is None:
        return int(asyncio.get_running_loop().time() * 1000)
    tick = _ticks_ms()
    _clock[1] += _ticks_diff(tick, _clock[0])
    _clock[0] = tick
    return _clock[1]


def now_us() -> int:
    """Microseconds on a clock that never steps back; ask it inside a task."""
    if _ticks_us is None or _ticks_diff is None:
        return int(asyncio.get_running_loop().time() * 1_000_000)
    tick, ms = _ticks_us(), now_ms()
    passed_ms = ms - _fine[2]
    _fine[1] += _ticks_diff(tick, _fine[0]) if passed_ms < _FINE_MAX_MS else 1000 * passed_ms
    _fine[0] = tick
    _fine[2] = ms
    return _fine[1]


async def sleep_us(us: int) -> None:
    """Let other tasks run for `us`, and no less."""
    if _block_us is None:
        await sleep(us / 1_000_000)
        return
    until_us = now_us() + us
    await sleep_ms(us // 1000)
    left_us = until_us - now_us()  # MicroPython's tasks wake at whole milliseconds only
    if left_us > 0:
        _block_us(left_us)


async def sleep_ms(ms: int) -> None:
    """Let other tasks run for `ms`."""
    await sleep(ms / 1000)


async def within(ms: int, work: Coroutine[Any, Any, T]) -> T:
    """Await `work` for at most `ms`, then cancel it and raise TimeoutError."""
    if _timeout is None:
        return await asyncio.wait_for(work, ms / 1000)
    # CPython 3.11's wait_for loses a cancellation that comes as `work` ends.
    async with _timeout(ms / 1000):
        return await work


async def rest(ms: int | None, wake: Event) -> None:
    """Wait until `wake` is set, for at most `ms` (None: for ever), and clear it."""
    if ms is None:
        await wake.wait()
    elif ms > 0 and _timeout is None:
        try:
            await asyncio.wait_for(wake.wait(), ms / 1000)
        except TimeoutError:
            pass
    elif ms > 0:
        # Nobody learns what ended the wait, so a timer may set the event as well as anyone.
        timer = asyncio.get_running_loop().call_later(ms / 1000, wake.set)
        try:
            await wake.wait()
        finally:
            timer.cancel()
    wake.clear()


def sync(file: BinaryIO) -> None:
    """Return once what was written to `file` would survive a power cut."""
    file.flush()
    if _fsync:
        _fsync(file.fileno())


class TaskGroup:
    """Tasks that live and die together: one failure cancels the rest and is raised.

    The body of the `async with` only starts tasks: a failure is noticed when the body ends.
    """

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []
        self._alive = 0
        self._wake = Event()
        self._error: Exception | None = None

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` as a task of this group."""
        self._alive += 1
        self._tasks.append(asyncio.create_task(self._run(work)))

    async def _run(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - kept, and raised when the group ends
            self._error = self._error or error
        finally:  # also when somebody else cancelled it
            self._alive -= 1
            if self._error or self._alive == 0:
                self._wake.set()

    async def __aenter__(self) -> TaskGroup:
        return self

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        try:
            if kind is None and self._alive:
                await self._wake.wait()
        finally:
            for task in self._tasks:
                task.cancel()
            for task in self._tasks:
                try:
                    await task
                except CancelledError:
                    pass
        if self._error and kind is None:
            raise self._error
