"""Packs made smaller: zlib (RFC 1950), whose first byte no SenML-CBOR pack can have.

Knows bytes only.
"""

from __future__ import annotations

import zlib

from gateway.core.errors import BadReply

LEVEL = 9  # packs have a few kB: the slowest level costs 0.1 ms
_FIRST = 0x78  # deflate with a 32 KiB window; an array, which a pack is, begins 0x80 … 0x9b


def deflate(data: bytes) -> bytes:
    """Return `data` as a zlib stream."""
    return zlib.compress(data, LEVEL)


def is_deflated(data: bytes) -> bool:
    """Return whether a payload is a zlib stream rather than a pack."""
    return data[:1] == bytes((_FIRST,))


def inflate(data: bytes, size_max: int) -> bytes:
    """Return what was deflated; BadReply if it is damaged, or would exceed `size_max` bytes."""
    stream = zlib.decompressobj()
    try:
        found = stream.decompress(data, size_max)
    except zlib.error as error:
        raise BadReply(f"deflate: {error}", data[:64])
    if not stream.eof or stream.unused_data:
        raise BadReply(f"deflate: not one stream of at most {size_max} bytes", data[:64])
    return found
