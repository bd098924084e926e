"""What goes wrong in a world, and when: a list of acts, made from a seed, and made shorter.

Knows names and times of faults; what they do is the business of whoever asks `Faults`.
Every act stands on its own, so that leaving one out changes none of the others.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

# name → (longest duration in s; 0: a moment, weight)
KINDS: dict[str, tuple[int, int]] = {
    "noise": (600, 3),  # two or three bits of a reply flip, which a CRC-16 always shows
    "silence": (600, 3),  # devices say nothing
    "garbage": (600, 2),  # bytes of nobody before a reply
    "late": (600, 3),  # replies come after their time-out
    "babble": (300, 1),  # a device that is never silent
    "unplug": (900, 2),  # the adapter is gone
    "slow-disk": (90, 2),  # every operation of the storage thread takes seconds
    "sync-eio": (0, 3),  # one fdatasync fails; its pages are then called clean
    "write-eio": (0, 2),
    "read-eio": (300, 2),
    "hang": (0, 1),  # the storage thread does not come back
    "disk-full": (3600, 2),  # by others: nothing can be created
    "read-only": (300, 1),
    "broker-gone": (5400, 4),  # nobody listens
    "cut": (0, 6),  # the connection is reset
    "half-open": (0, 3),  # nothing arrives any more, and nobody says so
    "stall": (120, 3),  # the broker is there and does nothing
    "twice": (900, 3),  # the broker delivers packs twice
    "forget": (300, 3),  # the broker answers, and loses what it answered for
    "restart": (0, 3),  # the broker comes back empty
    "quota": (300, 2),
    "oversize": (900, 2),  # packets above a limit are refused, or end the connection
    "denied": (300, 1),
    "absent": (1800, 3),  # the platform is not connected; its broker keeps a short queue
    "platform-crash": (0, 3),  # loses what it had not committed
    "platform-empty": (0, 1),  # comes back without knowing any number
    "ack-lost": (300, 3),
    "ack-twice": (600, 2),  # also late, after newer ones
    "ack-forged": (600, 2),  # of other logs, and of numbers never sent
    "ack-flood": (0, 1),  # thousands, of anybody
    "clock-step": (3600, 2),  # nobody vouches for a clock that is a day off
    "clock-lost": (7200, 2),  # the next starts find 1970, until this ends
    "kill": (0, 4),
    "power": (0, 6),
    "shorn": (0, 1),  # power fails as a segment is begun, and the sector under the pen with it
    "reflash": (0, 1),  # another card: an empty disk
}

EPOCH_MS = 1_800_000_000_000  # the wall clock when a world begins
LIFE_ENDS = ("kill", "power", "shorn", "reflash")
OF_THE_CLOCK = ("clock-step", "clock-lost")
LONG_H = 12  # worlds above live slowly: days of a town, and not an hour of a machine hall
QUIET_S = 1_800  # at the end nothing goes wrong any more: what can be delivered, must be
_OPERATIONS_MAX = 60  # a life may end so many operations, or turns, after its moment


class Act(NamedTuple):
    """From `at_s` on, for `for_s`, fault `kind` happens; `number` seeds what it decides."""

    at_s: int
    kind: str
    for_s: int
    number: int

    def __str__(self) -> str:
        hours, rest = divmod(self.at_s, 3600)
        lasting = f" for {self.for_s} s" if self.for_s else ""
        return f"{hours}:{rest // 60:02}:{rest % 60:02} {self.kind}{lasting} (#{self.number})"


def chance(seed: int, name: str) -> Random:
    """Return the dice of `name`: what others throw does not change what these show."""
    return Random(f"{seed} {name}")


def plan(seed: int, hours: float, only: tuple[str, ...] = ()) -> list[Act]:
    """Return the acts of a world, in order; each seed prefers some kinds and leaves others out.

    With `only`, these kinds come often, and no others.
    """
    dice = chance(seed, "history")
    kinds = [kind for kind in only or KINDS if only or dice.random() < 0.6]
    weights = [KINDS[kind][1] * dice.choice((1, 1, 3)) for kind in kinds]
    wild_s = max(0, int(hours * 3600) - QUIET_S)
    # Storms, and days when little happens; of long worlds, some in which nothing does.
    every_s = dice.choice((60, 200, 600, 1800) if hours <= LONG_H else (150, 600, 1800, 7200))
    if hours > LONG_H and dice.random() < 0.05:
        kinds = []
    every_s = 120 if only else every_s
    acts = []
    if wild_s and (
        "broker-gone" in only if only else dice.random() < 0.3
    ):  # an island: nothing can be delivered until the end
        acts.append(Act(0, "broker-gone", wild_s, dice.getrandbits(24)))
    at_s = dice.randint(0, every_s)
    while kinds and at_s < wild_s:
        kind = dice.choices(kinds, weights)[0]
        longest_s = min(KINDS[kind][0], wild_s - at_s)
        for_s = int(longest_s * dice.random() ** 2) + 1 if longest_s else 0
        acts.append(Act(at_s, kind, for_s, dice.getrandbits(24)))
        at_s += int(dice.expovariate(1 / every_s)) + 1
    return acts


def operations(act: Act) -> tuple[bool, int]:
    """Return (True: disk operations, False: turns of the loop; how many a life still has)."""
    dice = Random(act.number)
    return dice.random() < 0.6, dice.randint(1, _OPERATIONS_MAX)


def shrink(acts: list[Act], fails: Callable[[list[Act]], bool], tries: int) -> list[Act]:
    """Return the fewest acts found that still fail, in at most `tries` runs."""
    size = len(acts)
    while size >= 1 and tries > 0:
        at = 0
        while at < len(acts) and tries > 0:
            fewer = acts[:at] + acts[at + size :]
            tries -= 1
            if fails(fewer):
                acts = fewer
            else:
                at += size
        size //= 2
    return acts


class Faults:
    """What is wrong at the moment; `now_s` says what the moment is."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._until_s: dict[str, float] = {}
        self._dice: dict[str, Random] = {}
        self.last_s = 0.0  # when the last of them ends; what moves clocks may delay nothing

    def begin(self, act: Act) -> None:
        """Let `act` happen from now on."""
        until_s = self._now_s() + act.for_s
        self._until_s[act.kind] = max(self._until_s.get(act.kind, 0.0), until_s)
        self._dice[act.kind] = Random(act.number)
        if act.kind not in OF_THE_CLOCK:
            self.last_s = max(self.last_s, until_s)

    def on(self, kind: str) -> bool:
        """Say whether `kind` is happening."""
        until_s = self._until_s.get(kind)
        return until_s is not None and self._now_s() < until_s

    def strikes(self, kind: str, share: float) -> bool:
        """Say whether `kind` is happening, and does so this time."""
        return self.on(kind) and self._dice[kind].random() < share

    def dice(self, kind: str) -> Random:
        """Return the dice of a kind that began."""
        return self._dice[kind]

    def ended_s(self, kinds: tuple[str, ...]) -> float:
        """Return when the last of `kinds` ends, or ended."""
        return max([self.until_s(kind) for kind in kinds])

    def until_s(self, kind: str) -> float:
        """Return when it ends, or ended."""
        return self._until_s.get(kind, 0.0)
