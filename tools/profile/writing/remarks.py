"""Remarks for who writes a first profile: each key of a draft explained once, where it stands.

Knows the tables of the grammar; the words are theirs.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from drivers.profile import schema
from gateway.core.source_cpython import LIST, MAP, load_source

if TYPE_CHECKING:
    from gateway.core.source_cpython import Node

COLUMNS_MAX = 100


def remarked(text: str) -> str:
    """Return the text of a profile with a remark for each of its keys."""
    root = load_source(text, "").root
    if root is None or root.kind != MAP:
        return text
    made: list[str] = []
    purposes = {key: _short(purpose) for key, _, purpose in schema.PROFILE}
    inside = {
        "channels": _used(root.get("channels"), schema.CHANNEL),
        "settings": _used(root.get("settings"), schema.SETTING),
        "tests": _used(root.get("tests"), schema.TEST),
    }
    for line in text.rstrip("\n").split("\n"):
        key = line.partition(":")[0]
        if key in schema.SECTIONS:
            made += _wrapped(_keys(root.get(key), schema.SECTIONS[key]), "")
        made += _with(line, purposes.get(key, ""))
        made += _wrapped(inside.get(key, []), "  ")
    return "\n".join(made) + "\n"


def _with(line: str, purpose: str) -> list[str]:
    if not purpose:
        return [line]
    beside = f"{line}  # {purpose}"
    return [beside] if len(beside) <= COLUMNS_MAX else [f"# {purpose}", line]


def _wrapped(told: list[str], indent: str) -> list[str]:
    width = COLUMNS_MAX - len(indent) - 2
    return [f"{indent}# {line}" for line in textwrap.wrap("; ".join(told), width)]


def _used(node: Node | None, table: schema.Table) -> list[str]:
    """What the keys mean that the maps under `node` use, groups and alternatives included."""
    found: dict[str, None] = {}
    waiting = [node] if node else []
    while waiting:
        one = waiting.pop(0)
        rows = one.items if one.kind == LIST else [value for _, value in one.pairs]
        for row in rows:
            if row.kind == LIST:
                waiting.append(row)
                continue
            found |= dict.fromkeys(key.text for key, _ in row.pairs)
            inner = row.get("channels")
            waiting += [inner] if inner else []
    return [f"{key}: {_short(purpose)}" for key, _, purpose in table if key in found]


def _keys(node: Node | None, table: schema.Table) -> list[str]:
    used = {key.text for key, _ in node.pairs} if node else set()
    return [f"{key}: {_short(purpose)}" for key, _, purpose in table if key in used]


def _short(purpose: str) -> str:
    return purpose.replace(" (required)", "")
