"""BTHome version 2 service data (UUID FCD2): a row of objects, plain or sealed with AES-CCM.

Knows no radio and not what the step of a value is: type and scale are the profile's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.protocol import aes
from drivers.protocol.telegram import Telegram, backwards
from gateway.core.errors import BadReply

if TYPE_CHECKING:
    from typing import Any

    from drivers.protocol.aes import Block

_ENCRYPTED, _WITH_MAC = 0x01, 0x02
_VERSION = 2
_UUID = b"\xd2\xfc"
_TAIL = 8  # of what is sealed: counter 4, proof 4
_VARIABLE = 0  # a length byte stands before the value
_COMMAND = 9  # the same, of its arguments, in the lower five bits; the command itself comes first

# Objects of bthome.io/format as `id:name:bytes`. Where several ids carry one quantity in different
# steps, the first has the plain name and the others have the id in theirs. One text, because the
# hundred tuples of a table take 10 kB of a small heap.
_OBJECTS = (
    " 00:packet_id:1 01:battery:1 02:temperature:2 03:humidity:2 04:pressure:3 05:illuminance:3"
    " 06:mass:2 07:mass_07:2 08:dewpoint:2 09:count:1 0a:energy:3 0b:power:3 0c:voltage:2"
    " 0d:pm2_5:2 0e:pm10:2 0f:generic:1 10:power_on:1 11:opening:1 12:co2:2 13:tvoc:2"
    " 14:moisture:2 15:battery_low:1 16:battery_charging:1 17:carbon_monoxide:1 18:cold:1"
    " 19:connectivity:1 1a:door:1 1b:garage_door:1 1c:gas_detected:1 1d:heat:1 1e:light:1"
    " 1f:lock:1 20:moisture_detected:1 21:motion:1 22:moving:1 23:occupancy:1 24:plug:1"
    " 25:presence:1 26:problem:1 27:running:1 28:safety:1 29:smoke:1 2a:sound:1 2b:tamper:1"
    " 2c:vibration:1 2d:window:1 2e:humidity_2e:1 2f:moisture_2f:1 3a:button:1 3b:command:9"
    " 3c:dimmer:2 3d:count_3d:2 3e:count_3e:4 3f:rotation:2 40:distance:2 41:distance_41:2"
    " 42:duration:3 43:current:2 44:speed:2 45:temperature_45:2 46:uv_index:1 47:volume:2"
    " 48:volume_48:2 49:volume_flow_rate:2 4a:voltage_4a:2 4b:gas:3 4c:gas_4c:4 4d:energy_4d:4"
    " 4e:volume_4e:4 4f:water:4 50:timestamp:4 51:acceleration:2 52:gyroscope:2 53:text:0 54:raw:0"
    " 55:volume_storage:4 56:conductivity:2 57:temperature_57:1 58:temperature_58:1 59:count_59:1"
    " 5a:count_5a:2 5b:count_5b:4 5c:power_5c:4 5d:current_5d:2 5e:direction:2 5f:precipitation:2"
    " 60:channel:1 61:rotational_speed:2 62:speed_62:4 63:acceleration_63:4 64:light_level:1"
    " 65:settings_revision:1 f0:device_type:2 f1:firmware:4 f2:firmware_f2:3 "
)


def read(payload: bytes) -> Telegram:
    """Return the objects after the UUID: name (the second such with `.2`), bytes low first.

    An unknown object ends the row, for nobody knows its length. BadReply if nothing is left, or
    the data is encrypted, cut short or of another version.
    """
    if not payload or payload[0] >> 5 != _VERSION:
        raise BadReply("not BTHome version 2", payload)
    if payload[0] & _ENCRYPTED:
        raise BadReply("the device encrypts what it sends: a key is needed", payload)
    at, address = 1, ""
    if payload[0] & _WITH_MAC:
        if len(payload) < 7:
            raise BadReply("the address is cut short", payload)
        at, address = 7, backwards(payload[1:7])
    items: list[Any] = []
    while at < len(payload):
        name, size = _object(payload[at])
        if not name:
            break
        if size in (_VARIABLE, _COMMAND):
            at += 1
            told = payload[at] if at < len(payload) else len(payload)
            size = told if size == _VARIABLE else 1 + (told & 0x1F)
        value = payload[at + 1 : at + 1 + size]
        if len(value) < size:
            raise BadReply(f"{name} is cut short", payload)
        items.append((_numbered(name, items), value))
        at += 1 + size
    if not items:
        raise BadReply("no known object", payload)
    return Telegram(address, items, payload[0])


def counter(payload: bytes) -> int | None:
    """Return the counter of a sealed payload, None if it is not sealed; bthome.io/encryption."""
    if not payload or not payload[0] & _ENCRYPTED or payload[0] >> 5 != _VERSION:
        return None
    if len(payload) < _head(payload) + _TAIL:
        raise BadReply("what is sealed is cut short", payload)
    return int.from_bytes(payload[-_TAIL:-4], "little")


def opened(payload: bytes, address: bytes, block: Block) -> bytes:
    """Return a sealed payload as it would be plain; `address` as people print it, six bytes.

    BadReply if it was not sealed by this device with this key.
    """
    counter(payload)
    head = _head(payload)
    nonce = address + _UUID + payload[:1] + payload[-_TAIL:-4]
    text = aes.opened(block, nonce, payload[head:-_TAIL] + payload[-4:])
    return bytes((payload[0] & ~_ENCRYPTED,)) + payload[1:head] + text


def _head(payload: bytes) -> int:
    return 7 if payload[0] & _WITH_MAC else 1


def _object(number: int) -> tuple[str, int]:
    """Return (name, bytes) of an object id; ("", 0) if it is unknown."""
    at = _OBJECTS.find(f" {number:02x}:")
    if at < 0:
        return "", 0
    row = _OBJECTS[at + 4 : _OBJECTS.find(" ", at + 1)]
    return row[:-2], int(row[-1])


def _numbered(name: str, items: list[Any]) -> str:
    """Return the name an item gets after those before it."""
    count = 1 + len([True for given, _ in items if given.split(".")[0] == name])
    return name if count == 1 else f"{name}.{count}"
