"""Nothing in the agent grows without end: a day without a broker, a storage that stalls, floods."""

from __future__ import annotations

from tools.simulate.bounds import BOUNDS
from tools.simulate.history import QUIET_S, Act, plan
from tools.simulate.world import World

DAY_H = 24
TROUBLES = ("hang", "slow-disk", "babble", "ack-flood", "read-only", "broker-gone")
# What these worlds need not fill: nobody sends commands yet, nothing is damaged, and
# announcements only wait while the broker answers nothing.
EMPTY = {"commands of a bus", "points nobody declared", "files set aside", "announcements due"}


def peaks(world: World) -> dict[str, int]:
    outcome = world.run()
    assert not outcome.broken, outcome.broken
    return world.laws.peaks


def test_bounds_hold_for_a_day_without_a_broker_and_everything_is_delivered_after_it() -> None:
    world = World(5, DAY_H, [Act(0, "broker-gone", DAY_H * 3600 - QUIET_S, 1)])
    world.rare.open({})
    found = peaks(world)
    assert 0 < found["readings in RAM"] < 100  # the rest is on the card
    accounts = world.ledger.accounts()
    assert accounts["sampled"] - 20 <= accounts["stored"]
    assert found["packs of a lane in flight"] > 1  # on the way home


def test_bounds_of_every_queue_are_tried() -> None:
    most: dict[str, int] = {}
    for seed in range(3):
        world = World(seed, 1.5, plan(seed, 1.5, TROUBLES))
        world.rare.open({"early-roll": 0.3})
        for queue, size in peaks(world).items():
            most[queue] = max(most.get(queue, 0), size)
    assert set(most) == {one.queue for one in BOUNDS}
    assert {queue for queue, size in most.items() if not size} <= EMPTY
