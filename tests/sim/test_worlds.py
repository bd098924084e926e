"""Whole gateways in simulated worlds: no law may be broken, and every world can be had again."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tools.simulate.cli import report
from tools.simulate.history import KINDS, Act, plan, shrink
from tools.simulate.many import worlds
from tools.simulate.world import World

if TYPE_CHECKING:
    from typing import Any

SEEDS = int(os.environ.get("TIDEGATE_SEEDS", "200"))
HOURS = 1.5
DAYS = max(SEEDS // 40, 1)  # worlds of three days
CHUNK = 10
# A worker of pytest-xdist has its neighbours on the other cores.
JOBS = 1 if "PYTEST_XDIST_WORKER" in os.environ else os.cpu_count() or 1


def spread(kind: str, upto: int, step: int) -> list[Any]:
    """Return where each chunk begins; whichever worker of pytest-xdist is free takes it."""
    group = pytest.mark.xdist_group
    return [pytest.param(at, marks=group(f"{kind} {at}")) for at in range(0, upto, step)]


@pytest.mark.parametrize("first", spread("days", DAYS, 2))
def test_world_of_three_days_breaks_no_law(first: int, record_property: Any) -> None:
    seeds = range(first, min(first + 2, DAYS))
    assert lived(seeds, 72.0, record_property) == len(seeds)


@pytest.mark.parametrize("first", spread("worlds", SEEDS, CHUNK))
def test_world_breaks_no_law(first: int, record_property: Any) -> None:
    seeds = range(first, min(first + CHUNK, SEEDS))
    assert lived(seeds, HOURS, record_property) == len(seeds)


def lived(seeds: range, hours: float, record_property: Any) -> int:
    """Return how many worlds were lived; what they took is summed up when all tests are done."""
    broken = []
    count = 0
    for found in worlds(seeds, hours, min(JOBS, len(seeds))):
        outcome = found.outcome
        count += 1
        record_property("simulated_hours", outcome.hours)
        record_property("simulated_cpu_s", found.cpu_s)
        acts = plan(outcome.seed, hours)
        if outcome.broken:
            shown = [acts[place] for place in found.acts]
            broken.append(report(outcome, shown, hours, found.acts))
        else:
            assert outcome.accounts["durable"] <= outcome.accounts["sampled"]
            assert outcome.accounts["stored"]
    assert not broken, "\n\n".join(broken)
    return count


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
