"""Strict YAML for files people write: a tree of nodes that know their line and column.

Scalars follow the core schema of YAML 1.2 (§10.3.2), numbers stay exact decimals. No anchors,
aliases, tags, merge keys or second documents; no key twice; size and depth are bounded, so a
hostile file is refused before it costs anything. Knows nothing of what the file means.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import yaml

from gateway.core.decimal import parse
from gateway.core.errors import ConfigError
from gateway.core.report_cpython import Report, TooMany, lines_of, near

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import Any, BinaryIO, TypeAlias

    from gateway.core.decimal import Decimal

    Scalar: TypeAlias = "bool | int | Decimal | str | None"

SIZE_MAX = 64 * 1024  # bytes; the longest profile known to us is a fifth of it
DEPTH_MAX = 12  # maps and lists inside each other
NUMBER_MAX = 40  # characters of a number; longer is not a quantity

MAP = "map"
LIST = "list"
SCALAR = "scalar"

_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?(\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN")
_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_WORDS |= {"true": True, "True": True, "TRUE": True}
_WORDS |= {"false": False, "False": False, "FALSE": False}
_PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Node:
    """A map, list or scalar at a place (counted from 1).

    A scalar has `value` (None, bool, int, Decimal or str), `text` as it was written and
    `plain` (not in quotes); a list has `items`; a map has `pairs`, in the order of the file.
    """

    __slots__ = ("column", "items", "kind", "line", "pairs", "plain", "text", "value", "width")

    def __init__(self, kind: str, line: int, column: int, width: int) -> None:
        self.kind = kind
        self.line = line
        self.column = column
        self.width = width
        self.value: Scalar = None
        self.text = ""
        self.plain = False
        self.items: list[Node] = []
        self.pairs: list[tuple[Node, Node]] = []

    def get(self, name: str) -> Node | None:
        """Return the node under key `name` of a map, None if there is none."""
        for key, value in self.pairs:
            if key.text == name:
                return value
        return None

    def key(self, name: str) -> Node:
        """Return the node of the key itself, for a problem that is about the key."""
        for key, _ in self.pairs:
            if key.text == name:
                return key
        return self

    def inside(self, offset: int) -> Node:
        """Return the place of one character of a scalar, as far as it was written on one line."""
        place = Node(SCALAR, self.line, self.column, self.width)
        if self.width in (len(self.text), len(self.text) + 2):
            place.column += offset + (0 if self.plain else 1)
            place.width = 1
        return place

    @property
    def shown(self) -> str:
        """Return the value as a message may quote it."""
        if self.kind != SCALAR:
            return f"a {self.kind}"
        text = self.text if len(self.text) <= 40 else self.text[:37] + "..."
        return repr(text) if self.text or not self.plain else "nothing"


_START = Node(SCALAR, 1, 1, 1)


class NoInput(ConfigError):
    """The file that a person named is not there, or cannot be read."""


class Source:
    """A file read: `root` (None if it is no YAML at all) and the `report` to add problems to."""

    def __init__(self, name: str, text: str) -> None:
        self.report = Report(name, text)
        self.root: Node | None = None


def load_source(text: str, name: str) -> Source:
    """Return the tree of `text`; everything wrong with it as YAML is in the report."""
    size = len(text.encode("utf-8", "replace"))
    if size > SIZE_MAX:
        return _too_large(text, name, f"{size} bytes are more than the {SIZE_MAX} allowed")
    source = Source(name, text)
    try:
        events = yaml.parse(text, Loader=_PARSER)
        source.root = _Builder(source.report, events).document()
    except yaml.MarkedYAMLError as error:
        _not_yaml(source.report, error, text)
    except yaml.reader.ReaderError as error:
        found = yaml.reader.Reader.NON_PRINTABLE.search(text)  # `error` counts bytes
        before = lines_of(text[: found.start() if found else 0])
        line, column = len(before), len(before[-1]) + 1
        source.report.add("E002", Node(SCALAR, line, column, 1), f"not YAML: {error.reason}")
    except UnicodeEncodeError:
        source.report.add("E002", _START, "not YAML: half a surrogate pair is no character")
    except (_StopReading, TooMany):
        source.root = None
    return source


def read_source(path: Path) -> Source:
    """Return the tree of a file; NoInput if it cannot be read or is not UTF-8."""
    try:
        if path.exists() and not path.is_file():
            raise NoInput(f"{path}: not a file")  # a pipe or a device would be read for ever
        with path.open("rb") as file:
            data = file.read(SIZE_MAX + 1)
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise NoInput(f"{path}: {error.strerror}")
    if len(data) > SIZE_MAX:
        message = f"{size} bytes are more than the {SIZE_MAX} allowed"
        return _too_large(data.decode(errors="replace"), str(path), message)
    return _decoded(data, str(path))


def read_stream(stream: BinaryIO, name: str) -> Source:
    """Return the tree of what a stream holds, as `read_source` does."""
    data = stream.read(SIZE_MAX + 1)
    if len(data) > SIZE_MAX:
        message = f"more than the {SIZE_MAX} bytes allowed"
        return _too_large(data.decode(errors="replace"), name, message)
    return _decoded(data, name)


def only(node: Node, known: Iterable[str], what: str, report: Report) -> dict[str, Node]:
    """Return a map's values by key; report every key that `known` does not hold."""
    words = list(known)
    found: dict[str, Node] = {}
    for key, value in node.pairs:
        if key.text in words:
            found[key.text] = value
        else:
            hint = near(key.text, words) or f"here may stand: {', '.join(words)}"
            report.add("E010", key, f"unknown key {key.shown} in {what}", hint)
    return found


