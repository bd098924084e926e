"""The rare ways of the code: all of them are walked in simulations, and none anywhere else."""

from __future__ import annotations

import re
from pathlib import Path

from gateway.core import buggify
from tools.simulate.history import plan
from tools.simulate.rare import POINTS, Rare
from tools.simulate.world import World

CODE = [*Path("gateway").rglob("*.py"), *Path("drivers").rglob("*.py")]


def test_rare_ways_of_the_code_are_those_the_simulator_knows() -> None:
    found = [name for file in CODE for name in re.findall(r'buggify\("(.+?)"', file.read_text())]
    found.remove("short-batch")  # where the word is explained
    assert sorted(found) == sorted(POINTS)


def test_rare_ways_are_closed_unless_armed_and_after_a_world() -> None:
    assert not any(buggify.buggify(name) for name in POINTS)
    buggify.arm(lambda name: name == "early-roll")
    try:
        assert [name for name in POINTS if buggify.buggify(name)] == ["early-roll"]
    finally:
        buggify.arm(None)
    World(1, 0.6).run()
    assert not any(buggify.buggify(name) for name in POINTS)


def test_rare_ways_are_each_open_in_some_worlds_and_closed_in_others() -> None:
    worlds = [Rare(seed).shares for seed in range(100)]
    for name in POINTS:
        assert 10 < sum(name in shares for shares in worlds) < 50, name
    assert sum(not shares for shares in worlds) > 20  # in these, the code is as in the field


def test_rare_ways_that_are_open_are_taken() -> None:
    world = World(6, 1.5, plan(6, 1.5, ("cut", "power", "stall")))
    world.rare.open(dict.fromkeys(POINTS, 0.2))
    outcome = world.run()
    assert not outcome.broken, outcome.broken
    missed = [name for name, count in world.rare.taken.items() if not count]
    assert not missed, f"{missed} were never taken"
    assert outcome.accounts["rare"] == sum(world.rare.taken.values())
