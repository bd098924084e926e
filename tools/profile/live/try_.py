"""`tidegate profile try`: one look at a real device: bytes, fields and values side by side.

Nothing is written to the device.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from datetime import date
from typing import TYPE_CHECKING

from drivers.profile.bus import MODBUS
from drivers.profile.check_cpython import check_source
from drivers.profile.model import load
from drivers.profile.names_cpython import expand
from gateway.agent.plan import TCP
from gateway.core import cbor
from gateway.core.errors import BadReply, NoReply
from gateway.core.source_cpython import read_source
from tools.profile import options
from tools.profile.causes import variants
from tools.profile.given import file_of
from tools.profile.live import tried
from tools.profile.live.console import chosen
from tools.profile.live.port import Port, Wiring
from tools.profile.live.ways import way
from tools.profile.proof import tester

if TYPE_CHECKING:
    from drivers.profile.check_cpython import Checked
    from drivers.profile.model import Profile
    from tools.profile.live.look import Look

OK, FINDINGS, UNAVAILABLE = 0, 1, 69
SCHEMA = "tidegate.try/1"
# The usual speeds first, each without parity and with even parity (the two that are sold).
SCAN_BAUD = (9600, 4800, 19200, 2400, 115200, 38400, 57600, 1200)
SCAN_PARITY = ("none", "even")
_EXAMPLES = """\
examples:
  tidegate profile try probe.yaml /dev/ttyUSB0              the unit and speed of the profile
  tidegate profile try eastron/sdm630 /dev/ttyUSB0:7        unit 7
  tidegate profile try probe.yaml tcp://10.0.0.7:502:3      Modbus TCP, unit 3
  tidegate profile try probe.yaml /dev/ttyUSB0 --scan-baud  if nobody answers
  tidegate profile try probe.yaml /dev/ttyUSB0 --frames     tests to paste into the profile

Leaves 0 if every value looks right, 1 if one is in doubt, 69 if nobody answers.
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EXAMPLES
    parser.add_argument("file", metavar="FILE", help="file, or maker/model")
    parser.add_argument(
        "port", metavar="PORT[:UNIT]", help="serial port, pty, or tcp://HOST:PORT; :UNIT if not 1"
    )
    parser.add_argument("--baud", type=options.baud, help="speed, if not the profile's")
    parser.add_argument("--parity", choices=("none", "even", "odd"), help="if not the profile's")
    parser.add_argument("--stop", type=int, choices=(1, 2), help="stop bits, if not the profile's")
    parser.add_argument(
        "--framing",
        choices=("rtu", "ascii", TCP),
        help="rtu on a port, tcp behind tcp:// if absent",
    )
    parser.add_argument(
        "--timeout", type=options.seconds, metavar="S", help="longest wait for an answer"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the profile"
    )
    parser.add_argument("--all", action="store_true", help="also what is never polled")
    parser.add_argument("--scan-baud", action="store_true", help="try other speeds and parities")
    parser.add_argument("--frames", action="store_true", help="print tests to paste, nothing else")


def main(args: argparse.Namespace) -> int:
    """Look once and say what was seen; return the exit code."""
    checked = check_source(read_source(file_of(args.file)))
    broken = tester.run(checked).failed
    if checked.document is None:
        checked.report.require()
    if broken:
        print(checked.report.text(), file=sys.stderr)
        print("the tests of this file do not hold; the device says:", file=sys.stderr)
    return asyncio.run(_Session(args, checked, broken).run())


