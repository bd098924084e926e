"""`tidegate profile schema`: the JSON Schema (draft-07) by which an editor completes and checks.

Made from the tables of drivers/profile/schema.py: one function for each form of value, one entry
for each key that holds keys of its own. Knows no more than those tables; what ties keys together
is the checker's business. No oneOf: where it fails, an editor cannot say which key is wrong.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from functools import partial
from typing import TYPE_CHECKING

from drivers.profile import schema, schema_bus, units_cpython
from drivers.profile.bus import CHECKS
from drivers.profile.decode import TYPES
from gateway.core.duration import UNITS_MS
from tools.profile.options import output

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    Shape: TypeAlias = "dict[str, Any]"

DRAFT = "http://json-schema.org/draft-07/schema#"
FILE = units_cpython.PROFILES / "schema.json"
# Of a file profiles/<maker>/<model>.yaml: for most editors, and for those of JetBrains.
MODELINES = "# yaml-language-server: $schema=../schema.json\n# $schema: ../schema.json\n"
OK, FINDINGS = 0, 1

_EXAMPLES = """\
examples:
  tidegate profile schema > profile.schema.json     what an editor wants
  tidegate profile schema -o profiles/schema.json   after the grammar or a registry has changed
  tidegate profile schema --check                   leave 1 if the shipped file is stale
