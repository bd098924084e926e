"""Packs made smaller: zlib (RFC 1950), whose first byte no SenML-CBOR pack can have.

Knows bytes only, and a preset dictionary where it is given one.
"""

from __future__ import annotations

import zlib

from gateway.core.errors import BadReply

LEVEL = 9  # packs have two kB: the slowest level costs 0.04 ms
_MEMORY = 8  # zlib's own default; more or less of it changes nothing for packs
_FIRST = 0x78  # deflate with a 32 KiB window; an array, which a pack is, begins 0x80 … 0x9b


def deflate(data: bytes, dictionary: bytes = b"") -> bytes:
    """Return `data` as a zlib stream; its reader needs the same `dictionary`."""
    if not dictionary:
        return zlib.compress(data, LEVEL)
    stream = zlib.compressobj(
        LEVEL, zlib.DEFLATED, zlib.MAX_WBITS, _MEMORY, zlib.Z_DEFAULT_STRATEGY, dictionary
    )
    return stream.compress(data) + stream.flush()


def is_deflated(data: bytes) -> bool:
    """Return whether a payload is a zlib stream rather than a pack."""
    return data[:1] == bytes((_FIRST,))


def inflate(data: bytes, size_max: int, dictionary: bytes = b"") -> bytes:
    """Return what was deflated; BadReply if it is damaged, or would exceed `size_max` bytes.

    With another `dictionary` than it was deflated with it is damaged.
    """
    stream = zlib.decompressobj(zdict=dictionary) if dictionary else zlib.decompressobj()
    try:
        found = stream.decompress(data, size_max)
    except zlib.error as error:
        raise BadReply(f"deflate: {error}", data[:64])
    if not stream.eof or stream.unused_data:
        raise BadReply(f"deflate: not one stream of at most {size_max} bytes", data[:64])
    return found
