"""Checks the bus section of a profile, and turns it into its part of the compiled document.

Knows what `in` may name on each bus, and what a message needs so that it can be known; whether a
frame can fit at all is the protocol's business.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from drivers.profile import bus, form_cpython, schema_bus
from drivers.profile.decode import octets, words
from drivers.profile.elsewhere_cpython import meant, value_hint
from drivers.profile.frame_cpython import HEX, MIXED, TEXT
from drivers.profile.image import BIT_TABLES, HOLDING, LATEST, TABLES
from drivers.profile.values_cpython import BAD
from gateway.core.report_cpython import near
from gateway.core.source_cpython import MAP, SCALAR, Node

if TYPE_CHECKING:
    from typing import Any

    from gateway.core.report_cpython import Report

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_OF_MESSAGE = tuple(key for key, _, _ in schema_bus.MESSAGE_BLE)
SUM_BYTES = {"sum16": 2, "crc16": 2, "crc16-ccitt": 2, "crc16-x25": 2, "crc32": 4}  # others: 1
_HOLES = ("addr", "check")  # what the bus fills in; other holes are settings
# What `in` is where the protocol names each value, and an example of it.
_IDENTIFIERS = {
    "dlt645": (r"[0-9A-F]{8}|[0-9A-F]{4}", "0201FF00"),
    "cjt188": (r"[0-9A-F]{4}", "901F"),
    "mbus": (r"([0-9A-F]{2}){2,24}|C[12]", "0C06"),
    "iec62056": (r"[0-9A-Z][0-9A-Z.:*&-]{0,23}", "1.8.0"),
    "sdi12": (r"(MC?|CC?|RC?|V|HA|HB)[0-9]?", "M"),
    "ble": (r"[a-z][a-z0-9_]*(\.[0-9])?", "temperature"),
}


class Section:
    """The bus section: the `bus`, its `keys`, the compiled `messages`, and `base` of registers.

    `mode` says how bytes are written outside the messages; `own` is what a driver alone knows.
    """

    def __init__(self, name: str, node: Node) -> None:
        self.bus = name
        self.node = node
        self.keys: dict[str, Any] = {}
        self.base = 0
        self.mode = MIXED if name in bus.TEXT else HEX
        self.messages: list[dict[str, Any]] = []
        self.own: dict[str, Any] = {}
        self.holes: list[tuple[Node, list[Any]]] = []

    @property
    def modbus(self) -> bool:
        return self.bus == bus.MODBUS

    @property
    def identifies(self) -> bool:
        """Whether the protocol names each value, so that `at` counts within it, from 0."""
        return bus.named_by_protocol(self.bus, self.keys.get("format", ""))

    def text(self, table: str) -> bool:
        """Return whether what `in` names is text."""
        if self.bus in bus.TEXT:
            return True
        found = [row for row in self.messages if table in (row["id"], LATEST)]
        return bool(found) and all("as" in row for row in found)

    def split(self, table: str) -> bool:
        """Return whether a text comes in columns."""
        found = [row for row in self.messages if table in (row["id"], LATEST)]
        return self.bus in bus.TEXT or any("split" in row for row in found)

    def longest(self, table: str) -> int:
        """Return the most bytes that what `in` names can have."""
        sizes = [bus.OFFSET_MAX + 1]
        for row in self.messages:
            if table == row["id"] or (table == LATEST and len(self.messages) == 1):
                length = row.get("length", {})
                sizes.append(max(length) if isinstance(length, list) else length.get("max", 1024))
        return int(min(sizes))

    def count(self, base: str, size: int) -> int:
        """Return how many registers or bytes a type takes."""
        return words(base, size) if self.modbus else octets(base, size)

    def furniture(self) -> list[tuple[str, int, int, str]]:
        """Return what a frame has for itself: (message, first byte, bytes, what it is)."""
        found = []
        for row in self.messages if not self.identifies else ():
            if "as" in row:
                continue
            starts = row.get("start", [])
            if len(starts) == 1:  # of several, which one it is may mean something
                found.append((row["id"], 0, len(starts[0]), "the start of the frame"))
            end, size = len(row.get("end", b"")), self.size(row["id"])
            tail = size or 0  # without a size it counts from the end
            if end:
                found.append((row["id"], tail - end, end, "the end of the frame"))
            if "check" in row:
                sum_bytes = SUM_BYTES.get(row["check"]["is"], 1)
                found.append((row["id"], tail - end - sum_bytes, sum_bytes, "the check sum"))
        return found

    def size(self, table: str) -> int | None:
        """Return how many bytes a message has, None if that varies."""
        found = [row for row in self.messages if table == row["id"]]
        length = found[0].get("length") if found else None
        return length[0] if isinstance(length, list) and len(length) == 1 else None

    def default_type(self, table: str) -> str:
        """Return the type that a compiled channel has if it names none; "" for a decimal number."""
        if self.modbus:
            return "bool" if table in BIT_TABLES else "u16"
        return "" if self.text(table) else "u8"

    @property
    def default_table(self) -> str:
        return HOLDING if self.modbus else LATEST

    def table(self, node: Node | None, report: Report) -> str:
        """Return what `in` names, as compiled; the section's default if there is no node."""
        if node is None:
            node = self.keys.get("in")
        if not isinstance(node, Node):
            return node or self.default_table
        text = node.text
        if self.modbus:
            return self._known(node, TABLES, "E012", report)
        if self.identifies:
            return self._identifier(node, report)
        names = [row["id"] for row in self.messages if row["id"]]
        if self.bus == "driver" and not names and _NAME.fullmatch(text) and text not in TABLES:
            return text
        return self._known(node, names, "E071", report)

    def message(self, node: Node, report: Report) -> str | None:
        """Return the message that a test says its bytes are, None after reporting that it is none.

        Of a protocol that names each value it is what was asked for.
        """
        names = [row["id"] for row in self.messages if row["id"]]
        free = self.bus in bus.TEXT or (self.bus == "driver" and not names)
        if free or node.text in names:
            return node.text
        hint = near(node.text, names) or "it is for messages of several names"
        report.add("E071", node, f"'in' names no message: {node.shown}", hint)
        return None

    def document(self) -> dict[str, Any]:
        """Return what the compiled profile says of the bus."""
        found: dict[str, Any] = {"bus": self.bus}
        line: dict[str, Any] = {
            key: self.keys[key]
            for key in ("baud", "parity", "data", "stop", "sleep", "window", "retries")
            if key in self.keys
        }
        for key in ("timeout", "pause"):
            if key in self.keys:
                line[f"{key}_ms"] = self.keys[key]
        if "wake" in self.keys:
            line["wake"] = [self.keys["wake"]["send"], self.keys["wake"].get("wait", 0)]
        if line:
            found["line"] = line
        for key in ("unit", "max", "gap"):
            if key in self.keys:
                found[key] = self.keys[key]
        if self.messages:
            found["messages"] = self.messages
        if self.bus == "ble":
            named = ("manufacturer", "service", "name", "format")
            found["ble"] = {key: self.keys[key] for key in named if key in self.keys}
        if self.bus == "driver":
            found["driver"] = {"use": self.keys.get("use", "")}
            if self.own:
                found["driver"]["keys"] = self.own
        return found

    def check_holes(self, settings: set[str], report: Report) -> None:
        """Report what stands in braces and is neither the bus's nor a setting."""
        for node, parts in self.holes:
            for name in holes(parts):
                if name not in settings and name not in _HOLES:
                    hint = near(name, [*settings, *_HOLES])
                    report.add("E072", node, f"{{{name}}} stands for nothing here", hint)

    def _identifier(self, node: Node, report: Report) -> str:
        pattern, example = _IDENTIFIERS[self.bus]
        text = node.text
        if self.bus in ("dlt645", "cjt188", "mbus"):
            text = "".join(text.split()).upper()
        if re.fullmatch(pattern, text):
            return text
        hint = f"such as {example}"
        if node.plain and text.isdigit():
            hint = f"all its digits, in quotes, {hint}"
        report.add("E071", node, f"{node.shown} is no identifier of this bus", hint)
        return LATEST

    def _known(self, node: Node, names: Any, code: str, report: Report) -> str:
        if node.text in names:
            return node.text
        hint = near(node.text, names) or "leave 'in' out: there is one message only"
        if names:
            hint = value_hint(node.text, list(names)) or f"there are: {', '.join(names)}"
        report.add(code, node, f"'in' names nothing: {node.shown}", hint)
        return self.default_table


