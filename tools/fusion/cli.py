"""The verb `tidegate fusion`: run the reference platform, say what arrived, hand it on."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sqlite3
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.core.duration import milliseconds
from gateway.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tools.fusion.days import Days

DAYS = 7  # of a completeness report, if none are given
OK, FINDINGS, NO_INPUT, IO_ERROR = 0, 1, 66, 74


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verbs."""
    verbs = parser.add_subparsers(dest="action", required=True, metavar="run|report|export|prune")
    run = verbs.add_parser("run", help="store what gateways publish, and acknowledge it")
    run.add_argument("--broker", required=True, metavar="URL", help="mqtt://host:port or mqtts://")
    run.add_argument("--mqtt", choices=("5", "3.1.1"), default="5", help="version to speak")
    run.add_argument("--client-id", default="", help="default: made from the database's path")
    run.add_argument("--ca", default="", metavar="FILE", help="certificates to trust")
    run.add_argument("--cert", default="", metavar="FILE", help="our certificate")
    run.add_argument("--key", default="", metavar="FILE", help="its key")
    report = verbs.add_parser("report", help="what arrived, what did not, and why")
    export = verbs.add_parser("export", help="readings as CSV, or as JSON lines with --json")
    for verb in (report, export):
        _json(verb)
        verb.add_argument("--gw", default="", metavar="ID", help="only this gateway")
    _since(export)
    _completeness(report)
    prune = verbs.add_parser("prune", help="delete readings that are old; what was counted stays")
    prune.add_argument("--before", type=_span_ms, required=True, metavar="SPAN", help="400d")
    prune.add_argument("--sums", action="store_true", help="what completeness counts of them, too")
    _json(prune)
    for verb in (run, report, export, prune):
        verb.add_argument("--db", required=True, type=Path, metavar="PATH", help="SQLite database")


def _completeness(report: argparse.ArgumentParser) -> None:
    report.set_defaults(wrong=report.error)
    told = report.add_argument_group("completeness, by point and local day")
    told.add_argument("--completeness", action="store_true", help="what was due and did not come")
    start = told.add_mutually_exclusive_group()
    _since(start, "90s, 24h, 7d; also without --completeness")
    start.add_argument("--days", type=_count, metavar="N", help="the last day and N - 1 before it")
    start.add_argument("--from", type=_date, dest="from_", metavar="DATE", help="first day")
    told.add_argument("--to", type=_date, metavar="DATE", help="last day (default: today)")
    told.add_argument("--tz", metavar="ZONE", help="whose days, as Asia/Shanghai (default: UTC)")
    told.add_argument("--csv", action="store_true", help="a line for each point and day")


def _json(verb: argparse.ArgumentParser) -> None:
    # Also after the sub-verb; SUPPRESS keeps a --json given before it.
    what = "machine-readable output"
    verb.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=what)


def _since(verb: argparse._ActionsContainer, what: str = "90s, 24h, 7d") -> None:
    verb.add_argument("--since", type=_span_ms, default=0, metavar="SPAN", help=what)


def main(args: argparse.Namespace) -> int:
    """Do what the command line says; the exit code."""
    actions: dict[str, Callable[[argparse.Namespace], int]] = {
        "run": _run,
        "report": _report,
        "export": _export,
        "prune": _prune,
    }
    if args.action != "run" and not args.db.exists():
        print(f"tidegate: {args.db}: no such file", file=sys.stderr)
        return NO_INPUT
    try:
        return actions[args.action](args)
    except sqlite3.Error as error:
        # A full, failing or damaged disk. Of `run`: nothing uncommitted was acknowledged, so
        # ending loses nothing.
        print(f"tidegate: {args.db}: {error}", file=sys.stderr)
        return IO_ERROR


