"""The verb `tidegate fusion`: run the reference platform, and say what arrived."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `run` and `report`."""
    verbs = parser.add_subparsers(dest="action", required=True, metavar="run|report")
    run = verbs.add_parser("run", help="store what gateways publish, and acknowledge it")
    run.add_argument("--broker", required=True, metavar="URL", help="mqtt://host:port or mqtts://")
    run.add_argument("--db", required=True, type=Path, metavar="PATH", help="SQLite database")
    run.add_argument("--mqtt", choices=("5", "3.1.1"), default="5", help="version to speak")
    run.add_argument("--client-id", default="", help="default: made from the database's path")
    run.add_argument("--ca", default="", metavar="FILE", help="certificates to trust")
    run.add_argument("--cert", default="", metavar="FILE", help="our certificate")
    run.add_argument("--key", default="", metavar="FILE", help="its key")


def main(args: argparse.Namespace) -> int:
    """Do what the command line says; the exit code."""
    return {"run": _run}[args.action](args)


def _run(args: argparse.Namespace) -> int:
    from tools.fusion.service import Broker, Service

    version = 5 if args.mqtt == "5" else 4
    Service(
        Broker(args.broker, args.ca, args.cert, args.key), args.db, args.client_id, version
    ).run()
    return 0
