"""What a device's plan takes of its line beside what others would: each channel alone, and greedy.

All are counted over one span, in which every period comes out even, at the same prices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from drivers.line import Line
from drivers.modbus import ModbusDevice
from drivers.modbus_unit import ModbusBus
from drivers.profile.bus import MODBUS
from drivers.profile.plan import BIT_TABLES, Range, outer, plan_us, serial_cost, tcp_cost
from drivers.profile.slot import ONCE
from gateway.agent.plan import LINE, TCP, char_bits, closed
from gateway.core.errors import ConfigError
from tools.site.bound import proof, requests_of, wanted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from drivers.profile.model import Profile
    from tools.site.bound import Limits, Proof


class Saving(NamedTuple):
    """Microseconds of wire time in the span of `proof`, and how many requests."""

    proof: Proof
    requests: int
    single_us: int
    singles: int
    greedy_us: int
    greedies: int

    @property
    def single_ratio(self) -> float:
        """How many times the plan's wire time one request per channel takes."""
        return self.single_us / self.proof.plan_us

    @property
    def greedy_ratio(self) -> float:
        """How many times the plan's wire time the greedy plan takes."""
        return self.greedy_us / self.proof.plan_us


def compare(device: ModbusDevice) -> Saving | None:
    """Return what the plan of `device` saves; None if it is asked once and never again."""
    asked = [period for period in device.map.periods() if period != ONCE]
    if not device.loads():
        return None
    found = proof(device)
    single_us = singles = greedy_us = greedies = 0
    for period in asked:
        times = found.span_ms // period
        fields = [(one, Range(one.table, one.address, one.count)) for one in wanted(device, period)]
        alone = [span for one, span in fields for _ in one.channels]
        joined = greedy([span for _, span in fields], device.limits, device.refused)
        single_us += times * plan_us(alone, device.cost)
        singles += times * len(alone)
        greedy_us += times * plan_us(joined, device.cost)
        greedies += times * len(joined)
    requests = sum(one.times for one in requests_of(device, found.span_ms))
    return Saving(found, requests, single_us, singles, greedy_us, greedies)


def greedy(spans: Iterable[Range], limits: Limits, refused: set[Range]) -> list[Range]:
    """Return the ranges of a gateway that joins neighbours while maximum and gap allow it."""
    words_max, bits_max, gap = limits
    found: list[Range] = []
    spans = list(spans)
    for table in sorted({one.table for one in spans}):
        longest = bits_max if table in BIT_TABLES else words_max
        ranges: list[Range] = []
        for span in outer([one for one in spans if one.table == table]):
            if ranges:
                last = ranges[-1]
                joined = Range(table, last.address, span.end - last.address)
                if (
                    joined.count <= longest
                    and span.address - last.end <= gap
                    and not any(joined.holds(wall) for wall in refused)
                ):
                    ranges[-1] = joined
                    continue
            ranges.append(span)
        found += ranges
    return found


def alone(profile: Profile, framing: str = "rtu", baud: int = 0, every_ms: int = 0) -> ModbusDevice:
    """Return a device of `profile` alone on a line, as its maker sells it if `baud` is 0."""
    if profile.bus != MODBUS:
        raise ConfigError(
            f"profile {profile.name} speaks {profile.bus}: it is not polled in ranges"
        )
    line = {key: profile.line.get(key, LINE[key]) for key in LINE}
    cost = tcp_cost()
    if framing != TCP:
        cost = serial_cost(framing, baud or line["baud"], char_bits(line))
    bus = ModbusBus("line", Line(closed), framing, cost)
    return ModbusDevice(profile.name, bus, profile.device({}, every_ms or None))
