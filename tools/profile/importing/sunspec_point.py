"""One point of a SunSpec model: its type, sentinel, scale factor, words and name in our keys.

Knows the specification's types and the names that its models share; knows no address.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from drivers.profile import units_cpython
from gateway.core.decimal import decimal
from tools.profile.importing import kinds
from tools.profile.importing.draft import identifier, one_line
from tools.profile.importing.words import known_unit

if TYPE_CHECKING:
    from typing import Any

    from tools.profile.importing.draft import Entry

# type: (ours, raw value for "not implemented"); a string counts its own registers.
_TYPES: dict[str, tuple[str, int | None]] = {
    "int16": ("s16", 0x8000),
    "uint16": ("u16", 0xFFFF),
    "int32": ("s32", 0x80000000),
    "uint32": ("u32", 0xFFFFFFFF),
    "int64": ("s64", 0x8000000000000000),
    "uint64": ("u64", 0xFFFFFFFFFFFFFFFF),
    "count": ("u16", None),
    "acc16": ("u16", 0),
    "acc32": ("u32", 0),
    "acc64": ("u64", 0),
    "enum16": ("u16", 0xFFFF),
    "enum32": ("u32", 0xFFFFFFFF),
    "bitfield16": ("u16", 0xFFFF),
    "bitfield32": ("u32", 0xFFFFFFFF),
    "bitfield64": ("u64", 0xFFFFFFFFFFFFFFFF),
    "float32": ("f32", None),
    "float64": ("f64", None),
    "sunssf": ("s16", 0x8000),
    "ipaddr": ("hex4", None),
    "ipv6addr": ("hex16", None),
    "eui48": ("hex8", None),
}
_PHASES = {"A": "l1", "B": "l2", "C": "l3", "AB": "l1_l2", "BC": "l2_l3", "CA": "l3_l1"}
_QUANTITIES = {
    "A": "current",
    "V": "voltage",
    "PhV": "voltage",
    "PPV": "voltage",
    "W": "power",
    "Hz": "frequency",
    "VA": "apparent_power",
    "VAr": "reactive_power",
    "VAR": "reactive_power",
    "PF": "power_factor",
    "WH": "energy",
    "DCA": "dc_current",
    "DCV": "dc_voltage",
    "DCW": "dc_power",
    "DCWH": "dc_energy",
    "St": "status",
    "StVnd": "vendor_status",
    "TmpCab": "cabinet_temperature",
    "TmpSnk": "heat_sink_temperature",
    "TmpTrns": "transformer_temperature",
    "TmpOt": "other_temperature",
    "TotWhExp": "energy_export",
    "TotWhImp": "energy_import",
    "TotVAhExp": "apparent_energy_export",
    "TotVAhImp": "apparent_energy_import",
    "SoC": "soc",
    "SoH": "soh",
    "Mn": "maker",
    "Md": "model",
    "Opt": "options",
    "Vr": "version",
    "SN": "serial_number",
    "DA": "device_address",
}
_PHASED_QUANTITIES = {
    "A": "current",
    "W": "power",
    "VA": "apparent_power",
    "VAR": "reactive_power",
    "PF": "power_factor",
    "PhV": "voltage",
    "PPV": "voltage",
    "TotWhExp": "energy_export",
    "TotWhImp": "energy_import",
    "TotVAhExp": "apparent_energy_export",
    "TotVAhImp": "apparent_energy_import",
}
_SURE = {
    ("inverter", "A"): "util.elec.current",
    ("inverter", "WH"): "util.pv.energy",
    ("inverter", "DCA"): "util.pv.current",
    ("inverter", "DCV"): "util.pv.voltage",
    ("meter", "A"): "util.elec.current",
    ("meter", "TotWhExp"): "util.elec.energy.export",
    ("meter", "TotWhImp"): "util.elec.energy.import",
    ("battery", "V"): "util.battery.voltage",
}
_PHASED = re.compile(r"(.+?)(?:ph|Ph)(AB|BC|CA|A|B|C)")


def point_keys(
    point: dict[str, Any], at: int, factors: dict[str, str]
) -> tuple[dict[str, Any], str]:
    """Return the keys of a point's channel, or why it has none."""
    kind, size = str(point.get("type", "")), registers(point)
    if not 0 < size <= 125 or (kind not in _TYPES and kind != "string"):
        return {}, f"type {kind!r} of {size} registers"
    ours, none = _TYPES.get(kind, (f"str{2 * size}", None))
    keys: dict[str, Any] = {"at": at, "type": ours if ours != "u16" else ""}
    if none is not None:
        keys["none"] = none
    elif kind == "string":
        keys["none"] = [""]  # nothing but zeros
    if point.get("static") == "S":
        keys["every"] = "once"
    symbols = listed(point.get("symbols"))
    if kind.startswith("enum") and symbols:
        keys["map"] = _words(symbols)
    elif kind.startswith("bitfield") and symbols:
        keys["flags"] = _flags(symbols, int(kind[8:]))
    elif kind != "string":
        factor = point.get("sf")
        if isinstance(factor, str) and factor in factors:
            keys["calc"] = f"x * 10 ** {factors[factor]}"
        elif isinstance(factor, int) and -12 <= factor <= 12 and factor:
            keys["scale"] = decimal(1, factor)
        unit = _unit(point)
        keys["unit"] = unit if unit in units_cpython.units() else ""
    if point.get("access") == "RW" and not _unwritable(kind, keys):
        keys["write"] = True
    return keys, ""


