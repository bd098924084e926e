"""`tidegate sim city`: worlds by seed, as many as wanted; what broke a law is shown, made short."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from typing import TYPE_CHECKING

from gateway.core.errors import ConfigError
from tools.simulate.history import plan
from tools.simulate.many import Found, worlds
from tools.simulate.world import World

if TYPE_CHECKING:
    from tools.simulate.history import Act
    from tools.simulate.world import Outcome

HOURS_MAX = 24 * 366
SEEDS_MAX = 1_000_000
JOBS_MAX = 256
HOURS = 2.0
LINES_SHOWN = 12
_PROGRESS_S = 0.5


def arguments(parser: argparse._ActionsContainer, *, again: bool = False) -> None:
    """Add what the kind takes; `again`: a parser before this one may have been given it."""
    for option, kind, default, about in (
        ("seed", int, None, "of the first world (default 0)"),
        ("seeds", int, None, "how many worlds (default 1)"),
        ("hours", float, HOURS, f"of each world (default {HOURS:g})"),
        ("jobs", int, 0, "worlds at a time (default: one for each core)"),
        ("minutes", float, 0.0, "begin no world later; without --seeds as many as fit"),
    ):
        chosen = argparse.SUPPRESS if again else default
        parser.add_argument(f"--{option}", type=kind, default=chosen, metavar="N", help=about)
    parser.add_argument(
        "--until-broken",
        action="store_true",
        default=argparse.SUPPRESS if again else False,
        help="end with the first world that breaks a law",
    )
    parser.add_argument(
        "--acts",
        metavar="N,N…",
        default=argparse.SUPPRESS if again else None,
        help="only these troubles of one world: the places printed with a broken law, or none",
    )


def main(args: argparse.Namespace) -> int:
    """Run the worlds; 1 if a law was broken in one of them."""
    seeds = _checked(args)
    places = _places(args) if args.acts is not None else None
    told = _Told(args.hours, getattr(args, "json", False), sys.stderr.isatty(), seeds == 1)
    try:
        if places is not None:
            told.take(_replayed(args.seed or 0, args.hours, places))
            return 1 if told.broken else 0
        until_s = time.monotonic() + 60 * args.minutes if args.minutes else 0.0
        first = args.seed or 0
        jobs = min(args.jobs or os.cpu_count() or 1, seeds)
        for found in worlds(range(first, first + seeds), args.hours, jobs, until_s):
            told.take(found)
            if found.outcome.broken and args.until_broken:
                break
    finally:  # also when interrupted
        told.total()
    return 1 if told.broken else 0


def report(outcome: Outcome, acts: list[Act], hours: float, places: list[int] | None = None) -> str:
    """Return what a person needs to see a law broken, and to see it again."""
    lines = [f"seed {outcome.seed}: {outcome.broken}"]
    only = "" if places is None else " --acts " + (",".join(map(str, places)) or "none")
    lines.append(f"again: tidegate sim city --seed {outcome.seed} --hours {hours:g}{only}")
    lines += [f"  {act}" for act in acts]
    lines += [f"    {line}" for line in outcome.last[-LINES_SHOWN:]]
    return "\n".join(lines)


class _Told:
    """Says what comes of the worlds: lines, or JSON, and how far it is on a terminal."""

    def __init__(self, hours: float, as_json: bool, terminal: bool, alone: bool) -> None:
        self.broken = 0
        self._hours_each = hours
        self._json = as_json
        self._terminal = terminal
        self._alone = alone
        self._worlds = 0
        self._hours = 0.0
        self._began_s = self._shown_s = time.monotonic()

    def take(self, found: Found) -> None:
        outcome = found.outcome
        self._worlds += 1
        self._hours += outcome.hours
        self.broken += bool(outcome.broken)
        every = plan(outcome.seed, self._hours_each)
        acts = [every[place] for place in found.acts]
        if self._json:
            told = outcome._asdict() | {"planned": found.planned, "places": found.acts}
            told |= {"acts": [str(act) for act in acts], "cpu_s": round(found.cpu_s, 3)}
            self._say(json.dumps(told))
        elif outcome.broken:
            self._say(report(outcome, acts, self._hours_each, found.acts))
        elif self._alone:
            counts = ", ".join(f"{value} {name}" for name, value in outcome.accounts.items())
            lives = _counted(outcome.lives, "life", "lives")
            faults = _counted(found.planned, "fault", "faults")
            self._say(f"seed {outcome.seed}: {lives}, {faults}: {counts}")
        if self._terminal and time.monotonic() - self._shown_s > _PROGRESS_S:
            self._shown_s = time.monotonic()
            print(f"\r\x1b[K{self._line()}", end="", file=sys.stderr, flush=True)

    def total(self) -> None:
        if self._json:
            rate = round(self._rate(), 1)
            told = {"worlds": self._worlds, "hours": round(self._hours, 1), "hours_per_s": rate}
            self._say(json.dumps(told | {"broken": self.broken}))
        else:
            self._say(self._line())

    def _line(self) -> str:
        so_far = f"{_counted(self._worlds, 'world', 'worlds')}, {self._hours:.1f} simulated hours"
        broken = f"{self.broken} broke a law" if self.broken else "no law was broken"
        return f"{so_far}, {self._rate():.1f} hours/s: {broken}"

    def _rate(self) -> float:
        return self._hours / max(time.monotonic() - self._began_s, 0.001)

    def _say(self, line: str) -> None:
        if self._terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
        print(line, flush=True)


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _checked(args: argparse.Namespace) -> int:
    """Return how many worlds are wanted; ConfigError if that cannot be."""
    if not 0 < args.hours <= HOURS_MAX:  # NaN neither
        raise ConfigError(f"--hours {args.hours:g} is not above 0 and at most {HOURS_MAX}")
    if not 0 <= args.jobs <= JOBS_MAX:
        raise ConfigError(f"--jobs {args.jobs} is not 0..{JOBS_MAX}")
    if not 0 <= args.minutes < float("inf"):
        raise ConfigError(f"--minutes {args.minutes:g} is not a time")
    if args.acts is not None and (args.minutes or args.seeds not in (None, 1)):
        raise ConfigError("--acts is for one world: leave --seeds and --minutes out")
    if args.seeds is None:
        return SEEDS_MAX if args.minutes else 1
    if not 1 <= args.seeds <= SEEDS_MAX:
        raise ConfigError(f"--seeds {args.seeds} is not 1..{SEEDS_MAX}")
    return int(args.seeds)


def _places(args: argparse.Namespace) -> list[int]:
    """Return the places in the history that `--acts` names."""
    many = len(plan(args.seed or 0, args.hours))
    texts = [] if args.acts == "none" else args.acts.split(",")
    if not all(text.isdecimal() and int(text) < many for text in texts):
        places = f"places 0..{many - 1}, or none" if many else "none, as nothing happens in it"
        raise ConfigError(f"--acts {args.acts}: write {places}")
    return [int(text) for text in texts]


def _replayed(seed: int, hours: float, places: list[int]) -> Found:
    every = plan(seed, hours)
    outcome = World(seed, hours, [every[place] for place in places]).run()
    return Found(outcome, len(places), places, 0.0)
