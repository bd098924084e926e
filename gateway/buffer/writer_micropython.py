"""The buffer on a board: its directory, and file work done where it is called."""

from __future__ import annotations

import os
from binascii import hexlify
from typing import TYPE_CHECKING

from gateway.buffer.buffer import Buffer
from gateway.buffer.files_micropython import BoardFiles

if TYPE_CHECKING:
    from gateway.buffer.store import Settings
    from gateway.core.reading import Point


async def open_buffer(path: str, settings: Settings, points: list[Point], version: str) -> Buffer:
    """Open the buffer in directory `path`."""
    kernel = hexlify(os.urandom(8)).decode()  # a board has no boot id of its own
    return await Buffer.open(
        *(BoardFiles(path), settings, points), kernel=kernel, version=version, random=os.urandom
    )
