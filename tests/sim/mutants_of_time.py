"""Deliberate faults of time and room: what comes too late, too often, or grows without end."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest.mock import patch

from drivers.opener import Opener
from drivers.transport.inbox import Inbox
from gateway.buffer.buffer import Buffer
from gateway.core.clock import RTC, SYNCED, Clock, Stamp
from gateway.core.errors import LinkError
from gateway.uplink import uplink
from gateway.uplink.session import Session
from tools.simulate.leaves import Leaves

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


@contextmanager
def back_off_without_dice() -> Iterator[None]:
    real = Session.__init__

    def init(self: Session, *given: Any, **more: Any) -> None:
        real(self, *given, **more)
        self._random = lambda: 1.0

    with patch.object(Session, "__init__", init):
        yield


@contextmanager
def watchdog_always_fed() -> Iterator[None]:
    with patch.object(Leaves, "watch", lambda _leaves: False):
        yield


@contextmanager
def start_waits_for_the_clock() -> Iterator[None]:
    real = Leaves.open_buffer

    async def open_buffer(self: Leaves, *given: Any) -> Buffer:
        while self.observe(False) is None:
            await asyncio.sleep(1)
        return await real(self, *given)

    with patch.object(Leaves, "open_buffer", open_buffer):
        yield


@contextmanager
def commits_put_off() -> Iterator[None]:
    real = Buffer._telemetry_wait_ms

    def wait_ms(self: Buffer) -> int:
        left_ms = real(self)
        return left_ms + 2 * self._settings.commit_ms if left_ms else 0

    with patch.object(Buffer, "_telemetry_wait_ms", wait_ms):
        yield


@contextmanager
def adapter_given_up() -> Iterator[None]:
    """An adapter that was not there once is not looked for again."""
    real = Opener.open

    async def open_(self: Opener) -> Any:
        if self._why:
            raise LinkError(self._why)
        return await real(self)

    with patch.object(Opener, "open", open_):
        yield


@contextmanager
def port_remembers_everything() -> Iterator[None]:
    def put(self: Inbox, data: bytes) -> None:
        self._bytes += data
        self._news.set()

    with patch.object(Inbox, "put", put):
        yield


@contextmanager
def acknowledgements_queue_without_end() -> Iterator[None]:
    with patch.object(uplink, "EVENTS_MAX", 1 << 30):
        yield


@contextmanager
def guess_called_synced() -> Iterator[None]:
    real = Clock._bounded

    def bounded(self: Clock, boot: int) -> Stamp:
        found = real(self, boot)
        return Stamp(found.high_ms, found.high_ms, SYNCED)

    with patch.object(Clock, "_bounded", bounded):
        yield


@contextmanager
def clock_set_by_hand_believed() -> Iterator[None]:
    """The last anchor counts, whoever vouched for an earlier one of the same boot."""
    real = Clock.wall

    def wall(self: Clock, boot: int, at_ms: int) -> Stamp:
        before = [one for one in self.anchors if one.boot == boot and one.at_ms <= at_ms]
        if before and before[-1].source == RTC:
            return real(Clock(self.boot, before[-1:]), boot, at_ms)
        return real(self, boot, at_ms)

    with patch.object(Clock, "wall", wall):
        yield


@contextmanager
def uplink_lives_by_the_wall_clock() -> Iterator[None]:
    real_on, real_wake, real_open = Session.on, Session.wake_ms, Leaves.open_link
    steps: list[int] = [0]
    leaves: list[Leaves] = []

    def step_ms() -> int:
        if leaves:
            world = leaves[0]._world
            steps[0] = leaves[0].wall_ms() - leaves[0]._boot_ms - int(world.loop.time() * 1000)
        return steps[0]

    async def open_link(self: Leaves, *given: Any) -> Any:
        leaves[:] = [self]
        return await real_open(self, *given)

    def on(self: Session, event: Any, now_ms: int) -> Any:
        return real_on(self, event, now_ms + step_ms())

    def wake_ms(self: Session, now_ms: int) -> int | None:
        found = real_wake(self, now_ms + step_ms())
        return None if found is None else found - step_ms()

    with patch.object(Session, "on", on), patch.object(Session, "wake_ms", wake_ms):
        with patch.object(Leaves, "open_link", open_link):
            yield