def holes(parts: list[Any]) -> list[str]:
    """Return the names in braces of an `ask` or `send`, as compiled."""
    return [part[1:] for part in parts if isinstance(part, str)]


def read_section(root: Node, report: Report) -> Section:
    """Return the one bus section of a profile; Modbus without keys if there is none."""
    found = [(name, root.key(name)) for name in bus.BUSES if root.get(name) is not None]
    if not found:  # a bus by another name has been reported, and is read all the same
        other = [(name, meant(root, name)) for name in bus.BUSES]
        found = [(name, key) for name, key in other if key is not None][:1]
    if len(found) != 1:
        hint = f"one of {', '.join(bus.BUSES)}; for the usual case write modbus: {{}}"
        named = " and ".join(name for name, _ in found) or "none"
        place = found[1][1] if found else root
        report.add("E014", place, f"a profile names one bus, this one {named}", hint)
    name, key = found[0] if found else (bus.MODBUS, root)
    node = root.get(key.text) if found else None
    node = node or Node(MAP, root.line, root.column, 1)
    if node.kind == SCALAR and node.value is None:
        node = Node(MAP, node.line, node.column, 1)  # `modbus:` alone
    section = Section(name, node)
    listed = node.get("messages") if node.kind == MAP else None
    texts = [one for one in (node, *_values(listed)) if one.kind == MAP and one.get("as")]
    section.mode = MIXED if texts else section.mode
    own = TEXT if node.kind == MAP and node.get("as") else section.mode
    table = schema_bus.SECTIONS[name]
    if name == "driver" and node.kind == MAP:
        node = _drivers_own(section, table, report)
    section.keys = form_cpython.read(node, table, name, report, own)
    if own == TEXT:
        _outside(section, node, report)
    section.base = section.keys.get("base", 0)
    if name in schema_bus.MESSAGES:
        _messages(section, listed, report)
    _Rules(section, report).check()
    return section


