"""The preset dictionary (RFC 1950 §2.3, FDICT) that both ends make of a birth certificate.

It holds what the gateway's packs repeat: how the records of its points begin, the names of its
devices, its logs. It begins with a digest of all that, so that two sites never share an id by the
way their names are swapped: Adler-32 alone would not see it.
Knows no zlib: boards send plain packs.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from gateway.core.reading import RINGS
from gateway.uplink import senml
from gateway.uplink.bases import URN, split
from gateway.uplink.topics import is_log_id

if TYPE_CHECKING:
    from typing import Any

BODY_BYTES_MAX = 32_000  # of the 32 KiB that deflate looks back, less what it needs for itself
DIGEST_BYTES = 16
# v: a number whose mantissa takes two bytes; whole, with one digit after the point, with two.
_NUMBERS = (b"\x02\x19", b"\x02\xc4\x82\x20\x19", b"\x02\xc4\x82\x21\x19")
_TIME = b"\x22\xc4\x82\x22\x1b\x00\x00\x01"  # bt: milliseconds of these decades
_FIRST = b"\x63cnt\x18\x40\x63log\x48", b"\x63low\x1a\x00\x63seq\x1a\x00\x64boot"
DEFLATED = 0x78  # the first byte of a deflated pack
_PRESET = 0x20  # FDICT, a bit of the second byte
_ADLER = 65_521


def dictionary(birth: dict[str, Any]) -> bytes:
    """Return the dictionary of the gateway whose birth certificate this is (checked before)."""
    heads: dict[bytes, bool] = {}
    devices: dict[bytes, bool] = {}
    for name, _, unit, *_ in birth.get("points", []):
        device, channel = split(name)
        named = senml.field(senml.NAME, channel)
        told = named + senml.field(senml.UNIT, unit) if unit else named
        heads[(b"\xa3" if unit else b"\xa2") + told] = True
        devices[senml.field(senml.BASE_NAME, f"{URN}{birth['gw']}:{device}") + _TIME] = True
    logs = [birth.get("logs", {}).get(ring) for ring in RINGS]
    firsts = [_FIRST[0] + log + _FIRST[1] for log in logs if is_log_id(log)]
    numbers = [head + number for number in _NUMBERS for head in heads]
    body = b"".join(list(devices) + firsts + numbers)
    return hashlib.sha256(body).digest()[:DIGEST_BYTES] + body[-BODY_BYTES_MAX:]


def identity(data: bytes) -> int:
    """Return the id of a dictionary: its Adler-32 (RFC 1950 §8.2)."""
    low, high = 1, 0
    for byte in data:
        low = (low + byte) % _ADLER
        high = (high + low) % _ADLER
    return high << 16 | low


def wanted(payload: bytes) -> int | None:
    """Return the id of the dictionary that a payload was deflated with, None if with none."""
    if len(payload) >= 6 and payload[0] == DEFLATED and payload[1] & _PRESET:
        return int.from_bytes(payload[2:6], "big")
    return None
