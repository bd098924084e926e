"""Power cuts on a real ext4: every block write of a living buffer recorded, and cut anywhere."""

from __future__ import annotations

import pytest

from tests.support.mounting import need_mounts
from tools.powercut import rig
from tools.powercut.writer import MUTANTS

POINTS = 250
MUTANT_POINTS = 25  # each is caught by most of them


@pytest.fixture(autouse=True)
def _may_mount() -> None:
    need_mounts()


def test_real_power_cuts_lose_and_invent_and_reuse_nothing_at_250_moments() -> None:
    found = rig.run(POINTS, seed=1)
    assert found.findings == []
    assert found.points == POINTS
    # It is only worth something if it meets what it is meant for.
    assert found.unsafe >= POINTS, "there was nothing that the cuts could have taken"
    assert found.held > 100_000
    assert found.boots > 10
    assert found.epochs > 30, "no segment was recycled"
    assert found.evicted > 0


@pytest.mark.parametrize("mutant", list(MUTANTS))
def test_real_power_cuts_catch_the_mutant(mutant: str) -> None:
    assert rig.run(MUTANT_POINTS, 1, mutant).broken > 3
