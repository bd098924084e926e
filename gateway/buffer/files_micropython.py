"""The buffer's directory on a board. Raises LinkError, one place.

`flush` reaches the medium there. Folders cannot be synced and need not be: LittleFS changes
names atomically and in order. One process owns the board, so there is nothing to lock.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gateway.core import aio
from gateway.core.errors import LinkError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO, TypeVar

    T = TypeVar("T")

_ZEROS = bytes(4096)


class BoardFile:
    """An open file, addressed by place."""

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            self._file: BinaryIO = open(path, "r+b")  # noqa: SIM115 - closed by `close`
        except OSError as error:
            raise LinkError(f"{path}: {error}")

    def read(self, at: int, size: int) -> bytes:
        try:
            self._file.seek(at)
            return self._file.read(size)
        except OSError as error:
            raise LinkError(f"{self._path}: {error}")

    def write(self, at: int, data: bytes) -> None:
        try:
            self._file.seek(at)
            self._file.write(data)
        except OSError as error:
            raise LinkError(f"{self._path}: {error}")

    def sync(self) -> None:
        try:
            aio.sync(self._file)
        except OSError as error:
            raise LinkError(f"{self._path}: {error}")

    def close(self) -> None:
        try:
            self._file.close()  # which writes what is left
        except OSError as error:
            raise LinkError(f"{self._path}: {error}")


class BoardFiles:
    """The directory `root`."""

    def __init__(self, root: str) -> None:
        self._root = root

    def lock(self) -> None:
        if not _exists(self._root):
            _try(os.mkdir, self._root)

    def make_folder(self, folder: str) -> None:
        if not _exists(self._path(folder)):
            _try(os.mkdir, self._path(folder))

    def names(self, folder: str) -> list[str]:
        path = self._path(folder)
        return sorted(_try(os.listdir, path)) if _exists(path) else []

    def size(self, path: str) -> int:
        return int(_try(os.stat, self._path(path))[6])

    def free_bytes(self) -> int:
        found = _try(os.statvfs, self._root)
        return int(found[0] * found[3])

    def create(self, path: str, size_bytes: int) -> None:
        full = self._path(path)
        try:
            with open(full, "wb") as file:
                for at in range(0, size_bytes, len(_ZEROS)):
                    file.write(_ZEROS[: size_bytes - at])
                aio.sync(file)
        except OSError as error:
            if _exists(full):
                self.remove(path)
            raise LinkError(f"{full}: {error}")

    def reserve(self, path: str, size_bytes: int) -> None:
        self.create(path, size_bytes)  # no board can take space without writing it

    def open(self, path: str) -> BoardFile:
        return BoardFile(self._path(path))

    def rename(self, old: str, new: str) -> None:
        try:
            os.rename(self._path(old), self._path(new))
        except OSError as error:
            raise LinkError(f"{self._path(old)}: {error}")

    def remove(self, path: str) -> None:
        _try(os.remove, self._path(path))

    def remove_folder(self, folder: str) -> None:
        for name in self.names(folder):
            self.remove(f"{folder}/{name}")
        _try(os.rmdir, self._path(folder))

    def sync_folder(self, folder: str) -> None:
        pass

    def close(self) -> None:
        pass

    def _path(self, path: str) -> str:
        return f"{self._root}/{path}"


def _try(work: Callable[[str], T], path: str) -> T:
    try:
        return work(path)
    except OSError as error:
        raise LinkError(f"{path}: {error}")


def _exists(path: str) -> bool:
    try:
        os.stat(path)
    except OSError:
        return False
    return True
