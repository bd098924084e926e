"""`tidegate sim`: simulated devices to try things on, no hardware and no root needed."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
from typing import TYPE_CHECKING

from gateway.core.errors import ConfigError
from tools.sim import paced_cli
from tools.sim.faults import NAMES, Faults
from tools.sim.modbus import FRAMINGS, Slave, serve_pty, serve_tcp
from tools.sim.ports import Pace, precise_loop
from tools.simulate import cli as worlds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from tools.sim.paced import PacedLine

TURNAROUND_S_MAX = 60  # longer than any master waits
TABLES = ("holding", "input", "coil", "discrete")

_EXAMPLES = """\
examples:
  tidegate sim modbus --pty /tmp/bus --baud 9600 --unit 1 --holding 0=1,2,3 --unit 2 --coil 8=1,0
  tidegate sim modbus --pty /tmp/bus --baud 19200 --profile 1=keller/36xw
  tidegate sim modbus --tcp 127.0.0.1:1502 --unit 1 --input 100=231,0x0FA0 --fault delay=0.2
  tidegate sim modbus --pty /tmp/bus --baud 9600 --parity even --bit-errors 1e-4 --babble 2000 \
      --unit 1 --holding 0=1,2,3

Faults can be changed while it runs: type one and press enter; "none" ends them all.
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    worlds.arguments(parser.add_argument_group("without KIND, as `tidegate sim city`"))
    parser.set_defaults(no_kind=parser.error)
    kinds = parser.add_subparsers(dest="kind", metavar="KIND")
    _modbus_arguments(kinds)
    _city_arguments(kinds)


def main(args: argparse.Namespace) -> int:
    """Serve until interrupted, or run simulated worlds to their end."""
    if args.kind is None and args.seed is None and args.seeds is None and not args.minutes:
        args.no_kind("say what: modbus, city, or --seed N")
    if args.kind in (None, "city"):
        return worlds.main(args)
    slave = _slave(args)
    faults = Faults(*args.fault, seed=args.seed)
    Pace(args.baud)  # refuses what is no speed before a place is announced
    if not 0 <= args.turnaround <= TURNAROUND_S_MAX:  # NaN neither
        raise ConfigError(f"--turnaround {args.turnaround:g} is not 0..{TURNAROUND_S_MAX} s")
    with asyncio.Runner(loop_factory=precise_loop) as runner:
        with contextlib.suppress(asyncio.CancelledError):
            runner.run(_serve(slave, faults, paced_cli.paced(args, slave, faults), args))
    return 0


def units(images: Sequence[tuple[str, str]]) -> dict[int, dict[str, Any]]:
    """Return the tables by unit from ("unit", "1"), ("holding", "0=1,2") …; ConfigError if odd."""
    found: dict[int, dict[str, Any]] = {}
    unit = 1
    for name, text in images:
        if name == "unit":
            unit = _number(text, 255)
            found.setdefault(unit, {})
            continue
        at, _, values = text.partition("=")
        if not values:
            raise ConfigError(f"--{name} {text}: write ADDRESS=VALUE,VALUE…")
        most = 1 if name in ("coil", "discrete") else 0xFFFF
        table = found.setdefault(unit, {}).setdefault(name, {})
        for place, value in enumerate(values.split(","), _number(at, 0xFFFF)):
            _number(str(place), 0xFFFF)
            table[place] = _number(value, most)
    if not found:
        raise ConfigError("no unit: give --unit N and its tables, for example --holding 0=1,2,3")
    return found


def _slave(args: argparse.Namespace) -> Slave:
    if not args.profile:
        return Slave(units(args.images))
    if args.images:
        raise ConfigError("--profile brings its own registers: leave --unit and the tables out")
    from tools.sim.sensors import Sensor, SensorSlave, sensor

    sensors: dict[int, Sensor] = {}
    for text in args.profile:
        unit, _, name = text.partition("=")
        number = _number(unit, 255)
        if number in sensors:
            raise ConfigError(f"--profile {text}: unit {number} has one already")
        sensors[number] = sensor(name, seed=args.seed + len(sensors))
    return SensorSlave(sensors)


