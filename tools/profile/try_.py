"""`tidegate profile try`: one look at a real device: bytes, fields and values side by side.

Nothing is written to the device.
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.modbus_unit import TIMEOUT_MS
from drivers.profile.check_cpython import check_source
from drivers.profile.model import load
from drivers.profile.names_cpython import expand
from drivers.protocol import pdu
from gateway.agent.plan import TCP
from gateway.core import cbor
from gateway.core.errors import BadReply, NoReply, Refused
from gateway.core.source_cpython import read_source
from tools.profile import tester, tried, variants
from tools.profile.asking import Asker
from tools.profile.console import chosen
from tools.profile.poll_once import READ, Look, wanted
from tools.profile.port import Port, Wiring

if TYPE_CHECKING:
    import argparse

    from drivers.line import Line
    from drivers.profile.check_cpython import Checked
    from drivers.profile.model import Profile
    from drivers.protocol.pdu import Request

OK, FINDINGS, UNAVAILABLE = 0, 1, 69
SCAN_TIMEOUT_MS = 300  # for a device that would answer: slow ones take 100 to 200
# The usual speeds first, each without parity and with even parity (the two that are sold).
SCAN_BAUD = (9600, 4800, 19200, 2400, 115200, 38400, 57600, 1200)
SCAN_PARITY = ("none", "even")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument(
        "port", metavar="PORT[:UNIT]", help="serial port, pty, or tcp://HOST:PORT; :UNIT if not 1"
    )
    parser.add_argument("--baud", type=int, help="speed, if not the profile's")
    parser.add_argument("--parity", choices=("none", "even", "odd"), help="if not the profile's")
    parser.add_argument("--stop", type=int, choices=(1, 2), help="stop bits, if not the profile's")
    parser.add_argument(
        "--framing",
        choices=("rtu", "ascii", TCP),
        help="rtu on a port, tcp behind tcp:// if absent",
    )
    parser.add_argument("--timeout", type=float, metavar="S", help="longest wait for an answer")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the profile"
    )
    parser.add_argument("--all", action="store_true", help="also what is never polled")
    parser.add_argument("--scan-baud", action="store_true", help="try other speeds and parities")
    parser.add_argument("--frames", action="store_true", help="print tests to paste, nothing else")


def main(args: argparse.Namespace) -> int:
    """Look once and say what was seen; return the exit code."""
    checked = check_source(read_source(args.file))
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

    async def run(self) -> int:
        args = self._args
        framing = args.framing or (TCP if self._port.tcp else "rtu")
        chosen = {"baud": args.baud, "parity": args.parity, "stop": args.stop}
        given = {**self._profile.line, **{k: v for k, v in chosen.items() if v is not None}}
        wiring = Wiring(given, framing)
        timeout_ms = self._profile.line.get("timeout_ms", TIMEOUT_MS)
        if args.timeout:
            timeout_ms = round(1000 * args.timeout)
        if args.scan_baud:
            found = await self._scan(wiring)
            if found is None:
                return UNAVAILABLE
            wiring = found
        try:
            look = await self._look(wiring, timeout_ms)
        except (NoReply, BadReply) as error:
            print(_silence(self._port, self._unit, wiring, self._profile, error), file=sys.stderr)
            return UNAVAILABLE
        return self._tell(wiring, look)

    async def _look(self, wiring: Wiring, timeout_ms: int) -> Look:
        line = wiring.open(self._port)
        look = Look(self._device, self._asker(line, wiring, timeout_ms).ask)
        try:
            await look.run(self._args.all)
        finally:
            line.close()
        return look

    def _asker(self, line: Line, wiring: Wiring, timeout_ms: int) -> Asker:
        pause_ms = self._profile.line.get("pause_ms", 0)
        return Asker(line, wiring.framing, self._unit, wiring.cost, timeout_ms, pause_ms)

    async def _scan(self, first: Wiring) -> Wiring | None:
        """Return the first setting of the line at which the unit answers, None if at none."""
        field = next(iter(self._device.identify_fields() or wanted(self._device)))
        request = pdu.read(READ[field.table], field.address, field.count)
        settings = [(first.baud, first.parity)]
        settings += [(baud, parity) for parity in SCAN_PARITY for baud in SCAN_BAUD]
        for baud, parity in dict.fromkeys(settings):
            wiring = Wiring({**first.line, "baud": baud, "parity": parity}, first.framing)
            if await self._answers(wiring, request):
                print(f"unit {self._unit} answers at {wiring.text}", file=sys.stderr)
                return wiring
        tried = len(dict.fromkeys(settings))
        print(
            f"unit {self._unit} on {self._port.place} answers at none of {tried} settings: "
            "is it powered, are A and B the right way round, is that its number?",
            file=sys.stderr,
        )
        return None

    async def _answers(self, wiring: Wiring, request: Request) -> bool:
        line = wiring.open(self._port)
        try:
            await self._asker(line, wiring, SCAN_TIMEOUT_MS).ask(request)
        except Refused:
            return True
        except (NoReply, BadReply):
            return False
        finally:
            line.close()
        return True

    def _tell(self, wiring: Wiring, look: Look) -> int:
        args, base = self._args, self._checked.base
        known = variants.decoded(self._device, look.image)
        identified = self._device.identify(known)
        units = units_of(self._checked)
        bad = bool(look.doubts) or identified is False or bool(self._broken)
        where = f"{self._port.place}, unit {self._unit}, {wiring.text}"
        if args.json:
            found = tried.document(look, self._unit, base, units)
            head = {"schema": "tidegate.try/1", "profile": self._profile.name, "at": where}
            print(json.dumps({**head, "tests_failed": self._broken, **found}, indent=2))
            return FINDINGS if bad else OK
        if args.frames:
            print(tried.frames(look, self._unit, f"{date.today()} with tidegate profile try"))
        else:
            print(f"{self._profile.name} at {where}\n")
            print(tried.table(look, self._unit, base, units))
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
    if isinstance(error, BadReply):
        lines = [
            f"what comes from {port.place} at {wiring.text} is broken: {error}",
            "  the usual reasons: a wrong speed or parity (--scan-baud tries others), two devices",
            f"  with number {unit}, or noise: termination (120 Ω at both ends only) and ground",
        ]
    elif port.tcp:
        lines = [
            f"{port.place} is there, but unit {unit} does not answer: {error}",
            f"  the unit number (the maker's is {profile.unit}); behind a serial server the wires",
            "  and its speed, and its mode: with --framing rtu bytes pass through as they are",
        ]
    else:
        lines = [
            f"nobody answers as unit {unit} on {port.place} at {wiring.text}: {error}",
            "  check in this order: power at the sensor; A and B (swap the two wires at one end,",
            f"  makers name them differently); ground; the unit number (often {profile.unit});",
            "  the speed and parity (--scan-baud tries the usual ones)",
        ]
    return "\n".join(lines)
