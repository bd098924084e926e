"""Reads Telegraf's inputs.modbus in its three styles: register, request and metric.

Knows TOML and Telegraf's types and byte orders; a configuration names no units, so drafts have
none. One draft comes out for each device address.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

from gateway.core.errors import ConfigError
from tools.profile.importing import terms
from tools.profile.importing.draft import Draft, one_line
from tools.profile.importing.linear import Chain
from tools.profile.importing.words import fraction

if TYPE_CHECKING:
    from typing import Any

_SECTION = re.compile(r"^\s*\[\[?\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")
_OWN = re.compile(r"inputs\.modbus(\.|$)")
_LISTS = {
    "coils": "coil",
    "discrete_inputs": "discrete",
    "holding_registers": "holding",
    "input_registers": "input",
}
_TYPES = {
    **{
        f"{letter}INT{size}": f"{ours}{size}"
        for letter, ours in (("", "s"), ("U", "u"))
        for size in (16, 32, 64)
    },
    "FLOAT16": "f16",
    "FLOAT32": "f32",
    "FLOAT64": "f64",
    "FLOAT16-IEEE": "f16",
    "FLOAT32-IEEE": "f32",
    "FLOAT64-IEEE": "f64",
}
_ORDERS = {"": "ABCD", "AB": "ABCD", "ABCD": "ABCD", "BA": "DCBA", "DCBA": "DCBA"}
_ORDERS |= {"BADC": "BADC", "CDAB": "CDAB", "ABCDEFGH": "ABCD", "HGFEDCBA": "DCBA"}
_ORDERS |= {"BADCFEHG": "BADC", "GHEFCDAB": "CDAB"}
# Registers named from the last to the first: their order on the wire is the other way round.
_SWAPPED = {"ABCD": "CDAB", "CDAB": "ABCD", "DCBA": "BADC", "BADC": "DCBA"}


def read(text: str, source: str) -> list[Draft]:
    """Return a draft for each device address of a configuration."""
    own = _own_part(text)
    try:
        tables = tomllib.loads(own).get("inputs", {}).get("modbus", [])
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source}: not TOML: {error}")
    except RecursionError:
        raise ConfigError(f"{source}: not TOML: brackets too deep")
    reader = _Reader(own, source)
    for table in tables if isinstance(tables, list) else [tables]:
        reader.table(table)
    if not reader.drafts:
        raise ConfigError(f"{source}: no [[inputs.modbus]] with fields")
    found = list(reader.drafts.values())
    for draft in found:
        if len(found) > 1:
            draft.name += f" (address {draft.bus.get('unit', 1)})"
    return found


def looks_like(text: str) -> bool:
    """Return whether a text may be a Telegraf configuration with Modbus in it."""
    return "inputs.modbus]" in text


def _own_part(text: str) -> str:
    """Return the text with all that is not inputs.modbus left empty: it need not be legal TOML."""
    lines = []
    inside = False
    for line in text.splitlines():
        found = _SECTION.match(line)
        # A field list may have lines of its own in brackets; a section has a name in them.
        if found and re.match(r"[\w.\"-]+$", found.group(1)) and not found.group(1).isdigit():
            inside = _OWN.match(found.group(1)) is not None
        lines.append(line if inside else "")
    return "\n".join(lines)


class _Reader:
    def __init__(self, text: str, source: str) -> None:
        self.drafts: dict[tuple[str, int], Draft] = {}
        self._source = source
        self._lines = text.splitlines()
        self._line = 0  # the field found last; the next one stands further down

    def table(self, table: dict[str, Any]) -> None:
        """Take the fields of one [[inputs.modbus]]."""
        own = _whole(table.get("slave_id"), 1)
        for key, register in _LISTS.items():
            for field in _tables(table.get(key)):
                self._field(table, own, register, str(field.get("byte_order", "")), field)
        for style in ("request", "metric"):
            for one in _tables(table.get(style)):
                unit = _whole(one.get("slave_id"), own)
                order = str(one.get("byte_order", ""))
                standard = "holding" if style == "metric" else ""
                for field in _tables(one.get("fields")):
                    register = str(field.get("register", one.get("register", standard)))
                    if not field.get("omit"):
                        self._field(table, unit, register, order, field)

    def _field(
        self, table: dict[str, Any], unit: int, register: str, order: str, field: dict[str, Any]
    ) -> None:
        name = one_line(str(field.get("name", "")))
        line = self._find(name)
        draft = self._draft(table, unit)
        keys, reason = _keys(register, order, field)
        if reason:
            draft.lose(line, name, reason)
            return
        entry = draft.add(terms.english(name) or f"register_{keys['at']}", keys, line)
        if not name.isascii():
            entry.keys["title"] = name

    def _find(self, name: str) -> int:
        wanted = re.compile(rf"""name\s*=\s*["']{re.escape(name)}["']""")
        for start in (self._line, 0):
            for at in range(start, len(self._lines)):
                if wanted.search(self._lines[at]):
                    self._line = at + 1
                    return self._line
        return 0

    def _draft(self, table: dict[str, Any], unit: int) -> Draft:
        name = one_line(str(table.get("name", "")))
        if (name, unit) not in self.drafts:
            draft = Draft(self._source, name=name)
            draft.origin = [
                f"Source: {one_line(self._source)}, a Telegraf configuration (inputs.modbus).",
                "Licence: its author's; look it up before you publish this.",
            ]
            if 0 <= unit <= 255 and unit != 1:
                draft.bus["unit"] = unit
            _line(table, draft)
            self.drafts[(name, unit)] = draft
        return self.drafts[(name, unit)]


def _line(table: dict[str, Any], draft: Draft) -> None:
    said = [str(table.get(key, "")) for key in ("parity", "data_bits", "stop_bits")]
    draft.line(_whole(table.get("baud_rate"), 9600), said[0], said[1], said[2])
    timeout = str(table.get("timeout", ""))
    if re.fullmatch(r"([1-9]|[1-5]\d)s|[1-9]\d{1,4}ms", timeout) and timeout != "1s":
        draft.bus["timeout"] = timeout
    workarounds = table.get("workarounds")
    if isinstance(workarounds, dict):
        if workarounds.get("one_request_per_field"):
            draft.bus["max"] = 1
        pause = str(workarounds.get("pause_between_requests", ""))
        if re.fullmatch(r"[1-9]\d{0,3}ms", pause):
            draft.bus["pause"] = pause


def _keys(register: str, order: str, field: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the keys of a field's channel, or why it has none."""
    listed = field.get("address")
    addresses = listed if isinstance(listed, list) else [listed]
    if not addresses or not all(isinstance(one, int) and 0 <= one <= 0xFFFF for one in addresses):
        return {}, f"address {listed!r}"
    at: int = min(addresses)
    follow = list(range(at, at + len(addresses)))
    if addresses not in (follow, follow[::-1]):
        return {}, f"registers that do not follow each other: {addresses}"
    if register not in _LISTS.values():
        return {}, f"register type {register!r}"
    keys: dict[str, Any] = {"at": at, "in": "" if register == "holding" else register}
    if register in ("coil", "discrete"):
        return keys, ""
    letters = _ORDERS.get(order.upper(), "")
    if not letters:
        return {}, f"byte order {order!r}"
    letters = _SWAPPED[letters] if addresses != follow else letters
    return _value(keys, letters, field, len(addresses) if isinstance(listed, list) else 0)


def _value(
    keys: dict[str, Any], letters: str, field: dict[str, Any], registers: int
) -> tuple[dict[str, Any], str]:
    said = str(field.get("data_type", field.get("type", ""))).upper()
    if said == "BIT":
        bit = _whole(field.get("bit"), 0)
        return {**keys, "bits": bit}, "" if 0 <= bit <= 15 else f"bit {bit}"
    if said == "STRING":
        length = registers or _whole(field.get("length"), 0)
        if field.get("string_register_location", "both") not in ("", "both"):
            length = 0
        if not 0 < length <= 125:
            return {}, "a text whose place in its registers is not both bytes"
        return {
            **keys,
            "type": f"str{2 * length}",
            "order": "" if letters == "ABCD" else letters,
        }, ""
    kind = _type(said, registers, "data_type" in field)
    if said.endswith(("8L", "8H")):
        low, high = (0, 7) if said.endswith("L") else (8, 15)
        keys["bits"] = f"{low}..{high}"
        kind = "s16" if said.startswith("INT") else "u16"
    if said == "FLOAT32" and "data_type" in field and registers > 1:
        return {}, "FLOAT32: older versions read a whole number, newer ones a float"
    if not kind:
        return {}, f"type {said!r} of {registers} registers"
    keys["type"] = "" if kind == "u16" else kind
    # A register alone has only two orders; of more, the letters of the source are ours.
    keys["order"] = "" if letters == "ABCD" else letters
    scale = field.get("scale", 1)
    factor = fraction(str(scale)) if isinstance(scale, int | float | str) else None
    if factor is None:
        return {}, f"scale {scale!r}"
    chain = Chain()
    chain.times(factor or fraction("1") or factor)  # Telegraf takes 0 for: no scale
    if not chain.sound:
        return {}, "numbers beyond any quantity"
    keys.update(chain.keys())
    return keys, ""


def _type(said: str, registers: int, register_style: bool) -> str:
    size = 16 * registers
    if said in ("FIXED", "UFIXED") or (said == "FLOAT32" and register_style):
        # Telegraf's older word for a whole number that is scaled; FLOAT32 has no sign there.
        letter = "s" if said == "FIXED" else "u"
        return f"{letter}{size}" if size in (16, 32, 64) else ""
    kind = _TYPES.get(said, "" if said else "u16")
    if registers and kind and int(kind[1:]) != size:
        return ""
    return kind


def _tables(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _whole(value: Any, standard: int) -> int:
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else standard
