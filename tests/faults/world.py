"""A buffer on a disk that fails, and a platform that remembers everything it was sent.

Every law of the buffer is an assertion here: nothing durable is lost, nothing is invented,
altered or re-ordered, no number is given out twice, and the accounts agree with what is there.
"""

from __future__ import annotations

import itertools
from random import Random
from typing import TYPE_CHECKING

from gateway.buffer.payload import Table, pack_reading
from gateway.buffer.store import Group, Settings, Store, Work
from gateway.core.clock import Anchor
from gateway.core.reading import BULK, CRIT, RINGS, Gap, Reading
from tests.support.disk import SimDisk

if TYPE_CHECKING:
    from gateway.core.reading import Batch

SMALL = Settings(crit_bytes=6 * 4096, bulk_bytes=6 * 4096, segment_bytes=4096, commit_ms=10_000)
WIDE = Settings(crit_bytes=8 * 8192, bulk_bytes=40 * 8192, segment_bytes=8192, commit_ms=10_000)
# A first start that leaves half of the files to be filled later.
LATER = Settings(6 * 4096, 6 * 4096, 4096, 10_000, at_once_bytes=0)

Key = tuple[str, bytes, int]  # ring, log id, number


def text(value: int) -> str:
    """Return a value that fills segments quickly, so that few readings make much happen."""
    return f"{value:>40}"


def overlapping(gaps: set[Gap]) -> bool:
    """Say whether two of a kind overlap: notes that were joined, and told again as one."""
    found = sorted(gaps, key=lambda one: (one.ring, one.log_id, one.reason, one.first))
    return any(
        (one.ring, one.log_id, one.reason) == (two.ring, two.log_id, two.reason)
        and two.first <= one.last
        for one, two in itertools.pairwise(found)
    )


