"""Power cuts at any moment, on a disk that keeps what it likes of what was not synced."""

from __future__ import annotations

from random import Random

import pytest

from gateway.buffer import segment
from gateway.buffer.payload import pack_data, pack_reading
from gateway.buffer.store import Settings
from tests.faults.world import LATER, SMALL, WIDE, World
from tests.support.disk import SimDisk


def storm(
    seed: int,
    turns: int,
    share: float,
    settings: Settings = SMALL,
    **mutants: bool,
) -> tuple[int, World]:
    """Run one gateway life; at some operations also live the life in which power fails there."""
    chance = Random(seed)
    dice = Random(-seed)
    world = World(chance, settings)
    for name, value in mutants.items():
        setattr(world.disk, name, value)
    states = 0

    def hook(operation: str, path: str) -> None:
        nonlocal states
        if operation != "read" and dice.random() < share:
            states += 1
            after_power_cut(world, dice)

    world.disk.hook = hook
    world.start()
    for _ in range(turns):
        world.turn()
    world.disk.hook = None
    world.check()
    return states, world


def after_power_cut(world: World, dice: Random) -> None:
    disk: SimDisk = world.disk.after_power_cut(dice)
    twin = world.fork(disk)
    if dice.random() < 0.2:  # and again, somewhere in the start itself
        operations = dice.randint(1, 20)
        second: list[World] = []

        def hook(operation: str, path: str) -> None:
            nonlocal operations
            operations -= 1
            if operations == 0:
                second.append(twin.fork(disk.after_power_cut(dice)))

        disk.hook = hook
        twin.start()
        disk.hook = None
        twin = second[0] if second else twin
    twin.start()
    twin.check()
    if dice.random() < 0.2:
        twin.commit("bulk", 5)
        twin.commit("crit", 1)
        twin.check()


def test_power_cut_loses_nothing_durable_in_2000_states() -> None:
    states = 0
    seed = 0
    while states < 2000:
        found, _ = storm(seed, 60, 0.15, (SMALL, WIDE, LATER)[seed % 3])
        states += found
        seed += 1
    assert states >= 2000


def test_power_cut_run_evicts_and_rolls_and_tears() -> None:
    # The storm is only worth something if it meets what it is meant for.
    gaps = set()
    for seed in range(6):
        _, world = storm(seed, 200, 0.0)
        gaps |= {gap.reason for gap in world.gaps}
        assert world.store is not None
        assert world.store.rings["bulk"].segments[-1].epoch > 6, "never recycled a segment"
    assert gaps >= {"evicted", "rejected"}


@pytest.mark.parametrize("mutant", ["mutant_no_sync", "mutant_no_folder_sync"])
def test_power_cut_catches_the_mutant(mutant: str) -> None:
    for seed in range(100):
        try:
            storm(seed, 60, 0.15, SMALL, **{mutant: True})
        except (AssertionError, KeyError, ValueError):
            return
    pytest.fail(f"{mutant} lived through 100 storms")


def torn_end_mark(stale_at: int) -> tuple[int, int]:
    """Cut power so that a record is kept and the end mark behind it is not.

    The file is a recycled one, with an intact record of another epoch at byte `stale_at`.
    Return (where the torn end mark stood, invented readings served).
    """
    world = World(Random(1))
    world.start()
    stale = pack_data(1, 0, [pack_reading(0, 0, "stale", "good")])
    stale = segment.pack_record(segment.DATA, 0, 1, 1_000_000, 77, stale)
    for path, inode in world.disk.names_seen.items():
        if path.startswith("bulk/spare-"):
            inode.seen[stale_at : stale_at + len(stale)] = stale
            inode.safe = bytes(inode.seen)
    assert world.store is not None
    ring = world.store.rings["bulk"]
    while len(ring.segments) < 2:
        world.commit("bulk", 5)
    path = f"bulk/{ring.segments[-1].name}"
    before = world.disk.names_seen[path].safe
    world.commit("bulk", 5)
    inode = world.disk.names_seen[path]
    inode.seen[ring.tail : ring.tail + 24] = before[ring.tail : ring.tail + 24]
    inode.safe = bytes(inode.seen)
    twin = world.fork(world.disk.copy())
    store = twin.start()
    after = invented = 0
    while True:
        batch = store.next_batch("bulk", after, 64, 8192)
        if batch is None:
            return ring.tail, invented
        after = batch.seq + len(batch.items) - 1
        invented += len([item for item in batch.items if getattr(item, "value", 0) == "stale"])


def test_power_cut_catches_the_mutant_without_epoch_check(monkeypatch: pytest.MonkeyPatch) -> None:
    place, _ = torn_end_mark(4000)
    assert torn_end_mark(place) == (place, 0)
    real = segment.fields

    class Anything(int):
        def __ne__(self, other: object) -> bool:
            return False

    def any_epoch(head: bytes) -> tuple[int, int, int, int, int, int]:
        size, epoch, kind, prio, count, seq = real(head)
        return size, Anything(epoch), kind, prio, count, seq

    monkeypatch.setattr(segment, "fields", any_epoch)
    assert torn_end_mark(place) == (place, 1), "the mutant must serve what nobody measured"
