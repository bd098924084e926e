"""Starts that are killed, again and again: boot counts rise, and the rings stay whole."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from gateway.buffer.buffer import Buffer
from gateway.core.clock import Anchor
from gateway.core.errors import LinkError
from gateway.core.reading import BULK, CRIT, Point, Reading
from tests.faults.world import SMALL, World
from tests.support import virtual
from tests.support.disk import SimDisk

if TYPE_CHECKING:
    from gateway.buffer.files import Files

KILLS = 1000
POINTS = [Point("device/channel", "", "V", BULK, 1000)]


class Killed(BaseException):
    """The process is no more."""


def killed_start(world: World, dice: Random, operations: int) -> bool:
    """Start, and end after so many disk operations; return whether the start was through."""
    disk = world.disk

    def hook(operation: str, _path: str) -> None:
        nonlocal operations
        operations -= operation != "read"
        if operations < 0:
            raise Killed

    disk.hook = hook
    try:
        world.start()
        world.commit(CRIT, 1)
        through = True
    except Killed:
        through = False
    world.disk = disk.after_power_cut(dice) if dice.random() < 0.5 else disk.copy()
    world.store = None
    return through


def test_starts_killed_a_thousand_times_count_strictly_upwards() -> None:
    dice = Random(30)
    world = World(dice, SMALL)
    through = 0
    for _ in range(KILLS):
        before = world.boot
        if killed_start(world, dice, dice.randint(0, 60)):
            through += 1
            assert world.boot > before
    assert 100 < through < KILLS - 100
    world.start()
    world.check()
    assert through < world.boot <= KILLS + 2, "and none was skipped for nothing"


async def opened(disk: Files, dice: Random) -> Buffer:
    return await Buffer.open(disk, SMALL, POINTS, kernel="k", version="0", random=dice.randbytes)


def test_starts_on_a_dead_card_never_share_a_boot_count() -> None:
    """Nor do lives on a card that can only be read: none of them could count itself."""

    async def story() -> None:
        dice = Random(1)
        boots = []
        for written_before in (False, True):
            disk = SimDisk()
            if written_before:
                buffer = await opened(disk, dice)
                assert buffer.boot == 1
                buffer.anchor(Anchor(1, 5, 1_800_000_000_000, 1, "ntp"))
                await buffer.commit()
                disk = disk.copy()

            def fails(operation: str, path: str, also_read: bool = not written_before) -> None:
                if also_read or operation not in ("read", "open"):
                    raise LinkError(f"{path}: gone")

            disk.hook = fails
            for _ in range(50):
                buffer = await opened(disk, dice)
                assert not buffer.durable
                assert buffer.anchors() == [], "times of other lives"
                boots.append(buffer.boot)
                buffer.add(BULK, [Reading("device/channel", 1, 1)])
                await buffer.commit()
                batch = await buffer.next_batch(BULK, 0)
                assert batch is not None
                assert batch.boot == buffer.boot
                disk.close()
        assert len(set(boots)) == len(boots) == 100
        assert all(1 << 31 <= boot < 1 << 32 for boot in boots)
        disk.hook = None
        assert (await opened(disk, dice)).boot == 2

    virtual.run(story())


def test_starts_after_a_kill_make_durable_what_they_found() -> None:
    """Killed before its sync, and no room for the next BOOT: it goes to a fresh segment."""
    found = 0
    for seed in range(40):
        world = World(Random(seed), SMALL)
        store = world.start()
        while store.rings[BULK].segments[-1].size_bytes - store.rings[BULK].tail > 240:
            world.commit(BULK, 1 + seed % 4)

        def die(operation: str, _path: str) -> None:
            if operation == "sync":
                raise Killed

        world.disk.hook = die
        try:
            world.commit(BULK, 1)
        except Killed:
            world.disk.hook = None
            world.disk.close()
            store = world.start()
            segments = [name for name in world.disk.names(BULK) if name.startswith("s-")]
            assert store.rings[BULK].tail
            for name in segments:
                assert not world.disk.names_seen[f"{BULK}/{name}"].pending, name
            found += len(segments) > 1
    assert found > 20, "that it needed a fresh segment"
