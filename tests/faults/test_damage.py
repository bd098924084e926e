"""Bit rot, lost and shuffled files: a start always succeeds, and what is intact is served."""

from __future__ import annotations

import functools
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.buffer import segment
from gateway.core.errors import LinkError
from gateway.core.reading import BULK, CRIT, RINGS, Gap, Reading
from tests.faults.world import SMALL, WIDE, World
from tests.support.disk import Inode, SimDisk

SEEDS = 8


@functools.cache
def life(seed: int) -> World:
    """Return a gateway's life that ended with kill -9; fork it, do not go on with it."""
    chance = Random(seed)
    world = World(chance, WIDE if seed % 2 else SMALL)
    world.start()
    for _ in range(60):
        world.turn()
    world.commit(BULK, 9)
    world.commit(CRIT, 3)
    assert world.store is not None
    world.store.save_cursors()
    return world


def records(disk: SimDisk) -> dict[tuple[str, int], segment.Entry]:
    """Return every intact DATA record by (file, byte), as a stranger would find it."""
    found = {}
    for path, inode in disk.names_seen.items():
        header = segment.unpack_header(bytes(inode.seen[:32]))
        if "/s-" not in path or header is None or not path.startswith(RINGS[header.ring % 2]):
            continue
        data = bytes(inode.seen)

        def read(at: int, size: int, data: bytes = data) -> bytes:
            return data[at : at + size]

        walker = segment.Walker(read, header.epoch, header.first_seq, header.size_bytes)
        while (entry := walker.next()) is not None:
            if entry.kind == segment.DATA:
                found[path, entry.at] = entry
    return found


def mutate(disk: SimDisk, kind: str, file: int, place: int, other: int) -> str:
    """Do one bad thing to the disk and return which file it was done to."""
    paths = sorted(disk.names_seen)
    path = paths[file % len(paths)]
    inode = disk.names_seen[path]
    size = len(inode.seen)
    if kind == "flip" and size:
        inode.seen[place % size] ^= 1 << other % 8
    elif kind == "zero" and size:
        start = place % size & -512
        inode.seen[start : start + 512] = bytes(len(inode.seen[start : start + 512]))
    elif kind == "truncate":
        del inode.seen[place % (size + 1) :]
    elif kind == "delete":
        del disk.names_seen[path]
    elif kind in ("duplicate", "rename"):
        twin = Inode()
        twin.seen = bytearray(inode.seen)
        target = f"{path.split('/')[0]}/s-{other % 99:08}.sgl"
        if target not in disk.names_seen:
            disk.names_seen[target] = twin
            if kind == "rename":
                del disk.names_seen[path]
    elif kind == "swap":
        second = paths[other % len(paths)]
        disk.names_seen[path], disk.names_seen[second] = disk.names_seen[second], inode
    disk.names_safe = dict(disk.names_seen)
    for changed in disk.names_seen.values():
        changed.safe = bytes(changed.seen)
    return path


KINDS = ["flip", "flip", "flip", "zero", "truncate", "delete", "duplicate", "rename", "swap"]
MUTATION = st.tuples(
    st.sampled_from(KINDS),
    st.integers(0, 10_000),
    st.integers(0, 10_000),
    st.integers(0, 10_000),
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, SEEDS - 1), st.lists(MUTATION, min_size=1, max_size=4))
def test_damage_never_stops_a_start_and_intact_readings_are_served(
    seed: int, mutations: list[tuple[str, int, int, int]]
) -> None:
    past = life(seed)
    disk = past.disk.copy()
    for kind, file, place, other in mutations:
        mutate(disk, kind, file, place, other)
    intact = records(disk)
    world = past.fork(disk)
    world.damaged = True
    store = world.start()
    before = store.state()
    world.sent = {}
    world.drain()
    assert world.drain() == store.counts()["buffered"]
    counts = store.counts()
    assert counts["sampled"] == counts["delivered"] + counts["gaps"] + counts["buffered"]
    assert min(counts.values()) >= 0
    assert past.store is not None
    for ring in RINGS:
        log_id, cursor, last = before[ring]
        if log_id != past.store.state()[ring][0]:
            continue  # nothing was left to know the log by
        slots = past.disk.names_seen[f"{ring}/cursor"].seen
        left = disk.names_seen.get(f"{ring}/cursor")
        if left is not None and left.seen[: len(slots)] == slots:
            old = past.store.state()[ring][1]
            assert old <= cursor <= store.books.skip(ring, old + 1) - 1
        for (path, _), entry in intact.items():
            if not path.startswith(ring):
                continue
            for seq in range(max(entry.seq, cursor + 1), entry.seq + entry.count):
                item = world.sent.get((ring, log_id, seq))
                assert item is not None or store.books.skip(ring, seq) != seq, (path, entry.seq)
        for (name, log, seq), value in past.durable.items():
            if name != ring or not cursor < seq or log != log_id:
                continue
            if (ring, log_id, seq) in world.sent or store.books.skip(ring, seq) != seq:
                continue
            # The one silent loss: a tail wiped so clean that it looks never written. (The
            # notes written at the start took some of its numbers.)
            assert seq > last - 5, f"{ring} {seq} ({value}) lost without a word"


