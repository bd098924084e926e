"""More losses than the books repeat: none is forgotten, and the accounts stay exact."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.buffer.books import NOTES_MIN
from gateway.buffer.store import Settings, Work
from gateway.core.clock import Anchor
from gateway.core.reading import BULK, CRIT, RINGS
from tests.faults.world import SMALL, WIDE, World, text
from tests.support.disk import SimDisk

STEPS = st.lists(
    st.tuples(st.sampled_from("BBCCRRrbckskxd"), st.integers(1, 30)), min_size=20, max_size=160
)


def step(world: World, kind: str, count: int) -> None:
    """Do one thing: a commit, a refusal, an acknowledgement, damage, a start."""
    store = world.store
    assert store is not None
    if kind in "BC":
        world.commit(BULK if kind == "B" else CRIT, min(count, 16 if kind == "B" else 6))
    elif kind in "Rr":
        ring = BULK if kind == "R" else CRIT
        _, cursor, last = store.state()[ring]
        if cursor < last:
            store.reject(ring, min(cursor + count, last), "too large")
    elif kind in "bc":
        world.send(BULK if kind == "b" else CRIT, count)
    elif kind == "k":
        store.save_cursors()
    elif kind == "s":
        store.close()
        world.start()
    elif kind == "x":
        store.close()
        world.disk = world.disk.copy()
        world.start()
    elif kind == "d":
        rot(world, count)


def rot(world: World, count: int) -> None:
    """Hit one byte of a reading in the oldest segment that is not confirmed, if not the newest."""
    store = world.store
    assert store is not None
    ring = store.rings[BULK]
    index = ring.find(ring.cursor + 1)
    if index + 1 < len(ring.segments):
        path = f"bulk/{ring.segments[index].name}"
        seen = world.disk.names_seen[path].seen
        place = seen.find(text(0)[:20].encode(), 2048 + 64 * count)
        if place >= 0:
            seen[place] ^= 1


def exact(world: World) -> None:
    """Check that every reading ever made is in the accounts, once."""
    store = world.store
    assert store is not None
    counts = store.counts()
    assert counts["sampled"] == world.made
    assert counts["sampled"] == counts["delivered"] + counts["gaps"] + counts["buffered"]
    assert not store.books.crowded
    opening = store.rings[CRIT].opening
    assert opening is not None
    room = sum(len(draft.payload) for draft in opening(store.rings[CRIT]))
    assert room < world.settings.segment_bytes // 2


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 1 << 32), st.sampled_from([SMALL, WIDE]), STEPS)
def test_books_stay_exact_whatever_is_lost(
    seed: int, room: Settings, steps: list[tuple[str, int]]
) -> None:
    world = World(Random(seed), room)
    world.start()
    for kind, count in steps:
        step(world, kind, count)
        exact(world)
    world.check()
    exact(world)


def test_books_joined_and_joined_again_still_tell_everything() -> None:
    joined = given_up = 0
    for seed in range(12):
        world = World(Random(seed), SMALL)
        world.start()
        most = 0
        for turn in range(400):
            kind = world.chance.choice("BBBCRR" if turn % 97 else "s")
            step(world, kind, world.chance.randint(1, 30))
            assert world.store is not None
            books = world.store.books
            most = max(most, sum(note.since != note.seq for note in books.notes))
        world.check()
        exact(world)
        joined += most
        given_up += sum(gap.reason == "evicted" and gap.ring == BULK for gap in world.gaps)
    assert joined > 12, "no two notes were ever joined"
    assert given_up > 12


@pytest.mark.parametrize("ring", RINGS)
def test_books_do_not_grow_while_a_platform_is_away_for_long(ring: str) -> None:
    world = World(Random(5), SMALL)
    world.start()
    sizes = []
    for turn in range(1500):
        world.commit(ring, 12 if ring == BULK else 6)
        if turn % 250 == 0:
            step(world, "s", 1)
        if turn % 100 == 0:
            exact(world)
        assert world.store is not None
        sizes.append(len(world.store.books.notes))
    assert max(sizes) <= NOTES_MIN
    world.check()


def test_books_of_a_segment_full_of_notes_stop_no_start() -> None:
    size = 16_384
    world = World(Random(3), Settings(8 * size, 8 * size, size, 10_000))
    store = world.start()
    work = Work()
    work.anchors = [Anchor(store.boot, at, 10**12 + at, 50, "ntp") for at in range(0, 64_000, 1000)]
    store.commit(work)
    starts = 0
    for number in range(700):  # each note confirmed, and forgotten
        work = Work()
        work.dropped[BULK] = 40_000 + number
        store.commit(work)
        store.acked(CRIT, store.state()[CRIT][2])
        if number % 7 == 0:
            twin = world.fork(world.disk.copy())
            gaps = store.counts()["gaps"]
            assert twin.start().counts()["gaps"] == gaps
            starts += 1
    assert starts == 100


def test_books_in_a_log_that_is_lost_are_told_in_the_next() -> None:
    """The crit ring is gone; what it told of bulk, and nobody confirmed, is told again."""
    world = World(Random(3), SMALL)
    world.start()
    for _ in range(80):
        world.commit(BULK, 16)
    store = world.store
    assert store is not None
    before = [note.gap for note in store.books.notes if note.gap.ring == BULK]
    assert len(before) > 4
    store.close()
    disk: SimDisk = world.disk.copy()
    for path in list(disk.names_seen):
        if path.startswith("crit/"):
            del disk.names_seen[path]
    world.disk, world.damaged = disk, True
    store = world.start()
    world.drain()
    # The newest note may be younger than the newest BOOT record of bulk.
    assert len(set(before) & world.gaps) >= len(before) - 1
    counts = store.counts()
    assert counts["sampled"] == counts["delivered"] + counts["gaps"] + counts["buffered"]
