"""Writes a draft as the YAML a person would: one line per channel, keys in one order.

Knows YAML's quoting and the order of keys; knows no source.
"""

from __future__ import annotations

import dataclasses
import json
import re
from typing import TYPE_CHECKING

from gateway.core.decimal import Decimal
from gateway.core.source_cpython import SIZE_MAX, load_source
from tools.profile.importing import fold
from tools.profile.importing.draft import Entry, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from tools.profile.importing.draft import Draft, Loss

COLUMNS_MAX = 100
ALIGN_MAX = 28  # columns; longer ids stand out rather than push all others to the right
SHOWN_MAX = 40  # losses told inside the file; all of them are told to who imports
MODELINES = "# yaml-language-server: $schema=../schema.json\n# $schema: ../schema.json\n"
TODO = "tests: []  # TODO: frames of the manual, each {sent: …, received: …, gives: {…}}"

BUS = (
    *("baud", "parity", "data", "stop", "timeout", "pause", "unit", "in", "type", "order"),
    *("wake", "sleep", "scale", "every", "retries", "base", "max", "gap", "window"),
)
CHANNEL = (
    *("at", "in", "type", "order", "bits", "step", "none", "map", "flags", "scale", "offset"),
    *("calc", "round", "valid", "if", "every", "unit", "kind", "hidden", "write", "channels"),
    *("title", "help"),
)
_HARMLESS = re.compile(
    r"[^\W\d_]|(?:[^\W\d_]|[°µ])[\w .()/+*°³²µ%^×-]*[\w)°³²%]"  # words and units
    r"|[0-9]+(?:ms|s|m|h|d)|-?[0-9.]*\.\.-?[0-9.]*"  # 5s, 4..7
)
_EXPRESSION = re.compile(r"[a-z(](?:[\w .()/+*<>=%!&|^-]*[\w)])?")