class _Images(argparse.Action):
    """Collects --unit and the tables in the order they were written."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,  # noqa: ARG002
    ) -> None:
        namespace.images = [*namespace.images, (self.dest, values)]


async def _serve(
    slave: Slave, faults: Faults, paced: PacedLine | None, args: argparse.Namespace
) -> None:
    def ready(place: str) -> None:
        if args.json:
            print(json.dumps({"place": place, "units": sorted(slave.tables)}), flush=True)
        else:
            numbers = ", ".join(str(unit) for unit in sorted(slave.tables))
            print(f"Modbus units {numbers} on {place}; end with Ctrl-C", flush=True)

    def told(event: dict[str, Any]) -> None:
        if args.json or event["event"] == "frame":
            print(json.dumps(event), flush=True)

    line: dict[str, Any] = {
        "framing": args.framing or ("rtu" if args.pty else "tcp"),
        "faults": faults,
        "baud": args.baud,
        "turnaround_s": args.turnaround,
        "ready": ready,
    }
    if paced:
        work = asyncio.create_task(paced_cli.serve(paced, args, ready, told))
    elif args.pty:
        work = asyncio.create_task(serve_pty(slave, args.pty, **line))
    else:
        host, port = _address(args.tcp)
        work = asyncio.create_task(serve_tcp(slave, host, port, **line))
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, work.cancel)
    with contextlib.suppress(OSError, ValueError):  # standard input may be closed
        loop.add_reader(sys.stdin.fileno(), _typed, faults)
    await work


def _typed(faults: Faults) -> None:
    """Take what was typed as faults, one a line."""
    # Not readline(): it keeps further lines in a buffer the loop cannot see.
    typed = os.read(sys.stdin.fileno(), 4096)
    if not typed:
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
    for line in typed.decode(errors="replace").splitlines():
        try:
            faults.set(line)
            print(f"faults: {str(faults) or 'none'}", file=sys.stderr, flush=True)
        except ConfigError as error:
            print(error, file=sys.stderr, flush=True)


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon:
        raise ConfigError(f"--tcp {text}: write HOST:PORT, for example 127.0.0.1:1502")
    return host, _number(port, 0xFFFF)


def _number(text: str, most: int) -> int:
    try:
        value = int(text, 0)
    except ValueError:
        raise ConfigError(f"{text!r} is not a whole number") from None
    if not 0 <= value <= most:
        raise ConfigError(f"{value} is not 0..{most}")
    return value


def _modbus_arguments(kinds: argparse._SubParsersAction[Any]) -> None:
    modbus = kinds.add_parser(
        "modbus",
        help="Modbus units with fixed registers",
        description="A Modbus slave with fixed registers on a pty or a TCP port.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    where = modbus.add_mutually_exclusive_group(required=True)
    where.add_argument("--pty", metavar="PATH", help="link to a new pseudo-terminal")
    where.add_argument("--tcp", metavar="HOST:PORT", help="TCP port to listen on (0: any free one)")
    modbus.add_argument(
        "--framing",
        choices=FRAMINGS,
        help="default: rtu on a pty, tcp on TCP; rtu works on TCP too",
    )
    modbus.add_argument(
        "--baud", type=int, default=0, help="let bytes take their time (default no)"
    )
    modbus.add_argument(
        "--turnaround",
        type=float,
        default=0.0,
        metavar="S",
        help=f"seconds before each reply, at most {TURNAROUND_S_MAX}",
    )
    modbus.add_argument("--unit", action=_Images, metavar="N", help="whose tables follow")
    for table in TABLES:
        modbus.add_argument(
            f"--{table}", action=_Images, metavar="AT=V,V…", help=f"{table} values from AT on"
        )
    modbus.set_defaults(images=[])
    modbus.add_argument(
        "--profile",
        action="append",
        default=[],
        metavar="UNIT=MAKER/MODEL",
        help="a unit with the registers of a driver profile, wandering",
    )
    faults = ", ".join(NAMES)
    modbus.add_argument(
        "--fault", action="append", default=[], metavar="NAME[=N]", help=f"one of {faults}"
    )
    modbus.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="machine-readable output"
    )
    modbus.add_argument("--seed", type=int, default=0, help="of the faults and of what wanders")
    paced_cli.arguments(modbus)


def _city_arguments(kinds: argparse._SubParsersAction[Any]) -> None:
    city = kinds.add_parser(
        "city",
        help="the whole agent in simulated worlds",
        description="The agent's own code among simulated buses, card, broker, platform and clock."
        " The seed decides all that goes wrong; laws that are broken are shown.",
    )
    city.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="machine-readable output"
    )
    worlds.arguments(city, again=True)
