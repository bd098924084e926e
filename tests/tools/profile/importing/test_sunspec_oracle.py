"""Every published SunSpec model, decoded by its draft and by pysunspec2, gives the same values."""

from __future__ import annotations

import importlib
import random
import struct
from typing import TYPE_CHECKING, Any

from tests.support.missing import missing
from tests.tools.profile.importing.drafts import proves
from tools.profile.importing import sunspec
from tools.profile.importing.sunspec_point import registers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PLACE = 40070  # of a model behind the common one
NUMBERS = {"int16", "uint16", "int32", "uint32", "int64", "uint64", "acc16", "acc32", "acc64"}
SENTINELS = {
    "int16": b"\x80\x00",
    "uint16": b"\xff\xff",
    "enum16": b"\xff\xff",
    "int32": b"\x80\0\0\0",
    "uint32": b"\xff" * 4,
    "enum32": b"\xff" * 4,
}


def reference() -> Any:
    """Return the publisher's own reader."""
    try:
        return importlib.import_module("sunspec2.device")
    except ImportError:
        missing("pysunspec2", "pip install pysunspec2")


def content(point: dict[str, Any], chance: random.Random) -> bytes:
    """Return bytes that a device might have in a point's registers."""
    kind, size = str(point["type"]), 2 * registers(point)
    if kind == "sunssf":
        return struct.pack(">h", chance.randint(-3, 2))
    if kind == "string":
        return b"Type %d" % chance.randint(0, 9) + bytes(size - 6) if size >= 6 else bytes(size)
    if kind == "float32":
        return struct.pack(">f", chance.uniform(-1e6, 1e6))
    if kind == "float64":
        return struct.pack(">d", chance.uniform(-1e6, 1e6))
    if kind in SENTINELS and chance.random() < 0.2:
        return SENTINELS[kind]
    number = chance.randrange(1, 1 << min(8 * size - 1, 48))  # times 100 it still fits 64 bits
    return number.to_bytes(size, "big") if size else b""


def counted(group: dict[str, Any]) -> Iterator[str]:
    """Yield the points that say how many blocks follow."""
    for inner in group.get("groups", []):
        yield str(inner.get("count"))
        yield from counted(inner)


def expected(path: Path, chance: random.Random) -> tuple[bytes, dict[str, Any], sunspec.Draft]:
    """Return a model's registers, what pysunspec2 makes of them by channel id, and the draft."""
    draft = sunspec.read([str(path)])
    model = sunspec.read_model(path)
    points = model.group["points"]
    counters = set(counted(model.group))  # pysunspec2 would make as many blocks as they say
    data = b"".join(
        bytes(2) if point["name"] in counters else content(point, chance) for point in points
    )
    data = struct.pack(">HH", model.number, len(data) // 2 - 2) + data[4:]
    theirs = reference().Model(model.number, data=data)
    by_place = {entry.keys["at"]: entry for entry in draft.channels if not entry.inner}
    found: dict[str, Any] = {}
    at = PLACE
    for point in points:
        entry = by_place.get(at)
        at += registers(point)
        kind, name = point["type"], point["name"]
        if entry is None or name not in theirs.points:
            continue
        if kind in NUMBERS or kind.startswith("float") or kind == "string":
            value = theirs.points[name].cvalue
            found[entry.id] = value.strip("\0") if isinstance(value, str) else value
        elif kind.startswith("enum") and "map" in entry.keys:
            found[entry.id] = entry.keys["map"].get(theirs.points[name].value)
    return data, found, draft


def test_every_published_model_means_what_its_publisher_reads() -> None:
    reference()
    chance = random.Random(1)
    values = models = 0
    for path in sorted(sunspec.models_folder().glob("model_*.json")):
        data, found, draft = expected(path, chance)
        if not found:
            continue
        image = "".join(
            f"      {PLACE + at // 2}: '{data[at : at + 200].hex()}'\n"
            for at in range(0, len(data), 200)
        )
        gives = "".join(f"      {name}: {shown(value)}\n" for name, value in found.items())
        proves(draft, f"tests:\n  - holding:\n{image}    gives:\n{gives}")
        values += len(found)
        models += 1
    assert models > 100
    assert values > 2000


def shown(value: Any) -> str:
    """Return a value as a test of a profile writes it."""
    if value is None:
        return "null"
    return f'"{value}"' if isinstance(value, str) else repr(value)
