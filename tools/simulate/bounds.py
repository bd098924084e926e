"""Every queue, list and cache of the agent that outside things could fill, and its limit.

One table, asked at every pulse of a simulated agent: `peaks` remembers the most that was seen.
What grows with the site file only (devices, points) stands here too, so that nothing else does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from drivers.transport import inbox
from gateway.buffer import books, history, quarantine, store, volatile
from gateway.buffer import buffer as buffers
from gateway.core import clock
from gateway.poll import COMMANDS_MAX
from gateway.uplink import lane, session, topics, uplink

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.agent.agent import Agent
    from gateway.uplink.uplink import Uplink
    from tools.simulate.disk import SimDisk

EVENTS_SLACK = 200  # beside acknowledgements: answers of one window, each a few
STALL_ANCHORS = 16  # one each 10 s, and a storage that stalls for longer is restarted


class Seen(NamedTuple):
    """What a bound looks at; `uplink` is None until it connects for the first time."""

    agent: Agent
    uplink: Uplink | None
    disk: SimDisk


class Bound(NamedTuple):
    queue: str
    limit: int
    size: Callable[[Seen], int]


def _buffer(seen: Seen) -> buffers.Buffer:
    found: buffers.Buffer = seen.agent._buffer
    return found


def _notes(seen: Seen) -> int:
    kept = _buffer(seen)._store
    return len(kept.books.notes) if isinstance(kept, store.Store) else 0


def _anchors(seen: Seen) -> int:
    return len(_buffer(seen)._store.anchors)


def _volatile(seen: Seen) -> int:
    kept = _buffer(seen)._store
    return 0 if isinstance(kept, store.Store) else sum(len(one) for one in kept._items.values())


def _reader(seen: Seen) -> int:
    kept = _buffer(seen)._store
    readers = kept._readers.values() if isinstance(kept, store.Store) else []
    return max([len(reader._items) for reader in readers] or [0])


def _marks(seen: Seen) -> int:
    kept = _buffer(seen)._store
    readers = kept._readers.values() if isinstance(kept, store.Store) else []
    size = _buffer(seen)._settings.segment_bytes
    return max([-(-4096 * len(reader._marks) // size) for reader in readers] or [0])


def _flights(seen: Seen) -> int:
    mind = seen.uplink._session if seen.uplink else None
    return max(len(one.flights) for one in mind.lanes) if mind else 0


def _pending(seen: Seen) -> int:
    mind = seen.uplink._session if seen.uplink else None
    return len(mind._pending) if mind else 0


def _due(seen: Seen) -> int:
    mind = seen.uplink._session if seen.uplink else None
    return len(mind._due) if mind else 0


def _input(seen: Seen) -> int:
    ports = [bus._line._opener.transport for bus in seen.agent._buses]
    boxes = [getattr(port, "_inbox", None) for port in ports]
    return max([len(box._bytes) for box in boxes if box] or [0])


def _unknown_points(seen: Seen) -> int:
    return max(len(_buffer(seen)._table.points), len(seen.agent._latest)) - len(seen.agent._order)


BOUNDS = (
    Bound(
        "readings in RAM", buffers.READINGS_MAX, lambda s: _buffer(s)._queued + _buffer(s)._flying
    ),
    Bound("anchors in RAM", STALL_ANCHORS, lambda s: len(_buffer(s)._queue.anchors)),
    Bound("anchors of the store", history.ANCHORS_MAX, _anchors),
    Bound("anchors of the clock", clock.ANCHORS_MAX, lambda s: len(s.agent._clock.anchors)),
    Bound("notes of losses", books.NOTES_MAX, _notes),
    Bound("items without a medium", volatile.ITEMS_MAX, _volatile),
    Bound("readings of a decoded record", buffers.GROUP_READINGS_MAX, _reader),
    Bound("marks of a reader, each for 4 KiB, in segments", 1, _marks),
    Bound(
        "files set aside",
        quarantine.SEGMENTS_MAX + quarantine.REJECTED_MAX,
        lambda s: len(s.disk.names(quarantine.FOLDER)),
    ),
    Bound("packs of a lane in flight", lane.WINDOW, _flights),
    Bound("publishes not answered", session.SLOTS_MAX, _pending),
    Bound("announcements due", len((topics.STATE, topics.NOW, topics.HEALTH)), _due),
    Bound(
        "events for the session",
        uplink.EVENTS_MAX + EVENTS_SLACK,
        lambda s: len(s.uplink._events) if s.uplink else 0,
    ),
    Bound("bytes of a port", inbox.SIZE_MAX, _input),
    Bound(
        "commands of a bus",
        COMMANDS_MAX,
        lambda s: max(len(bus._schedule._commands) for bus in s.agent._buses),
    ),
    Bound("points nobody declared", 0, _unknown_points),
)


def exceeded(seen: Seen, peaks: dict[str, int]) -> str:
    """Return which bound does not hold, or ""; enter what is seen into `peaks`."""
    for bound in BOUNDS:
        size = bound.size(seen)
        peaks[bound.queue] = max(peaks.get(bound.queue, 0), size)
        if size > bound.limit:
            return f"{bound.queue}: {size}, {bound.limit} may be"
    return ""