class _Session:
    """One run of the verb."""

    def __init__(self, args: argparse.Namespace, checked: Checked, broken: int) -> None:
        self._args = args
        self._checked = checked
        self._broken = broken
        self._profile: Profile = load(cbor.encode(checked.document))
        self._device = self._profile.device(chosen(args.set))
        self._port = Port(args.port)
        self._unit = self._profile.unit if self._port.unit is None else self._port.unit
        timeout_ms = round(1000 * args.timeout) if args.timeout else None
        self._unheard = ""  # why a scan of speeds found nothing
        self._way = way(self._device, self._port, self._unit, timeout_ms)

    async def run(self) -> int:
        args = self._args
        on_modbus_tcp = self._port.tcp and self._profile.bus == MODBUS
        framing = args.framing or (TCP if on_modbus_tcp else "rtu")
        given = {"baud": args.baud, "parity": args.parity, "stop": args.stop}
        named = {key: value for key, value in given.items() if value is not None}
        wiring: Wiring | None = Wiring({**self._profile.line, **named}, framing)
        if args.scan_baud and wiring:
            wiring = await self._scan(wiring)
        if wiring is None:
            return self._unavailable(self._unheard)
        try:
            look = await self._way.look(wiring, args.all)
        except (NoReply, BadReply) as error:
            told = _silence(self._port, self._unit, wiring, self._profile, error)
            return self._unavailable(told)
        return self._tell(wiring, look)

    async def _scan(self, first: Wiring) -> Wiring | None:
        """Return the first setting of the line at which the device answers, None if at none."""
        settings = [(first.baud, first.parity)]
        settings += [(baud, parity) for parity in SCAN_PARITY for baud in SCAN_BAUD]
        settings = list(dict.fromkeys(settings))
        for baud, parity in settings:
            wiring = Wiring({**first.line, "baud": baud, "parity": parity}, first.framing)
            if await self._way.answers(wiring):
                print(f"it answers at {wiring.text}", file=sys.stderr)
                return wiring
        why = "is it powered, are A and B the right way round"
        why += ", is the unit number right?" if self._profile.bus == MODBUS else "?"
        self._unheard = f"{self._place}: no answer at any of {len(settings)} settings: {why}"
        return None

    def _unavailable(self, why: str) -> int:
        print(why, file=sys.stderr)
        if getattr(self._args, "json", False):
            head = {"schema": SCHEMA, "profile": self._profile.name, "at": self._place}
            print(json.dumps({**head, "error": why}, indent=2))
        return UNAVAILABLE

    @property
    def _place(self) -> str:
        unit = f", unit {self._unit}" if self._profile.bus == MODBUS else ""
        return f"{self._port.place}{unit}"

    def _tell(self, wiring: Wiring, look: Look) -> int:
        args, base = self._args, self._checked.base
        known = variants.decoded(self._device, look.image)
        identified = self._device.identify(known)
        units = units_of(self._checked)
        bad = bool(look.doubts) or identified is False or bool(self._broken)
        where = f"{self._place}, {wiring.text}"
        if getattr(args, "json", False):
            found = tried.document(look, base, units)
            head = {"schema": SCHEMA, "profile": self._profile.name, "at": where}
            print(json.dumps({**head, "tests_failed": self._broken, **found}, indent=2))
            return FINDINGS if bad else OK
        if args.frames:
            print(tried.frames(look, f"{date.today()} with tidegate profile try"))
        else:
            print(f"{self._profile.name} at {where}\n")
            print(tried.table(look, base, units))
        out = sys.stderr if args.frames else sys.stdout
        if look.doubts:
            print(tried.doubts_text(look, base, units) + "\n", file=out)
        print(_verdict(look, identified), file=out)
        return FINDINGS if bad else OK


def units_of(checked: Checked) -> dict[str, str]:
    """Return the unit of each channel as the file writes it, by channel id."""
    found: dict[str, str] = {}
    for draft in checked.drafts:
        for name in expand(draft.folded, draft.groups, draft.made.suffixes):
            found.setdefault(name, draft.keys.get("unit", ""))
    return found


def _verdict(look: Look, identified: bool | None) -> str:
    found = tried.rows(look)
    good = sum(row.value is not None for row in found)
    told = f"{good} of {len(found)} channels have a value, {len(look.doubts)} in doubt"
    who = {
        None: "identify: cannot be said, what it needs has no value",
        True: "identify: yes, this is the profile's device",
        False: "identify: NO, by the profile's own rule this is another device",
    }
    if not look.device.profile.rules:
        return f"{told}; the profile has no rule to know its device by (identify)"
    return f"{told}\n{who[identified]}"


def _silence(port: Port, unit: int, wiring: Wiring, profile: Profile, error: Exception) -> str:
    """Return what a person can do about a device that does not answer."""
    what = f"unit {unit} on {port.place}" if profile.bus == MODBUS else port.place
    if isinstance(error, BadReply):
        return "\n".join(
            [
                f"{what}: what comes at {wiring.text} is broken: {error}",
                "  the usual reasons: a wrong speed or parity (--scan-baud tries others), two",
                "  devices with the same number, or noise: termination (120 Ω at both ends only),",
                "  ground",
            ]
        )
    if port.tcp:
        return "\n".join(
            [
                f"{port.place} is there, but {what} does not answer: {error}",
                f"  check the unit number (often {profile.unit}); behind a serial server also its",
                "  wires, speed and mode: with --framing rtu bytes pass through as they are",
            ]
        )
    number = f" the unit number\n  (often {profile.unit});" if profile.bus == MODBUS else "\n "
    number += " speed and parity (--scan-baud tries the usual ones)"
    return "\n".join(
        [
            f"{what}: nobody answers at {wiring.text}: {error}",
            "  check in this order: power at the sensor; A and B or TX and RX (swap the two wires",
            f"  at one end, makers name them differently); ground;{number}",
        ]
    )
