"""What profiles cost: to check, compiled, and in a board's heap."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from drivers.profile import units_cpython
from drivers.profile.check_cpython import check_text
from gateway.core import cbor
from tools.bench.rows import row
from tools.profile.proof import tester

RUNS = 5
CHANNELS = 300
CHECK_MS_MAX = 500
HEAP = "8M"  # room to measure in; what is measured is far smaller
ROOT = Path(__file__).resolve().parents[2]


def run() -> list[dict[str, object]]:
    """Measure and return a row per figure."""
    texts = {path: path.read_text() for path in sorted(units_cpython.PROFILES.glob("*/*.yaml"))}
    check_ms = statistics.median(_check_ms(_wide(CHANNELS)) for _ in range(RUNS))
    all_ms = sum(_check_ms(text) for text in texts.values())
    compiled = {path: _compiled(text) for path, text in texts.items()}
    rows: list[dict[str, object]] = [
        row(f"check and test of {CHANNELS} channels", check_ms, "ms", CHECK_MS_MAX),
        row(f"the same of all {len(texts)} profiles", all_ms, "ms"),
    ]
    rows += _spread("compiled", {_name(path): len(data) for path, data in compiled.items()})
    heaps = _heaps(compiled)
    rows += _spread("heap, profile loaded", {name: loaded for name, (loaded, _) in heaps.items()})
    rows += _spread("heap, with one device", {name: whole for name, (_, whole) in heaps.items()})
    return rows


def _spread(figure: str, values: dict[str, int]) -> list[dict[str, object]]:
    if not values:
        return []
    largest = max(values, key=lambda name: values[name])
    return [
        row(f"{figure}, median", statistics.median(values.values()), "B"),
        row(f"{figure}, largest: {largest}", values[largest], "B"),
    ]


def _wide(channels: int) -> str:
    """Return a profile with this many channels of all sorts, each on a line of its own."""
    kinds = ("type: f32, unit: V", "type: s16, scale: 0.1", "map: {0: off, 1: on}", "calc: x * k")
    lines = [f"  c{i}: {{at: {2 * i}, {kinds[i % len(kinds)]}}}" for i in range(channels)]
    words = " ".join(["4366", "3333"] * 60)
    gives = ", ".join(f"c{i}: 230.2" for i in range(0, 60, len(kinds)))
    head = "name: Wide\nmodbus: {}\nsettings: {k: {default: 2}}\nchannels:\n"
    return (
        head + "\n".join(lines) + f"\ntests:\n  - holding: {{0: {words}}}\n    gives: {{{gives}}}\n"
    )


def _check_ms(text: str) -> float:
    before_s = time.perf_counter()
    tester.run(check_text(text, "profile"))
    return (time.perf_counter() - before_s) * 1000


def _compiled(text: str) -> bytes:
    return cbor.encode(check_text(text, "profile").document)


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def _heaps(compiled: dict[Path, bytes]) -> dict[str, tuple[int, int]]:
    """Return the heap each takes under a MicroPython of 64 bits, none if there is no such."""
    places = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    micropython = shutil.which("micropython", path=places)
    if micropython is None:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        names = [_name(path) for path in compiled]
        for number, data in enumerate(compiled.values()):
            (Path(folder) / f"{number:05}").write_bytes(data)
        ran = subprocess.run(
            [micropython, "-X", f"heapsize={HEAP}", "tools/micropython/heap.py", folder],
            cwd=ROOT,
            env=dict(os.environ, MICROPYPATH=".frozen:tools/micropython/lib:."),
            capture_output=True,
            text=True,
            check=True,
        )
    rows = [line.split() for line in ran.stdout.splitlines()]
    return {names[int(number)]: (int(loaded), int(whole)) for number, loaded, whole in rows}
