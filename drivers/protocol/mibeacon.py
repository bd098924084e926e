"""Xiaomi MiBeacon service data (UUID FE95), versions 2 to 5, not encrypted.

Knows no radio, no key, no product and not what an object means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.protocol.telegram import Telegram, backwards
from gateway.core.errors import BadReply

if TYPE_CHECKING:
    from typing import Any

_ENCRYPTED, _WITH_MAC, _WITH_CAPABILITY, _WITH_OBJECTS, _MESH = 0x08, 0x10, 0x20, 0x40, 0x80
_CAPABILITY_IO = 0x20  # of the capability byte: one more byte follows
_VERSIONS = (2, 3, 4, 5)
_HEAD = 5  # frame control 2, product 2, counter


def read(payload: bytes) -> Telegram:
    """Return the objects after the UUID: id as four digits (1004), and its bytes, low first.

    `kind` is the product id, `control` the frame control; a beacon without object has no items.
    BadReply if it is encrypted, cut short, of a mesh, or of another version.
    """
    if len(payload) < _HEAD:
        raise BadReply("a beacon has 5 bytes or more", payload)
    control = payload[0] | payload[1] << 8
    if control >> 12 not in _VERSIONS or control & _MESH:
        raise BadReply(f"not MiBeacon 2 to 5 (frame control {control:04X})", payload)
    if control & _ENCRYPTED:
        raise BadReply("the device encrypts what it sends: a key is needed", payload)
    kind, address, at = backwards(payload[2:4]), "", _HEAD
    if control & _WITH_MAC:
        address = backwards(payload[at : at + 6])
        at += 6
    if control & _WITH_CAPABILITY:
        at += 2 if payload[at : at + 1] and payload[at] & _CAPABILITY_IO else 1
    if at > len(payload):
        raise BadReply("the beacon is cut short", payload)
    items: list[Any] = []
    while control & _WITH_OBJECTS and at < len(payload):
        end = at + 3 + (payload[at + 2] if at + 2 < len(payload) else 0)
        if end > len(payload):
            raise BadReply("an object is cut short", payload)
        items.append((backwards(payload[at : at + 2]), payload[at + 3 : end]))
        at = end
    return Telegram(address, items, control, kind)