class World:
    def __init__(self, chance: Random, settings: Settings = SMALL) -> None:
        self.chance = chance
        self.settings = settings
        self.disk = SimDisk()
        self.table = Table()
        self.store: Store | None = None
        self.boot = 0
        self.made = 0
        self.given: dict[int, str] = {}  # every value ever added, and its ring
        self.durable: dict[Key, int] = {}  # reported durable: number → value
        self.sent: dict[Key, object] = {}  # everything the platform was ever sent
        self.confirmed: dict[tuple[str, bytes], int] = {}
        self.gaps: set[Gap] = set()
        self.damaged = False
        self.nameless = 0

    def fork(self, disk: SimDisk) -> World:
        """Return a world in which the past was the same and `disk` is what is left."""
        twin = World(self.chance, self.settings)
        twin.disk = disk
        twin.boot, twin.made, twin.given = self.boot, self.made, dict(self.given)
        twin.durable, twin.sent = dict(self.durable), dict(self.sent)
        twin.confirmed, twin.gaps = dict(self.confirmed), set(self.gaps)
        return twin

    def start(self) -> Store:
        self.table = Table()
        store = Store(self.disk, self.settings, self.table, "kernel", "0", self.chance.randbytes)
        store.open()
        assert store.boot > self.boot or self.damaged, "a boot count was used twice"
        self.boot = store.boot
        self.store = store
        return store

    def commit(self, ring: str, count: int) -> None:
        assert self.store is not None
        work = Work()
        group = Group(self.made)
        values = []
        for _ in range(count):
            self.made += 1
            point = f"device/{self.made % 3}"
            self.given[self.made] = ring
            values.append(self.made)
            number = self.table.number(point)
            packed = pack_reading(self.made - group.t0_ms, number, text(self.made), "good")
            group.readings.append(packed)
        work.groups[ring] = [group]
        if self.chance.random() < 0.1:
            work.anchors = [Anchor(self.boot, self.made, self.made, 1, "ntp")]
        self.store.commit(work)
        log_id, _, last = self.store.state()[ring]
        # Notes of evicted readings may follow ours in the crit ring.
        first = self._first_of(ring, values[0], last)
        for place, value in enumerate(values):
            self.durable[ring, log_id, first + place] = value

    def _first_of(self, ring: str, value: int, last: int) -> int:
        assert self.store is not None
        batch = None
        after = max(last - 60, 0)
        while after < last:
            batch = self.store.next_batch(ring, after, 64, 1 << 20)
            if batch is None:
                break
            for place, item in enumerate(batch.items):
                if isinstance(item, Reading) and item.value == text(value):
                    return batch.seq + place
            after = batch.seq + len(batch.items) - 1
        raise AssertionError(f"{value} was committed and is not there: {batch}")

    def send(self, ring: str, packs: int) -> None:
        """Send some packs from the cursor, and let the platform confirm part of them."""
        assert self.store is not None
        log_id, cursor, _ = self.store.state()[ring]
        after = cursor
        for _ in range(packs):
            batch = self.store.next_batch(ring, after, 16, 4096)
            if batch is None:
                break
            self.receive(batch)
            after = batch.seq + len(batch.items) - 1
        if after > cursor and self.chance.random() < 0.7:
            after = self.chance.randint(cursor + 1, after)
            self.store.acked(ring, after)
            key = ring, log_id
            self.confirmed[key] = max(self.confirmed.get(key, 0), after)

    def receive(self, batch: Batch) -> None:
        for place, item in enumerate(batch.items):
            key = batch.ring, batch.log_id, batch.seq + place
            assert self.sent.setdefault(key, item) == item, f"{key} was two things"
            if isinstance(item, Gap):
                assert batch.ring == CRIT
                self.gaps.add(item)
            else:
                value = int(str(item.value))
                assert self.given[value] == batch.ring, "invented"
                point = f"device/{value % 3}"
                if self.damaged and item.point.startswith("unknown/"):
                    point = item.point  # its name was hit in both rings
                    self.nameless += 1
                assert item == Reading(point, text(value), value)

    def drain(self) -> int:
        """Send everything there is; return how many readings that were."""
        assert self.store is not None
        count = 0
        for ring in RINGS:
            after = self.store.state()[ring][1]
            values = []
            while True:
                batch = self.store.next_batch(ring, after, 64, 8192)
                if batch is None:
                    break
                assert batch.seq > after
                self.receive(batch)
                after = batch.seq + len(batch.items) - 1
                values += [item.value for item in batch.items if isinstance(item, Reading)]
            assert values == sorted(values), "re-ordered"
            assert len(set(values)) == len(values), "twice under two numbers"
            count += len(values)
        return count

    def check(self) -> None:
        """Compare what is there with what was promised."""
        assert self.store is not None
        before = self.store.counts()
        buffered = self.drain()
        counts = self.store.counts()
        if counts != before:  # reading found damage, which moved readings from buffered to gaps
            buffered = self.drain()
        assert counts["buffered"] == buffered
        assert counts["sampled"] == counts["delivered"] + counts["gaps"] + counts["buffered"]
        assert min(counts.values()) >= 0
        state = self.store.state()
        logs = {ring: state[ring][0] for ring in RINGS}
        missing = 0
        for (ring, log_id, seq), value in self.durable.items():
            assert logs[ring] == log_id, "a log was given up"
            item = self.sent.get((ring, log_id, seq))
            if item is not None:
                assert isinstance(item, Reading)
                assert item.value == text(value)
            elif any(
                gap.ring == ring and gap.log_id == log_id and gap.first <= seq <= gap.last
                for gap in self.gaps
            ):
                missing += 1
            else:
                raise AssertionError(f"{ring} {seq} was durable and is lost without a word")
        assert missing <= counts["gaps"]
        told = sum(gap.count for gap in self.gaps if logs[gap.ring] == gap.log_id)
        if not overlapping(self.gaps):
            assert counts["gaps"] == told, "the platform was told of other losses than were counted"
        assert counts["gaps"] <= told
        for ring in RINGS:
            assert state[ring][2] >= self.confirmed.get((ring, logs[ring]), 0)

    def turn(self) -> None:
        """Do one thing a running gateway does."""
        assert self.store is not None
        self.store.fill(1500)
        choice = self.chance.random()
        if choice < 0.35:
            self.commit(BULK, self.chance.randint(1, 16))
        elif choice < 0.55:
            self.commit(CRIT, self.chance.randint(1, 4))
        elif choice < 0.8:
            self.send(self.chance.choice(RINGS), self.chance.randint(1, 6))
        elif choice < 0.9:
            self.store.save_cursors()
        elif choice < 0.93:
            ring = self.chance.choice(RINGS)
            _, cursor, last = self.store.state()[ring]
            if last > cursor:
                self.store.reject(ring, self.chance.randint(cursor + 1, last), "too large")
        elif choice < 0.95:
            self.store.close()
            self.start()
