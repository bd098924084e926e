"""`tidegate explain`: how a site's devices are polled, request by request, and what it costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.line import Line
from drivers.profile.plan import demand, demand_text, plan_us, rows
from gateway.agent.load_cpython import Loaded
from gateway.agent.plan import closed, load_us
from gateway.core.errors import ConfigError

if TYPE_CHECKING:
    import argparse

    from drivers.modbus import ModbusDevice
    from gateway.agent.plan import WiredBus


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `explain` takes."""
    parser.add_argument("--site", required=True, type=Path, metavar="FILE", help="the site file")
    parser.add_argument("device", nargs="?", default="", metavar="DEVICE", help="only this device")


def main(args: argparse.Namespace) -> int:
    """Print the plans; ConfigError if the site is broken or has no such device."""
    _, plan = Loaded(args.site).require()
    names = [one.device.name for bus in plan.buses for one in bus.wired]
    if args.device and args.device not in names:
        raise ConfigError(f"no device {args.device!r} in {args.site}: {', '.join(names)}")
    found = [(bus, bus.devices(Line(closed))) for bus in plan.buses]
    if args.json:
        facts = [_facts(bus, devices, args.device) for bus, devices in found]
        print(json.dumps({"schema": "tidegate.explain/1", "buses": facts}, indent=2))
        return 0
    for bus, devices in found:
        shown = [one for one in devices if args.device in ("", one.name)]
        if shown:
            print("\n".join(_told(bus, devices, shown)))
    return 0


def _told(bus: WiredBus, devices: list[ModbusDevice], shown: list[ModbusDevice]) -> list[str]:
    line = "" if not bus.serial else " {baud} baud, {data} bits, parity {parity}".format(**bus.line)
    lines = [f"{bus.bus.name}  {bus.bus.port}{line}  {demand_text(load_us(devices))}"]
    profiles = {one.device.name: one.device.profile for one in bus.wired}
    for device in shown:
        needs = demand_text(demand(device.plans(), device.cost))
        lines += ["", f"  {device.name}  {profiles[device.name]}  {needs}"]
        for period_ms, ranges in device.plans():
            every = f"every {period_ms / 1000:g} s" if period_ms else "once"
            took = plan_us(ranges, device.cost) / 1000
            lines.append(f"    {every}: {len(ranges)} requests, {took:.1f} ms")
            lines += [f"      {row}" for row in rows(ranges, device.cost)]
    return [*lines, ""]


def _facts(bus: WiredBus, devices: list[ModbusDevice], only: str) -> dict[str, object]:
    return {
        "bus": bus.bus.name,
        "port": bus.bus.port,
        "load": load_us(devices) / 1_000_000,
        "devices": [
            {
                "device": device.name,
                "load": demand(device.plans(), device.cost) / 1_000_000,
                "requests": [
                    {
                        "every_ms": period_ms,
                        "table": one.table,
                        "address": one.address,
                        "count": one.count,
                        "ms": device.cost.read_us(one.table, one.count) / 1000,
                    }
                    for period_ms, ranges in device.plans()
                    for one in ranges
                ],
            }
            for device in devices
            if only in ("", device.name)
        ],
    }
