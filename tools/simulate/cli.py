"""`tidegate sim city`: worlds by seed, as many as wanted; what broke a law is shown, made short."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from gateway.core.errors import ConfigError
from tools.simulate.history import Act, plan, shrink
from tools.simulate.world import World

if TYPE_CHECKING:
    import argparse

    from tools.simulate.world import Outcome

HOURS_MAX = 24 * 366
SEEDS_MAX = 1_000_000
SHRINK_TRIES = 60  # worlds to try on the way to a shorter history
LINES_SHOWN = 12


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the kind takes."""
    parser.add_argument("--seed", type=int, default=0, help="of the first world (default 0)")
    parser.add_argument("--seeds", type=int, default=1, help="how many worlds (default 1)")
    parser.add_argument("--hours", type=float, default=2.0, help="of each world (default 2)")


def main(args: argparse.Namespace) -> int:
    """Run the worlds; 1 if a law was broken in one of them."""
    if not 0 < args.hours <= HOURS_MAX:  # NaN neither
        raise ConfigError(f"--hours {args.hours:g} is not above 0 and at most {HOURS_MAX}")
    if not 1 <= args.seeds <= SEEDS_MAX:
        raise ConfigError(f"--seeds {args.seeds} is not 1..{SEEDS_MAX}")
    as_json = getattr(args, "json", False)
    began_s, hours, broken = time.monotonic(), 0.0, 0
    for seed in range(args.seed, args.seed + args.seeds):
        outcome = World(seed, args.hours).run()
        hours += outcome.hours
        acts = plan(seed, args.hours)
        if outcome.broken:
            broken += 1
            acts, outcome = shortest(outcome, acts, args.hours)
        if as_json:
            told = outcome._asdict() | {"acts": [str(act) for act in acts]}
            print(json.dumps(told), flush=True)
        elif outcome.broken:
            print(report(outcome, acts, args.hours), flush=True)
        elif args.seeds == 1:
            counts = ", ".join(f"{value} {name}" for name, value in outcome.accounts.items())
            print(f"seed {seed}: {outcome.lives} lives, {len(acts)} faults: {counts}")
    if not as_json:
        rate = hours / max(time.monotonic() - began_s, 0.001)
        print(f"{args.seeds} worlds, {hours:.1f} simulated hours, {rate:.1f} hours/s: ", end="")
        print(f"{broken} broke a law" if broken else "no law was broken")
    return 1 if broken else 0


def shortest(outcome: Outcome, acts: list[Act], hours: float) -> tuple[list[Act], Outcome]:
    """Return the shortest history found in which a law is broken, and its outcome."""
    found = {tuple(acts): outcome}

    def fails(fewer: list[Act]) -> bool:
        tried = World(outcome.seed, hours, fewer).run()
        found[tuple(fewer)] = tried
        return bool(tried.broken)

    # What came after the law was broken had no part in it.
    short = shrink(acts, fails, SHRINK_TRIES)
    return short, found[tuple(short)]


def report(outcome: Outcome, acts: list[Act], hours: float) -> str:
    """Return what a person needs to see a law broken, and to see it again."""
    lines = [f"seed {outcome.seed}: {outcome.broken}"]
    lines.append(f"again: tidegate sim city --seed {outcome.seed} --hours {hours:g}")
    lines += [f"  {act}" for act in acts]
    lines += [f"    {line}" for line in outcome.last[-LINES_SHOWN:]]
    return "\n".join(lines)
