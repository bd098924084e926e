"""Profiles and adverts that the portable tests of Bluetooth LE share."""

from __future__ import annotations

from drivers.profile.model import load
from drivers.protocol.advert import Advert
from gateway.core import cbor
from gateway.core.decimal import parse as D

H = bytes.fromhex
HERE, THERE = "C8:25:2D:8E:9C:2C", "A4:C1:38:02:F8:F4"
MINUTE = 60_000


def profile(channels, ble_=None, messages=None, every=MINUTE, name="x"):
    document = {"tidegate": 1, "name": name, "bus": "ble", "every": every, "ble": ble_ or {}}
    document["channels"] = channels
    if messages is not None:
        document["messages"] = messages
    return load(cbor.encode(document))


GOVEE = profile(
    [
        {"id": "temperature", "at": 1, "type": "s16", "scale": D("0.01")},
        {"id": "battery", "at": 3, "every": 10 * MINUTE},
    ],
    {"manufacturer": 0xEC88, "name": ["Govee_H5074*"]},
    [{"id": "", "start": [b"\x00"], "length": [4]}],
)
DOOR = profile(
    [
        {"id": "open", "in": "window", "at": 0, "map": {0: "closed", 1: "open"}},
        {"id": "battery", "in": "battery", "at": 0},
    ],
    {"format": "bthome"},
)
TILT = profile([{"id": "t", "at": 2}], {"manufacturer": 76}, [{"id": "", "start": [b"\x02\x15"]}])
ODD = profile(
    [{"id": "t", "at": 0, "type": "s16"}],
    {"manufacturer": -1, "name": ["sps", "tps"]},
    [{"id": "", "length": [4]}],
)
METER = profile([{"id": "t", "at": 2}], {"manufacturer": -1}, [{"id": "", "start": [b"\x90\x82"]}])
RADON = profile([{"id": "t", "at": 0}], {"name": ["FR:R*"]}, [{"id": "", "read": "2a6e"}])
STATION = profile([{"id": "t", "at": 0}], {"service": "181a"}, [{"id": "", "read": "2a6e"}])
NAMED = [
    ("govee", GOVEE),
    ("door", DOOR),
    ("tilt", TILT),
    ("odd", ODD),
    ("meter", METER),
    ("radon", RADON),
    ("station", STATION),
]


def govee(hundredths, battery=50, address=HERE, rssi=-60):
    data = b"\x00" + (hundredths & 0xFFFF).to_bytes(2, "little") + bytes((battery,))
    return Advert(address, rssi, "", {0xEC88: data})


def door(digits, rssi=None):
    return Advert(HERE, rssi, "", None, {"fcd2": H(digits)})


def plain(readings):
    return [(one.point, one.value, one.at_ms, one.quality) for one in readings]


def values(readings, channel):
    return [str(one.value) for one in readings if one.point == f"s/{channel}"]
