"""Fills in the small part of Go's text/template that device descriptions use.

Every line stays where it is, so a place in the result is a place in the source. Knows
conditions, fields, variables and arithmetic; loops and unknown functions are told as lost.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

from tools.profile.importing.words import exact, fraction

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

ACTIONS_MAX = 5_000  # of one template
DEPTH_MAX = 20  # brackets and conditions inside each other

_ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
_TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|`[^`]*`|[()|]|[.$]?[A-Za-z_][\w.]*|-?\d[\d.]*|:?=|\.)')


class _Unknown(Exception):
    """Something this reader does not know; the message says what."""


class Filled:
    """The `text` of a template and what was `lost`: (line, what) of each action not understood."""

    def __init__(self) -> None:
        self.text = ""
        self.lost: list[tuple[int, str]] = []


def fill(template: str, values: dict[str, str]) -> Filled:
    """Return the template with its fields replaced; a branch not taken leaves empty lines."""
    filled = Filled()
    writer = _Writer(filled, dict(values))
    at = 0
    for number, action in enumerate(_ACTION.finditer(template)):
        writer.literal(template[at : action.start()])
        at = action.end()
        if number >= ACTIONS_MAX or not writer.action(action.group(1), action.group()):
            filled.lost.append((writer.line, "too many or too deep template actions"))
            break
    writer.literal(template[at:])
    filled.text = "".join(writer.out)
    return filled


class _Writer:
    def __init__(self, filled: Filled, values: dict[str, str]) -> None:
        self.out: list[str] = []
        self.line = 1
        self._filled = filled
        self._values: dict[str, Any] = values
        self._branches: list[list[bool]] = []  # [emits now, some branch was taken, outer emits]

    def literal(self, text: str) -> None:
        newlines = text.count("\n")
        self.out.append(text if self._emits else "\n" * newlines)
        self.line += newlines

    def action(self, body: str, whole: str) -> bool:
        """Carry out one {{ action }}; return whether reading on makes sense."""
        word, _, rest = body.partition(" ")
        if word == "if":
            outer = self._emits
            taken = outer and self._true(rest)
            self._branches.append([taken, taken, outer])
        elif word in ("range", "with", "define", "block"):
            self._filled.lost.append((self.line, f"template {word} {rest}"))
            self._branches.append([False, True, self._emits])
        elif word == "else" and self._branches:
            branch = self._branches[-1]
            condition = rest.strip()
            wanted = self._true(condition[3:]) if condition.startswith("if ") else True
            branch[0] = branch[2] and not branch[1] and wanted
            branch[1] = branch[1] or branch[0]
        elif word == "end" and self._branches:
            self._branches.pop()
        elif not body.startswith("/*") and self._emits:
            self.out.append(self._shown(body))
        newlines = whole.count("\n")
        self.out.append("\n" * newlines)
        self.line += newlines
        return len(self._branches) <= DEPTH_MAX

    @property
    def _emits(self) -> bool:
        return not self._branches or self._branches[-1][0]

    def _true(self, text: str) -> bool:
        return _truth(self._value(text))

    def _shown(self, text: str) -> str:
        found = re.match(r"(\$\w+)\s*:?=\s*(.*)", text, re.DOTALL)
        if found:
            self._values[found.group(1)] = self._value(found.group(2))
            return ""
        value = self._value(text)
        if isinstance(value, Fraction):
            value = exact(value)
        return "" if value is None else str(value).lower() if value in (True, False) else str(value)

    def _value(self, text: str) -> Any:
        try:
            return _Expression(text, self._values).value()
        except _Unknown as unknown:
            self._filled.lost.append((self.line, f"template {unknown}"))
        except (IndexError, TypeError):
            self._filled.lost.append((self.line, f"template {text!r}"))
        return None


class _Expression:
    """A pipeline: command | command, each a function with operands, or one operand."""

    def __init__(self, text: str, values: dict[str, Any]) -> None:
        self._tokens = _TOKEN.findall(text)
        self._at = 0
        self._values = values

    def value(self, depth: int = 0) -> Any:
        if depth > DEPTH_MAX:
            raise _Unknown("brackets too deep")
        piped: list[Any] = []
        while True:
            words = []
            while self._at < len(self._tokens) and self._tokens[self._at] not in ("|", ")"):
                word = self._tokens[self._at]
                self._at += 1
                words.append(self.value(depth + 1) if word == "(" else word)
                if word == "(":
                    self._at += 1  # its closing bracket
                    words[-1] = _Done(words[-1])
            result = self._command(words, piped)
            if self._at >= len(self._tokens) or self._tokens[self._at] == ")":
                return result
            self._at += 1
            piped = [result]

    def _command(self, words: list[Any], piped: list[Any]) -> Any:
        if not words:
            raise _Unknown("without a value")
        first = words[0]
        if isinstance(first, str) and re.match(r"[A-Za-z_]", first) and first not in _WORDS:
            function = _FUNCTIONS.get(first)
            if function is None:
                raise _Unknown(f"function {first}")
            return function([self._operand(one) for one in words[1:]] + piped)
        return self._operand(first)

    def _operand(self, word: Any) -> Any:
        if isinstance(word, _Done):
            return word.value
        if word[0] in '"`':
            return word[1:-1]
        if word in _WORDS:
            return _WORDS[word]
        if word[0] in ".$":
            return self._values.get(word.removeprefix("."), "")
        return word if fraction(word) is None else fraction(word)


class _Done:
    """An operand in brackets that has its value already."""

    def __init__(self, value: Any) -> None:
        self.value = value


def _number(value: Any) -> Fraction:
    found = value if isinstance(value, Fraction) else fraction(str(value))
    if found is None:
        raise _Unknown(f"number {value!r}")
    return found


def _text(value: Any) -> str:
    return str(exact(value)) if isinstance(value, Fraction) else str(value)


def _compare(order: Callable[[Fraction, Fraction], bool]) -> Callable[[list[Any]], bool]:
    return lambda given: order(_number(given[0]), _number(given[1]))


def _default(given: list[Any]) -> Any:
    return given[1] if len(given) > 1 and given[1] not in ("", None) else given[0]


def _divided(given: list[Any]) -> Fraction:
    below = _number(given[1])
    if not below:
        raise _Unknown("division by nothing")
    return _number(given[0]) / below


def _truth(value: Any) -> bool:
    return value not in ("", "false", None, False, 0)


def _product(given: list[Any]) -> Fraction:
    found = Fraction(1)
    for one in given:
        found *= _number(one)
    return found


_WORDS = {"true": True, "false": False, "nil": None}
_FUNCTIONS: dict[str, Callable[[list[Any]], Any]] = {
    "eq": lambda given: _text(given[0]) in [_text(one) for one in given[1:]],
    "ne": lambda given: _text(given[0]) != _text(given[1]),
    "and": lambda given: all(_truth(one) for one in given),
    "or": lambda given: next((one for one in given if _truth(one)), given[-1]),
    "not": lambda given: not _truth(given[0]),
    "gt": _compare(lambda a, b: a > b),
    "ge": _compare(lambda a, b: a >= b),
    "lt": _compare(lambda a, b: a < b),
    "le": _compare(lambda a, b: a <= b),
    "add": lambda given: sum((_number(one) for one in given), Fraction(0)),
    "addf": lambda given: sum((_number(one) for one in given), Fraction(0)),
    "sub": lambda given: _number(given[0]) - _number(given[1]),
    "mul": _product,
    "mulf": _product,
    "div": lambda given: Fraction(int(_divided(given))),
    "divf": _divided,
    "max": lambda given: max(_number(one) for one in given),
    "maxf": lambda given: max(_number(one) for one in given),
    "min": lambda given: min(_number(one) for one in given),
    "int": lambda given: Fraction(int(_number(given[0]))),
    "int64": lambda given: Fraction(int(_number(given[0]))),
    "default": _default,
    "indent": lambda given: given[-1],
    "nindent": lambda given: given[-1],
    "include": lambda _given: "",
    "joinHostPort": lambda _given: "",
    "quote": lambda given: given[-1],
    "lower": lambda given: str(given[-1]).lower(),
    "urlEncode": lambda given: given[-1],
    "len": lambda given: Fraction(len(given[-1])),
}
