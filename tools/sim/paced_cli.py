"""The options of `tidegate sim modbus` that make a line what it is on RS-485."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.core.errors import ConfigError
from tools.sim.paced import Habits, PacedLine
from tools.sim.paced_port import Plug, serve_paced
from tools.sim.wire import PARITIES, Coding, Wire

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from typing import Any

    from tools.sim.faults import Faults
    from tools.sim.modbus import Slave

MS_MAX = 3_600_000.0  # longer than any test lasts
_PR_SET_TIMERSLACK = 29  # prctl(2); what wakes us may be late by this, 50 us if nobody says so
_ODD = ["parity", "stop", "turnaround_us", "jitter_us", "bit_errors", "late", "twin", "babble"]
_ODD += ["second_master", "echo", "lump_ms", "inpck", "unplug_after", "trace"]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of a paced line."""
    group = parser.add_argument_group(
        "a line as on RS-485 (with --pty and --baud)",
        "Characters take their time, talkers collide, and a reply begins a frame's silence + its"
        " turnaround after the request.",
    )
    add = group.add_argument
    add("--parity", choices=PARITIES, default="none")
    add("--stop", type=int, choices=(1, 2), help="stop bits (default: 1 with parity, 2 without)")
    add("--turnaround-us", type=float, default=0.0, metavar="N", help="before each reply")
    add("--jitter-us", type=float, default=0.0, metavar="N", help="up to this much more")
    add("--bit-errors", type=float, default=0.0, metavar="RATE", help="chance of a bit to turn")
    add("--late", action="append", default=[], metavar="UNIT:MS", help="answers this much later")
    add(
        "--twin",
        action="append",
        default=[],
        metavar="UNIT[:MS]",
        help="two units have this address; the second holds registers higher by 1 and answers at"
        " the same time, or MS later",
    )
    add("--babble", type=float, default=0.0, metavar="MS", help="who talks unasked, so often")
    add("--second-master", type=float, default=0.0, metavar="MS", help="another asks, so often")
    add("--echo", action="store_true", help="the adapter hears what it sends")
    add("--lump-ms", type=float, default=0.0, metavar="N", help="the adapter's latency timer")
    add("--inpck", action="store_true", help="characters with a wrong parity bit are read as 0")
    add("--unplug-after", type=float, metavar="S", help="the adapter goes away after S seconds")
    add("--plug-after", type=float, default=1.0, metavar="S", help="… and is back so much later")
    add("--trace", action="store_true", help="every frame on the line, as a JSON event")


def paced(args: argparse.Namespace, slave: Slave, faults: Faults) -> PacedLine | None:
    """Return the line that is meant, None if none is; ConfigError if it cannot be."""
    if not (args.pty and args.baud):
        given = [name for name in _ODD if getattr(args, name) not in (None, 0, False, [], "none")]
        if given:
            named = ", ".join("--" + name.replace("_", "-") for name in given)
            raise ConfigError(f"{named}: only a line with --pty and --baud has that")
        return None
    habits = Habits(
        turnaround_us=1e6 * args.turnaround + _number(args, "turnaround_us"),
        jitter_us=_number(args, "jitter_us"),
        late_ms=dict(_unit("--late", text, slave) for text in args.late),
        twins_ms=dict(_unit("--twin", text, slave) for text in args.twin),
        babble_ms=_number(args, "babble"),
        master_ms=_number(args, "second_master"),
        echo=args.echo,
        lump_ms=_number(args, "lump_ms"),
        checks=args.inpck,
    )
    wire = Wire(Coding(args.baud, args.parity, args.stop or 0), args.bit_errors, args.seed)
    return PacedLine(
        slave.answer,
        wire,
        args.framing or "rtu",
        habits,
        faults,
        twin=higher(slave.answer),
        seed=args.seed,
    )


async def serve(
    line: PacedLine,
    args: argparse.Namespace,
    ready: Callable[[str], None],
    told: Callable[[dict[str, Any]], None],
) -> None:
    """Play the line until cancelled."""
    _sharpen()
    if args.trace:
        line.told = told
    plug = None
    if args.unplug_after is not None:
        plug = Plug(_number(args, "unplug_after"), _number(args, "plug_after"))
    await serve_paced(line, Path(args.pty), ready, plug, told)


def higher(answer: Callable[[int, bytes], bytes | None]) -> Callable[[int, bytes], bytes | None]:
    """Return how a second unit answers whose registers are higher by 1, so that one can tell."""

    def reply(unit: int, message: bytes) -> bytes | None:
        found = answer(unit, message)
        if found is None or message[0] not in (3, 4) or found[0] & 0x80:
            return found
        words = [found[at : at + 2] for at in range(2, len(found), 2)]
        raised = [(int.from_bytes(word, "big") + 1) & 0xFFFF for word in words]
        return found[:2] + b"".join(word.to_bytes(2, "big") for word in raised)

    return reply


def _sharpen() -> None:
    """Be as punctual as we may: a wire waits for no busy machine."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1)
    with contextlib.suppress(PermissionError):  # only root may; the rest is told as lateness
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))


def _number(args: argparse.Namespace, name: str) -> float:
    value: float = getattr(args, name)
    if not 0 <= value <= MS_MAX:  # NaN neither
        raise ConfigError(f"--{name.replace('_', '-')} {value:g} is not 0..{MS_MAX:g}")
    return value


def _unit(option: str, text: str, slave: Slave) -> tuple[int, float]:
    unit, _, ms = text.partition(":")
    if not unit.isdecimal() or int(unit) not in slave.tables:
        units = ", ".join(str(number) for number in sorted(slave.tables))
        raise ConfigError(f"{option} {text}: {unit!r} is none of the units {units}")
    try:
        value = float(ms or 0)
    except ValueError:
        value = -1.0
    if not 0 <= value <= MS_MAX:
        raise ConfigError(f"{option} {text}: {ms!r} is no number of milliseconds")
    return int(unit), value
