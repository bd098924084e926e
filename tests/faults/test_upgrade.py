"""Versions: a ring that 0.1.0 wrote is read to the last reading; a newer one's is left alone."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from random import Random
from typing import Any

import pytest

from gateway.buffer import segment
from gateway.buffer.payload import Table, pack_reading
from gateway.buffer.store import Group, Settings, Store, Work
from gateway.core.decimal import Decimal
from gateway.core.reading import BULK, CRIT, RINGS, Gap, Reading
from tests.support.disk import Inode, SimDisk

OLD = json.loads((Path(__file__).parent.parent / "vectors" / "ring-0.1.0.json").read_text())
SIZE = OLD["segment_bytes"]
SETTINGS = Settings(4 * SIZE, 4 * SIZE, SIZE, 10_000)


def old_disk() -> SimDisk:
    """Return a card as version 0.1.0 left it, killed in its third life."""
    disk = SimDisk()
    for path, packed in OLD["files"].items():
        inode = Inode()
        inode.seen = bytearray(zlib.decompress(base64.b64decode(packed)))
        inode.safe = bytes(inode.seen)
        disk.names_seen[path] = disk.names_safe[path] = inode
    return disk


def opened(disk: SimDisk) -> tuple[Store, Table]:
    table = Table()
    store = Store(disk, SETTINGS, table, "kernel-new", "new", Random(1).randbytes)
    store.open()
    return store, table


def held(store: Store, ring: str) -> list[list[Any]]:
    """Return what `ring` holds, as the vector file writes it."""
    rows: list[list[Any]] = []
    after = store.state()[ring][1]
    while True:
        batch = store.next_batch(ring, after, 64, 8192)
        if batch is None:
            return rows
        for seq, item in enumerate(batch.items, batch.seq):
            rows.append([seq, batch.boot, *_shown(item)])
        after = batch.seq + len(batch.items) - 1


def _shown(item: Reading | Gap) -> list[Any]:
    if isinstance(item, Gap):
        return ["gap", item.ring, item.first, item.last, item.count, item.reason]
    value: Any = item.value
    if isinstance(value, Decimal):
        value = ["decimal", value.mantissa, value.exponent]
    return [item.point, value, item.at_ms, item.quality]


def test_upgrade_reads_everything_that_version_0_1_0_wrote() -> None:
    disk = old_disk()
    for boot in (4, 5, 6):  # and again from what this version added to it
        store, _ = opened(disk)
        assert (store.boot, store.ended) == (boot, "power" if boot == 4 else "crashed")
        for ring in RINGS:
            assert held(store, ring) == OLD["holds"][ring]
            log_id, cursor, last = store.state()[ring]
            assert [log_id.hex(), cursor, last] == OLD["state"][ring]
        assert store.counts() == OLD["counts"]
        assert [[one.boot, one.at_ms, one.wall_ms] for one in store.anchors] == OLD["anchors"]
        store.close()


def test_upgrade_goes_on_in_the_old_ring_and_keeps_its_accounts() -> None:
    store, table = opened(old_disk())
    for turn in range(60):
        work, group = Work(), Group(turn)
        for _ in range(9):
            group.readings.append(pack_reading(0, table.number("device/x"), "x" * 20, "good"))
        work.groups[BULK].append(group)
        store.commit(work)
    counts = store.counts()
    assert counts["sampled"] == OLD["counts"]["sampled"] + 540
    assert counts["sampled"] == counts["delivered"] + counts["gaps"] + counts["buffered"]
    assert counts["delivered"] == OLD["counts"]["delivered"]
    told = [row for row in held(store, CRIT) if row[2] == "gap"]
    assert sum(row[6] for row in told) == counts["gaps"]
    assert counts["buffered"] == len(held(store, BULK)) + len(held(store, CRIT)) - len(told)


@pytest.mark.parametrize("rings", [(BULK,), (CRIT,), RINGS])
def test_upgrade_undone_a_ring_of_a_newer_version_is_set_aside_untouched(
    rings: tuple[str, ...],
) -> None:
    disk = old_disk()
    for ring in rings:
        name = max(name for name in disk.names(ring) if name.startswith("s-"))
        seen = disk.names_seen[f"{ring}/{name}"].seen
        header = segment.unpack_header(bytes(seen[: segment.HEADER_BYTES]))
        assert header is not None
        header.version = segment.VERSION + 1
        seen[: segment.HEADER_BYTES] = segment.pack_header(header)
    kept = {path: bytes(inode.seen) for path, inode in disk.names_seen.items()}
    store, table = opened(disk)
    for path, data in kept.items():
        ring = path.split("/")[0]
        if ring in rings:
            assert bytes(disk.names_seen[f"quarantine-{path}"].seen) == data
    for ring in RINGS:
        log_id = store.state()[ring][0].hex()
        assert (log_id == OLD["state"][ring][0]) == (ring not in rings)
    work, group = Work(), Group(1)
    group.readings.append(pack_reading(0, table.number("device/x"), 7, "good"))
    work.groups[BULK].append(group)
    store.commit(work)
    assert held(store, BULK)[-1][3] == 7
    counts = store.counts()
    assert counts["sampled"] == counts["delivered"] + counts["gaps"] + counts["buffered"]
