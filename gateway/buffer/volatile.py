"""The buffer's last resort when the medium is gone: readings in RAM, said to be not durable.

Numbers run in new logs: numbers of the old ones may be on the disk already, or come from it
after a restart, and must never name other readings. Leaving this mode takes a restart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.buffer.payload import pack_data, unpack_data, wire_bytes
from gateway.buffer.store import Work
from gateway.core.reading import BULK, CRIT, RINGS, Batch, Gap, Reading

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.buffer.payload import Table
    from gateway.buffer.room import Room
    from gateway.core.clock import Anchor

ITEMS_MAX = 10_000  # of both rings: some minutes of a busy gateway, about 2 MB
_GIVE_UP = 256  # at a time, so that a gap stands for many readings


class VolatileStore:
    """The same calls as `Store`, over two lists; `kept` are the counts of the store before it."""

    durable = False

    def __init__(
        self,
        boot: int,
        ended: str,
        table: Table,
        kept: dict[str, int],
        random: Callable[[int], bytes],
    ) -> None:
        self.boot = boot
        self.ended = ended
        self.anchors: list[Anchor] = []
        self._table = table
        self._kept = kept
        self._logs = {ring: random(8) for ring in RINGS}
        self._items: dict[str, list[Reading | Gap]] = {ring: [] for ring in RINGS}
        self._cursor = dict.fromkeys(RINGS, 0)  # the number before the first item
        self._sampled = self._delivered = self._gaps = 0

    def commit(self, work: Work) -> None:
        """Keep what `work` holds."""
        for ring in RINGS:
            if work.dropped[ring]:
                self._sampled += work.dropped[ring]
                self._lose(ring, 0, 0, work.dropped[ring], "overflow")
                work.dropped[ring] = 0
            for group in work.groups[ring]:
                _, rows = unpack_data(pack_data(self.boot, group.t0_ms, group.readings))
                self._sampled += len(rows)
                for at_ms, number, value, quality in rows:
                    name = self._table.points[number][0]
                    self._items[ring].append(Reading(name, value, at_ms, quality))
            work.groups[ring] = []
        work.anchors = []
        while len(self._items[CRIT]) + len(self._items[BULK]) > ITEMS_MAX:
            self._give_up(BULK if self._items[BULK] else CRIT)

    def next_batch(
        self, ring: str, after_seq: int, readings_max: int, bytes_max: int
    ) -> Batch | None:
        """Return what follows number `after_seq`, or None."""
        cursor = self._cursor[ring]
        start = max(after_seq - cursor, 0)
        items: list[Reading | Gap] = []
        size_bytes = 0
        for item in self._items[ring][start : start + readings_max]:
            size_bytes += wire_bytes(item)
            if items and size_bytes > bytes_max:
                break
            items.append(item)
        if not items:
            return None
        first = cursor + start + 1
        return Batch(ring, self._logs[ring], first, cursor + 1, self.boot, items)

    def acked(self, ring: str, seq: int) -> None:
        """The platform has everything up to `seq`."""
        count = seq - self._cursor[ring]
        if 0 < count <= len(self._items[ring]):
            self._delivered += _readings(self._items[ring][:count])
            self._remove(ring, count)

    def reject(self, ring: str, seq: int, _reason: str) -> None:
        """Give up number `seq`; its place is taken by the gap."""
        place = seq - self._cursor[ring] - 1
        if 0 <= place < len(self._items[ring]) and isinstance(self._items[ring][place], Reading):
            self._gaps += 1
            gap = Gap(ring, self._logs[ring], seq, seq, 1, "rejected")
            self._items[ring][place] = gap

    def fill(self, _size_bytes: int) -> bool:
        """Nothing grows."""
        return False

    def save_cursors(self) -> None:
        """Nothing can be saved."""

    def stopped(self) -> None:
        """Nothing can be marked."""

    def look(self, room: Room, _now_ms: int) -> None:
        """Say how full the RAM is; it is no place for hours."""
        held = sum([len(self._items[ring]) for ring in RINGS])
        room.fill, room.hours_left = round(held / ITEMS_MAX, 2), None

    def counts(self) -> dict[str, int]:
        """Return sampled = delivered + gaps + buffered, with those of the store before."""
        buffered = sum([_readings(self._items[ring]) for ring in RINGS])
        return {
            "sampled": self._kept["sampled"] + self._sampled,
            "delivered": self._kept["delivered"] + self._delivered,
            "gaps": self._kept["gaps"] + self._gaps,
            "buffered": self._kept["buffered"] + buffered,
        }

    def state(self) -> dict[str, tuple[bytes, int, int]]:
        """Return (log id, cursor, last number) of each ring."""
        return {
            ring: (self._logs[ring], self._cursor[ring], self._cursor[ring] + len(items))
            for ring, items in self._items.items()
        }

    def close(self) -> None:
        """Nothing is open."""

    def _give_up(self, ring: str) -> None:
        items = self._items[ring][:_GIVE_UP]
        first = self._cursor[ring] + 1
        self._remove(ring, len(items))
        self._lose(ring, first, first + len(items) - 1, _readings(items), "evicted")

    def _lose(self, ring: str, first: int, last: int, count: int, reason: str) -> None:
        self._gaps += count
        self._items[CRIT].append(Gap(ring, self._logs[ring], first, last, count, reason))

    def _remove(self, ring: str, count: int) -> None:
        self._items[ring][:count] = []
        self._cursor[ring] += count


def _readings(items: list[Reading | Gap]) -> int:
    return sum([isinstance(item, Reading) for item in items])
