"""A paced line played in time: on a pseudo-terminal for programs, or as a transport in a process.

Knows no protocol. Every time is a point on the loop's clock, so that being late once delays nothing
that follows; how late it was is counted.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from drivers.transport.inbox import Inbox
from gateway.core.errors import LinkError
from tools.sim.ports import Pty

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from tools.sim.paced import PacedLine

_US = 1e-6


class Lateness:
    """How late what was due at one time happened, in microseconds."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}  # by quarters of a power of two: a share is 19 % off
        self.most_us = 0.0

    def add(self, late_us: float) -> None:
        """Note one."""
        step = math.ceil(4 * math.log2(max(1.0, late_us)))
        self._counts[step] = self._counts.get(step, 0) + 1
        self.most_us = max(self.most_us, late_us)

    def within_us(self, share: float) -> float:
        """Return by when that share of all had happened; 0 if there was none."""
        left = share * sum(self._counts.values())
        for step in sorted(self._counts):
            left -= self._counts[step]
            if left <= 0:
                return min(self.most_us, 2 ** (step / 4))
        return 0.0


class Player:
    """Plays `line` on the running loop: `emit` is given what reaches the host, when it does."""

    def __init__(self, line: PacedLine, emit: Callable[[bytes], None]) -> None:
        self.lateness = Lateness()
        self._line = line
        self._emit = emit
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._play(self._loop.time() / _US)

    def write(self, data: bytes) -> None:
        """Send what the host wrote."""
        self._line.write(data, self._loop.time() / _US)
        self._play(-math.inf)

    def close(self) -> None:
        """Play no more."""
        if self._timer:
            self._timer.cancel()

    def _play(self, planned_us: float) -> None:
        # Never before what was planned, however the loop rounds its clock.
        now_us = max(self._loop.time() / _US, planned_us)
        for at_us, data in self._line.take(now_us):
            if planned_us >= at_us:
                self.lateness.add(now_us - planned_us)
            self._emit(data)
        self.close()
        next_us = self._line.next_us()
        if next_us < math.inf:
            self._timer = self._loop.call_at(next_us * _US, self._play, next_us)


class PacedTransport:
    """The host's end of a line in this process, as drivers.line wants it; `open` gives it."""

    def __init__(self, line: PacedLine) -> None:
        self._line = line
        self._inbox = Inbox()
        self._player: Player | None = None

    async def open(self) -> PacedTransport:
        """Be the transport: `Line(PacedTransport(line).open, …)`."""
        self._inbox = Inbox()
        self._player = Player(self._line, self._inbox.put)
        return self

    async def read(self, size_max: int) -> bytes:
        """Wait for 1..size_max bytes; LinkError once it is closed."""
        return await self._inbox.take(size_max)

    async def write(self, data: bytes) -> None:
        """Send; LinkError once it is closed."""
        if self._player is None:
            raise LinkError("the line is closed")
        self._player.write(data)

    def drop_input(self) -> bytes:
        """Throw away and return what came in."""
        return self._inbox.drop()

    def close(self) -> None:
        """Hear no more."""
        if self._player:
            self._player.close()
            self._player = None
        self._inbox.lose(LinkError("the line is closed"))


class Plug:
    """When an adapter is pulled out, and for how long."""

    def __init__(self, after_s: float, away_s: float) -> None:
        self.after_s = after_s
        self.away_s = away_s


async def serve_paced(
    line: PacedLine,
    path: Path,
    ready: Callable[[str], None] | None = None,
    plug: Plug | None = None,
    told: Callable[[dict[str, Any]], None] | None = None,
) -> None:
    """Play `line` on a pty linked at `path` until cancelled.

    Who opens it at another speed is not understood. With `plug` it goes away once and comes back
    under the same name. `told` hears "unplugged", "plugged", "speed" and "end".
    """
    say = told or _nothing
    lateness = Lateness()
    try:
        if plug:
            with _End(line, path, say, lateness):
                if ready:
                    ready(str(path))
                await asyncio.sleep(plug.after_s)
            say({"event": "unplugged"})
            await asyncio.sleep(plug.away_s)
        with _End(line, path, say, lateness):
            if plug:
                say({"event": "plugged"})
            elif ready:
                ready(str(path))
            await asyncio.Event().wait()
    finally:
        say(summary(line, lateness))


def summary(line: PacedLine, lateness: Lateness) -> dict[str, Any]:
    """Return what was on the line, and how well it kept its times."""
    wire = line.wire
    return {
        "event": "end",
        "bytes": wire.sent,
        "flipped-bits": wire.flipped,
        "spoilt-frames": wire.spoilt,
        "collisions": wire.collisions,
        **{f"{name}-errors": line.counts[name] for name in ("parity", "framing")},
        **{name: line.counts[name] for name in ("requests", "replies")},
        "late-us-median": round(lateness.within_us(0.5)),
        "late-us-p99": round(lateness.within_us(0.99)),
        "late-us-most": round(lateness.most_us),
    }


class _End:
    """The pty while it is plugged in."""

    def __init__(
        self,
        line: PacedLine,
        path: Path,
        say: Callable[[dict[str, Any]], None],
        lateness: Lateness,
    ) -> None:
        self._coding = line.wire.coding
        self._say = say
        self._theirs = self._coding.baud  # as far as was told
        self._pty = Pty(path)
        self._player = Player(line, self._pty.write)
        self._player.lateness = lateness
        self._hearing = asyncio.create_task(self._hear())

    def __enter__(self) -> _End:
        return self

    def __exit__(self, *_: object) -> None:
        self._hearing.cancel()
        self._player.close()
        self._pty.close()

    async def _hear(self) -> None:
        while True:
            data = await self._pty.read()
            baud = self._pty.baud
            if baud == self._coding.baud:
                self._player.write(data)
            if baud != self._theirs:
                self._theirs = baud
                self._say({"event": "speed", "baud": baud})


def _nothing(_: dict[str, Any]) -> None:
    pass