def test_damage_to_any_bit_of_the_last_record_is_a_gap_of_exactly_its_readings() -> None:
    past = life(2)
    assert past.store is not None
    ring = past.store.rings[BULK]
    path = f"bulk/{ring.segments[-1].name}"
    last = [entry for (name, _), entry in records(past.disk).items() if name == path][-1]
    assert last.count == 9
    exact = 0
    for place in range(last.at, last.at + segment.RECORD_BYTES + len(last.payload)):
        disk = past.disk.copy()
        disk.names_seen[path].seen[place] ^= 1 << place % 8
        world = past.fork(disk)
        store = world.start()
        log_id, _, durable = store.state()[BULK]
        assert durable >= last.seq + 8, "numbers would be given out again"
        gap = Gap(BULK, log_id, last.seq, last.seq + 8, 9, "corrupt")
        exact += gap in [note.gap for note in store.books.notes]
        world.drain()
        world.commit(BULK, 2)
        world.check()
    assert exact == segment.RECORD_BYTES + len(last.payload)


def test_damage_in_the_middle_is_a_gap_and_a_quarantined_copy() -> None:
    past = life(1)
    assert past.store is not None
    cursor = past.store.state()[BULK][1]
    found = sorted(
        (entry.seq, path, entry.at)
        for (path, _), entry in records(past.disk).items()
        if path.startswith("bulk/") and entry.seq > cursor + 1
    )
    seq, path, at = found[0]
    count = found[1][0] - seq
    disk = past.disk.copy()
    disk.names_seen[path].seen[at + 30] ^= 0x40
    world = past.fork(disk)
    store = world.start()
    for _ in range(2):
        world.check()
        assert [note.gap.count for note in store.books.notes if note.gap.first == seq] == [count]
        copies = [name for name in disk.names("quarantine") if name.endswith(".sgl")]
        assert copies == [path.replace("/", "-")]
        store.close()
        store = world.start()


def test_damage_to_both_cursor_slots_sends_again_from_the_oldest() -> None:
    past = life(3)
    disk = past.disk.copy()
    for ring in RINGS:
        disk.names_seen[f"{ring}/cursor"].seen[:] = bytes(8192)
    world = past.fork(disk)
    store = world.start()
    assert past.store is not None
    for ring in RINGS:
        assert store.state()[ring][0] == past.store.state()[ring][0]
        assert store.state()[ring][1] == store.books.skip(ring, store.rings[ring].low) - 1
    world.check()


def test_damage_newer_version_is_set_aside_and_not_touched() -> None:
    past = life(4)
    disk = past.disk.copy()
    newest = max(path for path in disk.names_seen if path.startswith("bulk/s-"))
    header = segment.unpack_header(bytes(disk.names_seen[newest].seen[:32]))
    assert header is not None
    header.version = 2
    disk.names_seen[newest].seen[:32] = segment.pack_header(header)
    kept = {path: bytes(inode.seen) for path, inode in disk.names_seen.items()}
    world = past.fork(disk)
    store = world.start()
    assert past.store is not None
    assert store.state()[BULK][0] != past.store.state()[BULK][0]
    assert store.state()[CRIT][0] == past.store.state()[CRIT][0]
    for path, data in kept.items():
        if path.startswith("bulk/"):
            assert bytes(disk.names_seen[f"quarantine-{path}"].seen) == data
    counts = store.counts()
    assert counts["sampled"] == counts["delivered"] + counts["gaps"] + counts["buffered"]


def test_damage_to_a_name_is_mended_from_the_other_ring() -> None:
    past = life(2)
    disk = past.disk.copy()
    hit = 0
    for path, inode in disk.names_seen.items():
        if path.startswith("bulk/s-"):
            place = bytes(inode.seen).find(b"device/")
            while place >= 0:
                inode.seen[place] ^= 1
                hit += 1
                place = bytes(inode.seen).find(b"device/", place)
    assert hit > 3
    world = past.fork(disk)
    world.damaged = True
    world.start()
    world.check()
    assert world.nameless == 0
    assert len(world.sent) > 20


@pytest.mark.parametrize("sector", [0, 4096])
def test_damage_unreadable_sector_is_a_gap(sector: int) -> None:
    past = life(1)
    disk = past.disk.copy()
    world = past.fork(disk)
    bad = "bulk/s-00000001.sgl"

    def read(at: int, size: int) -> bytes:
        if at < sector + 512 and at + size > sector:
            raise LinkError("Input/output error")
        return bytes(disk.names_seen[bad].seen[at : at + size])

    real = disk.open

    def opening(path: str) -> object:
        file = real(path)
        if path == bad:
            file.read = read  # type: ignore[method-assign]
        return file

    disk.open = opening  # type: ignore[method-assign, assignment]
    world.damaged = True
    store = world.start()
    world.check()
    # What stood in the first sector was confirmed long ago.
    gaps = [note.gap for note in store.books.notes if note.gap.reason == "corrupt"]
    assert bool(gaps) == (sector > 0)
    served = [item for item in world.sent.values() if isinstance(item, Reading)]
    assert served


@pytest.mark.parametrize("digits", ["99999999999", "\xb2", "00000001-7"])
def test_damage_a_file_with_a_name_of_no_segment_never_stops_a_start(digits: str) -> None:
    past = life(2)
    disk = past.disk.copy()
    disk.names_seen[f"crit/s-{digits}.sgl"] = Inode(SMALL.segment_bytes)
    world = past.fork(disk)
    world.start()
    assert f"crit/s-{digits}.sgl" not in disk.names_seen
    world.drain()
    world.check()
