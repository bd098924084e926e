"""Xiaomi MiBeacon service data (UUID FE95), versions 2 to 5, plain or sealed with AES-CCM.

Knows no radio, no product and not what an object means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.protocol import aes
from drivers.protocol.telegram import Telegram, backwards
from gateway.core.errors import BadReply

if TYPE_CHECKING:
    from typing import Any

    from drivers.protocol.aes import Block

_ENCRYPTED, _WITH_MAC, _WITH_CAPABILITY, _WITH_OBJECTS, _MESH = 0x08, 0x10, 0x20, 0x40, 0x80
_CAPABILITY_IO = 0x20  # of the capability byte: one more byte follows
_VERSIONS = (2, 3, 4, 5)
_HEAD = 5  # frame control 2, product 2, counter
_TAIL = 7  # of what is sealed: the counter's upper bytes 3, proof 4
_BESIDE = b"\x11"  # is proved, too
_PROVED = 4  # the first version whose last four bytes prove anything
_KEY_OLD, _KEY_FILL = 12, b"\x8d\x3d\x3c\x97"  # keys of older ones, and what makes 16 of them

# Objects of Xiaomi's list as `id:name`; where several carry one quantity, the first has the plain
# name. An object that is not here is called by its id: object_1234.
_OBJECTS = (
    " 0003:motion 000f:motion_illuminance 0010:toothbrush 1001:button 1004:temperature"
    " 1005:kettle 1006:humidity 1007:illuminance 1008:moisture 1009:conductivity 100a:battery"
    " 100d:temperature_humidity 100e:lock 100f:door 1010:formaldehyde 1012:switch 1013:consumable"
    " 1014:moisture_detected 1015:smoke 1016:gas_detected 1017:idle_time 1018:light 1019:opening"
    " 101b:no_motion_time 4801:temperature_4801 4802:humidity_4802 4803:battery_4803"
    " 4804:opening_4804 4818:no_motion_time_4818"
    " 4a01:battery_low 4a08:motion_4a08 4c01:temperature_4c01 4c02:humidity_4c02"
    " 4c03:battery_4c03 4c08:humidity_4c08 "
)


def read(payload: bytes) -> Telegram:
    """Return the objects after the UUID: name and bytes, low first.

    `kind` is the product id, `control` the frame control; a beacon without object has no items.
    BadReply if it is encrypted, cut short, of a mesh, or of another version.
    """
    control, address, at = _head(payload)
    if control & _ENCRYPTED:
        raise BadReply("the device encrypts what it sends: a key is needed", payload)
    items: list[Any] = []
    while control & _WITH_OBJECTS and at < len(payload):
        end = at + 3 + (payload[at + 2] if at + 2 < len(payload) else 0)
        if end > len(payload):
            raise BadReply("an object is cut short", payload)
        items.append((_name(payload[at] | payload[at + 1] << 8), payload[at + 3 : end]))
        at = end
    return Telegram(backwards(address), items, control, backwards(payload[2:4]))


def counter(payload: bytes) -> int | None:
    """Return the counter of a sealed beacon, 32 bits; None if it is not sealed."""
    control, _, at = _head(payload)
    if not control & _ENCRYPTED:
        return None
    if len(payload) < at + _TAIL:
        raise BadReply("what is sealed is cut short", payload)
    return payload[4] | int.from_bytes(payload[-_TAIL:-4], "little") << 8


def packet(payload: bytes) -> int:
    """Return the counter that every beacon has: the same one is the same beacon again."""
    _head(payload)
    return payload[4]


def opened(payload: bytes, address: bytes, block: Block, old: bool = False) -> bytes:
    """Return a sealed beacon as it would be plain; `address` as people print it, six bytes.

    BadReply if it was not sealed by this device with this key. Nothing proves that before version
    4, whose keys are `old`: there what comes out must be a known object, and of its length.
    """
    counter(payload)
    control, own, at = _head(payload)
    if (control >> 12 < _PROVED) != old:
        raise BadReply(f"version {control >> 12} has keys of another length", payload)
    own = own or bytes(reversed(address))
    if old:  # the last four bytes are counter and a byte of unknown use
        nonce = payload[:5] + payload[-4:-1] + own[:5]
        text = aes.turned(block, nonce, payload[at:-4])
        known = len(text) > 3 and _OBJECTS.find(f" {text[0] | text[1] << 8:04x}:") >= 0
        if not known or len(text) != 3 + text[2]:
            raise BadReply("sealed with another key", payload)
    else:
        nonce = own + payload[2:5] + payload[-_TAIL:-4]
        text = aes.opened(block, nonce, payload[at:-_TAIL] + payload[-4:], _BESIDE)
    plain = control & ~_ENCRYPTED
    return bytes((plain & 0xFF, plain >> 8)) + payload[2:at] + text


def key(digits: bytes) -> bytes:
    """Return the AES key that a device's key stands for: those of older devices have 12 bytes."""
    if len(digits) == _KEY_OLD:
        return digits[:6] + _KEY_FILL + digits[6:]
    return digits


def _head(payload: bytes) -> tuple[int, bytes, int]:
    """Return frame control, address as sent or b"", and where the objects begin."""
    if len(payload) < _HEAD:
        raise BadReply("a beacon has 5 bytes or more", payload)
    control = payload[0] | payload[1] << 8
    if control >> 12 not in _VERSIONS or control & _MESH:
        raise BadReply(f"not MiBeacon 2 to 5 (frame control {control:04X})", payload)
    address, at = b"", _HEAD
    if control & _WITH_MAC:
        address = payload[at : at + 6]
        at += 6
    if control & _WITH_CAPABILITY:
        at += 2 if payload[at : at + 1] and payload[at] & _CAPABILITY_IO else 1
    if at > len(payload):
        raise BadReply("the beacon is cut short", payload)
    return control, address, at


def _name(number: int) -> str:
    at = _OBJECTS.find(f" {number:04x}:")
    return _OBJECTS[at + 6 : _OBJECTS.find(" ", at + 1)] if at >= 0 else f"object_{number:04x}"
