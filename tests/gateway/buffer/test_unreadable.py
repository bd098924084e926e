"""A sector that cannot be read is no empty one: no number behind it is used again."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from gateway.buffer.buffer import Buffer
from gateway.buffer.store import Settings
from gateway.core.errors import LinkError
from gateway.core.reading import BULK, Gap, Point, Reading
from tests.support import virtual
from tests.support.disk import SimDisk, SimFile

if TYPE_CHECKING:
    from gateway.core.reading import Batch

POINTS = [Point("device/channel", "", "V", BULK, 1000)]
SETTINGS = Settings(4 * 65_536, 16 * 65_536, 65_536, 10_000)
SECTOR = 4096


async def opened(disk: SimDisk) -> Buffer:
    return await Buffer.open(
        disk, SETTINGS, POINTS, kernel="k", version="0", random=Random(1).randbytes
    )


async def everything(buffer: Buffer) -> dict[int, Reading | Gap]:
    found: dict[int, Reading | Gap] = {}
    after = 0
    while True:
        batch: Batch | None = await buffer.next_batch(BULK, after)
        if batch is None:
            return found
        found.update(enumerate(batch.items, batch.seq))
        after = max(found)


@pytest.mark.parametrize("times", [1, 10**9])
@pytest.mark.parametrize("sector", range(4))
def test_unreadable_sector_leads_to_no_number_used_twice(
    monkeypatch: pytest.MonkeyPatch, sector: int, times: int
) -> None:
    left = 0
    real = SimFile.read

    def read(self: SimFile, at: int, size: int) -> bytes:
        nonlocal left
        hit = at < (sector + 1) * SECTOR and at + size > sector * SECTOR
        if hit and self._path.startswith("bulk/s-") and left:
            left -= 1
            raise LinkError(f"{self._path}: Input/output error")
        return real(self, at, size)

    async def story() -> None:
        nonlocal left
        disk = SimDisk()
        before = await opened(disk)
        for at_ms in range(12):  # 12 kB of records, the last of which ends in the third sector
            before.add(BULK, [Reading("device/channel", "x" * 900, at_ms)])
            await before.commit()
        sent = await everything(before)
        assert len(sent) == 12
        disk = disk.copy()
        monkeypatch.setattr(SimFile, "read", read)
        left = times
        again = await opened(disk)
        again.add(BULK, [Reading("device/channel", "y" * 900, at_ms) for at_ms in range(9)])
        await again.commit()
        left = 0
        found = await everything(again)
        fresh = {seq for seq, one in found.items() if getattr(one, "value", "").startswith("y")}
        assert len(fresh) == 9
        assert not fresh & set(sent)
        if times == 1:  # it was there at the second try
            assert {seq: found[seq] for seq in sent} == sent

    virtual.run(story())