def _decoded(data: bytes, name: str) -> Source:
    try:
        return load_source(data.decode(), name)
    except UnicodeDecodeError as error:
        raise NoInput(f"{name}: byte {error.start} is not UTF-8: save the file as UTF-8")


def _too_large(text: str, name: str, message: str) -> Source:
    source = Source(name, text)
    source.report.add("E001", _START, message, "remarks count too")
    return source


class _StopReading(Exception):
    """Reading on would cost more than it tells; the reason is in the report."""


class _Builder:
    """Events to nodes, with no more recursion than DEPTH_MAX."""

    def __init__(self, report: Report, events: Iterator[Any]) -> None:
        self._report = report
        self._events = events

    def document(self) -> Node | None:
        root = None
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if event.version or event.tags:
                    self._stop(event, "a % directive is not allowed", "leave it out")
                if root is not None:
                    hint = "write one file for each device"
                    self._stop(event, "a second document: one file holds one", hint)
            elif isinstance(event, yaml.NodeEvent):
                root = self._node(event, 1)
        return root

    def _node(self, event: Any, depth: int) -> Node:
        if isinstance(event, yaml.AliasEvent) or event.anchor:
            self._stop(event, "anchors and aliases (& and *) are not allowed", "write it out")
        if event.tag and not (event.tag == "!" and isinstance(event, yaml.ScalarEvent)):
            self._stop(event, f"tag {event.tag} is not allowed", "leave it out")
        start, end = event.start_mark, event.end_mark
        width = end.column - start.column if end.line == start.line else 1
        if isinstance(event, yaml.ScalarEvent):
            node = Node(SCALAR, start.line + 1, start.column + 1, width)
            self._scalar(node, event)
            return node
        if depth > DEPTH_MAX:
            self._stop(event, f"more than {DEPTH_MAX} levels inside each other")
        if isinstance(event, yaml.SequenceStartEvent):
            node = Node(LIST, start.line + 1, start.column + 1, width)
            self._list(node, depth)
        else:
            node = Node(MAP, start.line + 1, start.column + 1, width)
            self._map(node, depth)
        return node

    def _list(self, node: Node, depth: int) -> None:
        for event in self._events:
            if isinstance(event, yaml.SequenceEndEvent):
                return
            node.items.append(self._node(event, depth + 1))

    def _map(self, node: Node, depth: int) -> None:
        lines: dict[str, int] = {}
        for event in self._events:
            if isinstance(event, yaml.MappingEndEvent):
                return
            key = self._node(event, depth + 1)
            value = self._node(next(self._events), depth + 1)
            if key.kind != SCALAR:
                message = f"a key must be a word or a number, not {key.shown}"
                self._report.add("E003", key, message, "write a line for each")
            elif key.plain and key.text == "<<":
                self._stop(event, "the merge key << is not allowed", "write it out")
            elif key.text in lines:
                first = lines[key.text]
                self._report.add("E004", key, f"key {key.shown} stands twice", f"see line {first}")
            else:
                lines[key.text] = key.line
                node.pairs.append((key, value))

    def _scalar(self, node: Node, event: Any) -> None:
        text: str = event.value
        node.text = text
        node.plain = not event.style and event.tag is None
        node.value = text
        if not node.plain:
            return
        if text in _WORDS:
            node.value = _WORDS[text]
        elif _NOT_FINITE.fullmatch(text):
            node.value = 1  # stands for it, so that nobody complains again
            self._report.add("E005", node, f"{text} is not a number", "leave the key out")
        elif len(text) > NUMBER_MAX:
            return
        elif _INT.fullmatch(text):
            node.value = int(text)
        elif _HEX.fullmatch(text):
            node.value = int(text[2:], 16)
        elif _OCTAL.fullmatch(text):
            node.value = int(text[2:], 8)
        elif _FLOAT.fullmatch(text):
            self._decimal(node, text)

    def _decimal(self, node: Node, text: str) -> None:
        try:
            node.value = parse(text)
        except ValueError:
            node.value = 1
            hint = "put it in quotes if it is text"
            self._report.add("E005", node, f"{text} is beyond any quantity", hint)

    def _stop(self, event: Any, message: str, hint: str = "") -> None:
        mark = event.start_mark
        self._report.add("E003", Node(SCALAR, mark.line + 1, mark.column + 1, 1), message, hint)
        raise _StopReading


