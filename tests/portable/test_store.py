"""The store over a real folder, through the files of a board, which both Pythons can run."""

import os
from binascii import hexlify

from gateway.buffer.files_micropython import BoardFiles
from gateway.buffer.payload import Table, pack_reading
from gateway.buffer.store import Group, Settings, Store, Work
from gateway.buffer.writer_micropython import open_buffer
from gateway.core import aio
from gateway.core.clock import Anchor
from gateway.core.decimal import Decimal
from gateway.core.reading import BULK, CRIT, Gap, Point, Reading

SIZE = 4096
SETTINGS = Settings(4 * SIZE, 4 * SIZE, SIZE, 10_000)


class Folder:
    """A fresh folder, removed at the end."""

    def __init__(self) -> None:
        self.root = "/tmp/tidegate-" + hexlify(os.urandom(6)).decode()

    def __enter__(self) -> BoardFiles:
        self.files = BoardFiles(self.root)
        return self.files

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        for name in os.listdir(self.root):
            self.files.remove_folder(name)
        os.rmdir(self.root)


def opened(files: BoardFiles) -> tuple[Store, Table]:
    table = Table()
    store = Store(files, SETTINGS, table, "kernel", "0.1", os.urandom)
    store.open()
    return store, table


def work(table: Table, ring: str, values: list[object], at_ms: int) -> Work:
    group = Group(at_ms)
    for value in values:
        group.readings.append(pack_reading(0, table.number("device/channel"), value, "good"))
    found = Work()
    found.groups[ring].append(group)
    return found


def items(store: Store, ring: str) -> list[Reading | Gap]:
    found: list[Reading | Gap] = []
    after = store.state()[ring][1]
    while True:
        batch = store.next_batch(ring, after, 64, 8192)
        if batch is None:
            return found
        found += batch.items
        after = batch.seq + len(batch.items) - 1


def test_store_serves_what_it_was_given_again_after_each_start() -> None:
    values = [True, -5, 1.5, Decimal(269, -2), "text", b"blob", None]
    with Folder() as files:
        for start in range(1, 4):
            store, table = opened(files)
            assert store.boot == start
            store.commit(work(table, BULK, values, start))
            store.close()
            found = items(store, BULK)
            assert len(found) == 7 * start
            assert found[-7:] == [Reading("device/channel", value, start) for value in values]
            assert store.counts() == {
                "sampled": 7 * start,
                "delivered": 0,
                "gaps": 0,
                "buffered": 7 * start,
            }


def test_store_moves_the_cursor_only_by_what_was_sent() -> None:
    with Folder() as files:
        store, table = opened(files)
        store.commit(work(table, CRIT, [1, 2, 3], 0))
        for seq in (-1, 0, 4, 1 << 63):
            store.acked(CRIT, seq)
            assert store.state()[CRIT][1] == 0
        store.acked(CRIT, 2)
        store.acked(CRIT, 1)
        assert store.state()[CRIT][1] == 2
        assert store.counts()["delivered"] == 2
        assert items(store, CRIT) == [Reading("device/channel", 3, 0)]
        store.save_cursors()
        store.close()
        store, _ = opened(files)
        assert items(store, CRIT) == [Reading("device/channel", 3, 0)]
        store.close()


def test_store_full_ring_evicts_its_oldest_segment_and_says_so() -> None:
    with Folder() as files:
        store, table = opened(files)
        for start in range(30):
            store.commit(work(table, BULK, ["x" * 240] * 3, start))
        gaps = items(store, CRIT)
        held = items(store, BULK)
        store.close()
    assert len(gaps) > 2
    lost = 0
    for gap in gaps:
        assert isinstance(gap, Gap)
        assert (gap.ring, gap.reason, gap.first) == (BULK, "evicted", lost + 1)
        assert gap.count == gap.last - gap.first + 1
        lost = gap.last
    assert lost + len(held) == 90
    assert store.counts() == {
        "sampled": 90,
        "delivered": 0,
        "gaps": lost,
        "buffered": 90 - lost,
    }