def text(draft: Draft) -> str:
    """Return the profile; it passes every check but that it has no tests.

    What makes a file too large is left out and noted in the draft's losses.
    """
    short = dataclasses.replace(draft, bus=dict(draft.bus), channels=_copied(draft.channels))
    if draft.section == "modbus":  # elsewhere neighbours are bytes, or have names
        short.channels = fold.arrays(short.channels)
        fold.defaults(short)
    shown = _assembled(short)
    if len(shown.encode()) > SIZE_MAX:
        for entry in short.channels:
            entry.keys.pop("title", None)
            entry.keys.pop("help", None)
        shown = _assembled(short)
    while len(shown.encode()) > SIZE_MAX:
        cut = short.channels[len(short.channels) * 3 // 4 :]
        del short.channels[len(short.channels) * 3 // 4 :]
        for entry in cut:
            draft.lose(entry.line, entry.id, f"a profile has at most {SIZE_MAX} bytes")
        shown = _assembled(short)
    return shown


def scalar(value: Any, flow: bool = True) -> str:
    """Return one value as YAML writes it, in quotes where it would be read as something else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal):
        return str(value)
    plain = _HARMLESS.fullmatch(value) or _EXPRESSION.fullmatch(value)
    if not plain and not flow:
        plain = re.fullmatch(r"[^\W\d_][\w .()/+*<>=%,:;'°³²µ–—-]*[\w)]", value)
    if plain and ": " not in value and " #" not in value and _is_text(value):
        return str(value)
    return _quoted(value)


def flow(value: Any) -> str:
    """Return a value, a map or a list in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(key)}: {flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(one) for one in value) + "]"
    return scalar(value)


def _copied(entries: list[Entry]) -> list[Entry]:
    return [Entry(one.id, dict(one.keys), one.line, _copied(one.inner)) for one in entries]


def _assembled(draft: Draft) -> str:
    lines = [MODELINES.rstrip("\n")]
    lines += [f"# {one_line(line)}" for line in draft.origin]
    lines.append("# Draft: nothing here was checked against the manual or a device.")
    lines.append(f"name: {scalar(one_line(draft.name) or 'Draft', flow=False)}")
    for key, value in (("maker", draft.maker), ("models", draft.models), ("docs", draft.docs)):
        if value:
            shown = [one_line(one) for one in value] if key == "models" else one_line(str(value))
            lines.append(f"{key}: {flow(shown) if key == 'models' else scalar(shown, flow=False)}")
    for key, value in (("kind", draft.kind), ("every", draft.every)):
        if value:
            lines.append(f"{key}: {value}")
    lines.append("verified: none")
    lines.append(f"{draft.section}: {flow(_ordered(draft.bus, BUS))}")
    if draft.identify:
        lines.append(f"identify: {scalar(draft.identify, flow=False)}")
    if draft.settings:
        lines.append("settings:")
        lines += _block(draft.settings, draft, 1)
    lines.append("channels:")
    lines += _block(draft.channels, draft, 1)
    lines += [f"  # not carried: {line}" for line in _told(draft.losses)]
    lines.append(TODO)
    return "\n".join(lines) + "\n"


def _block(entries: list[Entry], draft: Draft, depth: int) -> list[str]:
    indent = "  " * depth
    short = [len(entry.id) for entry in entries if len(entry.id) <= ALIGN_MAX and not entry.inner]
    width = max(short, default=0) + 1
    lines = []
    for entry in entries:
        keys = _ordered(entry.keys, CHANNEL)
        if entry.inner:
            lines.append(f"{indent}{entry.id}:")
            lines += [f"{indent}  {key}: {_value(key, one, draft)}" for key, one in keys.items()]
            lines.append(f"{indent}  channels:")
            lines += _block(entry.inner, draft, depth + 2)
            continue
        body = ", ".join(f"{key}: {_value(key, one, draft)}" for key, one in keys.items())
        name = f'"{entry.id}":' if entry.id[0] == "[" else f"{entry.id}:"
        if len(f"{indent}{name:<{width}} {{{body}}}") <= COLUMNS_MAX:
            lines.append(f"{indent}{name:<{width}} {{{body}}}")
        elif len(f"{indent}  {{{body}}}") <= COLUMNS_MAX:
            lines += [f"{indent}{name}", f"{indent}  {{{body}}}"]
        else:
            lines.append(f"{indent}{name}")
            for key, one in keys.items():
                lines += _long(key, one, draft, indent + "  ")
    return lines


def _long(key: str, value: Any, draft: Draft, indent: str) -> list[str]:
    shown = _value(key, value, draft)
    if isinstance(value, str):
        shown = scalar(value, flow=False)
    if not isinstance(value, dict) or len(f"{indent}{key}: {shown}") <= COLUMNS_MAX:
        return [f"{indent}{key}: {shown}"]
    lines = [f"{indent}{key}:", f"{indent}  {{"]
    for name, one in value.items():
        pair = f"{scalar(name)}: {flow(one)},"
        if len(f"{lines[-1]} {pair}") > COLUMNS_MAX:
            lines.append(f"{indent}   ")
        lines[-1] += pair if lines[-1][-1] in "{ " else f" {pair}"
    lines[-1] = lines[-1].removesuffix(",") + "}"
    return lines


def _value(key: str, value: Any, draft: Draft) -> str:
    if key == "at" and draft.hexadecimal and isinstance(value, int):
        return f"0x{value:04X}"
    if key == "none":
        values = value if isinstance(value, list) else [value]
        shown = [_sentinel(one) for one in values]
        return shown[0] if len(shown) == 1 else f"[{', '.join(shown)}]"
    return flow(value)


def _sentinel(value: Any) -> str:
    # 0x8000 says more than 32768.
    round_number = isinstance(value, int) and value > 0xFF and (value + 1) & value in (0, 1)
    power = isinstance(value, int) and value > 0xFF and value & (value - 1) == 0
    return f"0x{value:X}" if round_number or power else flow(value)


def _ordered(keys: dict[str, Any], order: Iterable[str]) -> dict[str, Any]:
    known = {key: keys[key] for key in order if key in keys}
    return known | {key: value for key, value in keys.items() if key not in known}


def _told(losses: list[Loss]) -> list[str]:
    ordered = sorted(losses, key=lambda one: one.line)
    lines = [
        f"{one_line(loss.what)} (line {loss.line}): {one_line(loss.reason)}"
        if loss.line
        else f"{one_line(loss.what)}: {one_line(loss.reason)}"
        for loss in ordered[:SHOWN_MAX]
    ]
    if len(ordered) > SHOWN_MAX:
        lines.append(f"and {len(ordered) - SHOWN_MAX} more")
    return lines


def _is_text(value: str) -> bool:
    """Return whether a plain scalar of this text is read back as the same text."""
    root = load_source(f"a: {value}\n", "").root
    return root is not None and bool(root.pairs) and root.pairs[0][1].value == value


def _quoted(value: str) -> str:
    shown = json.dumps(value, ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in shown)
