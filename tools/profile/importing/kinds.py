"""Guesses the kind of a channel, only where unit and name leave no doubt.

Knows names that importers make; a wrong kind is worse than none, so most channels get none.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from drivers.profile import units_cpython

if TYPE_CHECKING:
    from tools.profile.importing.draft import Entry

_PHASE = r"(_?(l?[123]|l|[abc]|l[123]_?(l[123]|n)|ab|bc|ca|an|bn|cn|phase_[abc123]))"
# kind: what the whole id must be. Power is left out: its sign differs from device to device.
_SURE: tuple[tuple[str, str], ...] = (
    ("util.elec.voltage", rf"(grid_|line_|phase_)?voltage{_PHASE}|phase_[abc]_voltage"),
    ("util.elec.voltage", r"l[123]_(l[123]_|n_)?voltage|(line|phase)_voltage_[a-c1-3l]+"),
    ("util.elec.current", rf"(grid_|line_|phase_)?current{_PHASE}|phase_[abc]_current"),
    ("util.elec.current", r"l[123]_current|current_n|neutral_current|n_current"),
    ("util.elec.frequency", r"(grid_|line_|mains_|ac_)?(frequency|freq)"),
    (
        "util.elec.energy.import",
        r"(total_)?(import_(active_)?energy|(active_)?energy_import)(_total)?",
    ),
    (
        "util.elec.energy.export",
        r"(total_)?(export_(active_)?energy|(active_)?energy_export)(_total)?",
    ),
    ("util.elec.pf", rf"(total_)?power_factor(_total|{_PHASE})?"),
    ("util.battery.soc", r"(battery_)?(soc|state_of_charge)|battery_state_of_charge"),
    ("util.battery.soh", r"(battery_)?(soh|state_of_health)|battery_state_of_health"),
    ("util.battery.voltage", r"battery_voltage"),
    ("util.battery.temperature", r"battery_temperature"),
    ("util.pv.voltage", r"pv_?[0-9]?_voltage|mppt_?[0-9]?_voltage"),
    ("util.pv.current", r"pv_?[0-9]?_current|mppt_?[0-9]?_current"),
    ("soil.moisture", r"soil_(moisture|humidity|water_content)"),
    ("soil.temperature", r"soil_temperature"),
    ("soil.conductivity", r"soil_(conductivity|ec)"),
    ("soil.ph", r"soil_ph"),
    ("met.wind.speed", r"wind_speed"),
    ("met.wind.direction", r"wind_direction"),
    ("met.pressure", r"(atmospheric|barometric|air)_pressure"),
    ("met.dew_point", r"dew_?point(_temperature)?"),
    ("air.co2", r"co2(_concentration)?"),
    ("air.pm1", r"pm1(_0)?(_concentration)?"),
    ("air.pm2_5", r"pm2_?5(_concentration)?"),
    ("air.pm10", r"pm10(_concentration)?"),
    ("wq.do", r"dissolved_oxygen"),
    ("wq.turbidity", r"turbidity"),
    ("wq.orp", r"orp"),
)


def guess(entry: Entry, name: str = "") -> None:
    """Give the channel its kind if its `name` (its id if absent) and unit are surely of one."""
    if {"kind", "hidden", "map", "flags", "inner"} & set(entry.keys):
        return
    if str(entry.keys.get("type", "")).startswith(("str", "hex")):
        return
    registry = units_cpython.kinds()
    unit = entry.keys.get("unit", "")
    for kind, pattern in _SURE:
        if kind not in registry or not re.fullmatch(pattern, name or entry.id):
            continue
        if fits(kind, unit):
            entry.keys["kind"] = kind
        return


def fits(kind: str, unit: str) -> bool:
    """Return whether the registry has the kind and can turn the unit into its own."""
    row = units_cpython.kinds().get(kind)
    if row is None:
        return False
    if not unit:
        return row["unit"] in ("/", "pH")
    return units_cpython.conversion(unit, row["unit"]) is not None
