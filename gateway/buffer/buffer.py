"""The agent's buffer: takes readings at once, makes them durable soon, hands them to the uplink.

All file work runs through `job`, which on CPython is one storage thread; this side only keeps
what is in RAM, and never waits for a disk. What is not durable is not handed out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.buffer.payload import Table, pack_reading
from gateway.buffer.room import Room
from gateway.buffer.store import Group, Settings, Store, Work
from gateway.buffer.volatile import VolatileStore
from gateway.core import aio, log
from gateway.core.buggify import buggify
from gateway.core.errors import LinkError
from gateway.core.reading import BULK, CRIT, RINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from gateway.buffer.files import Files
    from gateway.core.clock import Anchor
    from gateway.core.reading import Batch, Point, Reading

    Job = Callable[..., Coroutine[Any, Any, Any]]

READINGS_MAX = 4096  # in RAM: 40 s of 100 readings/s while a card stalls
GROUP_READINGS_MAX = 256  # of one record, and what brings a bulk commit forward
GROUP_BYTES_MAX = 32_768
CURSOR_MS = 10_000  # between writes of a cursor: losing it costs duplicates, writing it a page
IDLE_MS = 3_600_000  # nothing is due, and what comes wakes whoever waits
VOLATILE = "readings are kept in RAM only, and lost at a restart"
FILL_MS = 25  # of writing zeros at a time, so that a commit hardly waits for them …
FILL_BYTES = (16_384, 1 << 20)  # … and so many bytes are that on the slowest and fastest card
FILL_PAUSE_MS = 50  # the card does nothing but what is asked of it for most of the time
SLOW_MS = 2000  # a healthy card commits in 10 ms, and stalls for less than this


def no_boot(random: Callable[[int], bytes]) -> int:
    """Return what stands for a boot count where none could be made durable: 2³¹ and up.

    A count that the next life may use as well would tie its readings to our time.
    """
    return 1 << 31 | int.from_bytes(random(4), "little") >> 1


async def inline(work: Callable[..., Any], *given: Any) -> Any:
    """Run file work where it is called: for boards and for simulations."""
    return work(*given)


class Buffer:
    """Opened by `Buffer.open`; `run` must be running for readings to become durable."""

    def __init__(
        self,
        store: Store | VolatileStore,
        table: Table,
        settings: Settings,
        random: Callable[[int], bytes],
        job: Job,
    ) -> None:
        self.changed = aio.Event()  # set when something became durable; whoever waits clears it
        self.acks_ignored = 0  # of another log, or of numbers never sent
        self.slow_commits = 0
        self.answers = 0  # of the storage side; a watchdog wants to see it grow
        self._store = store
        self._table = table
        self._settings = settings
        # With a last long reading on top, a record must fit beside a small segment's opening.
        self._group_bytes_max = min(GROUP_BYTES_MAX, settings.segment_bytes // 4)
        self._random = random
        self._job = job
        self._room = Room()
        store.look(self._room, aio.now_ms())
        self._state = store.state()
        self._counts = store.counts()
        self._anchors = list(store.anchors)
        self._sampled = self._counts["sampled"]  # counted here, where readings come in
        self._acks: dict[str, int] = {}
        self._queue = Work()
        self._queued = 0  # readings in the queue
        self._flying = 0  # readings and drops a commit is just making durable
        self._flying_dropped = 0
        self._since_ms: int | None = None  # when the oldest thing in the queue came
        self._saved_ms = 0
        self._cursor_moved = False
        self._wake = aio.Event()
        self._one = aio.Lock()
        self._fill_bytes = FILL_BYTES[0]  # of the next slice of zeros; 0 if there is none left

    @staticmethod
    async def open(
        files: Files,
        settings: Settings,
        points: list[Point],
        *,
        kernel: str,
        version: str,
        random: Callable[[int], bytes],
        job: Job = inline,
    ) -> Buffer:
        """Recover or format; always succeeds, in RAM if the medium fails. ConfigError: in use."""
        table = Table()
        table.declare(points)
        store = Store(files, settings, table, kernel, version, random)
        try:
            await job(store.open)
        except LinkError as error:
            log.event(log.ERROR, "buffer-volatile", why=error, means=VOLATILE)
            nothing = {"sampled": 0, "delivered": 0, "gaps": 0, "buffered": 0}
            last_resort = VolatileStore(no_boot(random), store.ended, table, nothing, random)
            return Buffer(last_resort, table, settings, random, job)
        for remark in store.remarks:
            log.event(log.WARNING, "buffer", remark=remark)
        return Buffer(store, table, settings, random, job)

    @property
    def boot(self) -> int:
        """The boot count, which `Anchor` and every stored reading carry."""
        return self._store.boot

    @property
    def ended(self) -> str:
        """How the life before this one ended: first (none before), stopped, crashed or power."""
        return self._store.ended

    @property
    def durable(self) -> bool:
        """False when the medium failed and readings are only in RAM."""
        return self._store.durable

    def set_points(self, points: list[Point]) -> None:
        """Declare points; those already known keep their numbers."""
        self._table.declare(points)

    def anchor(self, anchor: Anchor) -> None:
        """Store a TIME record with the next commit."""
        self._queue.anchors.append(anchor)
        self._touch()

    def anchors(self) -> list[Anchor]:
        """Return the anchors that were on disk when the buffer was opened."""
        return list(self._anchors)

    def add(self, ring: str, readings: list[Reading]) -> None:
        """Take readings; when RAM is full the oldest bulk ones are dropped and counted."""
        groups = self._queue.groups[ring]
        number_of = self._table.number
        for reading in readings:
            if not groups or self._is_full(groups[-1]):
                groups.append(Group(reading.at_ms))
            group = groups[-1]
            dt_ms = reading.at_ms - group.t0_ms
            number = number_of(reading.point)
            packed = pack_reading(dt_ms, number, reading.value, reading.quality)
            group.readings.append(packed)
            group.size_bytes += len(packed)
        self._sampled += len(readings)
        self._queued += len(readings)
        while self._queued and self._queued + self._flying > READINGS_MAX:
            self._drop_one()
        if self._queued and buggify("ram-full"):
            self._drop_one()
        self._touch()

    async def run(self) -> None:
        """Commit what is due, for ever."""
        while True:
            wait_ms = self._wait_ms()
            if wait_ms > 0 and self._fill_bytes:
                await self._fill()
                await aio.rest(min(wait_ms, FILL_PAUSE_MS), self._wake)
            elif wait_ms > 0:
                await aio.rest(wait_ms, self._wake)
            else:
                await self.commit(telemetry=self._telemetry_wait_ms() <= 0)

    async def commit(self, telemetry: bool = True) -> None:
        """Make everything added so far durable, now; without `telemetry` only what is urgent."""
        async with self._one:
            work, self._queue = self._queue, Work()
            if not telemetry:  # an alarm or an acknowledgement must not cost its commit as well
                self._queue.groups[BULK], work.groups[BULK] = work.groups[BULK], []
                self._queue.anchors, work.anchors = work.anchors, []
            waiting = sum([len(group.readings) for group in self._queue.groups[BULK]])
            self._flying, self._queued = self._queued - waiting, waiting
            self._flying_dropped = sum(work.dropped.values())
            if not waiting and not self._queue.anchors:
                self._since_ms = None
            started_ms = aio.now_ms()
            save = self._cursor_moved and started_ms - self._saved_ms >= CURSOR_MS
            if save:
                self._cursor_moved, self._saved_ms = False, started_ms
            save = (save and not buggify("cursor-late")) or buggify("cursor-early")
            try:
                await self._do(self._store_work, work, save, started_ms)
            finally:
                self._flying = self._flying_dropped = 0
            if aio.now_ms() - started_ms >= SLOW_MS:
                self.slow_commits += 1

    async def next_batch(
        self, ring: str, after_seq: int, readings_max: int = 64, bytes_max: int = 8192
    ) -> Batch | None:
        """Return durable items after number `after_seq`, of one boot; None if there are none."""
        if after_seq >= self._state[ring][2]:
            return None
        if buggify("short-batch"):
            readings_max = 1
        async with self._one:
            found: Batch | None = await self._do(
                self._read, ring, after_seq, readings_max, bytes_max
            )
            return found

    def cursor(self, ring: str) -> int:
        """Return the number up to which nothing needs sending any more."""
        return max(self._state[ring][1], self._acks.get(ring, 0))

    def last(self, ring: str) -> int:
        """Return the highest number that is durable."""
        return self._state[ring][2]

    def log_id(self, ring: str) -> bytes:
        """Return the eight bytes that name this ring's numbering."""
        return self._state[ring][0]

    def acked(self, ring: str, log_id: bytes, seq: int) -> None:
        """Take the platform's cumulative acknowledgement; a foreign or future one is counted."""
        known_id, _, last = self._state[ring]
        if log_id != known_id or seq > last:
            self.acks_ignored += 1
        elif seq > self.cursor(ring):
            self._acks[ring] = seq
            self._cursor_moved = True
            self._wake.set()

    async def reject(self, ring: str, seq: int, reason: str) -> None:
        """Give up one item that the broker will not take: it becomes a Gap."""
        async with self._one:
            await self._do(self._reject, ring, seq, reason)
        self.changed.set()

    def counts(self) -> dict[str, Any]:
        """Return sampled, delivered, gaps and buffered, what waits in RAM included, and health.

        The first is counted on its own: if it is not the sum of the others, a reading was lost.
        """
        waiting = self._queued + self._flying
        dropped = sum(self._queue.dropped.values()) + self._flying_dropped
        found: dict[str, Any] = dict(self._counts)
        found["sampled"] = self._sampled
        found["gaps"] += dropped
        found["buffered"] += waiting
        found["fill"] = self._room.fill
        found["hours_left"] = self._room.hours_left
        found["durable"] = self.durable
        found["acks_ignored"] = self.acks_ignored
        found["slow_commits"] = self.slow_commits
        return found

    async def answered(self) -> None:
        """Return once the storage side has answered."""
        async with self._one:
            await self._job(self._store.state)
            self.answers += 1

    async def stopped(self) -> None:
        """Mark that this life was told to end, if the medium lets us; call it last."""
        async with self._one:
            try:
                await self._job(self._store.stopped)
            except LinkError:  # then it looks like a crash, which costs nothing
                return

    async def close(self) -> None:
        """Give back the directory. Nothing is saved: a stop is a crash, and a start recovers."""
        async with self._one:
            await self._job(self._store.close)

    async def _fill(self) -> None:
        """Write a slice of the zeros that a first start left for later."""
        started_ms = aio.now_ms()
        async with self._one:
            more = await self._job(self._beside_fill, self._fill_bytes)
        took_ms = aio.now_ms() - started_ms
        scaled = self._fill_bytes * 2 if took_ms < FILL_MS // 2 else self._fill_bytes
        scaled = self._fill_bytes // 2 if took_ms > FILL_MS else scaled
        self._fill_bytes = min(max(scaled, FILL_BYTES[0]), FILL_BYTES[1]) if more else 0

    def _beside_fill(self, size_bytes: int) -> bool:
        try:
            return self._store.fill(size_bytes)
        except LinkError:  # what is not filled serves as well; the next commit will tell
            return False

    def _touch(self) -> None:
        if self._since_ms is None:
            self._since_ms = aio.now_ms()
        self._wake.set()

    def _wait_ms(self) -> int:
        """Return how long until something is due; 0 if it is."""
        if self._acks or self._queue.groups[CRIT]:
            return 0
        wait_ms = self._telemetry_wait_ms()
        if self._cursor_moved:
            wait_ms = min(wait_ms, self._saved_ms + CURSOR_MS - aio.now_ms())
        return max(wait_ms, 0)

    def _telemetry_wait_ms(self) -> int:
        """Return how long until bulk readings and anchors are due."""
        bulk = self._queue.groups[BULK]
        if bulk and (len(bulk) > 1 or self._is_full(bulk[0])):
            return 0
        if self._since_ms is None:
            return IDLE_MS
        return self._since_ms + self._settings.commit_ms - aio.now_ms()

    def _is_full(self, group: Group) -> bool:
        many = len(group.readings) >= GROUP_READINGS_MAX
        return many or group.size_bytes >= self._group_bytes_max or buggify("small-record")

    def _drop_one(self) -> None:
        ring = BULK if self._queue.groups[BULK] else CRIT
        groups = self._queue.groups[ring]
        group = groups[0]
        group.size_bytes -= len(group.readings.pop(0))
        if not group.readings:
            groups.pop(0)
        self._queue.dropped[ring] += 1
        self._queued -= 1

    async def _do(self, work: Callable[..., Any], *given: Any) -> Any:
        """Run `work` beside the loop, with the acknowledgements come so far; then look anew."""
        acks, self._acks = self._acks, {}
        # Until the store has them, the cursor seen from here must not step back.
        for ring in acks:
            log_id, _, last = self._state[ring]
            self._state[ring] = log_id, acks[ring], last
        before = self._state
        done = await self._job(self._beside, acks, work, given)
        self.answers += 1
        if buggify("late-answer"):
            await aio.sleep_ms(700)
        # From here to the caller's end nothing waits: else what was committed counts twice.
        answer, self._state, self._counts, error = done
        for ring in RINGS:  # reading may note damage, which is then there to be read
            if self._state[ring][2] != before[ring][2]:
                self.changed.set()
        if error is not None:
            log.event(log.ERROR, "buffer-volatile", why=error, means=VOLATILE)
            self._acks = {}  # they name numbers of the old logs
            self.changed.set()
        return answer

    def _beside(self, acks: dict[str, int], work: Callable[..., Any], given: Any) -> Any:
        error = answer = None
        for ring, seq in acks.items():
            self._store.acked(ring, seq)
        try:
            answer = work(*given)
        except LinkError as failure:
            error, kept = failure, self._store.counts()
            self._store = VolatileStore(self.boot, self.ended, self._table, kept, self._random)
            if work == self._store_work:
                work(*given)
        return answer, self._store.state(), self._store.counts(), error

    def _store_work(self, work: Work, save: bool, now_ms: int) -> None:
        self._store.commit(work)
        if save:
            self._store.save_cursors()
        self._store.look(self._room, now_ms)

    def _read(self, *given: Any) -> Batch | None:
        return self._store.next_batch(*given)

    def _reject(self, *given: Any) -> None:
        self._store.reject(*given)
