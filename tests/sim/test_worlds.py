"""Whole gateways in simulated worlds: no law may be broken, and every world can be had again."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tools.simulate.cli import report
from tools.simulate.history import KINDS, Act, plan, shrink
from tools.simulate.world import World

SEEDS = int(os.environ.get("TIDEGATE_SEEDS", "14"))
HOURS = 1.5


@pytest.mark.parametrize("seed", range(SEEDS))
def test_world_breaks_no_law(seed: int) -> None:
    outcome = World(seed, HOURS).run()
    assert not outcome.broken, report(outcome, plan(seed, HOURS), HOURS)
    accounts = outcome.accounts
    assert accounts["durable"] <= accounts["sampled"]
    assert accounts["stored"]


def test_world_seeds_meet_every_kind_of_trouble() -> None:
    # Otherwise the laws were never tried; a hundred plans cost nothing.
    met = {act.kind for seed in range(100) for act in plan(seed, HOURS)}
    assert met == set(KINDS)


def test_world_in_which_nothing_goes_wrong_delivers_everything_in_one_life() -> None:
    outcome = World(3, 1.0, []).run()
    assert (outcome.broken, outcome.lives) == ("", 1)
    accounts = outcome.accounts
    assert accounts["gaps"] == 0
    # What came after the last commit is still in RAM.
    assert accounts["sampled"] - 100 <= accounts["stored"] <= accounts["sampled"]


def test_world_of_one_seed_is_the_same_again_also_in_another_process() -> None:
    first = World(9, 1.0).run()
    assert first.digest == World(9, 1.0).run().digest
    script = "from tools.simulate.world import World; print(World(9, 1.0).run().digest)"
    for number in ("1", "2"):  # of the hashes of texts, which order sets
        ran = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": number, "PYTHONPATH": "."},
            capture_output=True,
            text=True,
            check=True,
        )
        assert ran.stdout.strip() == first.digest
    assert World(10, 1.0).run().digest != first.digest


def test_world_history_shrinks_to_the_acts_that_matter() -> None:
    acts = [Act(at_s, kind, 1, 0) for at_s, kind in enumerate(["cut", "kill"] * 20)]
    needed = {acts[7], acts[30]}
    assert set(shrink(acts, lambda some: needed <= set(some), 200)) == needed
    assert shrink(acts, lambda _: False, 50) == acts
