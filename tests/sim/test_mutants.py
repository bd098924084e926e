"""A simulator that finds nothing proves nothing: every deliberate fault is found, and soon."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.sim import mutants, mutants_of_time
from tools.simulate.history import plan
from tools.simulate.world import World

if TYPE_CHECKING:
    from typing import Any

HOURS = 1.5
ISLAND = ("broker-gone",)
ROLLS = ("early-roll",)


class Case(NamedTuple):
    """Found within `worlds`, by a law that says `word`, where `troubles` come often.

    Without troubles: in any world. `rare` ways are taken three times in ten.
    """

    worlds: int
    word: str
    troubles: tuple[str, ...] = ()
    rare: tuple[str, ...] = ()

    def run(self, seed: int) -> str:
        """Return the law that was broken in the world of `seed`, or ""."""
        world = World(seed, HOURS, plan(seed, HOURS, self.troubles))
        world.rare.open(dict.fromkeys(self.rare, 0.3))
        return world.run().broken


CASES = {
    "no_fdatasync": Case(1, "not durable"),
    "no_directory_fsync": Case(5, "not durable", ("power",)),
    "no_epoch_check": Case(4, "a number used twice", ("shorn",), ROLLS),
    "cursor_on_puback": Case(2, "counts as delivered"),
    "sent_before_durable": Case(1, "not durable"),
    "failed_fsync_tried_again": Case(5, "", ("sync-eio", "power")),
    "evicted_without_gap": Case(8, "nobody explained", ISLAND),
    "gap_noted_with_the_next_one": Case(8, "nobody explained", (*ISLAND, "power")),
    "wall_clock_in_records": Case(5, "ago when it is taken"),
    "ack_of_another_log_accepted": Case(5, "counts as delivered", ("ack-forged",)),
    "numbers_used_again_after_a_start": Case(5, "", ("power",)),
    "readings_counted_twice": Case(2, "counted twice"),
    "same_log_on_every_card": Case(5, "a number used twice", ("reflash",)),
    "alarms_behind_bulk": Case(5, "waited until"),
    "silence_waited_out_for_ever": Case(5, "", ("forget",)),
    "receive_maximum_ignored": Case(5, "allowed", (*ISLAND, "stall")),
    "dropped_readings_forgotten": Case(5, "", ("read-only",)),
    "boot_count_used_again": Case(2, "was used before", ("kill",)),
    "joined_note_counts_one_of_two": Case(8, "", (*ISLAND, "power"), ROLLS),
    "ram_called_durable": Case(4, "", ("read-only", "power")),
    "snapshot_counted_as_delivery": Case(2, "counts as delivered"),
    "newer_pack_first": Case(5, "comes for the first time"),
    "duplicates_stored": Case(2, "stored twice", ("ack-lost",)),
    "window_ignored": Case(4, "in flight", ISLAND),
    "back_off_without_dice": Case(2, "none shorter", ISLAND),
    "watchdog_always_fed": Case(1, "still not durable", ("hang",)),
    "start_waits_for_the_clock": Case(5, "no buffer", ("clock-lost", "power")),
    "commits_put_off": Case(2, "not durable for"),
    "adapter_given_up": Case(3, "is not polled", ("unplug",)),
    "port_remembers_everything": Case(3, "bytes of a port", ("babble",)),
    "acknowledgements_queue_without_end": Case(
        3, "events for the session", ("ack-flood", "slow-disk")
    ),
    "guess_called_synced": Case(3, "nobody vouched for", ("clock-lost", "power")),
    "clock_set_by_hand_believed": Case(3, "is told to be", ("clock-step", "power")),
    "uplink_lives_by_the_wall_clock": Case(5, "", ("clock-step",)),
}


@pytest.mark.parametrize("name", CASES)
def test_mutant_is_caught_within_its_worlds(name: str) -> None:
    case = CASES[name]
    mutant: Any = getattr(mutants, name, None) or getattr(mutants_of_time, name)
    seen = []
    with mutant():
        for seed in range(case.worlds):
            broken = case.run(seed)
            if broken:
                seen.append(broken)
                break
    assert seen, f"{name} lived through {case.worlds} worlds"
    assert case.word in seen[0], f"{name} was caught by another law: {seen[0]}"


def test_mutants_are_at_least_thirty_and_their_troubles_alone_break_no_law() -> None:
    assert len(CASES) >= 30
    met = {(one.troubles, one.rare) for one in CASES.values()} - {((), ())}
    for troubles, rare in sorted(met):
        broken = Case(1, "", troubles, rare).run(0)
        assert not broken, f"{troubles}: {broken}"
