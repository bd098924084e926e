"""Reads evcc's templates (MIT licence): the Modbus registers behind each measured quantity.

Knows evcc's quantities and units; its control sequences are logic, not registers, and are told
as lost, while the registers they write become channels that can be written.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gateway.core.duration import milliseconds
from gateway.core.errors import ConfigError
from tools.profile.importing import gotemplate, kinds
from tools.profile.importing.draft import Draft, one_line
from tools.profile.importing.foreign import Items, Map, line_of, load_yaml
from tools.profile.importing.linear import Chain
from tools.profile.importing.words import fraction, whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

LICENCE = "MIT, copyright evcc.io (andig, naltatis, premultiply)"

# quantity: (channel, unit). evcc fixes the units; a list is the three phases.
_QUANTITIES = {
    "power": ("power", "W"),
    "energy": ("energy", "kWh"),
    "returnenergy": ("energy_return", "kWh"),
    "currents": ("current", "A"),
    "voltages": ("voltage", "V"),
    "powers": ("power", "W"),
    "soc": ("soc", "%"),
    "capacity": ("capacity", "kWh"),
    "temp": ("temperature", "°C"),
    "limittemp": ("temperature_limit", "°C"),
    "limitsoc": ("soc_limit", "%"),
    "maxcurrent": ("max_current", "A"),
    "maxcurrentmillis": ("max_current", "A"),
    "getmaxcurrent": ("max_current_now", "A"),
    "setmaxpower": ("max_power", "W"),
    "getmaxpower": ("max_power_now", "W"),
    "maxpower": ("max_power", "W"),
    "maxchargepower": ("max_charge_power", "W"),
    "maxdischargepower": ("max_discharge_power", "W"),
    "maxacpower": ("max_ac_power", "W"),
}
_NAMES = {
    ("grid", "energy"): "energy_import",
    ("grid", "returnenergy"): "energy_export",
    ("battery", "energy"): "energy_discharged",
    ("battery", "returnenergy"): "energy_charged",
}
# Where evcc's sign and ours agree; its battery power is positive when it discharges.
_KINDS = {
    ("grid", "power"): "util.elec.power",
    ("grid", "powers"): "util.elec.power",
    ("grid", "energy"): "util.elec.energy.import",
    ("grid", "returnenergy"): "util.elec.energy.export",
    ("grid", "currents"): "util.elec.current",
    ("grid", "voltages"): "util.elec.voltage",
    ("pv", "power"): "util.pv.power",
    ("pv", "energy"): "util.pv.energy",
    ("battery", "soc"): "util.battery.soc",
}
_WRAPPERS = {"cached": "value", "convert": "get", "map": "get"}
_JOINS = {"add": " + ", "mul": " * ", "div": " / ", "sub": " - "}
_SENTINELS = {
    "int16nan": [0x8000, 0x7FFF],
    "uint16nan": [0xFFFF],
    "int32nan": [0x80000000, 0x7FFFFFFF],
    "uint32nan": [0xFFFFFFFF],
    "float32nans": [],
    "uint64nan": [0xFFFFFFFFFFFFFFFF],
    "uint64snan": [0xFFFFFFFFFFFFFFFF],
}
_ENCODING = re.compile(r"(u?int|float|ieee|bool)(8|16|32|64|754)(s?)(nan)?(s?)")
_MODES = {0: False, 1: True}


def read(text: str, source: str, chosen: dict[str, str]) -> list[Draft]:
    """Return a draft for each device address in a template; `chosen` overrides its parameters."""
    root = load_yaml(text, source)
    if not isinstance(root, Map) or not isinstance(root.get("render"), str):
        raise ConfigError(f"{source}: no evcc template: it has no 'render'")
    reader = _Reader(root, source)
    params = _params(root)
    params.update(chosen)
    usages = [chosen["usage"]] if "usage" in chosen else _choices(root, "usage") or [""]
    for usage in usages:
        reader.usage(usage, params | {"usage": usage}, many=len(usages) > 1)
    return reader.drafts()


def looks_like(text: str) -> bool:
    """Return whether a text may be a template of evcc with Modbus registers in it."""
    named = re.search(r"(?m)^template: ", text) is not None and "\nrender:" in text
    return named and "source: modbus" in text


class _Reader:
    def __init__(self, root: Map, source: str) -> None:
        self._root = root
        self._source = source
        self._drafts: dict[int, Draft] = {}
        self._own = _head(root, source)
        self._prefix = ""
        self._usage = ""

    def drafts(self) -> list[Draft]:
        """Return what was found, the device most channels are of first."""
        found = sorted(self._drafts.values(), key=lambda one: -len(one.channels))
        if not found:
            found = [self._own]
        for draft in found:
            draft.losses += self._own.losses if draft is found[0] and found != [self._own] else []
            if len(found) > 1:
                draft.name += f" (address {draft.bus.get('unit', 1)})"
        return found

    def usage(self, usage: str, params: dict[str, str], many: bool) -> None:
        """Fill in the template for one usage (grid, pv, battery) and take its registers."""
        self._usage = usage
        self._prefix = f"{usage}_" if usage and many else ""
        render: Any = self._root["render"]
        filled = gotemplate.fill(render, params)
        for line, what in filled.lost:
            self._own.lose(line + line_of(render), what, "is not filled in", whole=False)
        # An empty line for each line before the block: places then are places in the file.
        tree = load_yaml("\n" * line_of(render) + filled.text, self._source)
        if not isinstance(tree, Map):
            return
        for key, node in tree.items():
            if isinstance(node, Map):
                self._quantity(key, node, self._name(key))
            elif isinstance(node, Items):
                for number, one in enumerate(node, 1):
                    if isinstance(one, Map):
                        self._quantity(key, one, f"{self._name(key)}_l{number}")

    def _name(self, key: str) -> str:
        name = _NAMES.get((self._usage, key)) or _QUANTITIES.get(key, (key, ""))[0]
        return self._prefix + name

    def _quantity(self, key: str, node: Map, name: str) -> None:
        unit = _QUANTITIES.get(key, ("", ""))[1]
        said: dict[str, Any] = {"unit": unit, "kind": _KINDS.get((self._usage, key), "")}
        inner = node
        while _source(inner) in _WRAPPERS:
            following = inner.get(_WRAPPERS[_source(inner)]) or inner.get("set")
            if _source(inner) == "map":
                self._lose(inner, name, "evcc's own mode numbers: the raw number is given", False)
            if not isinstance(following, Map):
                break
            inner = following
        kind = _source(inner)
        if kind == "modbus":
            if key in ("enable", "enabled"):
                said["map"] = _MODES
            self._register(inner, name, said)
        elif kind == "calc":
            self._calc(inner, name, said)
        elif kind == "go" and isinstance(inner.get("in"), Items):
            self._lose(inner, name, "a script in Go: its inputs are channels of their own", False)
            for one in inner["in"]:
                config = one.get("config") if isinstance(one, Map) else None
                if isinstance(config, Map):
                    self._quantity("", config, f"{name}_{one.get('name', '')}")
        else:
            self._parts(inner, name, kind)

    def _parts(self, node: Map, name: str, kind: str) -> None:
        """Take the registers inside what is control logic, so that they can be written."""
        if kind == "sunspec":
            self._lose(node, name, "SunSpec model point: import sunspec:MODEL")
            return
        found = list(_registers(node))
        if found:
            self._lose(node, name, f"control logic ({kind}): its registers can be written", False)
        elif kind not in ("", "const", "sleep", "error", "ignore"):
            self._lose(node, name, f"source {kind} is no register", False)
        seen = set()
        for one in found:
            register = one.get("register")
            at = str(register.get("address", "")) if isinstance(register, Map) else ""
            if (at, str(one.get("id"))) not in seen:
                seen.add((at, str(one.get("id"))))
                self._register(one, f"{name}_{at}", {})

    def _calc(self, node: Map, name: str, said: dict[str, Any]) -> None:
        word = next((one for one in (*_JOINS, "sign", "abs", "max", "min") if one in node), "")
        parts = node.get(word)
        parts = [parts] if isinstance(parts, Map) else parts
        if not word or not isinstance(parts, list):
            self._lose(node, name, "a calculation not known here")
            return
        operands = []
        for number, part in enumerate(parts, 1):
            while isinstance(part, Map) and _source(part) in _WRAPPERS:
                part = part.get(_WRAPPERS[_source(part)])
            if isinstance(part, Map) and _source(part) == "const":
                operands.append(str(part.get("value", "")))
                if fraction(operands[-1]) is None:
                    operands.clear()
                    break
                continue
            entry = None
            if isinstance(part, Map) and _source(part) == "modbus":
                entry = self._register(part, f"{name}_{number}", {"hidden": True})
            if entry is None:
                operands.clear()
                break
            operands.append(entry)
        if not operands:
            self._lose(node, name, "a calculation with more than registers and numbers")
            return
        ways = {"sign": "1 if {0} > 0 else -1 if {0} < 0 else 0", "abs": "abs({0})"}
        if word in _JOINS:
            calc = _JOINS[word].join(operands)
        elif word in ways:
            calc = ways[word].format(operands[0])
        else:
            calc = f"{word}({', '.join(operands)})"
        unit = self._unit(next(iter(_registers(node)), node))
        entry_keys = {"calc": calc, **said}
        self._draft(unit).add(name, entry_keys, line_of(node))

    def _register(self, node: Map, name: str, said: dict[str, Any]) -> str | None:
        """Add the channel of one register; return its id, None if it is lost."""
        register = node.get("register")
        draft = self._draft(self._unit(node))
        if not isinstance(register, Map):
            self._lose(node, name, "no register")
            return None
        keys, reason = _keys(node, register)
        if reason:
            self._lose(node, name, reason)
            return None
        if said.get("hidden"):
            keys["hidden"] = True
        else:
            keys.update({key: one for key, one in said.items() if one})
        if "map" in keys:
            for key in ("scale", "unit", "none"):
                keys.pop(key, None)
        for key in ("timeout", "delay"):
            _timing(str(node.get(key, "")), key, draft)
        entry = draft.add(name, keys, line_of(node))
        kinds.guess(entry)
        return entry.id or None

    def _unit(self, node: Map) -> int:
        said = whole(str(node.get("id", "")))
        return int(self._own.bus.get("unit", 1)) if said is None else said

    def _draft(self, unit: int) -> Draft:
        if unit not in self._drafts:
            draft = _head(self._root, self._source)
            if unit != 1 and 0 <= unit <= 255:
                draft.bus["unit"] = unit
            self._drafts[unit] = draft
        return self._drafts[unit]

    def _lose(self, node: Map, name: str, reason: str, whole: bool = True) -> None:
        self._own.lose(line_of(node), name, reason, whole)


def _keys(node: Map, register: Map) -> tuple[dict[str, Any], str]:
    """Return the keys of a channel, or why it has none."""
    kind = str(register.get("type", "")).lower()
    encoding = str(register.get("encoding") or register.get("decode") or "").lower()
    at = whole(str(register.get("address", "")))
    factor = fraction(str(node.get("scale", "1")))
    found = _ENCODING.fullmatch(encoding)
    writes = kind.startswith("write")
    if at is None or factor is None or not factor:
        return {}, "an address or scale that the template does not say"
    if kind in ("coil", "writecoil"):
        return {"at": at, "in": "coil", "write": "only" if writes else ""}, ""
    if kind not in ("holding", "input") and not writes:
        return {}, f"register type {kind!r}"
    if not found or encoding == "bytes":
        return {}, f"encoding {encoding!r}"
    base, size, swapped, _, swapped_too = found.groups()
    keys: dict[str, Any] = {"at": at, "in": kind if kind == "input" else ""}
    if base == "bool":
        mask = whole(str(register.get("bitmask", "")))
        if not mask or mask & (mask - 1):
            return {}, "a bool16 with other than one bit"
        return {**keys, "bits": mask.bit_length() - 1}, ""
    bits = 32 if size == "754" else int(size)
    letter = {"uint": "u", "int": "s"}.get(base, "f")
    single = kind in ("writesingle", "writeholding")
    keys["type"] = "" if (letter, bits) == ("u", 16) else f"{letter}{bits}"
    if single and bits > 16:
        keys["type"] = ""  # evcc sends the low word
    elif (swapped or swapped_too) and bits > 16:
        keys["order"] = "CDAB"
    none = _SENTINELS.get(encoding, [])
    keys["none"] = none[0] if len(none) == 1 else none
    chain = Chain()
    chain.times(1 / factor if writes else factor)
    if not chain.sound:
        return {}, "numbers beyond any quantity"
    keys.update(chain.keys())
    if writes:
        keys.pop("none")
        if "calc" in keys:
            return {}, "a scale that has no end"
        keys["write"] = "only" if single or bits > 16 else {"only": True, "with": 16}
    return keys, ""


def _source(node: Map) -> str:
    return str(node.get("source", ""))


def _registers(node: Any) -> Iterator[Map]:
    """Yield every Modbus source inside a node."""
    if isinstance(node, Map):
        if _source(node) == "modbus":
            yield node
        for one in node.values():
            yield from _registers(one)
    elif isinstance(node, Items):
        for one in node:
            yield from _registers(one)


def _head(root: Map, source: str) -> Draft:
    draft = Draft(source)
    draft.origin = [f"Source: {one_line(source)}, a template of evcc.", f"Licence: {LICENCE}."]
    products = [one for one in root.get("products", []) if isinstance(one, Map)]
    names = []
    for product in products:
        told = product.get("description")
        told = told if isinstance(told, Map) else {}
        model = told.get("generic") or told.get("en") or told.get("de") or ""
        names.append((one_line(str(product.get("brand", ""))), one_line(str(model))))
    draft.maker = next((brand for brand, _ in names if brand), "")
    draft.name = " ".join(names[0]).strip() if names else str(root.get("template", ""))
    others = {brand for brand, _ in names} - {draft.maker, ""}
    draft.models = [
        model if not others else f"{brand} {model}".strip() for brand, model in names if model
    ]
    usages = " ".join(_choices(root, "usage"))
    draft.kind = {"grid": "electricity_meter", "pv": "pv_inverter"}.get(usages, "")
    for param in root.get("params", []):
        if isinstance(param, Map) and param.get("name") == "modbus":
            _line(param, draft)
    return draft


def _line(param: Map, draft: Draft) -> None:
    unit = whole(str(param.get("id", "")))
    if unit is not None and unit != 1 and unit <= 255:
        draft.bus["unit"] = unit
    found = re.fullmatch(r"([78])([NEO])([12])", str(param.get("comset", "8N1")).upper())
    data, parity, stop = found.groups() if found else ("8", "N", "1")
    draft.line(whole(str(param.get("baudrate", ""))), parity, data, stop)
    for key in ("timeout", "delay"):
        _timing(str(param.get(key, "")), key, draft)


def _timing(told: str, key: str, draft: Draft) -> None:
    try:
        ms = milliseconds(told)
    except ValueError:
        return
    if 0 < ms <= 60_000:
        draft.bus["timeout" if key == "timeout" else "pause"] = told


def _params(root: Map) -> dict[str, str]:
    """Return the parameters' values as evcc presets them."""
    found = {}
    for param in root.get("params", []):
        if isinstance(param, Map) and param.get("name"):
            choices = param.get("choice")
            first = choices[0] if isinstance(choices, Items) and choices else ""
            value = param.get("default", "" if param.get("deprecated") else first)
            found[str(param["name"])] = str(value)
    return found


def _choices(root: Map, name: str) -> list[str]:
    for param in root.get("params", []):
        if isinstance(param, Map) and param.get("name") == name:
            choices = param.get("choice")
            return [str(one) for one in choices] if isinstance(choices, Items) else []
    return []