def _not_yaml(report: Report, error: yaml.MarkedYAMLError, text: str) -> None:
    """Say in a person's words what the parser says in its own, where the person erred."""
    mark, start = error.problem_mark or error.context_mark, error.context_mark
    reason = ", ".join(part for part in (error.context, error.problem) if part)
    line, column = (mark.line, mark.column) if mark else (0, 0)
    lines = [*lines_of(text), ""]  # the mark may stand after the last
    here = lines[min(line, len(lines) - 1)]
    message, hint = f"not YAML: {reason}", ""
    if start and "expected ',' or" in reason:
        opening = lines[start.line]
        hint = "a comma is missing before this"
        if line != start.line and _indent(here) <= _indent(opening):
            line, column = start.line, start.column
            bracket = opening[column : column + 1]
            closing = "}" if bracket == "{" else "]"
            message, hint = (
                f"this {bracket} is never closed",
                f"write the {closing} that belongs to it",
            )
            if " #" in opening[column:]:
                hint = '" #" starts a comment: put the text in quotes'
    elif start and "quoted scalar" in reason:
        line, column = start.line, start.column
        message, hint = "this quote is never closed", "write the other one at the end of the text"
    elif start and "simple key" in reason:
        line, column = start.line, start.column
        message, hint = "this is no key and value", "a colon and a blank stand between them"
    elif "\t" in here[: column + 1]:
        message, hint = "a tab stands here", "indent with spaces, never with tabs"
    elif "start any token" in reason:
        message = f"no value begins with {here[column : column + 1]}"
        hint = "a text that starts with % @ or ` needs quotes"
    elif "mapping values" in reason and here[:column].strip().isidentifier() and _indent(here):
        message, hint = "no key can stand here", "is the line set in too far?"
    elif "mapping values" in reason:
        message, hint = "a second colon in one line", 'a text that holds ": " needs quotes'
    elif "block mapping" in reason or "block collection" in reason:
        message, hint = "this line fits nowhere", "what belongs together begins in one column"
    report.add("E002", Node(SCALAR, line + 1, column + 1, 1), message, hint)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
