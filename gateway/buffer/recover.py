"""What a ring holds after whatever happened: the only way a ring is opened. It always succeeds.

Reads the newest segment only; older ones are read when their readings are asked for. Changes
nothing on disk but what it cannot use: the first record written after it makes the start durable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.buffer import cursor as slots
from gateway.buffer import quarantine
from gateway.buffer.payload import unpack_boot, unpack_data, unpack_gap, unpack_time
from gateway.buffer.ring import CURSOR, GROWING, SEGMENT, SPARE, SUFFIX, Segment, segment_name
from gateway.buffer.segment import (
    AUDIT,
    BOOT,
    DATA,
    GAP,
    HEADER_BYTES,
    RECORD_BYTES,
    TIME,
    VERSION,
    Walker,
    fields,
    unpack_header,
)
from gateway.core.errors import BadReply, LinkError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.buffer.files import Files
    from gateway.buffer.payload import Boot
    from gateway.buffer.ring import Ring
    from gateway.buffer.segment import Header
    from gateway.core.clock import Anchor
    from gateway.core.reading import Gap

FILES_MIN = 3  # one that is written, one that is read, one spare
VOID_JUMP = 1 << 20  # more numbers than a segment holds: skipped when nobody knows how many went
BOOT_JUMP = 1000  # more boots than a lost segment is likely to have seen

# How the life before this one ended, as far as what it left behind tells.
FIRST = "first"  # there was none
STOPPED = "stopped"  # it was told to
CRASHED = "crashed"  # the kernel lived on
POWER = "power"  # the kernel did not

_BLOCK_BYTES = 4096
_EPOCHS = 1 << 32  # as many as a header can name
_TORN_COUNT_MAX = 4096  # a torn header that claims more readings than RAM held is not believed


class Found:
    """What a ring said about itself: its newest BOOT, the GAPs after it, anchors, its tail."""

    def __init__(self) -> None:
        self.boot = 0  # the highest boot count seen
        self.stopped = 0  # the boot count of a life that was told to stop
        self.last: Boot | None = None
        # (number, gap, where it was noted before, numbers that were no readings)
        self.gaps: list[tuple[int, Gap, tuple[int, int] | None, int]] = []
        self.anchors: list[Anchor] = []
        # Gone at the tail: (first number, last number, readings, numbers that were none)
        self.lost: list[tuple[int, int, int, int]] = []
        self.cursor_lost = False
        self.remarks: list[str] = []

    @property
    def skipped(self) -> bool:
        """Whether numbers had to be skipped without knowing what they were."""
        return any(lost[3] >= VOID_JUMP for lost in self.lost)

    @property
    def next_boot(self) -> int:
        """A boot count that was not used before, even if the last ones are lost."""
        unsure = self.cursor_lost or self.skipped
        return self.boot + (BOOT_JUMP if unsure else 1)


def how_ended(rings: list[Found], kernel: str) -> str:
    """Return how the last life ended; `kernel` is the boot id of now, "" if there is none."""
    newest = max([found.boot for found in rings])
    if newest == 0:
        return FIRST
    if newest in [found.stopped for found in rings]:
        return STOPPED
    kernels = [one.last.kernel for one in rings if one.last and one.last.boot == newest]
    return CRASHED if kernel and kernel in kernels else POWER


def files_wanted(files: Files, wanted: dict[str, int], segment_bytes: int) -> dict[str, int]:
    """Return how many files each ring gets: never more than half of the disk in all."""
    mine = dict.fromkeys(wanted, 0)
    for ring in wanted:
        for name in files.names(ring):
            if name.endswith(SUFFIX):
                mine[ring] += files.size(f"{ring}/{name}")
    half = (files.free_bytes() + sum(mine.values())) // 2
    total = sum(wanted.values())
    found = {}
    for ring, bytes_max in wanted.items():
        # What was reserved once stays ours, whatever others have filled since.
        room = bytes_max if total <= half else bytes_max * half // total
        room = min(bytes_max, max(room, mine[ring]))
        found[ring] = max(room // segment_bytes, FILES_MIN)
    return found


def load(ring: Ring, random: Callable[[int], bytes], at_once_bytes: int = 0) -> Found:
    """Fill in `ring` from disk, formatting it if it holds nothing; LinkError if it cannot be.

    Of a ring that must grow, `at_once_bytes` are filled with zeros now, the rest by `Ring.fill`.
    """
    found = Found()
    ring.files.make_folder(ring.name)
    if not _take_in(ring, found):
        found.remarks.append(f"{ring.name}: written by a newer version, set aside")
        quarantine.set_ring_aside(ring.files, ring.name)
        ring.segments, ring.spares, ring.growing = [], [], []
    slot = _read_cursor(ring)
    if not ring.segments:
        _format(ring, found, random, at_once_bytes)
        return found
    ring.sync()  # before it is read: what is found there will be sent, whatever comes after it
    walker = _read_newest(ring, found)
    _identify(ring, slot, found, random)
    _read_tail(ring, walker, found)
    missing = found.last.files - ring.files_held if found.last is not None else 0
    if missing > 0 and not found.skipped:
        found.remarks.append(f"{ring.name}: {missing} segment files are missing")
        _skip_numbers(ring, found)
    _reserve(ring, found, at_once_bytes)
    return found


def _take_in(ring: Ring, found: Found) -> bool:
    """Sort the files into segments and spares; False if a newer version wrote any."""
    known: dict[int, Segment] = {}
    for name in ring.files.names(ring.name):
        if not name.endswith(SUFFIX):
            continue
        if name.startswith((SPARE, GROWING)):
            (ring.spares if name.startswith(SPARE) else ring.growing).append(name)
            continue
        if not name.startswith(SEGMENT):
            continue
        header = _header(ring, name)
        if header is not None and header.version != VERSION:
            return False
        segment: Segment | None = None
        if header is None:
            segment = _without_header(ring, name)
        elif header.ring == ring.number:
            segment = Segment(name, header.epoch, header.first_seq, header.size_bytes)
        if segment is not None and segment.epoch in known and name == segment_name(segment.epoch):
            known[segment.epoch], segment = segment, known[segment.epoch]
        if segment is None or segment.epoch in known:
            stray = name if segment is None else segment.name
            found.remarks.append(f"{ring.name}/{stray}: not a segment of this ring, set aside")
            quarantine.keep_segment(ring.files, ring.name, stray)
            ring.files.remove(ring.path(stray))
            continue
        known[segment.epoch] = segment
    ring.segments = [known[epoch] for epoch in sorted(known)]
    _drop_backward(ring, found)
    return True


def _header(ring: Ring, name: str) -> Header | None:
    try:
        return unpack_header(_read(ring, name, 0, HEADER_BYTES))
    except LinkError:  # a sector that cannot be read
        return None


def _without_header(ring: Ring, name: str) -> Segment | None:
    # The records still say everything, if the name says the epoch.
    try:
        epoch = int(name[len(SEGMENT) : -len(SUFFIX)])
    except ValueError:
        return None
    if not 0 < epoch < _EPOCHS:
        return None
    size = ring.files.size(ring.path(name))
    segment = Segment(name, epoch, 0, size)
    entry = walk(ring, segment, 0).next()
    if entry is None or entry.prio != ring.prio:
        return None
    segment.first_seq = entry.seq
    return segment


def _drop_backward(ring: Ring, found: Found) -> None:
    """Leave out segments whose numbers run backwards: of another log, copied here."""
    kept: list[Segment] = []
    for segment in reversed(ring.segments):
        if kept and segment.first_seq > kept[0].first_seq:
            found.remarks.append(f"{ring.name}/{segment.name}: numbers of another log, set aside")
            quarantine.keep_segment(ring.files, ring.name, segment.name)
            ring.files.remove(ring.path(segment.name))
        else:
            kept.insert(0, segment)
    ring.segments = kept


def walk(ring: Ring, segment: Segment, seq: int) -> Walker:
    """Return a walker over `segment` that opens the file for each window it reads."""

    def read(at: int, size: int) -> bytes:
        return _read(ring, segment.name, at, size)

    return Walker(read, segment.epoch, seq, segment.size_bytes)


def _read(ring: Ring, name: str, at: int, size: int) -> bytes:
    file = ring.files.open(ring.path(name))
    try:
        return file.read(at, size)
    finally:
        file.close()


def _read_cursor(ring: Ring) -> slots.Cursor | None:
    if CURSOR not in ring.files.names(ring.name):
        return None
    try:
        places = (0, slots.SLOT_BYTES)
        return slots.latest([_read(ring, CURSOR, at, slots.USED_BYTES) for at in places])
    except LinkError:
        return None


def _read_newest(ring: Ring, found: Found) -> Walker:
    """Learn the tail from the newest segment, and the books from as far back as they stand."""
    index = len(ring.segments) - 1
    newest = ring.segments[index]
    tail = walk(ring, newest, newest.first_seq)
    _collect(tail, found)
    ring.tail, ring.next_seq = tail.at, tail.seq
    while found.last is None and index > 0:
        index -= 1
        later, found.gaps = found.gaps, []
        segment = ring.segments[index]
        _collect(walk(ring, segment, segment.first_seq), found)
        found.gaps += later
    return tail


def all_gaps(ring: Ring, first: int) -> list[tuple[int, Gap]]:
    """Return every (number, gap) the ring holds from number `first` on; reads all of that."""
    gaps = []
    for segment in ring.segments[ring.find(first) :]:
        found = Found()
        _collect(walk(ring, segment, segment.first_seq), found, GAP)
        gaps += [(seq, gap) for seq, gap, _, _ in found.gaps]
    return gaps


def _collect(walker: Walker, found: Found, only: int | None = None) -> None:
    while True:
        entry = walker.next()
        if entry is None:
            return
        if only not in (None, entry.kind):
            continue
        try:
            if entry.kind == BOOT:
                found.last = unpack_boot(entry.payload)
                found.boot = max(found.boot, found.last.boot)
                found.gaps = []  # its books include them
            elif entry.kind == GAP:
                _, gap, again, void = unpack_gap(entry.payload)
                found.gaps.append((entry.seq, gap, again, void))
            elif entry.kind == TIME:
                found.anchors.append(unpack_time(entry.payload))
        except BadReply:  # intact, but not of our making: nothing we can learn from it
            continue


def _read_tail(ring: Ring, walker: Walker, found: Found) -> None:
    """See whether the last thing written was cut short, and how many readings went with it."""
    newest = ring.segments[-1]
    short = ring.files.size(ring.path(newest.name)) < newest.size_bytes
    if short or _is_blind(ring, walker):
        why = "cut short" if short else "its end cannot be read"
        found.remarks.append(f"{ring.name}/{newest.name}: {why}")
        ring.tail = newest.size_bytes  # nothing more is written into it
        _skip_numbers(ring, found)
        return
    head = walker.bytes_at(ring.tail, RECORD_BYTES)
    if head == bytes(len(head)):
        return
    ring.dirty_to = (ring.tail + RECORD_BYTES + _BLOCK_BYTES) & -_BLOCK_BYTES
    if len(head) < RECORD_BYTES:
        return
    size, epoch, kind, _, count, seq = fields(head)
    if epoch != newest.epoch and seq != walker.seq:
        # Nothing of ours. In a recycled file that is an older record, whose end mark was torn.
        if newest.epoch < ring.files_held:
            _skip_numbers(ring, found)
        return
    try:
        payload = walker.bytes_at(ring.tail + RECORD_BYTES, size)
        kind, count = DATA, len(unpack_data(payload)[1])
    except BadReply:
        pass  # the payload is what was hit, so the header can be believed
    if count > _TORN_COUNT_MAX:
        _skip_numbers(ring, found)
    elif walker.seq + count > ring.next_seq:
        first, last = ring.next_seq, walker.seq + count - 1
        readings = 0 if kind in (GAP, AUDIT) else last - first + 1
        found.lost.append((first, last, readings, last - first + 1 - readings))
        ring.next_seq = last + 1


def _is_blind(ring: Ring, walker: Walker) -> bool:
    """Say whether records may stand behind the tail, in what cannot be read."""
    if walker.blind_to <= ring.tail:
        return False
    try:  # what was written last is followed by its end mark
        return any(_read(ring, ring.segments[-1].name, ring.tail, RECORD_BYTES))
    except LinkError:
        return True


def _skip_numbers(ring: Ring, found: Found) -> None:
    # Numbers may have been sent that are not on disk any more; they must not be given out again.
    first = ring.next_seq
    found.lost.append((first, first + VOID_JUMP - 1, 0, VOID_JUMP))
    ring.next_seq += VOID_JUMP


def _identify(
    ring: Ring, slot: slots.Cursor | None, found: Found, random: Callable[[int], bytes]
) -> None:
    """Settle log id and cursor; what is unknown costs duplicates at the platform, never loss."""
    log_id = found.last.log_id if found.last is not None else None
    if slot is not None and log_id in (None, slot.log_id):
        ring.log_id = slot.log_id
        ring.cursor = ring.saved = slot.acked
        ring.generation = slot.generation
        found.boot = max(found.boot, slot.boot)
        found.stopped = slot.boot if slot.flags & slots.STOPPED else 0
        ring.next_seq = max(ring.next_seq, slot.acked + 1)
        return
    found.cursor_lost = True
    found.remarks.append(f"{ring.name}: cursor lost, sending again from {ring.low}")
    ring.log_id = log_id or random(8)
    ring.cursor = ring.low - 1
    ring.files.create(ring.path(CURSOR), slots.FILE_BYTES)
    ring.files.sync_folder(ring.name)


def _format(ring: Ring, found: Found, random: Callable[[int], bytes], at_once_bytes: int) -> None:
    """Reserve all space, so that a disk filled by others cannot stop us later; a new log."""
    files = ring.files
    for name in files.names(ring.name):
        files.remove(ring.path(name))
    ring.spares, ring.growing = [], []
    ring.log_id = random(8)
    _reserve(ring, found, at_once_bytes)
    files.create(ring.path(CURSOR), slots.FILE_BYTES)
    files.sync_folder(ring.name)
    ring.write_cursor()


def _reserve(ring: Ring, found: Found, at_once_bytes: int) -> None:
    """Bring the ring to the number of files wanted, or to as many as the disk has room for."""
    files = ring.files
    for names, make in ((ring.spares, files.create), (ring.growing, files.reserve)):
        for name in names:
            if files.size(ring.path(name)) != ring.segment_bytes:
                make(ring.path(name), ring.segment_bytes)
    at_once = max(at_once_bytes // ring.segment_bytes, FILES_MIN)
    number = 0
    while ring.files_held < ring.files_wanted or not (ring.spares or ring.growing):
        number += 1
        name = f"{number:08}{SUFFIX}"
        if SPARE + name in ring.spares or GROWING + name in ring.growing:
            continue
        try:
            if len(ring.segments) + len(ring.spares) < at_once:
                files.create(ring.path(SPARE + name), ring.segment_bytes)
                ring.spares.append(SPARE + name)
            else:
                files.reserve(ring.path(GROWING + name), ring.segment_bytes)
                ring.growing.append(GROWING + name)
        except LinkError:
            if ring.files_held < FILES_MIN:
                raise
            held, ring.files_wanted = ring.files_held, ring.files_held
            found.remarks.append(f"{ring.name}: {held * ring.segment_bytes} bytes: disk full")
            break
    files.sync_folder(ring.name)
    if ring.growing and not ring.spares:
        ring.take_growing()
