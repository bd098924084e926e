"""Published adverts and characteristics mean what was published, through the shipped profiles."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from drivers.ble import Sensor
from drivers.ble_keys import FORGED, OPENED, REPLAYED, Seal
from drivers.frames import image
from drivers.profile.compile_cpython import find, load_file
from drivers.protocol.advert import Advert
from gateway.core.decimal import Decimal

if TYPE_CHECKING:
    from drivers.profile.model import Profile

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "ble-frames.jsonl"
ROWS = [json.loads(line) for line in VECTORS.read_text(encoding="utf-8").splitlines()]
COUNTS = {
    "bthome-v2": 10,
    "ruuvi-5": 2,
    "atc1441": 3,
    "pvvx": 3,
    "govee-h5075": 3,
    "mibeacon": 5,
    "eddystone-tlm": 1,
    "gatt-ess": 6,
}
PROFILES = {
    "bthome-v2": "generic/bthome",
    "ruuvi-5": "ruuvi/ruuvitag",
    "atc1441": "xiaomi/lywsd03mmc-atc",
    "pvvx": "xiaomi/lywsd03mmc-pvvx",
    "govee-h5075": "govee/h5075",
    "mibeacon": "xiaomi/thermometer-mibeacon",
    "eddystone-tlm": "generic/eddystone-tlm",
    "gatt-ess": "generic/environmental-sensing",
}
# published name → (our channel, what one of ours is in theirs)
NAMES: dict[str, tuple[str, float]] = {
    "temperature_c": ("temperature", 1),
    "humidity_pct": ("humidity", 1),
    "pressure_pa": ("pressure", 100),
    "battery_pct": ("battery", 1),
    "battery_v": ("battery_voltage", 1),
    "vbatt_mv": ("battery_voltage", 1000),
    "tx_dbm": ("tx_power", 1),
    "moves": ("movements", 1),
    "adv_count": ("adverts", 1),
    "uptime_s": ("uptime", 1),
    "water_l": ("water", 1000),
    "direction": ("wind_direction", 1),
    "precipitation_mm": ("rain", 1),
}
GATT: dict[str, tuple[str, float]] = {
    "2a6e": ("temperature", 1),
    "2a6d": ("pressure", 100),
    "2a70": ("wind_speed", 1),
    "2a71": ("wind_direction", 1),
    "2a76": ("uv_index", 1),
    "2a78": ("rain", 0.001),
}
METERED = {"power", "current", "water"}
APART = {"version", "format", "counter", "seq", "mac", "flags", "error"}  # not of a sensor's values


@cache
def load(name: str) -> Profile:
    return load_file(find(name))


def wanted(row: dict[str, Any]) -> dict[str, tuple[float, float]]:
    """Return channel → (published value, factor)."""
    found = row["decoded"]
    if row["protocol"] == "gatt-ess":
        channel, factor = GATT[row["characteristic"]]
        (quantity,) = found.values()
        (value,) = quantity.values()
        return {channel: (value, factor)}
    if row["protocol"] == "mibeacon":
        (item,) = found["objects"]
        found = {name: item[name] for name in item if name in NAMES}
    pairs = found["values"] if "values" in found else list(found.items())
    values = {}
    for name, value in pairs:
        if name == "acc_g":
            for axis, one in zip("xyz", value, strict=True):
                values[f"acceleration_{axis}"] = (one, 1.0)
        elif name not in APART and name != "packet_id":
            channel, factor = NAMES.get(name, (name, 1.0))
            values[channel] = (value, factor)
    return values


def plain(row: dict[str, Any]) -> bytes:
    """Return what a profile decodes: the payload, opened if it is sealed, without company id."""
    data = bytes.fromhex(row["frame"])
    if "key" in row:
        format_ = "bthome" if row["protocol"].startswith("bthome") else "mibeacon"
        seal = Seal(format_, bytes.fromhex(row["key"]))
        data, outcome = seal.open(data, bytes.fromhex(row["address"]), 0)
        assert outcome == OPENED, row
    return data[2:] if row["protocol"].startswith("govee") else data


def known(row: dict[str, Any]) -> dict[str, Any]:
    """Return the values that the shipped profile finds."""
    name = PROFILES[row["protocol"]]
    if METERED & set(wanted(row)):
        name = "generic/bthome-meter"
    profile = load(name)
    device, found = profile.device(), {}
    message = None
    if row["protocol"] == "gatt-ess":
        (message,) = [one["id"] for one in profile.messages if one["read"] == row["characteristic"]]
    device.decode(image(profile, plain(row), None, message), found)
    return found


def test_every_published_advert_has_the_published_values() -> None:
    counts: Counter[str] = Counter()
    values = 0
    for row in ROWS:
        counts[row["protocol"]] += 1
        found = known(row)
        for channel, (value, factor) in wanted(row).items():
            got = found[channel]
            number = float(got) if isinstance(got, Decimal) else got
            assert number * factor == pytest.approx(value, abs=0.0051), (row, channel)
            values += 1
    assert counts == COUNTS
    assert values == 82


def test_published_sealed_adverts_need_their_key_and_are_taken_once() -> None:
    sealed = 0
    for row in ROWS:
        if "key" not in row:
            continue
        sealed += 1
        name = "bthome" if row["protocol"].startswith("bthome") else "mibeacon"
        key, data = bytes.fromhex(row["key"]), bytes.fromhex(row["frame"])
        address = bytes.fromhex(row["address"])
        assert Seal(name, key[::-1]).open(data, address, 0) == (b"", FORGED)
        seal = Seal(name, key)
        assert seal.open(data, address, 0)[1] == OPENED
        assert seal.open(data, address, 1) == (b"", REPLAYED)
    assert sealed == 4


def test_published_sealed_adverts_become_readings_of_a_sensor_with_the_key() -> None:
    row = next(one for one in ROWS if one["frame"].startswith("4187b9"))
    profile = load("generic/bthome")
    sensor = Sensor("s", profile.device(), row["address"], bytes.fromhex(row["key"]))
    advert = Advert("54:48:E6:8F:80:A5", -70, "", None, {"fcd2": bytes.fromhex(row["frame"])})
    first = {one.point: one.value for one in sensor.heard(advert, 0)}
    assert first == {"s/rssi": -70, "s/motion": True}
    assert sensor.heard(advert, 100_000) == []
    again = Advert("54:48:E6:8F:80:A5", -70, "", None, {"fcd2": bytes.fromhex("402101")})
    assert sensor.heard(again, 100_000) == []
    assert (sensor.counts["decoded"], sensor.counts["unsealed"]) == (1, 1)