"""
_SCALARS = re.compile(r"\[\n[^][{}]*\]")  # a list of words takes one line
_ID = r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?"
_KEY = r"^([a-z][a-z0-9_]*)?(\[[^\]]+\])?[a-z0-9_]*$"
_RAW = r"^-?(0x[0-9a-fA-F]+|0o[0-7]+|[0-9]+)$"
_NUMBER = r"[-+]?[0-9]*\.?[0-9]*([eE][-+]?[0-9]+)?"
_UUID = r"^([0-9a-fA-F]{4}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$"
_HEX = r"^\s*([0-9a-fA-F]\s*[0-9a-fA-F]\s*)+$"
_TO_250 = "([1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|250)"  # decode.TEXT_MAX; a test holds them together
_PERIODS = ("1s", "10s", "1m", "5m", "1h", "once", "never")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EXAMPLES
    where = parser.add_mutually_exclusive_group()
    where.add_argument("-o", "--output", type=output, metavar="FILE", help="write it there")
    where.add_argument("--check", action="store_true", help=f"compare it with {FILE.name}")


def main(args: argparse.Namespace) -> int:
    """Print the schema, write it or compare it; return the exit code."""
    made = text()
    if args.check:
        return _compare(made, getattr(args, "json", False))
    if args.output:
        args.output.write_text(made, encoding="utf-8")
        print(f"{args.output}: {len(made.encode())} bytes")
    else:
        sys.stdout.write(made)
    return OK


def text() -> str:
    """Return the schema as it stands in profiles/schema.json."""
    shown = json.dumps(document(), indent=1, ensure_ascii=False)
    return _SCALARS.sub(lambda found: " ".join(found[0].split()), shown) + "\n"


def document() -> Shape:
    """Return the schema of a profile."""
    made = _table("profile", schema.PROFILE)
    made["allOf"] = [_some_bus(), _hex_tests(), *(_no_other_bus(bus) for bus in _buses())]
    return {
        "$schema": DRAFT,
        "title": "Tidegate driver profile",
        **made,
        "required": list(schema.REQUIRED),
        "definitions": {name: make() for name, make in _DEFINITIONS.items()},
    }


def form(name: str) -> Shape:
    """Return the shape of one form as the tables spell it, such as "int 0 255"."""
    word, _, argument = name.partition(" ")
    shape = FORMS[word](argument)
    return _either({"type": "object"}, _ref(word), shape) if word in schema.MAPS else shape


def _compare(made: str, as_json: bool) -> int:
    stale = not FILE.is_file() or FILE.read_text(encoding="utf-8") != made
    if as_json:
        print(json.dumps({"file": str(FILE), "stale": stale}))
    else:
        print(f"{FILE}: {'stale, write it with -o' if stale else 'as it should be'}")
    return FINDINGS if stale else OK


def _buses() -> list[str]:
    return [key for key, _, _ in schema.PROFILE if key in schema.BUSES]


def _some_bus() -> Shape:
    none = {"not": {"anyOf": [{"required": [bus]} for bus in _buses()]}}
    return {"if": none, "then": {"required": ["modbus"]}}


def _no_other_bus(bus: str) -> Shape:
    others = {other: False for other in _buses() if other != bus}
    return {"if": {"required": [bus]}, "then": {"properties": others}}


def _hex_tests() -> Shape:
    """Return that the bytes of Modbus tests are hex; on other buses they may be texts."""
    one = {"pattern": _HEX}
    frames = _either({"type": "array"}, {"items": one}, one)
    keys = {key: frames for key, form_name, _ in schema.TEST if form_name.startswith("hexes")}
    tests = {"items": {"properties": keys}}
    return {"if": {"required": ["modbus"]}, "then": {"properties": {"tests": tests}}}


def _table(name: str, table: schema.Table, needed: tuple[str, ...] = ()) -> Shape:
    """Return a closed map with the keys of one of the tables, of which some are `needed`."""
    shown: dict[str, Shape] = {}
    for key, form_name, purpose in table:
        node = f"{name}.{key}"
        shape = NODES[node]() if form_name == "node" else form(form_name)
        shape = _EXTRA.get(node, dict)() | shape
        # Beside a $ref draft-07 passes over everything else.
        described = {"allOf": [shape]} if "$ref" in shape else shape
        shown[key] = {"description": purpose, **described}
    made = {"type": "object", "properties": shown, "additionalProperties": False}
    return made | {"required": list(needed)} if needed else made


def _ref(name: str) -> Shape:
    return {"$ref": f"#/definitions/{name}"}


def _either(condition: Shape, then: Shape, otherwise: Shape) -> Shape:
    return {"if": condition, "then": then, "else": otherwise}


def _map_of(name: str, keys: str) -> Shape:
    return {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": keys},
        "additionalProperties": _ref(name),
    }


def _list_of(name: str) -> Shape:
    return {"type": "array", "minItems": 1, "items": _ref(name)}


def _scalars(*more: str) -> Shape:
    return {"type": ["string", "number", "boolean", *more]}


def _bus(name: str) -> Shape:
    """Return the section of a bus; `modbus:` alone is one, and a driver has keys of its own."""
    table = schema_bus.SECTIONS[name]
    made = _table(name, table) | {"type": ["object", "null"], **_hex_unless_text(table)}
    return made | {"additionalProperties": _scalars("null")} if name == "driver" else made


def _hex_unless_text(table: schema.Table) -> Shape:
    """Return that marks are written in hex where the section does not say `as: text`."""
    one = {"pattern": _HEX}
    marks = {
        key: _either({"type": "array"}, {"items": one}, one)
        for key, form_name, _ in table
        if form_name in ("mark hex", "marks hex")
    }
    return _either({"required": ["as"]}, {}, {"properties": marks}) if marks else {}


def _messages(name: str) -> Shape:
    return _map_of(f"message_{name}", "^[a-z][a-z0-9_]*$")


def _values() -> Shape:
    listed = {"type": "array", "items": {"type": "string"}}
    one = _either({"type": "array"}, listed, _scalars("null"))
    return {
        "type": "object",
        "propertyNames": {"pattern": f"^{_ID}$"},
        "additionalProperties": one,
    }


def _channel() -> Shape:
    group = {"required": ["channels"]}
    one = _either(group, _ref("group"), _ref("place"))
    return _either({"type": "array"}, _list_of("place"), one)


def _group() -> Shape:
    return _table("group", tuple(row for row in schema.CHANNEL if row[0] in schema.GROUP))


def _place() -> Shape:
    return _table("place", tuple(row for row in schema.CHANNEL if row[0] != "channels"))


# What has keys of its own and may stand in more than one place.
_DEFINITIONS: dict[str, Callable[[], Shape]] = {
    "channel": _channel,
    "group": _group,
    "place": _place,
    "write": lambda: _table("write", schema.WRITE),
    "step": lambda: _table("step", schema.STEP),
    "setting": lambda: _table("setting", schema.SETTING),
    "test": lambda: _table("test", schema.TEST),
}
for _word, (_keys, _needed) in schema.MAPS.items():
    _DEFINITIONS[_word] = partial(_table, _word, _keys, _needed)
for _name, _keys in schema_bus.MESSAGES.items():
    _DEFINITIONS[f"message_{_name}"] = partial(_table, "message", _keys)

# What stands under each key of the form "node".
NODES: dict[str, Callable[[], Shape]] = {
    "profile.settings": lambda: _map_of("setting", f"^{_ID}$"),
    "profile.setup": lambda: _list_of("step"),
    "profile.channels": lambda: _map_of("channel", _KEY),
    "profile.tests": lambda: _list_of("test"),
    "group.channels": lambda: _map_of("channel", _KEY),
    "place.write": lambda: _either({"type": "object"}, _ref("write"), {"enum": [True, "only"]}),
    "write.steps": lambda: _list_of("step"),
    "test.settings": _values,
    "test.gives": lambda: _either({"type": "string"}, {"const": "nothing"}, _values()),
    "test.write": _values,
}
for _name in schema.BUSES:
    NODES[f"profile.{_name}"] = partial(_bus, _name)
for _name in schema_bus.MESSAGES:
    NODES[f"{_name}.messages"] = partial(_messages, _name)

# What a registry adds, so that an editor can offer it.
_EXTRA: dict[str, Callable[[], Shape]] = {
    "profile.kind": lambda: {"examples": list(schema.CATEGORIES)},
    "place.kind": lambda: {"enum": sorted(units_cpython.kinds())},
    "place.unit": lambda: {"examples": sorted(units_cpython.units())},
}


def _one(argument: str) -> Shape:
    return {"enum": [int(word) if word.isdigit() else word for word in argument.split()]}


def _int(argument: str) -> Shape:
    low, high = argument.split()
    return {"type": "integer", "minimum": int(low), "maximum": int(high)}


def _type(_argument: str) -> Shape:
    sized = [
        f"{base}({'|'.join(map(str, sizes))})" for base, sizes in TYPES.items() if base != "bool"
    ]
    names = [f"{base}{size}" for base, sizes in TYPES.items() for size in sizes if base != "bool"]
    pattern = f"^(bool|{'|'.join(sized)}|(str|hex){_TO_250})$"
    return {"type": "string", "pattern": pattern, "examples": ["bool", *names, "str16", "hex8"]}


def _duration(argument: str = "") -> Shape:
    pattern = rf"[0-9]{{1,9}} *({'|'.join(UNITS_MS)})"
    return {"type": "string", "pattern": f"^({'|'.join([pattern, *argument.split()])})$"}


def _labels(value: Shape) -> Shape:
    return {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": _RAW},
        "additionalProperties": value,
    }


def _string(_argument: str) -> Shape:
    # Always in quotes if need be: 0103 is a number to YAML, and the manual's zeros would be gone.
    return {"type": "string", "minLength": 1}


def _strings(_argument: str) -> Shape:
    return _either({"type": "array"}, {"minItems": 1, "items": _string("")}, _string(""))


def _length(_argument: str) -> Shape:
    size = {"type": "integer", "minimum": 1, "maximum": 1024}
    span = size | {"type": ["integer", "string"], "pattern": r"^[0-9]+\.\.[0-9]+$"}
    return _either({"type": "array"}, {"minItems": 1, "items": size}, span)


def _text(_argument: str) -> Shape:
    return {"type": ["string", "number"], "pattern": r"\S"}  # `36` is a fine model number


FORMS: dict[str, Callable[[str], Shape]] = {
    "text": _text,
    "texts": lambda _: {"type": "array", "items": _text("")},
    "word": lambda _: {"type": "string", "pattern": "^[a-z][a-z0-9_]*$"},
    "yes": lambda _: {"type": "boolean"},
    "number": lambda _: {"type": "number"},
    "int": _int,
    "one": _one,
    "type": _type,
    "time": lambda _: _duration(),
    "every": lambda _: _duration("once never") | {"examples": list(_PERIODS)},
    "bits": lambda _: {
        "type": ["integer", "string"],
        "minimum": 0,
        "maximum": 63,
        "pattern": r"^[0-9]{1,2}(\.\.[0-9]{1,2})?$",
    },
    "range": lambda _: {"type": "string", "pattern": rf"^{_NUMBER}\s*\.\.\s*{_NUMBER}$"},
    "raws": lambda _: _either(
        {"type": "array"}, {"items": {"type": ["string", "number"]}}, {"type": ["string", "number"]}
    ),
    "map": lambda _: _labels(_scalars()),
    "flags": lambda _: _labels({"type": "string", "pattern": "^[a-z][a-z0-9_]*$"}),
    "hexes": _strings,
    "mark": _string,
    "marks": _strings,
    "ask": _string,
    "wake": _string,
    "fixed": lambda _: _labels(_string("")),
    "length": _length,
    "check": lambda _: {"enum": list(CHECKS)},
    "uuid": lambda _: {"type": "string", "pattern": _UUID},
    "company": lambda _: {
        "type": ["integer", "string"],
        "minimum": 0,
        "maximum": 0xFFFF,
        "pattern": "^any$",
    },
    "patterns": _strings,
    "module": lambda _: {"type": "string", "pattern": r"^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*$"},
    "title": _text,
    "regex": _string,
    "place": _string,
    "image": lambda _: _labels({"type": "string"}),
    "expr": lambda _: _scalars(),
    "scalar": lambda _: _scalars(),
}
