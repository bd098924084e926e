"""Reads ESPHome configurations: every item of the platform modbus_controller.

Knows its value types, bit masks and the filters that are arithmetic; smoothing and longer
lambdas are told as lost. One draft comes out for each device on the bus.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

from drivers.profile.vocabulary_cpython import id_of
from gateway.core.duration import milliseconds
from gateway.core.errors import ConfigError
from tools.profile.importing import formula, kinds
from tools.profile.importing.draft import Draft, identifier, one_line
from tools.profile.importing.esphome_value import apply_filter, masked, select_keys, text_keys
from tools.profile.importing.foreign import Items, Map, Text, line_of, load_yaml
from tools.profile.importing.linear import Chain
from tools.profile.importing.words import exact, fraction, known_unit, whole

if TYPE_CHECKING:
    from typing import Any

    from tools.profile.importing.draft import Entry

SECTIONS = ("sensor", "binary_sensor", "text_sensor", "number", "switch", "select", "output")
_LINE = ("baud_rate", "parity", "data_bits", "stop_bits")
_TABLES = {"coil": "coil", "discrete_input": "discrete", "holding": "holding", "read": "input"}
_TYPES = {
    "": "u16",
    "RAW": "u16",
    "U_WORD": "u16",
    "S_WORD": "s16",
    "U_DWORD": "u32",
    "S_DWORD": "s32",
    "U_QWORD": "u64",
    "S_QWORD": "s64",
    "FP32": "f32",
}


def read(text: str, source: str) -> list[Draft]:
    """Return a draft for each modbus_controller of a configuration."""
    root = load_yaml(text, source)
    if not isinstance(root, Map):
        raise ConfigError(f"{source}: no ESPHome configuration: it is no map")
    reader = _Reader(root, source)
    for section in SECTIONS:
        for item in _listed(root.get(section)):
            if item.get("platform") == "modbus_controller":
                reader.item(section, item)
    drafts = reader.drafts()
    if not drafts:
        raise ConfigError(f"{source}: no item of the platform modbus_controller")
    return drafts


def looks_like(text: str) -> bool:
    """Return whether a text may be an ESPHome configuration with Modbus items."""
    return "modbus_controller" in text


class _Reader:
    def __init__(self, root: Map, source: str) -> None:
        self._root = root
        self._source = source
        found = root.get("substitutions")
        self._words = {key: str(one) for key, one in found.items()} if found else {}
        self._controllers = _listed(root.get("modbus_controller"))
        self._drafts: dict[str, Draft] = {}
        self._ids: dict[str, dict[str, str]] = {}  # for lambdas: ESPHome's ids to ours, by device

    def drafts(self) -> list[Draft]:
        """Return the drafts, each told what files were not read."""
        found = list(self._drafts.values())
        for draft in found:
            if len(found) > 1:
                draft.name += f" (address {draft.bus.get('unit', 1)})"
            for key, value in self._root.items():
                if "!include" in str(getattr(value, "tag", "")) or key == "packages":
                    draft.lose(line_of(value), key, "another file: import it too", whole=False)
        return found

    def item(self, section: str, item: Map) -> None:
        """Add one item's channel to the draft of its device."""
        draft = self._draft(self._controller(item))
        name = self._name(item)
        at, table, reason = self._place(item)
        if at is None:
            draft.lose(line_of(item), name, reason)
            return
        keys: dict[str, Any] = {"at": at, "in": table if table != "holding" else ""}
        made = self._keys(section, item, table, keys, draft, name)
        if made:
            draft.lose(line_of(item), name, made)
            return
        self._every(item, keys, draft)
        entry = self._merged(section, keys, draft) or draft.add(name, keys, line_of(item))
        title = self._shown(item)
        if title and not title.isascii() and not id_of(title):
            entry.keys["title"] = title
        if entry.id and item.get("id"):
            self._names(item)[str(item["id"])] = entry.id
        kinds.guess(entry)

    def _merged(self, section: str, keys: dict[str, Any], draft: Draft) -> Entry | None:
        """Return the reading of the same register, given what a number adds to it."""
        if section != "number":
            return None
        same = ("at", "in", "type", "order", "scale", "offset")
        for entry in draft.channels:
            wanted = [keys.get(key) or "" for key in same]
            if [entry.keys.get(key, "") for key in same] == wanted and "calc" not in entry.keys:
                if not {"bits", "map", "write"} & set(entry.keys):
                    entry.keys["write"] = keys["write"]
                    return entry
        return None

    def _keys(
        self,
        section: str,
        item: Map,
        table: str,
        keys: dict[str, Any],
        draft: Draft,
        name: str,
    ) -> str:
        """Fill in what the section means; return why it cannot be, or ""."""
        if "custom_command" in item:
            return "a command of its own, not a register"
        if section == "text_sensor":
            return text_keys(item, keys)
        said = str(item.get("value_type", ""))
        known = _TYPES.get(said.removesuffix("_R"))
        if known is None or (said == "RAW" and "lambda" in item):
            return f"value_type {said} with a lambda"
        if table in ("holding", "input"):
            keys["type"] = known if known != "u16" else ""
            keys["order"] = "CDAB" if said.endswith("_R") else ""
        if section == "select":
            return select_keys(item, keys)
        mask = whole(self._filled(item.get("bitmask", "")))
        chain = Chain()
        if table in ("holding", "input"):
            reason = masked(section, mask, known, keys, chain)
            if reason:
                draft.lose(line_of(item), name, reason, whole=False)
        reason = self._arithmetic(section, item, keys, chain, draft, name)
        if reason:
            return reason
        if section == "binary_sensor" and "bits" not in keys and table in ("holding", "input"):
            chain.formula("x != 0")
        if not chain.sound:
            return "numbers beyond any quantity"
        found = chain.keys()
        if "bits" in keys and isinstance(keys["bits"], int) and {"scale", "offset"} & set(found):
            return "one bit that is multiplied"
        keys.update(found)
        keys["unit"] = known_unit(self._filled(item.get("unit_of_measurement", "")))
        if section in ("number", "switch", "output"):
            self._write(section, item, table, keys, draft, name)
        return ""

    def _arithmetic(
        self,
        section: str,
        item: Map,
        keys: dict[str, Any],
        chain: Chain,
        draft: Draft,
        name: str,
    ) -> str:
        multiply = fraction(self._filled(item.get("multiply", "1")))
        if multiply and section in ("number", "output"):
            chain.times(1 / multiply)
        if "lambda" in item:
            made = formula.expression(self._filled(item["lambda"]), self._names(item))
            if not made:
                return "a lambda of more than one formula"
            chain.formula(made)
        filters = item.get("filters")
        for one in filters if isinstance(filters, Items) else []:
            pairs = list(one.items()) if isinstance(one, Map) else [(str(one), Text(""))]
            for word, value in pairs:
                told = fraction(self._filled(value)) if isinstance(value, str) else None
                value = self._filled(value) if isinstance(value, str) else value
                reason = apply_filter(word, value, told, chain, keys, self._names(item))
                if reason and not reason.startswith("lambda"):
                    draft.lose(line_of(item), name, reason, whole=False)
                elif reason:
                    return "a lambda of more than one formula"
        return ""

    def _write(
        self, section: str, item: Map, table: str, keys: dict[str, Any], draft: Draft, name: str
    ) -> None:
        why = ""
        if "write_lambda" in item:
            why = "a lambda computes what is written"
        elif table in ("input", "discrete"):
            why = "cannot be written where it stands"
        elif {"calc", "bits"} & set(keys):
            why = "cannot be written: its value is computed"
        if why:
            draft.lose(line_of(item), name, why, whole=False)
            return
        if section == "switch" and table == "holding":
            keys["map"] = {0: False, 1: True}
        limits: dict[str, Any] = {}
        for ours, theirs in (("min", "min_value"), ("max", "max_value")):
            bound = fraction(self._filled(item.get(theirs, "")))
            if bound is not None and section == "number" and exact(bound) is not None:
                limits[ours] = exact(bound)
        if item.get("use_write_multiple") in ("true", "True", "yes") and "type" not in keys:
            limits["with"] = 15 if table == "coil" else 16
        if section == "output":
            limits["only"] = True
        keys["write"] = limits if limits and limits != {"only": True} else True
        if limits == {"only": True}:
            keys["write"] = "only"

    def _place(self, item: Map) -> tuple[int | None, str, str]:
        table = _TABLES.get(str(item.get("register_type", "holding")), "")
        at = whole(self._filled(item.get("address", "")))
        if not table or at is None:
            return None, "", f"register {item.get('register_type')} {item.get('address')}"
        offset = whole(self._filled(item.get("offset", item.get("byte_offset", "0")))) or 0
        if table in ("coil", "discrete"):
            return at + offset, table, ""
        if offset % 2:
            return None, "", "it starts in the middle of a register"
        return at + offset // 2, table, ""

    def _every(self, item: Map, keys: dict[str, Any], draft: Draft) -> None:
        skipped = whole(self._filled(item.get("skip_updates", "0"))) or 0
        if skipped and draft.every and 0 < skipped < 10_000:
            seconds = Fraction(milliseconds(draft.every), 1000) * (skipped + 1)
            if seconds.denominator == 1 and seconds <= 86_400:
                keys["every"] = f"{seconds}s" if seconds % 60 else f"{seconds // 60}m"

    def _draft(self, wanted: str) -> Draft:
        if wanted not in self._drafts:
            draft = Draft(self._source)
            draft.origin = [
                f"Source: {one_line(self._source)}, an ESPHome configuration.",
                "Licence: its author's; look it up before you publish this.",
            ]
            self._describe(wanted, draft)
            self._drafts[wanted] = draft
        return self._drafts[wanted]

    def _describe(self, wanted: str, draft: Draft) -> None:
        esphome = self._root.get("esphome")
        own = esphome if isinstance(esphome, Map) else Map()
        named = own.get("friendly_name") or own.get("name") or ""
        called = own.get("comment") or wanted.replace("_", " ").strip().capitalize()
        draft.name = one_line(self._filled(named or called)).strip() or "ESPHome device"
        matching = [one for one in self._controllers if str(one.get("id", "")) == wanted]
        controller = (matching or self._controllers or [Map()])[0]
        unit = whole(self._filled(controller.get("address", "")))
        if unit is not None and 1 < unit <= 255:
            draft.bus["unit"] = unit
        every = self._filled(controller.get("update_interval", ""))
        if _is_time(every, 50):
            draft.every = every
        pause = self._filled(controller.get("command_throttle", ""))
        if _is_time(pause, 1) and milliseconds(pause) <= 60_000:
            draft.bus["pause"] = pause
        uarts = [one for one in _listed(self._root.get("uart")) if "baud_rate" in one]
        if uarts:
            said = [self._filled(uarts[0].get(key, "")) for key in _LINE]
            draft.line(whole(said[0]), said[1], said[2], said[3])

    def _names(self, item: Map) -> dict[str, str]:
        return self._ids.setdefault(self._controller(item), {})

    def _controller(self, item: Map) -> str:
        """The id of an item's device: ESPHome lets it be left out where there is only one."""
        said = str(item.get("modbus_controller_id", ""))
        if said or len(self._controllers) != 1:
            return said
        return str(self._controllers[0].get("id", ""))

    def _name(self, item: Map) -> str:
        bare = re.sub(r"\$\{?\w+\}?", " ", str(item.get("name") or "")).strip(" -_:")
        for tried in (bare, str(item.get("id", "")), self._filled(item.get("name", ""))):
            if id_of(tried) or identifier(tried):
                return tried
        return f"register_{item.get('address', '')}"

    def _shown(self, item: Map) -> str:
        return one_line(self._filled(item.get("name", "")))

    def _filled(self, value: Any) -> str:
        text = str(value)
        for _ in range(3):  # a substitution may hold another
            if "$" not in text:
                break
            text = re.sub(
                r"\$\{?(\w+)\}?", lambda one: self._words.get(one.group(1), one.group()), text
            )[:10_000]
        return text


def _listed(value: Any) -> list[Map]:
    found = value if isinstance(value, Items) else [value]
    return [one for one in found if isinstance(one, Map)]


def _is_time(text: str, least_ms: int) -> bool:
    try:
        return milliseconds(text) >= least_ms
    except ValueError:
        return False
