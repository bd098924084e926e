"""A medium that refuses: failed syncs, a disk filled by others, a card gone read-only."""

from __future__ import annotations

from random import Random

import pytest

from gateway.buffer.buffer import READINGS_MAX, Buffer
from gateway.buffer.volatile import ITEMS_MAX
from gateway.core.errors import ConfigError, LinkError
from gateway.core.reading import BULK, CRIT, Gap, Point, Reading
from tests.faults.world import SMALL, WIDE, World
from tests.support import virtual
from tests.support.disk import SimDisk

POINTS = [Point("device/channel", "", "V", BULK, 1000)]


class Fault:
    """Fails every operation `kind` from number `first` on, `times` times."""

    def __init__(self, kind: str, first: int, times: int = 1) -> None:
        self.kind = kind
        self.left = first
        self.times = times
        self.failed = 0

    def __call__(self, operation: str, path: str) -> None:
        if operation == self.kind or (self.kind == "any" and operation != "read"):
            self.left -= 1
            if self.left < 0 and self.failed < self.times:
                self.failed += 1
                raise LinkError(f"{path}: Input/output error")


@pytest.mark.parametrize("kind", ["sync", "write"])
def test_medium_one_failure_anywhere_loses_nothing_and_is_never_asked_again(kind: str) -> None:
    survived = 0
    for number in range(60):
        world = World(Random(7), WIDE)
        world.start()
        world.disk.hook = fault = Fault(kind, number)
        for _ in range(40):
            world.turn()
        world.disk.hook = None
        survived += fault.failed
        assert world.disk.lied_to == 0, "a failed sync was asked again"
        world.check()
        twin = world.fork(world.disk.after_power_cut(Random(number)))
        twin.start()
        twin.check()
    assert survived > 30


def test_medium_disk_filled_by_others_cannot_stop_a_formatted_ring() -> None:
    world = World(Random(3), SMALL)
    world.start()
    world.disk.room = 0
    for _ in range(400):
        world.turn()
    world.check()
    assert world.store is not None
    assert world.store.rings[BULK].segments[-1].epoch > 10


def test_medium_a_small_disk_shrinks_the_rings_and_says_so() -> None:
    world = World(Random(3), WIDE)
    world.disk.room = 20 * 8192
    store = world.start()
    files = {ring: store.rings[ring].files_wanted for ring in (CRIT, BULK)}
    assert files == {CRIT: 3, BULK: 8}
    assert len([remark for remark in store.remarks if "disk full" in remark]) == 2
    for _ in range(100):
        world.turn()
    world.check()
    store.close()
    world.disk.room = 0
    store = world.start()
    assert {ring: store.rings[ring].files_wanted for ring in (CRIT, BULK)} == files


def test_medium_full_and_power_gone_as_the_last_spare_was_taken_still_starts() -> None:
    async def story() -> None:
        disk = SimDisk()
        buffer = await opened(disk)
        while len([name for name in disk.names_seen if name.startswith("bulk/s-")]) < 4:
            buffer.add(BULK, some(0, 200))
            await buffer.commit()
        left = disk.copy()
        for name in [name for name in left.names_seen if name.startswith("bulk/spare-")]:
            del left.names_seen[name], left.names_safe[name]
        left.room = 0
        again = await opened(left)
        assert again.durable
        assert identity(again)["gaps"]  # the oldest segment went, and that was said

    virtual.run(story())


async def opened(disk: SimDisk) -> Buffer:
    chance = Random(1)
    return await Buffer.open(disk, SMALL, POINTS, kernel="k", version="0", random=chance.randbytes)


def identity(buffer: Buffer) -> dict[str, int]:
    counts = buffer.counts()
    assert counts["sampled"] == counts["delivered"] + counts["gaps"] + counts["buffered"]
    return counts


def some(first: int, count: int) -> list[Reading]:
    return [Reading("device/channel", first + step, first) for step in range(count)]


def test_medium_read_only_goes_on_in_ram_under_new_logs() -> None:
    async def story() -> None:
        disk = SimDisk()
        buffer = await opened(disk)
        buffer.add(BULK, some(0, 10))
        await buffer.commit()
        old = buffer.log_id(BULK)
        assert buffer.durable
        disk.hook = Fault("any", 0, 10**9)
        buffer.add(BULK, some(10, 10))
        buffer.add(CRIT, some(20, 2))
        buffer.changed.clear()
        await buffer.commit()
        assert not buffer.durable
        assert buffer.changed.is_set()
        assert buffer.log_id(BULK) != old, "numbers on the disk must not name other readings"
        assert identity(buffer)["buffered"] == 22
        batch = await buffer.next_batch(BULK, 0)
        assert batch is not None
        assert (batch.seq, batch.items) == (1, some(10, 10))
        buffer.acked(BULK, old, 5)
        assert buffer.acks_ignored == 1
        buffer.acked(BULK, batch.log_id, 10)
        await buffer.commit()
        assert identity(buffer)["delivered"] == 10
        assert await buffer.next_batch(BULK, 10) is None
        await buffer.reject(CRIT, 1, "too large")
        crit = await buffer.next_batch(CRIT, 0)
        assert crit is not None
        assert isinstance(crit.items[0], Gap)
        assert identity(buffer)["gaps"] == 1
        for start in range(0, 2 * ITEMS_MAX, 1000):
            buffer.add(BULK, some(start, 1000))
            await buffer.commit()
        counts = identity(buffer)
        assert counts["sampled"] == 22 + 2 * ITEMS_MAX
        assert counts["buffered"] <= ITEMS_MAX + 10
        disk.hook = None
        disk.locked = False
        again = await opened(disk)
        assert again.log_id(BULK) == old
        assert identity(again)["buffered"] == 10

    virtual.run(story())


def test_medium_unusable_from_the_start_still_starts() -> None:
    async def story() -> None:
        disk = SimDisk(free_bytes=100)
        buffer = await opened(disk)
        assert not buffer.durable
        buffer.add(BULK, some(0, READINGS_MAX + 4))
        assert identity(buffer)["gaps"] == 4
        await buffer.commit()
        assert identity(buffer)["sampled"] == READINGS_MAX + 4

    virtual.run(story())


def test_medium_in_use_is_for_a_person_to_solve() -> None:
    async def story() -> None:
        disk = SimDisk()
        await opened(disk)
        with pytest.raises(ConfigError, match="in use"):
            await opened(disk)

    virtual.run(story())
