"""Reads what a profile says about frames: bytes in hex or text, lengths, check sums, requests.

Bytes are written in one of three ways: HEX, TEXT (every text as it stands), or MIXED (what stands
in quotes is text, the rest hex). Does not know which key stands where.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from drivers.profile.bus import CHECKS, LITERAL_MAX, OFFSET_MAX
from drivers.profile.elsewhere_cpython import number_hint, value_hint
from drivers.profile.values_cpython import BAD, readable, worded, wrong
from gateway.core.source_cpython import LIST, MAP, SCALAR

if TYPE_CHECKING:
    from typing import Any

    from drivers.profile.values_cpython import Reader
    from gateway.core.report_cpython import Report
    from gateway.core.source_cpython import Node

HEX, TEXT, MIXED = "hex", "text", "mixed"
MARKS_MAX = 16  # alternatives of one message, fixed places of one frame
PATTERN_MAX = 100  # characters of a name or pattern
_HOLE = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_UUID = re.compile(r"[0-9a-f]{4}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MODULE = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*")
_SPAN = re.compile(r"([0-9]{1,4})\.\.([0-9]{1,4})")


def hex_bytes(text: str) -> bytes | None:
    """Return bytes written in hex with blanks where people like them, None if they are not."""
    digits = "".join(text.split())
    if len(digits) % 2 or not re.fullmatch(r"[0-9a-fA-F]+", digits):
        return None
    return bytes.fromhex(digits) if len(digits) <= 2 * LITERAL_MAX else None


def literal(node: Node, mode: str) -> bytes | None:
    """Return the bytes that a scalar stands for, None if it stands for none."""
    if node.kind != SCALAR:
        return None
    if mode == HEX or (mode == MIXED and node.plain):
        return hex_bytes(node.text)
    data = node.text.encode()
    return data if 0 < len(data) <= LITERAL_MAX else None


def _mark(node: Node, mode: str, report: Report) -> Any:
    data = literal(node, mode)
    if data is not None:
        return data
    if mode == TEXT:
        return wrong(node, "a text", report)
    return wrong(node, "bytes in hex such as 01 03 0000", report, _hex_hint(node.text, mode))


def _hex_hint(text: str, mode: str) -> str:
    if mode != HEX:
        return "hex is two digits per byte; a text stands in quotes"
    if re.search(r"0x|\\x", text, re.IGNORECASE):
        return "the digits alone, without 0x"
    digits = "".join(text.split())
    strange = re.sub(r"[0-9a-fA-F]", "", digits)
    if digits and not strange:
        return f"half a byte is missing: these are {len(digits)} digits"
    return f"{strange[0]!r} is no hex digit" if 0 < len(strange) <= 3 else "two digits per byte"


def _marks(node: Node, mode: str, report: Report) -> Any:
    items = node.items if node.kind == LIST else [node]
    if not 0 < len(items) <= MARKS_MAX:
        return wrong(node, f"1 to {MARKS_MAX} alternatives", report)
    found = [_mark(item, mode, report) for item in items]
    return BAD if BAD in found else found


def _hexes(node: Node, mode: str, report: Report) -> Any:
    items = node.items if node.kind == LIST else [node]
    if not items:
        return wrong(node, "a frame", report)
    found = [(item, _mark(item, mode, report)) for item in items]
    return BAD if any(data is BAD for _, data in found) else found


def _fixed(node: Node, mode: str, report: Report) -> Any:
    if node.kind != MAP or not 0 < len(node.pairs) <= MARKS_MAX:
        return wrong(node, "a map such as {3: 01 90}", report)
    found = []
    for key, value in node.pairs:
        at = key.value
        if isinstance(at, bool) or not isinstance(at, int) or abs(at) > OFFSET_MAX:
            return wrong(key, "the place of a byte, from 0, or -1 for the last,", report)
        data = _mark(value, mode, report)
        if data is BAD:
            return BAD
        if at < 0 < at + len(data):
            return wrong(value, f"at most {-at} bytes", report, "the frame ends there")
        found.append([at, data])
    return sorted(found)


def _length(node: Node, _argument: str, report: Report) -> Any:
    span = _SPAN.fullmatch(node.text) if node.kind == SCALAR else None
    if span:
        low, high = int(span.group(1)), int(span.group(2))
        if 0 < low < high <= OFFSET_MAX + 1:
            return {"min": low, "max": high}
    items = node.items if node.kind == LIST else [node]
    sizes = [item.value for item in items]
    for size in sizes:
        if isinstance(size, bool) or not isinstance(size, int) or not 0 < size <= OFFSET_MAX + 1:
            hint = number_hint(node.text)
            return wrong(node, "a length such as 10, [10, 32], 8..40 or {at: 2}", report, hint)
    if not 0 < len(sizes) <= MARKS_MAX:
        return wrong(node, f"1 to {MARKS_MAX} lengths", report)
    return sorted(set(sizes))


def _check(node: Node, _argument: str, report: Report) -> Any:
    if node.kind != SCALAR or node.text not in CHECKS:
        wanted = f"one of {', '.join(CHECKS)}"
        return wrong(node, wanted, report, value_hint(node.text, list(CHECKS)))
    return {"is": node.text}


def _wake(node: Node, mode: str, report: Report) -> Any:
    data = _mark(node, mode, report)
    return BAD if data is BAD else {"send": data}


def _ask(node: Node, mode: str, report: Report) -> Any:
    """Read bytes with holes, as a list of bytes and of "'name" for each hole."""
    if node.kind != SCALAR or not node.text:
        return _mark(node, mode, report)
    as_text = mode == TEXT or (mode == MIXED and not node.plain)
    found: list[Any] = []
    for index, part in enumerate(_HOLE.split(node.text)):
        if index % 2:
            found.append("'" + part)
        elif as_text and part:
            found.append(part.encode())
        elif part.strip():
            data = hex_bytes(part)
            if data is None:
                hint = _hex_hint(part, mode)
                return wrong(node, "bytes in hex, with {addr} or {check},", report, hint)
            found.append(data)
    if sum(len(part) for part in found) > LITERAL_MAX:
        return wrong(node, f"at most {LITERAL_MAX} bytes", report)
    return found


def _uuid(node: Node, _argument: str, report: Report) -> Any:
    text = node.text.lower()
    if node.kind != SCALAR or not _UUID.fullmatch(text):
        return wrong(node, "a UUID of 4 hex digits, or 8-4-4-4-12 of them,", report)
    return text


def _company(node: Node, _argument: str, report: Report) -> Any:
    if node.text == "any":
        return -1
    value = node.value
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 0xFFFF:
        return wrong(node, "a company id such as 0x0499, or any,", report)
    return value


def _patterns(node: Node, _argument: str, report: Report) -> Any:
    items = node.items if node.kind == LIST else [node]
    for item in items:
        if item.kind != SCALAR or not 0 < len(item.text) <= PATTERN_MAX:
            return wrong(item, "a name such as LYWSD03MMC or FR:R*", report)
    if not 0 < len(items) <= MARKS_MAX:
        return wrong(node, f"1 to {MARKS_MAX} names", report)
    return [item.text for item in items]


def _module(node: Node, _argument: str, report: Report) -> Any:
    if node.kind != SCALAR or not _MODULE.fullmatch(node.text):
        return wrong(node, "a Python module such as acme.flow_meter", report)
    return node.text


def _title(node: Node, _argument: str, report: Report) -> Any:
    if not worded(node) or not readable(node.text):
        return wrong(node, "a text, or {en, zh, ja},", report)
    return {"en": node.text}


def _regex(node: Node, _argument: str, report: Report) -> Any:
    if node.kind != SCALAR or not 0 < len(node.text) <= PATTERN_MAX:
        return wrong(node, f"a pattern of at most {PATTERN_MAX} characters", report)
    return node.text


FORMS: dict[str, Reader] = {
    "mark": _mark,
    "marks": _marks,
    "hexes": _hexes,
    "fixed": _fixed,
    "length": _length,
    "check": _check,
    "wake": _wake,
    "ask": _ask,
    "uuid": _uuid,
    "company": _company,
    "patterns": _patterns,
    "module": _module,
    "title": _title,
    "regex": _regex,
}
