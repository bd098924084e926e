"""How much wire time the plans of all shipped profiles take, beside the least and beside others.

The least is a bound that knows nothing of how plans are made (`tools.site.bound`): no order of
legal requests whatever reads every channel as often as asked in less.
"""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from drivers.profile.bus import MODBUS
from drivers.profile.compile_cpython import load_file
from drivers.profile.plan import Range, plan, plan_us, serial_cost
from drivers.profile.plan_periods import arrange
from tools.bench.rows import row
from tools.site.saving import alone, compare

if TYPE_CHECKING:
    from typing import Any

    from drivers.profile.model import Profile

PROFILES = Path(__file__).resolve().parents[2] / "profiles"
LINES = ((9600, "rtu"), (115_200, "rtu"), (0, "tcp"))
EVERY_MS = (0, 1_000, 7_000)  # the profile's own, and a site's: 7 s divides few periods
CHANNELS_MAX = 512  # of one profile


def run() -> list[dict[str, Any]]:
    """Plan everything; return the figures with their budgets."""
    profiles = [load_file(path) for path in sorted(PROFILES.glob("*/*.yaml"))]
    modbus = [one for one in profiles if one.bus == MODBUS]
    found = [row("Modbus profiles shipped, all planned", len(modbus), "")]
    for baud, framing in LINES:
        found += _ratios(modbus, framing, baud)
    for every_ms in EVERY_MS[1:]:
        found += _ratios(modbus, "rtu", 9600, every_ms)[:2]
    return [*found, row("time to plan 512 channels, worst of six", _plan_ms(), "ms", 50)]


def _ratios(
    profiles: list[Profile], framing: str, baud: int, every_ms: int = 0
) -> list[dict[str, Any]]:
    where = f"{baud} baud" if baud else "TCP"
    where += f", every {every_ms // 1000} s" if every_ms else ""
    savings = [compare(alone(one, framing, baud, every_ms)) for one in profiles]
    those = [one for one in savings if one]
    least = [one.proof.ratio for one in those]
    single = [one.single_ratio for one in those]
    greedy = [one.greedy_ratio for one in those]
    exact = sum(one.proof.exact for one in those)
    budgets = (None, None) if every_ms else (1.0, len(those))
    return [
        row(f"plan / the least possible, worst, {where}", max(least), "", budgets[0]),
        row(f"plans that are the least, {where}", exact, "", budgets[1], at_least=True),
        row(f"one request per channel / plan, median, {where}", median(single), ""),
        row(f"one request per channel / plan, most, {where}", max(single), ""),
        row(f"greedy / plan, median, {where}", median(greedy), ""),
        row(f"greedy / plan, most, {where}", max(greedy), ""),
        row(f"plans cheaper than greedy, {where}", sum(one > 1 for one in greedy), ""),
    ]


def _plan_ms() -> float:
    """Return the longest of planning 512 registers, pairs or bits at one period, or at four."""
    longest_s = 0.0
    for table, count, step in (("holding", 1, 1), ("input", 2, 4), ("coil", 1, 3)):
        fields = [Range(table, place * step, count) for place in range(CHANNELS_MAX)]
        for periods in ([10_000], [10_000, 15_000, 25_000, 70_000]):  # none divides another
            start_s = time.perf_counter()
            _arrange(fields, periods)
            longest_s = max(longest_s, time.perf_counter() - start_s)
    return 1000 * longest_s


def _arrange(fields: list[Range], periods: list[int]) -> None:
    """Share out `periods` over neighbours and plan them, as a device does."""
    cost = serial_cost("rtu", 9600, 11)
    asked: dict[tuple[int, ...], int] = {}

    def read_us(due: tuple[int, ...]) -> int:
        if due not in asked:
            mine = [one for place, one in enumerate(fields) if periods[place % len(periods)] in due]
            asked[due] = plan_us(plan(mine, cost, 125, 2000, 2, (), fields), cost)
        return asked[due]

    arrange(periods, read_us)
    read_us(tuple(periods))
