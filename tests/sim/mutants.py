"""Deliberate faults in the agent, each switched on by a name: what a simulator must find.

Each is a mistake somebody could make, or did; the tables in `test_mutants` say within how many
worlds it is found. These are of the buffer and of what is sent; more are in `mutants_of_time`.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest.mock import patch

from gateway.agent.agent import Agent
from gateway.buffer import recover, segment
from gateway.buffer.books import Books, Note
from gateway.buffer.buffer import Buffer
from gateway.buffer.ring import Ring
from gateway.buffer.store import Store
from gateway.buffer.volatile import VolatileStore
from gateway.core.errors import LinkError
from gateway.core.reading import Gap, Reading
from gateway.uplink import events, session, topics
from gateway.uplink.lane import Lane
from gateway.uplink.session import Session
from gateway.uplink.uplink import Uplink
from tools.fusion.stream import Stream
from tools.simulate.disk import SimDisk, SimFile
from tools.simulate.leaves import Leaves

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


@contextmanager
def no_fdatasync() -> Iterator[None]:
    with patch.object(SimFile, "sync", lambda _file: None):
        yield


@contextmanager
def no_directory_fsync() -> Iterator[None]:
    with patch.object(SimDisk, "sync_folder", lambda _disk, _folder: None):
        yield


@contextmanager
def cursor_on_puback() -> Iterator[None]:
    real = Session._on_puback

    def on_puback(self: Session, event: events.PubAck, now_ms: int) -> None:
        found = self._pending.get(event.token)
        real(self, event, now_ms)
        if isinstance(found, tuple) and event.code == 0:
            lane, flight = found
            acked = events.Acked(lane.ring, lane.log_id, flight.last)
            self._on_acked(acked, now_ms)

    with heard(events.PubAck, on_puback):
        yield


@contextmanager
def heard(kind: type, handler: Any, state: str = session.ONLINE) -> Iterator[None]:
    """What the session does when it hears of `kind`, replaced."""
    with patch.dict(session._HEARD[state], {kind: handler}):
        yield


@contextmanager
def sent_before_durable() -> Iterator[None]:
    """Syncs what was written with the next write."""
    real = SimFile.write

    def write(self: SimFile, at: int, data: bytes) -> None:
        self._inode.sync()
        real(self, at, data)

    with patch.object(SimFile, "write", write), no_fdatasync():
        yield


@contextmanager
def failed_fsync_tried_again() -> Iterator[None]:
    real = SimFile.sync

    def sync(self: SimFile) -> None:
        try:
            real(self)
        except LinkError:
            real(self)

    with patch.object(SimFile, "sync", sync):
        yield


@contextmanager
def evicted_without_gap() -> Iterator[None]:
    real = Store._lose

    def lose(self: Store, ring: str, first: int, last: int, reason: str) -> None:
        if reason != "evicted":
            real(self, ring, first, last, reason)

    with patch.object(Store, "_lose", lose):
        yield


@contextmanager
def gap_noted_with_the_next_one() -> Iterator[None]:
    """What was evicted last stands in RAM only until something else is lost."""
    real = Store._lose
    late: list[tuple[Store, Any]] = []

    def lose(self: Store, *what: Any) -> None:
        mine = [before for store, before in late if store is self]
        late[:] = [(self, what)]
        for before in mine:
            real(self, *before)

    with patch.object(Store, "_lose", lose):
        yield


@contextmanager
def wall_clock_in_records() -> Iterator[None]:
    real = Agent._take

    def take(self: Agent, readings: list[Reading]) -> None:
        wall_ms = self._leaves.wall_ms()
        start_ms = self.__dict__.setdefault("start_ms", wall_ms - readings[0].at_ms)
        for one in readings:
            one.at_ms = wall_ms - start_ms
        real(self, readings)

    with patch.object(Agent, "_take", take):
        yield


@contextmanager
def ack_of_another_log_accepted() -> Iterator[None]:
    real = Session._on_acked

    def on_acked(self: Session, event: events.Acked, now_ms: int) -> None:
        for lane in self.lanes:
            if lane.ring == event.ring:
                event = events.Acked(event.ring, lane.log_id, event.seq)
        real(self, event, now_ms)

    with heard(events.Acked, on_acked):
        yield


@contextmanager
def numbers_used_again_after_a_start() -> Iterator[None]:
    real = recover.load

    def load(ring: Ring, random: Any) -> Any:
        found = real(ring, random)
        ring.next_seq = max(ring.next_seq - 1, ring.cursor + 1, ring.low)
        return found

    with patch.object(recover, "load", load):
        yield


@contextmanager
def readings_counted_twice() -> Iterator[None]:
    real = Agent._take

    def take(self: Agent, readings: list[Reading]) -> None:
        real(self, readings)
        if readings[0].at_ms % 16 == 0:
            real(self, readings)

    with patch.object(Agent, "_take", take):
        yield


@contextmanager
def same_log_on_every_card() -> Iterator[None]:
    real = Leaves.open_buffer

    async def open_buffer(self: Leaves, *given: Any) -> Buffer:
        numbers = iter(range(1, 100))
        with patch.object(self._dice, "randbytes", lambda size: bytes([next(numbers)] * size)):
            return await real(self, *given)

    with patch.object(Leaves, "open_buffer", open_buffer):
        yield


@contextmanager
def alarms_behind_bulk() -> Iterator[None]:
    real = Session._choose

    def choose(self: Session, now_ms: int) -> Lane | None:
        lane = real(self, now_ms)
        if lane is self.lanes[0] and now_ms % 60_000 < 30_000:
            return None
        return lane

    with patch.object(Session, "_choose", choose):
        yield


@contextmanager
def silence_waited_out_for_ever() -> Iterator[None]:
    """Packs that the broker lost are not sent again while the connection stands."""
    with patch.object(Lane, "overdue_ms", lambda _lane: None):
        yield


@contextmanager
def receive_maximum_ignored() -> Iterator[None]:
    real = Session._on_connected

    def on_connected(self: Session, event: events.Connected, now_ms: int) -> None:
        real(self, event, now_ms)
        self._slots = 64

    with heard(events.Connected, on_connected, session.CONNECTING):
        yield


@contextmanager
def dropped_readings_forgotten() -> Iterator[None]:
    """What fails to become durable is given up without a note."""
    real = Store.commit

    def commit(self: Store, work: Any) -> None:
        try:
            real(self, work)
        except LinkError:
            for groups in work.groups.values():
                groups.clear()
            raise

    with patch.object(Store, "commit", commit):
        yield


@contextmanager
def no_epoch_check() -> Iterator[None]:
    """Records of an earlier use of a file count like its own."""
    real = segment.fields

    class Any32(int):
        def __ne__(self, other: object) -> bool:
            return False

    def fields(head: bytes) -> tuple[int, int, int, int, int, int]:
        size, epoch, kind, prio, count, seq = real(head)
        return size, Any32(epoch), kind, prio, count, seq

    def search(self: segment.Walker) -> segment.Entry | None:
        at = self.at + segment.ALIGN
        while len(self.bytes_at(at, segment.RECORD_BYTES)) == segment.RECORD_BYTES:
            entry = self._intact(at)
            if entry is not None:
                return entry
            at += segment.ALIGN
        return None

    with patch.object(segment, "fields", fields), patch.object(recover, "fields", fields):
        with patch.object(segment.Walker, "_search", search):
            yield


@contextmanager
def boot_count_used_again() -> Iterator[None]:
    with patch.object(recover.Found, "next_boot", property(lambda found: max(found.boot, 1))):
        yield


@contextmanager
def joined_note_counts_one_of_two() -> Iterator[None]:
    real = Books.join

    def join(self: Books, durable: dict[str, int]) -> None:
        before = {(note.gap.first, note.gap.last) for note in self.notes}
        real(self, durable)
        for at, note in enumerate(self.notes):
            gap = note.gap
            if (gap.first, gap.last) not in before:
                less = Gap(gap.ring, gap.log_id, gap.first, gap.last, 1, gap.reason)
                self.notes[at] = Note(note.seq, less, note.since)

    with patch.object(Books, "join", join):
        yield


@contextmanager
def ram_called_durable() -> Iterator[None]:
    with patch.object(VolatileStore, "durable", True):
        yield


@contextmanager
def snapshot_counted_as_delivery() -> Iterator[None]:
    """The broker took the latest values: those before them need not be sent any more."""
    real = Session._on_puback

    def on_puback(self: Session, event: events.PubAck, now_ms: int) -> None:
        found = self._pending.get(event.token)
        real(self, event, now_ms)
        if found == topics.NOW and event.code == 0:
            for lane in self.lanes:
                self._on_acked(events.Acked(lane.ring, lane.log_id, lane.known), now_ms)

    with heard(events.PubAck, on_puback):
        yield


@contextmanager
def newer_pack_first() -> Iterator[None]:
    """Now and then a pack waits for the one after it."""
    real = Uplink._publish
    held: list[Any] = []

    def publish(self: Uplink, token: int, topic: str, *given: Any, **more: Any) -> Any:
        if topic.endswith("/bulk") and token % 5 == 0 and not held:
            held.append((self, token, topic, given, more))
            return None
        answer = real(self, token, topic, *given, **more)
        for uplink, *rest in held:
            if uplink is self and self._link is not None:
                real(self, rest[0], rest[1], *rest[2], **rest[3])
        held.clear()
        return answer

    with patch.object(Uplink, "_publish", publish):
        yield


@contextmanager
def duplicates_stored() -> Iterator[None]:
    """The platform does not know what it has."""
    with patch.object(Stream, "has", lambda _stream, _first, _last: False):
        yield


@contextmanager
def window_ignored() -> Iterator[None]:
    real = Lane.__init__

    def init(self: Lane, *given: Any, **more: Any) -> None:
        real(self, *given, **more)
        self._window_max = 1_000

    with patch.object(Lane, "__init__", init):
        yield
