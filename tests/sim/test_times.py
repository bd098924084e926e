"""Clocks that nobody vouches for, in worlds made for them."""

from __future__ import annotations

from tools.simulate.history import Act
from tools.simulate.world import World


def test_clock_that_is_set_wrong_between_two_looks_at_it_bounds_no_reading() -> None:
    # Found by simulation: the clock left 1970 for yesterday, and a pack went before it was asked.
    sent = 0
    for lost_s in range(100, 111):
        acts = [Act(0, "clock-lost", lost_s, 1), Act(0, "clock-step", 301, 1)]
        world = World(3, 0.1, acts)
        world.rare.open({})
        assert not world.run().broken
        sent += world.ledger.accounts()["stored"]
    assert sent
