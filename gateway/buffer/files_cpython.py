"""The buffer's directory on Linux: pread, pwrite, fdatasync, flock. Raises LinkError, one place."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from typing import TYPE_CHECKING

from gateway.core.errors import ConfigError, LinkError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

_ZEROS = bytes(1 << 20)


class DiskFile:
    """An open file, addressed by place."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor = _try(path, lambda: os.open(path, os.O_RDWR | os.O_CLOEXEC))

    def read(self, at: int, size: int) -> bytes:
        return _try(self._path, lambda: os.pread(self._descriptor, size, at))

    def write(self, at: int, data: bytes) -> None:
        while data:
            done = self._write_some(at, data)
            at, data = at + done, data[done:]

    def _write_some(self, at: int, data: bytes) -> int:
        return _try(self._path, lambda: os.pwrite(self._descriptor, data, at))

    def sync(self) -> None:
        _try(self._path, lambda: os.fdatasync(self._descriptor))

    def close(self) -> None:
        _try(self._path, lambda: os.close(self._descriptor))


class DiskFiles:
    """The directory `root`, made if it is not there."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._lock = -1

    def lock(self) -> None:
        _try(self._root, lambda: os.makedirs(self._root, mode=0o750, exist_ok=True))
        path = self._path("LOCK")
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        descriptor = _try(path, lambda: os.open(path, flags, 0o640))
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise ConfigError(f"buffer {self._root} is in use by another process")
        except OSError as error:
            os.close(descriptor)
            raise LinkError(f"{path}: {error}")
        self._lock = descriptor

    def make_folder(self, folder: str) -> None:
        path = self._path(folder)
        if not os.path.isdir(path):
            _try(path, lambda: os.mkdir(path, 0o750))
            self.sync_folder("")

    def names(self, folder: str) -> list[str]:
        try:
            return sorted(os.listdir(self._path(folder)))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise LinkError(f"{folder}: {error}")

    def size(self, path: str) -> int:
        path = self._path(path)
        return _try(path, lambda: os.stat(path).st_size)

    def free_bytes(self) -> int:
        found = _try(self._root, lambda: os.statvfs(self._root))
        return found.f_bavail * found.f_frsize

    def create(self, path: str, size_bytes: int) -> None:
        # Written, not only reserved: blocks that were never written cost a second flush each time.
        full = self._path(path)
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        descriptor = _try(full, lambda: os.open(full, flags, 0o640))
        try:
            done = 0
            while done < size_bytes:
                done += os.pwrite(descriptor, _ZEROS[: size_bytes - done], done)
            os.fdatasync(descriptor)
        except OSError as error:
            with contextlib.suppress(OSError):  # a medium gone read-only keeps it
                os.unlink(full)
            raise LinkError(f"{full}: {error}")
        finally:
            os.close(descriptor)

    def reserve(self, path: str, size_bytes: int) -> None:
        full = self._path(path)
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        descriptor = _try(full, lambda: os.open(full, flags, 0o640))
        try:
            os.posix_fallocate(descriptor, 0, size_bytes)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.unlink(full)
            raise LinkError(f"{full}: {error}")
        finally:
            os.close(descriptor)

    def open(self, path: str) -> DiskFile:
        return DiskFile(self._path(path))

    def rename(self, old: str, new: str) -> None:
        _try(self._path(old), lambda: os.rename(self._path(old), self._path(new)))

    def remove(self, path: str) -> None:
        _try(self._path(path), lambda: os.unlink(self._path(path)))

    def remove_folder(self, folder: str) -> None:
        _try(self._path(folder), lambda: shutil.rmtree(self._path(folder)))

    def sync_folder(self, folder: str) -> None:
        path = self._path(folder)
        descriptor = _try(path, lambda: os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        try:
            _try(path, lambda: os.fsync(descriptor))
        finally:
            os.close(descriptor)

    def close(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _path(self, path: str) -> str:
        return os.path.join(self._root, path) if path else self._root


def _try(path: str, work: Callable[[], T]) -> T:
    try:
        return work()
    except OSError as error:
        raise LinkError(f"{path}: {error.strerror or error}")
