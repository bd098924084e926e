"""A disk in memory that can lose power, tear writes, fill up and fail: the buffer's `Files`.

What was written and not synced survives a power cut sector by sector, each by chance; what was
done to names and not synced survives by chance too. A fault is set by name, and counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.errors import ConfigError, LinkError

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

SECTOR_BYTES = 512
PAGE_BYTES = 4096  # what is written, and lost, together


class Inode:
    """A file's bytes: as they are seen, as they are safe, and the writes between the two."""

    def __init__(self, size_bytes: int = 0) -> None:
        self.seen = bytearray(size_bytes)
        self.safe = bytes(size_bytes)
        self.pending: list[tuple[int, bytes]] = []

    def sync(self) -> None:
        """Make the pages safe that were written; what a failed sync lost stays lost."""
        safe = bytearray(self.safe)
        for at, data in self.pending:
            low, high = at & -PAGE_BYTES, (at + len(data) + PAGE_BYTES - 1) & -PAGE_BYTES
            safe[low:high] = self.seen[low:high]
        self.safe = bytes(safe)
        self.pending = []

    def after_power_cut(self, chance: Random) -> Inode:
        kept = bytearray(self.safe)
        for at, data in self.pending:
            mood = chance.random()  # all, nothing, or each sector for itself
            for start in range(at - at % SECTOR_BYTES, at + len(data), SECTOR_BYTES):
                if mood < 0.25 or (mood > 0.5 and chance.random() < 0.5):
                    low, high = max(start, at), min(start + SECTOR_BYTES, at + len(data))
                    kept[low:high] = data[low - at : high - at]
        found = Inode()
        found.seen, found.safe = kept, bytes(kept)
        return found


class SimFile:
    def __init__(self, disk: SimDisk, path: str, inode: Inode) -> None:
        self._disk = disk
        self._path = path
        self._inode = inode
        self._failed = False

    def read(self, at: int, size: int) -> bytes:
        self._disk.step("read", self._path)
        return bytes(self._inode.seen[at : at + size])

    def write(self, at: int, data: bytes) -> None:
        self._disk.step("write", self._path)
        self._inode.seen[at : at + len(data)] = data
        self._inode.pending.append((at, bytes(data)))
        self._disk.written_bytes += len(data)

    def sync(self) -> None:
        if self._failed:
            # As measured on ext4: the second answer is "fine", and the pages are gone.
            self._disk.lied_to += 1
            return
        try:
            self._disk.step("sync", self._path)
        except LinkError:
            self._failed = True
            self._inode.pending = []
            raise
        self._disk.syncs += 1
        if not self._disk.mutant_no_sync:
            self._inode.sync()

    def close(self) -> None:
        pass


class SimDisk:
    """`hook(operation, path)` runs before each operation and may raise LinkError."""

    def __init__(self, free_bytes: int = 1 << 30) -> None:
        self.names_seen: dict[str, Inode] = {}
        self.names_safe: dict[str, Inode] = {}
        self.pending: list[dict[str, Inode | None]] = []
        self.room = free_bytes
        self.hook: Callable[[str, str], None] | None = None
        self.mutant_no_sync = False
        self.mutant_no_folder_sync = False
        self.locked = False
        self.syncs = self.folder_syncs = self.written_bytes = self.lied_to = 0

    def step(self, operation: str, path: str) -> None:
        if self.hook is not None:
            self.hook(operation, path)

    def after_power_cut(self, chance: Random) -> SimDisk:
        """Return what a new start may find; this disk goes on as if nothing had happened."""
        found = SimDisk(self.room)
        found.mutant_no_sync = self.mutant_no_sync
        found.mutant_no_folder_sync = self.mutant_no_folder_sync
        names = dict(self.names_safe)
        for change in self.pending:
            if chance.random() < 0.5:
                for path, inode in change.items():
                    if inode is None:
                        names.pop(path, None)
                    else:
                        names[path] = inode
        cut: dict[int, Inode] = {}
        for path in sorted(names):
            inode = names[path]
            if id(inode) not in cut:
                cut[id(inode)] = inode.after_power_cut(chance)
            found.names_seen[path] = found.names_safe[path] = cut[id(inode)]
        return found

    def spoil(self, path: str, chance: Random) -> None:
        """Put nonsense into the first sector of a file, if there is one of that name."""
        inode = self.names_seen.get(path)
        if inode is not None:
            inode.seen[:SECTOR_BYTES] = chance.randbytes(SECTOR_BYTES)
            inode.safe = bytes(inode.seen)

    def copy(self) -> SimDisk:
        """Return this disk as it is seen: what a killed process leaves behind."""
        found = SimDisk(self.room)
        for path, inode in self.names_seen.items():
            twin = Inode()
            twin.seen, twin.safe = bytearray(inode.seen), bytes(inode.seen)
            found.names_seen[path] = found.names_safe[path] = twin
        return found

    def unsafe(self, start: str) -> str:
        """Return a file below `start` whose bytes or name a power cut could take back, or ""."""
        for path, inode in self.names_seen.items():
            if path.startswith(start):
                if inode.pending or self.names_safe.get(path) is not inode:
                    return path
        return ""

    def lock(self) -> None:
        if self.locked:
            raise ConfigError("buffer is in use by another process")
        self.locked = True

    def make_folder(self, folder: str) -> None:
        self.step("make_folder", folder)

    def names(self, folder: str) -> list[str]:
        start = f"{folder}/"
        return sorted(path[len(start) :] for path in self.names_seen if path.startswith(start))

    def size(self, path: str) -> int:
        return len(self._inode(path).seen)

    def free_bytes(self) -> int:
        return self.room

    def create(self, path: str, size_bytes: int) -> None:
        self.step("create", path)
        if size_bytes > self.room:
            raise LinkError(f"{path}: No space left on device")
        self.room -= size_bytes
        self.written_bytes += size_bytes
        self._change({path: Inode(size_bytes)})

    def reserve(self, path: str, size_bytes: int) -> None:
        self.create(path, size_bytes)

    def open(self, path: str) -> SimFile:
        self.step("open", path)
        return SimFile(self, path, self._inode(path))

    def rename(self, old: str, new: str) -> None:
        self.step("rename", old)
        if old in self.names_seen:
            self._change({new: self.names_seen[old], old: None})
            return
        moved: dict[str, Inode | None] = {}
        for name in self.names(old):
            moved[f"{new}/{name}"] = self.names_seen[f"{old}/{name}"]
            moved[f"{old}/{name}"] = None
        self._change(moved)

    def remove(self, path: str) -> None:
        self.step("remove", path)
        self.room += len(self._inode(path).seen)
        self._change({path: None})

    def remove_folder(self, folder: str) -> None:
        for name in self.names(folder):
            self.remove(f"{folder}/{name}")

    def sync_folder(self, folder: str) -> None:
        self.step("sync_folder", folder)
        self.folder_syncs += 1
        if not self.mutant_no_folder_sync:
            self.names_safe = dict(self.names_seen)
            self.pending = []

    def close(self) -> None:
        self.locked = False

    def _inode(self, path: str) -> Inode:
        if path not in self.names_seen:
            raise LinkError(f"{path}: No such file or directory")
        return self.names_seen[path]

    def _change(self, change: dict[str, Inode | None]) -> None:
        self.pending.append(change)
        for path, inode in change.items():
            if inode is None:
                self.names_seen.pop(path, None)
            else:
                self.names_seen[path] = inode
