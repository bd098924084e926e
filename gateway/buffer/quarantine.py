"""What the buffer could not use, kept for a person to look at; bounded, and never in the way.

Failing to keep something is no failure of the buffer: readings matter more than evidence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core import cbor
from gateway.core.errors import LinkError

if TYPE_CHECKING:
    from typing import Any

    from gateway.buffer.files import Files

FOLDER = "quarantine"
SEGMENTS_MAX = 2  # the first ones: they show how it began; more would only eat the card
REJECTED_MAX = 16

_COPY_BYTES = 65_536


def keep_segment(files: Files, ring: str, name: str) -> None:
    """Copy the damaged segment `name` of `ring`, if there is room."""
    target = f"{ring}-{name}"
    try:
        kept = _kept(files, ".sgl")
        if target in kept or len(kept) >= SEGMENTS_MAX:
            return
        source = f"{ring}/{name}"
        size = files.size(source)
        if size > files.free_bytes() // 2:
            return
        _write(files, target, size, source)
    except LinkError:
        return


def keep_rejected(files: Files, ring: str, seq: int, what: dict[str, Any]) -> None:
    """Write down a reading that the platform's broker will not take, if there is room."""
    try:
        if len(_kept(files, ".cbor")) >= REJECTED_MAX:
            return
        data = cbor.encode(what)
        files.make_folder(FOLDER)
        path = f"{FOLDER}/rejected-{ring}-{seq}.cbor"
        files.create(path, len(data))
        file = files.open(path)
        try:
            file.write(0, data)
            file.sync()
        finally:
            file.close()
        files.sync_folder(FOLDER)
    except LinkError:
        return


def set_ring_aside(files: Files, ring: str) -> None:
    """Move the whole ring out of the way; an older one set aside before is removed."""
    target = f"{FOLDER}-{ring}"
    if files.names(target):
        files.remove_folder(target)
    files.rename(ring, target)
    files.sync_folder("")
    files.make_folder(ring)


def _kept(files: Files, suffix: str) -> list[str]:
    return [name for name in files.names(FOLDER) if name.endswith(suffix)]


def _write(files: Files, target: str, size: int, source: str) -> None:
    files.make_folder(FOLDER)
    files.create(f"{FOLDER}/{target}", size)
    reader = files.open(source)
    writer = files.open(f"{FOLDER}/{target}")
    try:
        at = 0
        while at < size:
            try:
                piece = reader.read(at, min(_COPY_BYTES, size - at))
                writer.write(at, piece)
            except LinkError:  # an unreadable place stays zero in the copy
                pass
            at += _COPY_BYTES
        writer.sync()
    finally:
        reader.close()
        writer.close()
    files.sync_folder(FOLDER)
