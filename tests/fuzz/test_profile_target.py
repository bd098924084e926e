"""The fuzz target over its seeds, over damaged seeds, and under atheris for a moment."""

from __future__ import annotations

import importlib.util
import platform
import random
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.fuzz.profile_target import COMPILED, ROOT, SOURCE, one_input, seeds
from tests.support.missing import missing

if TYPE_CHECKING:
    from pathlib import Path

SEEDS_MIN = 100
DAMAGED = 300  # inputs made from seeds; atheris and `make fuzz` go further
RUNS = 2000
BYTES = (0, 9, 10, 35, 38, 42, 45, 58, 63, 91, 93, 123, 125, 128, 255)  # what YAML and CBOR heed


def test_every_seed_is_read_or_refused() -> None:
    accepted = refused = 0
    for data in seeds():
        if one_input(data):
            accepted += 1
        else:
            refused += 1
    assert accepted + refused >= SEEDS_MIN
    assert accepted >= SEEDS_MIN // 4
    assert refused >= SEEDS_MIN // 4


def test_damaged_seeds_are_read_or_refused() -> None:
    chance = random.Random(645)
    known = [data for data in seeds() if len(data) < 4096]
    outcomes = {kind: {one_input(kind + b"\xff")} for kind in (SOURCE, COMPILED)}
    for _ in range(DAMAGED):
        data = bytearray(chance.choice(known))
        for _ in range(chance.randrange(1, 5)):
            at = chance.randrange(1, len(data))
            cut = chance.randrange(0, 4)
            data[at : at + cut] = bytes(chance.choice(BYTES) for _ in range(chance.randrange(3)))
        outcomes[bytes(data[:1])].add(one_input(bytes(data)))
    assert outcomes == {SOURCE: {True, False}, COMPILED: {True, False}}


def test_atheris_finds_nothing_in_a_moment(tmp_path: Path) -> None:
    if importlib.util.find_spec("atheris") is None:
        if (sys.platform, platform.machine()) != ("linux", "x86_64"):
            pytest.skip("atheris has wheels for Linux on x86-64 only")
        missing("atheris", "pip install atheris")
    ran = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", f"-runs={RUNS}", "-seed=1", str(tmp_path / "seeds")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, (ran.stdout + ran.stderr)[-3000:]
    done = re.search(r"Done (\d+) runs", ran.stderr)
    assert done
    assert int(done.group(1)) >= RUNS  # it counts its own first looks, too
