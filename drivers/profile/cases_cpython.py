"""Reads the tests of a profile: bytes as on the wire, and what they must mean.

Knows their form and the channels' names; runs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.profile import form_cpython, schema
from drivers.profile.address_cpython import wire_address
from drivers.profile.elsewhere_cpython import meant
from drivers.profile.frame_cpython import hex_bytes
from drivers.profile.image import BIT_TABLES, TABLES, width
from gateway.core.decimal import Decimal
from gateway.core.report_cpython import near
from gateway.core.source_cpython import LIST, MAP, SCALAR

if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from drivers.profile.bus_cpython import Section
    from drivers.profile.names_cpython import Names
    from gateway.core.report_cpython import Report
    from gateway.core.source_cpython import Node

    Frame: TypeAlias = "tuple[Node, bytes]"

TESTS_MAX = 200


class Case:
    """One test. Images hold (table, wire address, bytes as an Image takes them)."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.message: str | None = None  # as `in` names it
        self.sent: list[Frame] = []
        self.received: list[Frame] = []
        self.images: list[tuple[str, int, bytes]] = []
        self.settings: dict[str, Any] = {}
        self.gives: dict[str, Node] = {}
        self.gives_nothing = False
        self.write: dict[str, Node] = {}
        self.sends: list[Frame] = []

    @property
    def channels(self) -> set[str]:
        """The ids this test says something about."""
        return set(self.gives) | set(self.write)


def read_cases(node: Node | None, names: Names, section: Section, report: Report) -> list[Case]:
    """Return the tests under `node`; what is wrong with their form is reported."""
    if node is None:
        return []
    if node.kind != LIST or not 0 < len(node.items) <= TESTS_MAX:
        hint = "each begins with a dash" if node.kind == MAP else ""
        report.add("E060", node, f"tests must be a list of 1 to {TESTS_MAX} tests", hint)
        return []
    return [_case(item, names, section, report) for item in node.items]


def _case(node: Node, names: Names, section: Section, report: Report) -> Case:
    case = Case(node)
    keys = form_cpython.read(node, schema.TEST, "a test", report, section.mode)
    case.sent, case.received = keys.get("sent", []), keys.get("received", [])
    case.sends = keys.get("sends", [])
    for table in TABLES:
        for address, value in keys.get(table, []):
            data = _words(table, value, report)
            if data is None:
                continue
            first = wire_address(
                address, table, section.base, value, report, len(data) // width(table)
            )
            if first is not None:
                case.images.append((table, first, data))
    case.images.sort(key=lambda one: one[:2])
    _check_quotes(node, report)
    _check_form(case, keys, report)
    _check_bytes(case, keys, section, report)
    for name in ("gives", "write"):
        given = keys.get(name)
        if given is not None and given.kind == MAP:
            setattr(case, name, _expected(given, names, report))
    if "settings" in keys:
        _settings(case, keys["settings"], names, report)
    return case


def _check_form(case: Case, keys: dict[str, Any], report: Report) -> None:
    node = case.node
    if node.kind != MAP:
        return
    gives = keys.get("gives")
    if ("write" in keys) != ("sends" in keys):
        hint = "'write' says what, 'sends' the frame it makes"
        report.add("E060", node, "'write' and 'sends' go together", hint)
    if "write" in keys:
        if keys["write"].kind != MAP or len(keys["write"].pairs) != 1:
            report.add("E060", keys["write"], "one channel and its value is wanted here")
        return
    if gives is None and meant(node, "gives"):
        return  # one mistake is one problem
    if gives is None:
        hint = "write gives: {channel: value}"
        report.add("E060", node, "the test does not say what the bytes give", hint)
    elif gives.kind == SCALAR and gives.text == "nothing":
        case.gives_nothing = True
    elif gives.kind != MAP or not gives.pairs:
        hint = "a map of channels to values, or the word nothing"
        report.add("E060", gives, f"{gives.shown} is no expectation", hint)


def _check_bytes(case: Case, keys: dict[str, Any], section: Section, report: Report) -> None:
    """Report bytes that cannot be those of a test on this bus."""
    node = case.node
    if node.kind != MAP or "write" in keys:
        return
    if "in" in keys:
        if section.modbus:
            report.add("E023", node.key("in"), "'in' names a message: Modbus has none")
        else:
            case.message = section.message(node.get("in") or node, report)
    if not section.modbus:
        for table in TABLES:
            if table in keys:
                message = f"'{table}' is an image of Modbus, this is {section.bus}"
                report.add("E060", node.key(table), message)
    # One mistake is one problem: bytes that are there but wrong have been reported.
    written = [key for key in ("sent", "received", *TABLES) if node.get(key) is not None]
    if [key for key in written if key not in keys or not _bytes_of(case, key)]:
        return
    if meant(node, "sent") or meant(node, "received"):
        return
    if (case.sent or section.modbus) and len(case.sent) != len(case.received):
        hint = "Modbus answers hold no address: the request tells it" if section.modbus else ""
        report.add("E060", node, "'sent' and 'received' go in pairs", hint)
    elif not case.received and not case.images:
        hint = "paste 'sent' and 'received', or a register image" if section.modbus else ""
        report.add("E060", node, "the test has no bytes", hint or "paste 'received'")


def _check_quotes(node: Node, report: Report) -> None:
    """Report bytes that an editor, or whoever else reads the file as YAML, takes for a number."""
    for key, value in node.pairs:
        if key.text not in ("sent", "received", "sends", *TABLES):
            continue
        written = value.items if value.kind == LIST else [one for _, one in value.pairs] or [value]
        for one in written:
            if one.kind == SCALAR and one.plain and isinstance(one.value, (int, Decimal)):
                message = f"{one.shown} is a number to other readers of YAML"
                report.add("W061", one, message, f'write "{one.text}"')


def _bytes_of(case: Case, key: str) -> bool:
    if key in TABLES:
        return key in [table for table, _, _ in case.images]
    return bool(case.sent if key == "sent" else case.received)


def _words(table: str, node: Node, report: Report) -> bytes | None:
    text = node.text
    if table in BIT_TABLES:
        bits = "".join(text.split())
        if not bits or bits.strip("01"):
            message = f"bits such as 10000001 are wanted, not {node.shown}"
            report.add("E060", node, message, "1 is on, 0 is off")
            return None
        return bytes(int(bit) for bit in bits)
    data = hex_bytes(text)
    if data is None or len(data) % 2:
        digits = "".join(text.split())
        hint = f"a register has four digits: {digits.rjust(4, '0')}" if len(digits) < 4 else ""
        message = f"words in hex such as 00FF 1234 are wanted, not {node.shown}"
        report.add("E060", node, message, hint or "a register has four digits")
        return None
    return data


def _expected(node: Node, names: Names, report: Report) -> dict[str, Node]:
    found = {}
    for key, value in node.pairs:
        if key.text in names.channels:
            found[key.text] = value
        elif names.channels and not names.refused(key.text):  # else that is what is wrong
            hint = names.near(key.text)
            report.add("E061", key, f"there is no channel {key.shown}", hint)
    return found


def _settings(case: Case, node: Node, names: Names, report: Report) -> None:
    if node.kind != MAP:
        report.add("E011", node, f"settings must be a map, not {node.shown}")
        return
    for key, value in node.pairs:
        if key.text in names.settings:
            case.settings[key.text] = value.value
        else:
            known = ", ".join(sorted(names.settings)) or "none"
            hint = near(key.text, names.settings) or f"there are: {known}"
            report.add("E061", key, f"there is no setting {key.shown}", hint)
