"""The readers of reporting devices over seeds, damaged seeds, and under atheris for a moment."""

from __future__ import annotations

import importlib.util
import platform
import random
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.report_target import _TARGETS, ROOT, one_input, seeds
from tests.support.fuzz import parser
from tests.support.missing import missing

if TYPE_CHECKING:
    from pathlib import Path

SEEDS = list(seeds())
DAMAGED = 2000
RUNS = 2000


def test_every_seed_is_read_or_refused() -> None:
    outcomes = [one_input(seed) for seed in SEEDS]
    assert len(outcomes) == 2 * 78
    assert outcomes.count(True) == 128
    assert {seed[0] for seed in SEEDS} == set(range(len(_TARGETS)))


def test_damaged_seeds_are_read_or_refused() -> None:
    chance = random.Random(651)
    outcomes: set[tuple[int, bool]] = set()
    for _ in range(DAMAGED):
        data = bytearray(chance.choice(SEEDS))
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(1, len(data) + 1)
            data[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
        outcomes.add((data[0], one_input(bytes(data))))
    assert {False, True} == {outcome for _, outcome in outcomes}
    assert len(outcomes) >= 2 * len(_TARGETS) - 2


@parser
@given(st.integers(0, len(_TARGETS) - 1), st.binary(max_size=200))
def test_anything_is_read_or_refused(target: int, data: bytes) -> None:
    one_input(bytes((target,)) + data)


def test_atheris_finds_nothing_in_a_moment(tmp_path: Path) -> None:
    if importlib.util.find_spec("atheris") is None:
        if (sys.platform, platform.machine()) != ("linux", "x86_64"):
            pytest.skip("atheris has wheels for Linux on x86-64 only")
        missing("atheris", "pip install atheris")
    command = [sys.executable, "-m", "tests.fuzz", "reports", f"-runs={RUNS}", "-seed=1"]
    ran = subprocess.run(
        [*command, str(tmp_path / "seeds")],
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
    assert int(done.group(1)) >= RUNS