def test_store_full_crit_ring_repeats_its_notices() -> None:
    with Folder() as files:
        store, table = opened(files)
        for start in range(30):
            store.commit(work(table, BULK, ["x" * 240] * 3, start))
        told = items(store, CRIT)
        for start in range(35):
            store.commit(work(table, CRIT, ["y" * 240] * 2, start))
        found = items(store, CRIT)
        counts = store.counts()
        store.close()
    for gap in told:
        assert gap in found
    own = [item for item in found if isinstance(item, Gap) and item.ring == CRIT]
    held = [item for item in found if isinstance(item, Reading)]
    assert len(own) > 1
    assert sum([gap.count for gap in own]) + len(held) == 70
    lost = sum([gap.count for gap in found if isinstance(gap, Gap)])
    assert counts["gaps"] == lost
    assert counts["sampled"] == 160


def test_store_rejected_reading_becomes_a_gap() -> None:
    with Folder() as files:
        store, table = opened(files)
        store.commit(work(table, BULK, [1, 2, 3], 0))
        store.reject(BULK, 2, "too large")
        store.reject(BULK, 2, "too large")
        log_id = store.state()[BULK][0]
        for _ in range(2):
            assert [item.value for item in items(store, BULK)] == [1, 3]  # type: ignore[union-attr]
            assert items(store, CRIT) == [Gap(BULK, log_id, 2, 2, 1, "rejected")]
            assert store.counts()["gaps"] == 1
            store.close()
            store, _ = opened(files)
        assert files.names("quarantine") == ["rejected-bulk-2.cbor"]
        store.close()


def test_store_anchors_survive_a_start() -> None:
    with Folder() as files:
        store, _ = opened(files)
        found = Work()
        found.anchors = [Anchor(1, 1000, 1_800_000_000_000, 5, "ntp")]
        store.commit(found)
        store.close()
        store, _ = opened(files)
        assert store.anchors == [Anchor(1, 1000, 1_800_000_000_000, 5, "ntp")]
        store.close()


def test_store_many_anchors_leave_room_in_small_segments() -> None:
    with Folder() as files:
        store, _ = opened(files)
        for hour in range(100):
            found = Work()
            found.anchors = [Anchor(1, 3_600_000 * hour, 1_800_000_000_000, 5, "ntp")]
            store.commit(found)
        store.close()
        store, _ = opened(files)  # which needs a segment to hold all anchors
        assert 8 <= len(store.anchors) <= 16
        assert [store.anchors[0].at_ms, store.anchors[-1].at_ms] == [0, 99 * 3_600_000]
        store.close()


def test_buffer_on_a_board_delivers_and_accounts() -> None:
    async def story() -> None:
        with Folder() as files:
            points = [Point("device/channel", "", "V", BULK, 1000)]
            for start in range(2):
                buffer = await open_buffer(files._root, SETTINGS, points, "0.1")
                assert buffer.boot == start + 1
                buffer.add(BULK, [Reading("device/channel", step, step) for step in range(20)])
                buffer.add(CRIT, [Reading("device/channel", None, 7, "no-reply")])
                await buffer.commit()
                batch = await buffer.next_batch(BULK, buffer.cursor(BULK), 8)
                assert batch is not None
                assert batch.items[7] == Reading("device/channel", 7 + 8 * start, 7 + 8 * start)
                buffer.acked(BULK, batch.log_id, batch.seq + 7)
                buffer.acked(BULK, bytes(8), batch.seq + 8)
                await buffer.commit()
                counts = buffer.counts()
                assert counts["sampled"] == 21 * (start + 1)
                assert counts["delivered"] == 8 * (start + 1)
                assert counts["buffered"] == 13 * (start + 1)
                assert counts["acks_ignored"] == 1
                # A stop saves nothing, so the cursor would be sent again; save it here.
                buffer._store.save_cursors()
                await buffer.close()

    aio.run(story())