def _outside(section: Section, node: Node, report: Report) -> None:
    """Read again what is no part of the message, which alone is all text."""
    for name, form in (("wake", "wake hex"), ("sleep", "mark hex")):
        value = node.get(name)
        found = form_cpython.by_form(value, form, report, section.mode) if value else BAD
        if found is BAD:
            section.keys.pop(name, None)
        else:
            section.keys[name] = found


def _values(node: Node | None) -> list[Node]:
    return [value for _, value in node.pairs] if node is not None and node.kind == MAP else []


def _drivers_own(section: Section, table: schema_bus.Table, report: Report) -> Node:
    """Set aside the keys that only the driver knows; return the section without them."""
    known = [key for key, _, _ in table]
    rest = Node(MAP, section.node.line, section.node.column, section.node.width)
    for key, value in section.node.pairs:
        if key.text in known:
            rest.pairs.append((key, value))
        elif value.kind != SCALAR or not _NAME.fullmatch(key.text):
            report.add("E023", key, "a driver's own key holds one value", f"ours: {known}")
        else:
            section.own[key.text] = value.value
    return rest


def _messages(section: Section, listed: Node | None, report: Report) -> None:
    """Compile the messages; what the section itself says holds for each of them."""
    common = {key: section.keys[key] for key in _OF_MESSAGE if key in section.keys}
    common.pop("every", None)
    if listed is None:
        if "format" not in section.keys and section.bus != "driver":
            section.messages.append({"id": LATEST, **common})
            _note_holes(section, section.node, common)
        return
    if listed.kind != MAP or not 0 < len(listed.pairs) <= bus.MESSAGES_MAX:
        report.add("E011", listed, f"messages must be a map of 1 to {bus.MESSAGES_MAX} names")
        return
    table = schema_bus.MESSAGES[section.bus]
    for key, node in listed.pairs:
        if not _NAME.fullmatch(key.text) or key.text in TABLES:
            report.add("E021", key, f"{key.shown} is no name for a message")
            continue
        text = "as" in common or (node.kind == MAP and node.get("as") is not None)
        mode = TEXT if text else HEX
        own = form_cpython.read(node, table, f"message {key.shown}", report, mode)
        section.messages.append({"id": key.text, **common, **own})
        _note_holes(section, node, own)


def _note_holes(section: Section, node: Node, keys: dict[str, Any]) -> None:
    if "ask" in keys:
        section.holes.append((node.get("ask") or node, keys["ask"]))


class _Rules:
    """What keys of a section need each other, or do not go together."""

    def __init__(self, section: Section, report: Report) -> None:
        self.section = section
        self.report = report

    def check(self) -> None:
        """Report everything that does not go together."""
        section = self.section
        for row in section.messages:
            node = self._node(row)
            if "split" in row and "as" not in row:
                self.report.add("E023", node, "'split' is for texts", "write as: text")
            if "check" in holes(row.get("ask", [])) and "check" not in row:
                message = "{check} stands for nothing: the message has no 'check'"
                self.report.add("E072", node.get("ask") or node, message)
            ended = [key for key in ("length", "end", "as") if key in row or node.get(key)]
            if section.bus == "serial" and not ended:
                hint = "'length' or 'end' must"
                self.report.add("E070", node, "nothing says where the message ends", hint)
        self._told_apart()
        if section.bus == "ble":
            self._ble()
        if section.bus == "driver" and "use" not in section.keys and not section.node.get("use"):
            self.report.add("E013", section.node, "'driver' has no 'use': the module")

    def _node(self, row: dict[str, Any]) -> Node:
        listed = self.section.node.get("messages")
        return (listed.get(row["id"]) if listed and row["id"] else None) or self.section.node

    def _told_apart(self) -> None:
        seen: list[dict[str, Any]] = []
        for row in self.section.messages:
            marks = {key: row[key] for key in row if key not in ("id", "every", "split")}
            if marks in seen and self.section.bus != "driver":
                message = f"message {row['id']!r} is told apart from another one by nothing"
                hint = "start, bytes or length must differ, or what is asked"
                self.report.add("E070", self._node(row), message, hint)
            seen.append(marks)

    def _ble(self) -> None:
        keys, node = self.section.keys, self.section.node
        if not [key for key in ("manufacturer", "service", "name", "format") if node.get(key)]:
            hint = "manufacturer, service or name"
            self.report.add("E013", node, "nothing says which device is meant", hint)
        if "format" in keys:
            for key in ("messages", *_OF_MESSAGE[:-1]):
                if key in keys:
                    message = f"'{key}' does not go with 'format', which says all about the frame"
                    self.report.add("E023", node.key(key), message)
        for row in self.section.messages:
            if ("ask" in row) != ("to" in row):
                hint = "what is asked is written to a characteristic"
                self.report.add("E013", self._node(row), "'ask' and 'to' go together", hint)
