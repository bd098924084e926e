"""What the buffer asks of a file system. Paths are relative to the buffer's directory.

Every failure of the medium is a LinkError. Nothing is durable before the `sync` that follows it,
and a name is not before `sync_folder`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Protocol

    class File(Protocol):
        """An open file; bytes are addressed by place."""

        def read(self, at: int, size: int) -> bytes:
            """Return up to `size` bytes, fewer at the end of the file."""

        def write(self, at: int, data: bytes) -> None:
            """Write all of `data`."""

        def sync(self) -> None:
            """Return once what was written would survive a power cut."""

        def close(self) -> None:
            """Give the descriptor back."""

    class Files(Protocol):
        """A directory."""

        def lock(self) -> None:
            """Become the one writer; ConfigError if another process is."""

        def make_folder(self, folder: str) -> None:
            """Make `folder` if it is not there, durably."""

        def names(self, folder: str) -> list[str]:
            """Return what `folder` holds, sorted; nothing if there is no such folder."""

        def size(self, path: str) -> int:
            """Return the bytes in a file."""

        def free_bytes(self) -> int:
            """Return the space left for us."""

        def create(self, path: str, size_bytes: int) -> None:
            """Make a file of zeros, durable but for its name, in place of one of that name."""

        def reserve(self, path: str, size_bytes: int) -> None:
            """Make a file that reads as zeros and has its space, durable with its name."""

        def open(self, path: str) -> File:
            """Open an existing file for reading and writing."""

        def rename(self, old: str, new: str) -> None:
            """Give a file or folder another name, replacing a file of that name."""

        def remove(self, path: str) -> None:
            """Remove a file."""

        def remove_folder(self, folder: str) -> None:
            """Remove a folder and the files in it."""

        def sync_folder(self, folder: str) -> None:
            """Return once the names in `folder` would survive a power cut."""

        def close(self) -> None:
            """Give up the lock."""
