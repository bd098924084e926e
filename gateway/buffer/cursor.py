"""How far the platform has confirmed a ring: one 40-byte slot, written alternately in two places.

Knows the bytes; knows no file. A torn write spoils one slot, and the other one still holds.
"""

from __future__ import annotations

import struct
from binascii import crc32

from gateway.core.record import Record

FILE_BYTES = 8192
SLOT_BYTES = 4096  # a slot to a page: writing one never touches the other
USED_BYTES = 40

STOPPED = 1  # of the flags: the life that wrote this ended because it was told to

_MAGIC = b"SGLC"
_SLOT = "<4sI8sQIII"


class Cursor(Record):
    """Numbers up to `acked` are confirmed; the slot with the highest `generation` holds."""

    __slots__ = ("acked", "boot", "commands", "flags", "generation", "log_id")

    def __init__(
        self, log_id: bytes, acked: int, boot: int, generation: int, flags: int = 0
    ) -> None:
        self.log_id = log_id
        self.acked = acked
        self.boot = boot
        self.generation = generation
        self.commands = 0  # the command counter, for signed commands
        self.flags = flags


def pack(cursor: Cursor) -> bytes:
    """Return the used bytes of a slot."""
    body = struct.pack(
        _SLOT,
        *(_MAGIC, cursor.generation, cursor.log_id, cursor.acked, cursor.boot),
        *(cursor.commands, cursor.flags),
    )
    return body + struct.pack("<I", crc32(body))


def slot_at(generation: int) -> int:
    """Return the byte in the file where the slot of `generation` stands."""
    return generation % 2 * SLOT_BYTES


def latest(slots: list[bytes]) -> Cursor | None:
    """Return the valid slot of the higher generation of those given, or None."""
    best: Cursor | None = None
    for slot in slots:
        found = _unpack(slot[:USED_BYTES])
        if found is not None and (best is None or found.generation > best.generation):
            best = found
    return best


def _unpack(data: bytes) -> Cursor | None:
    if len(data) != USED_BYTES or data[:4] != _MAGIC:
        return None
    if crc32(data[:36]) != struct.unpack("<I", data[36:])[0]:
        return None
    _, generation, log_id, acked, boot, commands, flags = struct.unpack(_SLOT, data[:36])
    cursor = Cursor(log_id, acked, boot, generation, flags)
    cursor.commands = commands
    return cursor
