"""`tidegate explain`: how devices are polled, what each request costs, what the plan saves."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.line import Line
from drivers.profile.plan import demand, demand_text, plan_us, rows
from drivers.profile.slot import ONCE
from gateway.agent.load_cpython import Loaded
from gateway.agent.plan import LINE, TCP, closed, load_us
from gateway.agent.run_cpython import LinuxLeaves
from gateway.core.errors import ConfigError
from tools.profile.given import find
from tools.site.saving import alone, compare

if TYPE_CHECKING:
    from typing import Any

    from drivers.modbus import ModbusDevice
    from drivers.profile.plan import Range
    from gateway.agent.plan import WiredBus
    from tools.site.saving import Saving

FRAMINGS = ("rtu", "ascii", TCP)
BAUD_MAX = 4_000_000  # what adapters do


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `explain` takes."""
    parser.add_argument("--site", type=Path, metavar="FILE", help="the site file")
    parser.add_argument(
        "name",
        nargs="?",
        default="",
        metavar="DEVICE|PROFILE",
        help="only this device of the site; without a site, a profile: a file or maker/model",
    )
    parser.add_argument("--framing", choices=FRAMINGS, default="rtu", help="for a profile")
    parser.add_argument("--baud", type=_baud, default=0, help="for a profile: of its line")


def main(args: argparse.Namespace) -> int:
    """Print the plans; ConfigError if the site or profile is broken or has no such device."""
    if args.site is None:
        if not args.name:
            raise ConfigError("explain needs a profile's name, or --site FILE")
        profile = find(args.name).profile
        device = alone(profile, args.framing, args.baud)
        baud = args.baud or profile.line.get("baud", LINE["baud"])
        where = TCP if args.framing == TCP else f"{args.framing} at {baud} baud"
        if args.json:
            _print({"line": where, "devices": [_facts(device)]})
        else:
            print("\n".join(_told(device, where)))
        return 0
    site, plan = Loaded(args.site).require()
    names = [one.device.name for bus in plan.buses for one in bus.wired]
    if args.name and args.name not in names:
        raise ConfigError(f"no device {args.name!r} in {args.site}: {', '.join(names)}")
    learned = LinuxLeaves(site.storage).recall()
    found = [(bus, bus.devices(Line(closed), learned)) for bus in plan.buses]
    if args.json:
        _print({"buses": [_bus_facts(bus, devices, args.name) for bus, devices in found]})
        return 0
    for bus, devices in found:
        shown = [one for one in devices if args.name in ("", one.name)]
        if shown:
            print("\n".join(_bus_told(bus, devices, shown)))
    return 0


def _print(found: dict[str, Any]) -> None:
    print(json.dumps({"schema": "tidegate.explain/2", **found}, indent=2))


def _baud(text: str) -> int:
    if not (text.isdecimal() and len(text) <= 7 and 1 <= int(text) <= BAUD_MAX):
        raise argparse.ArgumentTypeError(f"not a baud rate from 1 to {BAUD_MAX}: {text!r}")
    return int(text)


def _bus_told(bus: WiredBus, devices: list[ModbusDevice], shown: list[ModbusDevice]) -> list[str]:
    line = "" if not bus.serial else " {baud} baud, {data} bits, parity {parity}".format(**bus.line)
    lines = [f"{bus.bus.name}  {bus.bus.port}{line}  {demand_text(load_us(devices))}"]
    profiles = {one.device.name: one.device.profile for one in bus.wired}
    for device in shown:
        lines += ["", *[f"  {line}" for line in _told(device, profiles[device.name])]]
    return [*lines, ""]


def _told(device: ModbusDevice, what: str) -> list[str]:
    needed_us = demand(device.loads())
    share = f"{needed_us / 10_000:.1f} % of its line"
    lines = [f"{device.name}  {what}  {demand_text(needed_us)}, {share}"]
    for period_ms, ranges, along in _ticks(device):
        every = _every(period_ms)
        if along:
            every += f", with what is read {', '.join([_every(one) for one in along])}"
        took_ms = plan_us(ranges, device.cost) / 1000
        lines.append(f"  {every}: {_requests(len(ranges))}, {took_ms:.1f} ms")
        lines += [f"    {row}" for row in rows(ranges, device.cost)]
    if device.refused:
        lines.append(f"  refused, as this device was heard to: {', '.join(_refused(device))}")
    found = compare(device)
    return [*lines, *_saving(found)] if found else lines


def _refused(device: ModbusDevice) -> list[str]:
    """Name what is not asked for, a range of several because its fields cannot come together."""
    found = sorted(device.refused, key=lambda one: (one.table, one.address))
    return [
        f"{one.table} {one.address}" + (f"..{one.end - 1}" if one.count > 1 else "")
        for one in found
    ]


def _saving(found: Saving) -> list[str]:
    """Say what the plan takes each hour beside the least there can be, and beside others."""

    def hourly(us: int) -> str:
        return f"{us * 3.6 / found.proof.span_ms:8.1f} s"

    least = (
        "none can take less" if found.proof.exact else f"{found.proof.ratio:.4f} times the least"
    )
    greedy = f"greedy joining, {found.greedy_ratio:.2f} times as much"
    single = f"one request per channel, {found.single_ratio:.2f} times as much"
    return [
        "  wire time per hour:",
        f"    {hourly(found.proof.plan_us)}  this plan: {least}",
        f"    {hourly(found.greedy_us)}  {greedy}",
        f"    {hourly(found.single_us)}  {single}",
    ]


def _ticks(device: ModbusDevice) -> list[tuple[int, list[Range], list[int]]]:
    """Return (period, what is read, the shorter periods read with it)."""
    shorter: dict[int, list[int]] = {}
    for chain in device.chains:
        for place, every in enumerate(chain.every):
            shorter[every] = sorted({one for one in chain.every[:place] if one != every})
    return [(every, ranges, shorter.get(every, [])) for every, ranges in device.plans()]


def _every(period_ms: int) -> str:
    return "once" if period_ms == ONCE else f"every {period_ms / 1000:g} s"


def _requests(number: int) -> str:
    return f"{number} request{'' if number == 1 else 's'}"


def _bus_facts(bus: WiredBus, devices: list[ModbusDevice], only: str) -> dict[str, object]:
    return {
        "bus": bus.bus.name,
        "port": bus.bus.port,
        "load": load_us(devices) / 1_000_000,
        "devices": [_facts(device) for device in devices if only in ("", device.name)],
    }


def _facts(device: ModbusDevice) -> dict[str, object]:
    found = compare(device)
    facts: dict[str, object] = {
        "device": device.name,
        "load": demand(device.loads()) / 1_000_000,
        "ticks": [
            {
                "every_ms": every_ms,
                "with_ms": along,
                "ms": plan_us(ranges, device.cost) / 1000,
                "requests": [
                    {
                        "table": one.table,
                        "address": one.address,
                        "count": one.count,
                        "ms": device.cost.read_us(one.table, one.count) / 1000,
                    }
                    for one in ranges
                ],
            }
            for every_ms, ranges, along in _ticks(device)
        ],
        "refused": _refused(device),
    }
    if found:
        facts["wire"] = {
            "span_ms": found.proof.span_ms,
            "plan_us": found.proof.plan_us,
            "least_us": found.proof.least_us,
            "greedy_us": found.greedy_us,
            "single_us": found.single_us,
            "requests": found.requests,
            "greedy_requests": found.greedies,
            "single_requests": found.singles,
        }
    return facts