def _run(args: argparse.Namespace) -> int:
    from gateway.uplink import address
    from tools.fusion.service import Service

    Service(
        address.parse(args.broker),
        args.db,
        client_id=args.client_id,
        mqtt5=args.mqtt == "5",
        tls_files=(args.ca, args.cert, args.key),
    ).run()
    return OK


def _report(args: argparse.Namespace) -> int:
    if args.completeness:
        return _complete(args)
    lone = [name for name in ("days", "from_", "to", "tz", "csv") if getattr(args, name)]
    if lone:
        names = ", ".join(f"--{name.rstrip('_')}" for name in lone)
        args.wrong(f"{names} {'goes' if len(lone) == 1 else 'go'} with --completeness")
    from tools.fusion import schema, text
    from tools.fusion.report import report

    now_ms = int(time.time() * 1000)
    database = schema.open_readonly(args.db)
    document = report(database, now_ms, _since_ms(args, now_ms), args.gw)
    if args.gw and not document["gateways"]:
        raise ConfigError(f"gateway {args.gw} has never been heard")
    if args.json:
        print(json.dumps(document))
    else:
        print("\n".join(text.lines(document, text.use_colour())))
    return FINDINGS if document["lost"] else OK


def _complete(args: argparse.Namespace) -> int:
    from tools.fusion import complete, page, schema, text

    if args.csv and args.json:
        args.wrong("--csv or --json, not both")
    now_ms = int(time.time() * 1000)
    days = _days(args, now_ms)
    database = schema.open_readonly(args.db)
    document = complete.report(database, now_ms, days, args.gw)
    if args.gw and not document["gateways"]:
        raise ConfigError(f"gateway {args.gw} has never been heard")
    if args.csv:
        page.write_csv(document, sys.stdout)
    elif args.json:
        print(json.dumps(document))
    else:
        print("\n".join(page.lines(document, text.use_colour())))
    return FINDINGS if "unknown" in document["missing"] else OK


def _days(args: argparse.Namespace, now_ms: int) -> Days:
    from tools.fusion.days import UTC, Days, local_date

    tz = args.tz or UTC
    try:
        last = args.to or local_date(now_ms, tz)
        first = args.from_
        if args.since:
            first = local_date(max(0, now_ms - int(args.since)), tz)
        if first is None:
            first = last - dt.timedelta(days=(args.days or DAYS) - 1)
        return Days(tz, first, last)
    except (ValueError, OverflowError) as error:
        raise ConfigError(str(error))


def _export(args: argparse.Namespace) -> int:
    from tools.fusion import export, schema

    since_ms = _since_ms(args, int(time.time() * 1000))
    database = schema.open_readonly(args.db)
    if args.gw and not export.heard(database, args.gw):
        raise ConfigError(f"gateway {args.gw} has never been heard")
    rows = export.readings(database, since_ms, args.gw)
    (export.write_json if args.json else export.write_csv)(rows, sys.stdout)
    return OK


def _prune(args: argparse.Namespace) -> int:
    from tools.fusion import prune, schema, text

    now_ms = int(time.time() * 1000)
    before_ms = now_ms - int(args.before)
    found = prune.prune(schema.create_or_open(args.db), before_ms, now_ms, args.sums)
    if args.json:
        print(json.dumps({"before_ms": before_ms, **found}))
    else:
        sums = f" and {found['sums']} sums" if args.sums else ""
        print(f"deleted {found['readings']} readings{sums} made before {text.stamp(before_ms)}")
    return OK


def _since_ms(args: argparse.Namespace, now_ms: int) -> int:
    return now_ms - int(args.since) if args.since else 0


def _count(text: str) -> int:
    from tools.fusion.days import DAYS_MAX

    if not text.isdecimal() or not 1 <= int(text) <= DAYS_MAX:
        raise argparse.ArgumentTypeError(f"not 1 to {DAYS_MAX} days: {text!r}")
    return int(text)


def _date(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"not a date as 2026-11-23: {text!r}")


def _span_ms(text: str) -> int:
    try:
        return milliseconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error))
