"""What a street full of adverts costs: CPU per advert beside a callback that does nothing.

No radio: adverts are as bleak hands them over, at full speed, in rounds that take turns; figures
are medians of the rounds.
"""

from __future__ import annotations

import random
import statistics
import time
from typing import TYPE_CHECKING, Any

from drivers.ble import Sensor
from drivers.ble_listener import Listener
from drivers.ble_match import Matcher
from drivers.profile import model
from drivers.profile.compile_cpython import find, load_file, shipped
from drivers.protocol import advert, aes
from gateway.core import cbor
from tools.bench.rows import row

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivers.profile.model import Profile

PROFILES = 500  # loaded: the shipped ones for Bluetooth, and as many others as are missing
DEVICES = 500  # of the site
STREET = 2_000  # foreign devices in the air
RATE = 2_000  # adverts a second
ROUNDS = 9
FOREIGN_US_MAX = 15
_BASE = "-0000-1000-8000-00805f9b34fb"

Heard = tuple[str, int, "str | None", dict[int, bytes], dict[str, bytes], list[str], "int | None"]


def run() -> list[dict[str, object]]:
    """Measure and return the rows."""
    chance = random.Random(2402)
    profiles = loaded(PROFILES)
    matcher = Matcher(profiles)
    names = dict(profiles)
    site = [
        Sensor(f"s{number}", names["govee/h5074"].device(), f"C0{number:010X}")
        for number in range(DEVICES)
    ]
    listener = Listener(site, matcher, 256)
    street = [stranger(chance) for _ in range(STREET)]
    own = [_own(sensor.address, 2150) for sensor in site]
    now_ms = [0]

    def empty(*heard: Any) -> None:
        pass

    def hear(*heard: Any) -> None:
        listener.heard(advert.told(*heard), now_ms[0])

    idle, foreign, repeated, changed = [], [], [], []
    for number in range(ROUNDS):
        now_ms[0] += 1_000
        idle.append(_us(empty, street))
        foreign.append(_us(hear, street))
        _us(hear, own)
        repeated.append(_us(hear, own))
        now_ms[0] += 60_000
        changed.append(_us(hear, [_own(sensor.address, 2200 + number) for sensor in site]))
    bare = statistics.median(idle)
    above = statistics.median(foreign) - bare
    loaded_with = f"{PROFILES} profiles, {DEVICES} devices"
    return [
        row("an advert to a callback that does nothing", bare, "µs"),
        row(f"a foreign advert above that, {loaded_with}", above, "µs", FOREIGN_US_MAX),
        row(f"of a core for {RATE} foreign adverts a second", above * RATE / 1e4, "%"),
        row("an advert of ours, unchanged", statistics.median(repeated) - bare, "µs"),
        row("an advert of ours, decoded into readings", statistics.median(changed) - bare, "µs"),
        row("opening 6 sealed bytes, AES-128-CCM in plain Python", _opening_us(), "µs"),
    ]


def loaded(count: int) -> list[tuple[str, Profile]]:
    """Return the shipped profiles for Bluetooth, and others to make `count`."""
    found = [(name, load_file(find(name))) for name in shipped()]
    found = [(name, profile) for name, profile in found if profile.bus == "ble"]
    for number in range(count - len(found)):
        document = {"tidegate": 1, "name": "x", "every": 60_000, "bus": "ble"}
        document["channels"] = [{"id": "t", "at": 0}]
        document["messages"] = [{"id": "", "start": [bytes((number & 0xFF,))]}]
        document["ble"] = (
            {"manufacturer": 0x1000 + number, "name": [f"Maker{number}*"]}
            if number % 2
            else {"service": f"{0xE000 + number:04x}"}
        )
        found.append((f"made/{number}", model.load(cbor.encode(document))))
    return found


def stranger(chance: random.Random) -> Heard:
    """Return an advert as a street has them: phones, watches, headsets, lamps, some sensors."""
    address = ":".join(f"{chance.randrange(256):02X}" for _ in range(6))
    rssi = chance.randrange(-100, -40)
    kind = chance.random()
    if kind < 0.45:  # Apple: nearby info, handoff, find my
        data = bytes((chance.choice((0x10, 0x0C, 0x12, 0x07)), 5)) + chance.randbytes(8)
        return address, rssi, None, {0x004C: data}, {}, [], chance.choice((None, 8, 12))
    if kind < 0.6:
        uuid = chance.choice(("fd6f", "fe2c", "fcf1", "feaa", "fe9f"))
        return address, rssi, None, {}, {f"0000{uuid}{_BASE}": chance.randbytes(20)}, [], None
    if kind < 0.75:
        company = chance.choice((0x0006, 0x0075, 0x00E0, 0x0087, 0x038F))
        return address, rssi, None, {company: chance.randbytes(24)}, {}, [], None
    if kind < 0.97:
        name = chance.choice(("LE-Bose QC35", "[TV] Samsung 7", "JBL Flip 5", "Mi Smart Band 6"))
        uuids = [f"0000{one:04x}{_BASE}" for one in (0x180F, 0x110B)]
        return address, rssi, name, {}, {}, uuids, None
    return (
        address,
        rssi,
        "Govee_H5074_AB12",
        {0xEC88: b"\x00\x66\x08\x94\x11\x64\x02"},
        {},
        [],
        None,
    )


def _own(address: str, hundredths: int) -> Heard:
    data = b"\x00" + hundredths.to_bytes(2, "little") + b"\x94\x11\x64\x02"
    return address, -60, "Govee_H5074_AB12", {0xEC88: data}, {}, [], None


def _us(hear: Callable[..., None], adverts: list[Heard]) -> float:
    began = time.process_time_ns()
    for one in adverts:
        hear(*one)
    return (time.process_time_ns() - began) / 1000 / len(adverts)


def _opening_us() -> float:
    block, nonce = aes.Cipher(bytes(range(16))), bytes(13)
    sealed = aes.sealed(block, nonce, b"\x02\xca\x09\x03\xbf\x13")
    found = []
    for _ in range(ROUNDS):
        began = time.process_time_ns()
        for _ in range(50):
            aes.opened(block, nonce, sealed)
        found.append((time.process_time_ns() - began) / 50_000)
    return statistics.median(found)
