"""`tidegate check`: everything that is wrong in a site file, before anything runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.agent.load_cpython import Loaded
from gateway.feasible import WHOLE

if TYPE_CHECKING:
    import argparse

    from gateway.agent.demand import Demand
    from gateway.buffer.room import Capacity

FINDINGS = 1


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `check` takes."""
    parser.add_argument("--site", required=True, type=Path, metavar="FILE", help="the site file")


def main(args: argparse.Namespace) -> int:
    """Print every problem; 0 if there is no error, 1 otherwise."""
    loaded = Loaded(args.site)
    report = loaded.report
    points = len(loaded.plan.points) if loaded.plan and not report.errors else 0
    if args.json:
        found = {
            "schema": "tidegate.check/1",
            "errors": report.errors,
            "warnings": report.warnings,
            "points": points,
            "buffer": _capacity(loaded.capacity),
            "buses": [_demand(one) for one in loaded.plan.demands] if loaded.plan else [],
            "problems": report.rows(),
        }
        print(json.dumps(found, indent=2))
    elif report.problems:
        print(report.text())
    if not args.json:
        verdict = f"{points} points" if not report.errors else f"{report.errors} errors"
        print(f"{args.site}: {verdict}, {report.warnings} warnings")
    return FINDINGS if report.errors else 0


def _demand(found: Demand) -> dict[str, object]:
    polls = [
        {
            "device": share.device,
            "every_ms": share.period_ms,
            "requests": share.requests,
            "ms": share.each_us / 1000,
            "load": share.load_us / WHOLE,
        }
        for share in found.shares
    ]
    return {"bus": found.bus, "load": found.load_us / WHOLE, "polls": polls}


def _capacity(found: Capacity | None) -> dict[str, object] | None:
    if found is None:
        return None
    return {name: getattr(found, name) for name in found.__slots__}
