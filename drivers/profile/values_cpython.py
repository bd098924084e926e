"""Reads single values by the forms that schema.py names: texts, numbers, times, ranges, labels.

Reports what is wrong; does not know which key stands where.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from drivers.profile import elsewhere_cpython
from drivers.profile.decode import split_type
from drivers.profile.number import INT_MAX, INT_MIN, MANTISSA_MAX, less
from drivers.profile.slot import NEVER, ONCE
from gateway.core.decimal import Decimal, parse
from gateway.core.duration import milliseconds
from gateway.core.errors import ConfigError
from gateway.core.source_cpython import LIST, MAP, SCALAR, Node

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from gateway.core.report_cpython import Report

    Reader: TypeAlias = "Callable[[Node, str, Report], Any]"

EVERY_MIN_MS = 50  # a line at 9600 baud needs longer for the shortest exchange
TIME_MAX = "31d"  # what no form bounds closer
TEXT_MAX = 500  # characters of a name or remark

_WORD = re.compile(r"[a-z][a-z0-9_]*")
_TYPES_SHOWN = "bool u8 u16 u24 u32 u48 u64 s8… sm8 sm16 f16 f32 f64 bcd8…64 sbcd8…64 strN hexN"
_TYPES = [f"{base}{size}" for base in ("u", "s", "bcd", "sbcd") for size in (8, 16, 24, 32, 48, 64)]
_TYPES += ["bool", "sm8", "sm16", "f16", "f32", "f64", "str8", "hex8"]

_ONE = ("a ", "an ", "one ", "the ", "true ")  # how a phrase begins that names one thing


class Bad:
    """Stands for a value that was reported: not there, and not to be complained about again."""


BAD = Bad()


def wrong(node: Node, wanted: str, report: Report, hint: str = "") -> Any:
    """Report that a value is not what was wanted, and return BAD."""
    verb = "is" if wanted.startswith(_ONE) else "are"
    report.add("E012", node, f"{wanted} {verb} wanted here, not {node.shown}", hint)
    return BAD


def readable(text: str) -> bool:
    """Return whether a text is short, and nothing in it moves a cursor or turns the writing."""
    return len(text) <= TEXT_MAX and text.replace("\n", "").isprintable()


def worded(node: Node) -> bool:
    """Return whether a node is a text: no blanks alone, and not what YAML means by null or true."""
    nothing = node.value is None or isinstance(node.value, bool)
    return node.kind == SCALAR and bool(node.text.strip()) and not nothing


def _text(node: Node, _argument: str, report: Report) -> Any:
    if not worded(node):
        return wrong(node, "a text", report)
    if not readable(node.text):
        return wrong(node, f"a text that people can read, of at most {TEXT_MAX} characters", report)
    return node.text


def _texts(node: Node, _argument: str, report: Report) -> Any:
    if node.kind != LIST:
        hint = f"write [{node.text}]" if node.kind == SCALAR else "write [one, two]"
        return wrong(node, "a list of texts", report, hint)
    return [item.text for item in node.items if _text(item, "", report) is not BAD]


def _word(node: Node, _argument: str, report: Report) -> Any:
    if node.kind != SCALAR or not _WORD.fullmatch(node.text):
        return wrong(node, "a word of small letters, digits and _", report)
    return node.text


def _yes(node: Node, _argument: str, report: Report) -> Any:
    if not isinstance(node.value, bool):
        meant = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(node.text.lower())
        return wrong(node, "true or false", report, f"write {meant}" if meant else "")
    return node.value


def _number(node: Node, _argument: str, report: Report) -> Any:
    value = node.value
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        return wrong(node, "a number", report, elsewhere_cpython.number_hint(node.text))
    if _doubtful(node.text):
        return wrong(node, "a number without leading zeros", report, "write 0x… for hexadecimal")
    if not _fits(value):
        return wrong(node, "a number of at most 64 bits", report)
    return value


def _int(node: Node, argument: str, report: Report) -> Any:
    low, high = [int(part) for part in argument.split()]
    value = _number(node, "", report)
    if value is BAD:
        return BAD
    if not isinstance(value, int) or not low <= value <= high:
        hint = "is a bit meant? 'bits' names it" if isinstance(value, Decimal) else ""
        return wrong(node, f"a whole number {low}..{high}", report, hint)
    return value


def _one(node: Node, argument: str, report: Report) -> Any:
    words = argument.split()
    if node.kind != SCALAR or node.text not in words:
        hint = elsewhere_cpython.value_hint(node.text, words)
        return wrong(node, f"one of {', '.join(words)}", report, hint)
    return int(node.text) if node.text.isdigit() else node.text


def _type(node: Node, _argument: str, report: Report) -> Any:
    try:
        split_type(node.text)
    except ConfigError:
        hint = elsewhere_cpython.type_hint(node.text, _TYPES) or f"types: {_TYPES_SHOWN}"
        report.add("E020", node, f"unknown type {node.shown}", hint)
        return BAD
    return node.text


def _time(node: Node, argument: str, report: Report) -> Any:
    most = argument or TIME_MAX
    try:
        ms = milliseconds(node.text if node.kind == SCALAR else "")
    except ValueError:
        hint = elsewhere_cpython.time_hint(node.text)
        return wrong(node, "a time such as 500ms, 10s, 5m or 1h", report, hint)
    if ms > milliseconds(most):
        return wrong(node, f"a time of at most {most}", report)
    return ms


def _every(node: Node, _argument: str, report: Report) -> Any:
    if node.text in ("once", "never"):
        return ONCE if node.text == "once" else NEVER
    ms = _time(node, "", report)
    if ms is not BAD and ms < EVERY_MIN_MS:
        return wrong(node, f"a period of at least {EVERY_MIN_MS}ms", report)
    return ms


def _bits(node: Node, _argument: str, report: Report) -> Any:
    found = re.fullmatch(r"([0-9]{1,2})(?:\.\.([0-9]{1,2}))?", node.text)
    if node.kind != SCALAR or not found:
        return wrong(
            node,
            "a bit such as 3, or bits such as 4..7",
            report,
            elsewhere_cpython.range_hint(node.text),
        )
    low = int(found.group(1))
    high = low if found.group(2) is None else int(found.group(2))
    if not low <= high <= 63:
        return wrong(node, "bits counted from 0, the lower one first", report)
    return [low, high]


def _range(node: Node, _argument: str, report: Report) -> Any:
    low, dots, high = node.text.partition("..")
    try:
        if node.kind != SCALAR or not dots or not (low or high) or not node.text.isascii():
            raise ValueError(node.text)
        pair = [parse(low.strip()) if low else None, parse(high.strip()) if high else None]
        if not _fits(pair[0]) or not _fits(pair[1]):
            raise ValueError(node.text)
    except (ValueError, IndexError):
        return wrong(
            node,
            "a range such as 0..100 or -40..85",
            report,
            elsewhere_cpython.range_hint(node.text),
        )
    if pair[0] is not None and pair[1] is not None and not less(pair[0], pair[1]):
        return wrong(node, "the lower end before the higher", report, f"write {high}..{low}")
    return pair


def _raws(node: Node, _argument: str, report: Report) -> Any:
    items = node.items if node.kind == LIST else [node]
    found = []
    for item in items:
        if item.kind != SCALAR or isinstance(item.value, bool) or item.value is None:
            return wrong(item, "a raw value", report)
        if not _fits(item.value):
            return wrong(item, "a raw value of at most 64 bits", report)
        found.append((item, item.value))
    return found


def _labels(node: Node, keys_below: int, report: Report) -> Any:
    if node.kind != MAP or not node.pairs:
        hint = ""
        if 0 < len(node.items) <= 4 and all(item.kind == SCALAR for item in node.items):
            hint = (
                f"write {{{', '.join(f'{i}: {item.text}' for i, item in enumerate(node.items))}}}"
            )
        return wrong(node, "a map such as {0: closed, 1: open}", report, hint)
    found: dict[int, Any] = {}
    for key, value in node.pairs:
        number = key.value
        if (
            isinstance(number, bool)
            or not isinstance(number, int)
            or not INT_MIN <= number < keys_below
        ):
            return wrong(key, "a whole number", report, "the raw value goes first: {0: closed}")
        if value.kind != SCALAR or value.value is None or not _fits(value.value):
            return wrong(value, "a word, a number, true or false", report)
        if number in found:
            message = f"{key.shown} is the same number as an earlier key"
            report.add("E004", key, message, f"it is {number}, which has a meaning already")
        found[number] = value.value
    return found


def _map(node: Node, _argument: str, report: Report) -> Any:
    found = _labels(node, 1 << 64, report)
    if found is not BAD and len({isinstance(value, str) for value in found.values()}) > 1:
        return wrong(node, "either words or numbers, not both,", report)
    return found


def _flags(node: Node, _argument: str, report: Report) -> Any:
    found = _labels(node, 64, report)
    if found is BAD:
        return BAD
    for key, value in node.pairs:
        if not isinstance(key.value, int) or key.value < 0:
            return wrong(key, "a bit, counted from 0,", report)
        if not isinstance(value.value, str) or not _WORD.fullmatch(value.text):
            likely = re.sub(r"[^a-z0-9]+", "_", value.text.lower()).strip("_")
            hint = f"did you mean '{likely}'?" if _WORD.fullmatch(likely) else ""
            return wrong(value, "a name of small letters, digits and _", report, hint)
    return found


def _image(node: Node, _argument: str, report: Report) -> Any:
    if node.kind != MAP or not node.pairs:
        return wrong(node, "an image such as {0: 00FF 1234}", report)
    found = []
    for key, value in node.pairs:
        if not isinstance(key.value, int) or isinstance(key.value, bool) or key.value < 0:
            return wrong(key, "a register address", report)
        if value.kind != SCALAR:
            return wrong(value, "words in hex", report)
        found.append((key.value, value))
    return found


def _expr(node: Node, _argument: str, report: Report) -> Any:
    if node.kind != SCALAR or not node.text.strip():
        return wrong(node, "an expression", report)
    return node


def _scalar(node: Node, _argument: str, report: Report) -> Any:
    if node.kind != SCALAR or node.value is None or not _fits(node.value):
        return wrong(node, "a value", report)
    return node.value


def _node(node: Node, _argument: str, _report: Report) -> Any:
    return node


def _place(node: Node, _argument: str, report: Report) -> Any:
    if node.kind != SCALAR or not node.text.strip():
        return wrong(node, "a table, message or identifier", report)
    return node


def _fits(value: Any) -> bool:
    """Return whether a value is none that the compiled form could not hold."""
    if isinstance(value, Decimal):
        return abs(value.mantissa) < MANTISSA_MAX
    return not isinstance(value, int) or INT_MIN <= value <= INT_MAX


def _doubtful(text: str) -> bool:
    # 0102 is 66 to a YAML 1.1 reader, 102 to a 1.2 reader, and 0x102 to whoever wrote it.
    body = text.lstrip("+-")
    return len(body) > 1 and body[0] == "0" and body.isdigit()


FORMS: dict[str, Reader] = {
    "text": _text,
    "texts": _texts,
    "word": _word,
    "yes": _yes,
    "number": _number,
    "int": _int,
    "one": _one,
    "type": _type,
    "time": _time,
    "every": _every,
    "bits": _bits,
    "range": _range,
    "raws": _raws,
    "map": _map,
    "flags": _flags,
    "image": _image,
    "expr": _expr,
    "scalar": _scalar,
    "node": _node,
    "place": _place,
}
