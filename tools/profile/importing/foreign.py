"""Reads YAML that others wrote, of any dialect: texts, lists and maps that know their line.

Tags and anchors are let through, for other tools use them; size, depth and what aliases expand
to are bounded, so a hostile file is refused with a sentence. No text is turned into a number.
"""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

import yaml

from gateway.core.errors import ConfigError
from gateway.core.source_cpython import NoInput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

SIZE_MAX = 2 * 1024 * 1024  # bytes; the longest configuration known to us has a quarter of it
DEPTH_MAX = 40  # maps and lists inside each other
NODES_MAX = 100_000  # after aliases are followed
_PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Text(str):
    """A scalar as it was written, its `line` counted from 1 and its `tag` ("!lambda") or ""."""

    __slots__ = ("line", "tag")

    line: int
    tag: str


class Items(list["Any"]):
    """A list with its `line`."""

    __slots__ = ("line",)

    line: int


class Map(dict[str, "Any"]):
    """A map with its `line`, and the `tag` of tools that call a map !extend or the like."""

    __slots__ = ("line", "tag")

    line: int
    tag: str


def load_yaml(text: str, source: str) -> Any:
    """Return the first document of `text` as Map, Items or Text; ConfigError if it is none."""
    size = len(text)
    if size > SIZE_MAX:
        raise ConfigError(f"{source}: {size} characters are more than the {SIZE_MAX} allowed")
    try:
        return _Builder(yaml.parse(text, Loader=_PARSER), source).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise ConfigError(f"{source}:{line}: not YAML: {error.problem or error.context}")
    except (yaml.YAMLError, UnicodeError, RecursionError) as error:
        raise ConfigError(f"{source}: not YAML: {error}")


def line_of(value: Any) -> int:
    """Return the line of anything this module returns, 0 for anything else."""
    return int(getattr(value, "line", 0))


def read_text(path: Path) -> str:
    """Return a file of others as text; NoInput if it is no text, ConfigError if too large."""
    data = read_bytes(path)
    try:
        return data.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        raise NoInput(f"{path}: byte {error.start} is not UTF-8")


def read_bytes(path: Path) -> bytes:
    """Return a file of others; NoInput if it cannot be read, ConfigError if it is too large."""
    try:
        if path.exists() and not path.is_file():
            raise NoInput(f"{path}: not a file")
        with path.open("rb") as file:
            data = file.read(SIZE_MAX + 1)
    except OSError as error:
        raise NoInput(f"{path}: {error.strerror}")
    if len(data) > SIZE_MAX:
        raise ConfigError(f"{path}: more than the {SIZE_MAX} bytes allowed")
    return data


class _Builder:
    def __init__(self, events: Iterator[Any], source: str) -> None:
        self._events = events
        self._source = source
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._nodes = 0

    def document(self) -> Any:
        for event in self._events:
            if isinstance(event, yaml.NodeEvent):
                return self._node(event, 1)
        return None

    def _node(self, event: Any, depth: int) -> Any:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise ConfigError(
                    f"{self._source}:{line}: alias *{event.anchor} stands for nothing"
                )
            node, cost = self._anchors[event.anchor]
            self._count(cost, line)
            return node
        if depth > DEPTH_MAX:
            raise ConfigError(f"{self._source}:{line}: more than {DEPTH_MAX} levels in each other")
        before = self._nodes
        self._count(1, line)
        node = self._made(event, line, depth)
        if event.anchor:
            self._anchors[event.anchor] = (node, self._nodes - before)
        return node

    def _made(self, event: Any, line: int, depth: int) -> Any:
        tag = event.tag or ""
        if isinstance(event, yaml.ScalarEvent):
            text = Text(event.value)
            text.line = line
            text.tag = tag
            return text
        if isinstance(event, yaml.SequenceStartEvent):
            items = Items()
            items.line = line
            for inner in self._events:
                if isinstance(inner, yaml.SequenceEndEvent):
                    break
                items.append(self._node(inner, depth + 1))
            return items
        found = Map()
        found.line = line
        found.tag = tag
        for inner in self._events:
            if isinstance(inner, yaml.MappingEndEvent):
                break
            key = self._node(inner, depth + 1)
            value = self._node(next(self._events), depth + 1)
            self._put(found, key, value)
        return found

    def _put(self, found: Map, key: Any, value: Any) -> None:
        if not isinstance(key, str):
            return  # a map as a key is nobody's channel
        if key == "<<":
            for one in value if isinstance(value, Items) else [value]:
                if isinstance(one, Map):
                    for name, inner in one.items():
                        found.setdefault(name, inner)
            return
        found[key] = value

    def _count(self, cost: int, line: int) -> None:
        self._nodes += cost
        if self._nodes > NODES_MAX:
            raise ConfigError(f"{self._source}:{line}: more than {NODES_MAX} values")
