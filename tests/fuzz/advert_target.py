"""What a fuzzer throws at whatever listens to the air: any bytes are an advert, or refused.

Knows the listener and what to start from; knows no fuzzer.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.ble import Sensor
from drivers.ble_listener import Listener
from drivers.ble_match import Matcher
from drivers.profile.compile_cpython import find, load_file, shipped
from drivers.protocol import advert
from gateway.core.errors import BadReply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drivers.profile.model import Profile

ROOT = Path(__file__).resolve().parents[2]
KEY = bytes.fromhex("231d39c1d7cc1ab1aee224cd096db932")
OURS = "54:48:E6:8F:80:A5"
DAY_MS = 86_400_000


def one_input(data: bytes) -> bool:
    """Hear one input from every device of a site and from a stranger; return whether it is one.

    Whatever else than a refusal comes of it is a finding.
    """
    try:
        found = advert.parse(data, OURS, -60)
    except BadReply as error:
        assert str(error), "refused without a reason"
        return False
    _matcher().likely(found)
    listener = Listener([], _matcher())
    listener.heard(found, 0)
    for name, profile in _profiles():
        key = KEY if profile.ble.get("format") in ("bthome", "mibeacon", "atc") else b""
        for used in {b"", key}:
            sensor = Sensor(name, profile.device(), OURS, used)
            for now_ms in (0, 1, DAY_MS):
                for reading in sensor.heard(found, now_ms):
                    assert reading.point.startswith(f"{name}/")
            sensor.tick(2 * DAY_MS)
    return True


def seeds() -> Iterator[bytes]:
    """Yield adverts to start from: the published ones, in the structures that carry them."""
    rows = (ROOT / "tests/vectors/ble-frames.jsonl").read_text(encoding="utf-8").splitlines()
    for row in map(json.loads, rows):
        payload = bytes.fromhex(row["frame"])
        if "service" in row:
            payload = b"\x16" + bytes.fromhex(row["service"])[::-1] + payload
        elif "manufacturer" in row:
            payload = b"\xff" + bytes.fromhex(row["manufacturer"])[::-1] + payload
        elif not row["protocol"].startswith("govee"):
            continue
        else:
            payload = b"\xff" + payload
        yield b"\x02\x01\x06" + bytes((len(payload),)) + payload


def write_seeds(folder: Path) -> int:
    """Put the seeds into a folder; return how many there are."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for count, data in enumerate(seeds(), 1):
        (folder / f"seed-{count:04}").write_bytes(data)
    return count


@cache
def _profiles() -> list[tuple[str, Profile]]:
    found = [(name, load_file(find(name))) for name in shipped()]
    return [(name, profile) for name, profile in found if profile.bus == "ble"]


@cache
def _matcher() -> Matcher:
    return Matcher(_profiles())
