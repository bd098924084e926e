"""A simulator that finds nothing proves nothing: every deliberate fault is found, and soon."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sim.mutants import MUTANTS
from tools.simulate.history import plan
from tools.simulate.world import World

if TYPE_CHECKING:
    from typing import Any

HOURS = 1.5


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_mutant_is_caught_within_its_worlds(mutant: Any) -> None:
    worlds, word, troubles = MUTANTS[mutant]
    seen = []
    with mutant():
        for seed in range(worlds):
            outcome = World(seed, HOURS, plan(seed, HOURS, troubles)).run()
            if outcome.broken:
                seen.append(outcome.broken)
                break
    assert seen, f"{mutant.__name__} lived through {worlds} worlds"
    assert word in seen[0], f"{mutant.__name__} was caught by another law: {seen[0]}"


def test_mutants_are_at_least_twelve_and_their_troubles_alone_break_no_law() -> None:
    assert len(MUTANTS) >= 12
    for troubles in {troubles for _, _, troubles in MUTANTS.values() if troubles}:
        outcome = World(0, HOURS, plan(0, HOURS, troubles)).run()
        assert not outcome.broken, f"{troubles}: {outcome.broken}"
