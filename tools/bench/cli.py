"""`tidegate bench`: this build's figures beside their budgets."""

from __future__ import annotations

import argparse
import importlib
import json
from pathlib import Path

FINDINGS = 1
MOST = 1_000_000  # cuts, hours or seconds: a century of hours; more is a slip of the keyboard
# name: what it measures. Each is a module here whose run() returns rows of figure, value, unit,
# and a budget ("max" unless `at_least` is true) where there is one.
BENCHES = {
    "bus": "requests, wire time and what a dead unit costs its neighbours",
    "turnaround": "how long the line waits for us between a reply and the next request",
    "plan": "wire time of all profiles' plans beside the least, single requests and greedy ones",
    "buffer": "bytes and syncs per commit, CPU per reading, recovery time",
    "ble": "CPU per Bluetooth advert of strangers and of ours",
    "disk": "bytes and flushes that reach a block device under a real ext4 (root, 2 minutes)",
    "latency": "how late the agent's event loop runs while its disk stalls for seconds",
    "uplink": "bytes on the wire and CPU per reading",
    "fusion": "readings the reference platform commits per second",
    "powercut": "readings lost by real power cuts on a real file system (root)",
    "mutants": "mistakes in profiles: the share whose cause check, test and try name",
    "profile": "check time, compiled size and a board's heap over all profiles",
    "footprint": "start-up times and the agent's memory",
}
# The same for those that take minutes, and run only when they are named.
LONG = {
    "poll": "CPU per reading from the wire to the platform, beside other programs; load and jitter",
    "noise": "wrong values in 10⁸ bytes with one bit of 10⁴ turned (two minutes of one core)",
    "storm": "readings that arrive while everything is killed, stalled and cut off (a minute)",
    "drain": "days of history through a broker into the platform, and how old live values are",
}
# The same for those that measure the folders they are given; the module, as import is a keyword.
OF_PLACES = {"import": ("importing", "how much of the files below DIR… the importers carry")}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `bench` takes."""
    known = BENCHES | LONG | {name: text for name, (_, text) in OF_PLACES.items()}
    told = "; ".join(f"{name}: {text}" for name, text in known.items())
    parser.add_argument("name", choices=[*known, "all"], help=told)
    parser.add_argument("places", nargs="*", type=Path, metavar="DIR", help="for import")
    parser.add_argument("--points", type=_count, default=250, help="for powercut: how many cuts")
    parser.add_argument(
        "--seed", type=int, default=1, help="for powercut, storm, noise: which ones"
    )
    parser.add_argument(
        "--broker", default="mosquitto", help="for storm: mosquitto, nats, rabbitmq"
    )
    parser.add_argument("--hours", type=_amount, default=72, help="for drain: of history")
    parser.add_argument("--seconds", type=_amount, default=60, help="for storm: how long it lasts")


def main(args: argparse.Namespace) -> int:
    """Measure, print, and return 1 if a budget is exceeded."""
    names = list(BENCHES) if args.name == "all" else [args.name]
    found = []
    given = dict.fromkeys(OF_PLACES, (args.places,)) | {
        "powercut": (args.points, args.seed),
        "storm": (args.broker, args.seconds, args.seed),
        "drain": (args.hours,),
        "noise": (args.seed,),
    }
    for name in names:
        module = OF_PLACES[name][0] if name in OF_PLACES else name
        for row in importlib.import_module(f"tools.bench.{module}").run(*given.get(name, ())):
            found.append({"bench": name, **row})
            if not args.json:
                print(_told(found[-1]), flush=True)
    over = [row for row in found if not _within(row)]
    if args.json:
        print(json.dumps({"schema": "tidegate.bench/1", "rows": found}, indent=2))
    return FINDINGS if over else 0


def _count(text: str) -> int:
    """Return `text` as a whole number from 1 on: a measurement of nothing proves nothing."""
    if not (text.isdecimal() and len(text) <= 7 and 1 <= int(text) <= MOST):
        raise argparse.ArgumentTypeError(f"not a whole number from 1 to {MOST}: {text!r}")
    return int(text)


def _amount(text: str) -> float:
    """Return `text` as a number from 1 on; not a number is none."""
    try:
        amount = float(text)
    except ValueError:
        amount = 0.0
    if not 1 <= amount <= MOST:
        raise argparse.ArgumentTypeError(f"not a number from 1 to {MOST}: {text!r}")
    return amount


def _within(row: dict[str, object]) -> bool:
    value, budget = row["value"], row.get("budget")
    if not isinstance(value, int | float) or not isinstance(budget, int | float):
        return True
    return value >= budget if row.get("at_least") else value <= budget


def _told(row: dict[str, object]) -> str:
    budget = ""
    if "budget" in row:
        bound = "≥" if row.get("at_least") else "≤"
        budget = f"  ({bound} {row['budget']}){'' if _within(row) else '  MISSED'}"
    return f"{row['bench']:<10} {row['figure']:<52} {row['value']:>10} {row['unit']}{budget}"
