"""What a disk was told, and what may be left of it when the power goes.

Knows the format that dm-log-writes and QEMU's `blklogwrites` write (Linux kernel, Documentation/
admin-guide/device-mapper/log-writes.rst), and what a disk with a volatile cache promises: only what
came before a completed flush is there; of the rest any part, down to single sectors.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from gateway.core.errors import BadReply

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

SECTOR_BYTES = 512
MAGIC = 0x6A736677736872
FLUSH, FUA, DISCARD = 1, 2, 4
ENDINGS = ("kept", "dropped", "some", "torn")
_SUPER = struct.Struct("<QQQI")
_ENTRY = struct.Struct("<QQQQ")


class Entry(NamedTuple):
    """`data` written at byte `at`; `end` is where in the log this entry ends."""

    at: int
    data: bytes
    flags: int
    end: int


def read_log(log: bytes) -> list[Entry]:
    """Return the entries the superblock counts; BadReply if this is no such log."""
    if len(log) < SECTOR_BYTES:
        raise BadReply("no superblock", log)
    magic, version, count, sector_bytes = _SUPER.unpack_from(log)
    if (magic, version, sector_bytes) != (MAGIC, 1, SECTOR_BYTES):
        raise BadReply("not a log of block writes", log[: _SUPER.size])
    entries: list[Entry] = []
    at = SECTOR_BYTES
    for _ in range(count):
        if at + SECTOR_BYTES > len(log):
            raise BadReply(f"the log ends before entry {len(entries)}", b"")
        sector, sectors, flags, _ = _ENTRY.unpack_from(log, at)
        at += SECTOR_BYTES
        size = 0 if flags & DISCARD else sectors * SECTOR_BYTES
        entries.append(Entry(sector * SECTOR_BYTES, log[at : at + size], flags, at + size))
        at += size
    return entries


class Cuts:
    """Disks as power cuts leave them, from the first moment to the last.

    `image` is the disk before the first entry; moments are asked for in ascending order. The first
    `whole_bytes` are never torn: ext4 does not mount with a torn superblock, and a disk as small as
    ours has no second copy of it to be repaired from, as every card has.
    """

    def __init__(self, image: bytes, entries: Sequence[Entry], whole_bytes: int = 0) -> None:
        self._entries = entries
        self._whole_bytes = whole_bytes
        self._safe = bytearray(image)  # what no power cut can take back
        self._safe_to = 0  # entries that are in it

    def unsafe(self, moment: int) -> list[Entry]:
        """Return the writes that a cut after `moment` entries may take back."""
        flushed = moment
        while flushed > self._safe_to and not self._entries[flushed - 1].flags & FLUSH:
            flushed -= 1
        for entry in self._entries[self._safe_to : flushed]:
            _write(self._safe, entry.at, entry.data)
        self._safe_to = flushed
        return [entry for entry in self._entries[flushed:moment] if entry.data]

    def left(self, moment: int, ending: str, dice: Random) -> bytearray:
        """Return the disk after a cut behind `moment` entries.

        `ending`: the unflushed writes are all "kept", all "dropped", "some" kept, or "torn", which
        is some kept and of the last one only some sectors. What was written through is always kept.
        """
        writes = self.unsafe(moment)
        disk = bytearray(self._safe)
        for place, entry in enumerate(writes):
            through = bool(entry.flags & FUA)
            if ending == "torn" and place == len(writes) - 1 and not through:
                self._tear(disk, entry, dice)
            elif through or ending == "kept" or (ending != "dropped" and dice.random() < 0.5):
                _write(disk, entry.at, entry.data)
        return disk

    def _tear(self, disk: bytearray, entry: Entry, dice: Random) -> None:
        start = 0
        while start < len(entry.data):
            size = max(self._whole_bytes - entry.at - start, SECTOR_BYTES)
            if dice.random() < 0.5:
                _write(disk, entry.at + start, entry.data[start : start + size])
            start += size


def _write(disk: bytearray, at: int, data: bytes) -> None:
    disk[at : at + len(data)] = data