def notes(point: dict[str, Any], keys: dict[str, Any]) -> list[str]:
    """Return what of a point is not in its channel."""
    found = []
    unit = _unit(point)
    if unit and unit not in units_cpython.units():
        found.append(f"unit {one_line(unit)!r}")
    if isinstance(point.get("sf"), str) and "calc" not in keys and keys:
        found.append(f"no scale factor {one_line(str(point['sf']))}")
    if point.get("access") == "RW" and keys and "write" not in keys:
        found.append(f"cannot be written: {_unwritable(str(point.get('type')), keys)}")
    return found


def _unwritable(kind: str, keys: dict[str, Any]) -> str:
    if "calc" in keys:
        return "its scale factor is another register"
    if "flags" in keys:
        return "single flags"
    return "a text" if kind in ("string", "ipaddr", "ipv6addr", "eui48") else ""


def _unit(point: dict[str, Any]) -> str:
    said = str(point.get("units") or "").strip()
    if said.startswith("%") or said.endswith("Pct"):
        return "%"  # of what, the label says
    return known_unit({"cos()": "", "PF": "", "SF": ""}.get(said, said))


def _words(symbols: list[dict[str, Any]]) -> dict[int, str]:
    return {
        one["value"]: one_line(str(one.get("name", ""))).lower() or str(one["value"])
        for one in symbols
        if isinstance(one.get("value"), int)
        and 0 <= one["value"] <= 0xFFFF
        and not str(one.get("name", "")).lower().startswith("reserved")
    }


def _flags(symbols: list[dict[str, Any]], size: int) -> dict[int, str]:
    found: dict[int, str] = {}
    for one in symbols:
        bit, name = one.get("value"), identifier(str(one.get("name", "")))
        if isinstance(bit, int) and 0 <= bit < size and name and name not in found.values():
            if not name.startswith("reserved"):
                found[bit] = name
    return found


def named(point: dict[str, Any]) -> str:
    name = str(point.get("name", ""))
    phase = _PHASED.fullmatch(name)
    if phase and phase.group(1) in _PHASED_QUANTITIES:
        return f"{_PHASED_QUANTITIES[phase.group(1)]}_{_PHASES[phase.group(2)]}"
    return _QUANTITIES.get(name) or identifier(str(point.get("label") or "")) or name


def guess(entry: Entry, family: str, point: dict[str, Any]) -> None:
    # The model says what a quantity is where the id alone would leave a doubt.
    kind = _SURE.get((family, str(point.get("name", ""))))
    if kind and kinds.fits(kind, str(entry.keys.get("unit", ""))):
        entry.keys["kind"] = kind
    else:
        kinds.guess(entry, named(point))


def factor_keys(at: int) -> dict[str, Any]:
    return {"at": at, "type": "s16", "none": 0x8000, "hidden": True}


def registers(point: dict[str, Any]) -> int:
    size = point.get("size")
    return size if isinstance(size, int) and 0 < size < 0x10000 else 0


def listed(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
