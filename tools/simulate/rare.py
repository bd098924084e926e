"""Which rare ways of the code a world takes, and how often: the dice of its `buggify` points.

Every point is armed in a share of the worlds only: what one of them hides, another shows.
"""

from __future__ import annotations

from tools.simulate.history import chance

# Each stands in the code as `buggify("…")`, and nowhere twice.
POINTS = (
    "ack-time-out",  # the platform is taken for silent, and it was not
    "anchor-early",  # the clock is written down without need
    "cursor-early",
    "cursor-late",  # a write of the cursor is left out
    "early-roll",  # a segment is given up half full
    "late-answer",  # the storage thread was done, and it is seen later
    "one-byte",  # a port hands out a byte at a time
    "one-pack-window",
    "poll-overrun",  # a bus loop comes late
    "ram-full",  # a reading is dropped, and counted
    "reader-lost",  # a reader has lost its place
    "reconnect-at-once",
    "short-batch",  # one item
    "small-record",  # of one reading
    "split-commit",  # one record, and then the others
)
SLOWING = {"ack-time-out", "late-answer", "one-pack-window", "reconnect-at-once"}
# What makes much work for the simulator is done less often.
MOST = {"ack-time-out": 0.02, "anchor-early": 0.1, "reader-lost": 0.1}
SHARES = (0.01, 0.1, 0.4)  # how often a point that is armed takes its rare way


class Rare:
    """The dice of one world; called with a point's name. `taken` counts."""

    def __init__(self, seed: int) -> None:
        dice = chance(seed, "rare ways")
        armed = [name for name in POINTS if dice.random() < 0.4] if dice.random() < 0.6 else []
        self._dice = dice
        self.open({name: min(dice.choice(SHARES), MOST.get(name, 1.0)) for name in armed})

    def open(self, shares: dict[str, float]) -> None:
        """Take the ways in `shares` so often, and no others."""
        self.shares = shares
        self.taken = dict.fromkeys(shares, 0)

    def __call__(self, name: str) -> bool:
        share = self.shares.get(name, 0.0)
        rare = share > 0 and self._dice.random() < share
        if rare:
            self.taken[name] += 1
        return rare
