"""Power cuts at any moment, on a disk that keeps what it likes of what was not synced."""

from __future__ import annotations

from random import Random

import pytest

from gateway.buffer import segment
from tests.faults.world import SMALL, WIDE, World
from tests.support.disk import SimDisk


def storm(
    seed: int, turns: int, share: float, settings: object = SMALL, **mutants: bool
) -> tuple[int, World]:
    """Run one gateway life; at some operations also live the life in which power fails there."""
    chance = Random(seed)
    dice = Random(-seed)
    world = World(chance, settings)  # type: ignore[arg-type]
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
        found, _ = storm(seed, 60, 0.15, SMALL if seed % 2 else WIDE)
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
        except (AssertionError, KeyError):
            return
    pytest.fail(f"{mutant} lived through 100 storms")


def test_power_cut_catches_the_mutant_without_epoch_check(monkeypatch: pytest.MonkeyPatch) -> None:
    real = segment.fields

    class Anything(int):
        def __ne__(self, other: object) -> bool:
            return False

    def any_epoch(head: bytes) -> tuple[int, int, int, int, int, int]:
        size, epoch, kind, prio, count, seq = real(head)
        return size, Anything(epoch), kind, prio, count, seq

    monkeypatch.setattr(segment, "fields", any_epoch)
    for seed in range(100):
        try:
            storm(seed, 60, 0.15)
        except (AssertionError, KeyError):
            return
    pytest.fail("the mutant lived through 100 storms")
