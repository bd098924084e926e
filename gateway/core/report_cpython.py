"""What is wrong with a file a person wrote: problems with place, reason and a way out.

Knows lines, columns and how to show them; does not know what the file is about.
"""

from __future__ import annotations

import difflib
import heapq
import re
import unicodedata
from typing import TYPE_CHECKING

from gateway.core.errors import ConfigError
from gateway.core.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Protocol

    class Place(Protocol):
        """Where in a file something stands; lines and columns count from 1."""

        line: int
        column: int
        width: int


_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
ERROR = "error"
WARNING = "warning"
ERRORS_MAX = 100  # more help nobody, and bound what a hostile file makes us do
LINE_MAX = 160  # characters of a source line that are shown; of a longer one, those at the place
MANY_WORDS = 100  # among so many, only those that begin alike are looked at,
LETTERS_OFF = 3  # and are longer or shorter by no more than this,
NEAREST = 10  # and if these are as many, the ones with most letters at both ends in common


class TooMany(ConfigError):
    """A file has ERRORS_MAX errors; the message shows them all."""


class Problem(Record):
    """One finding: `code` "E010", place, `message`, and `hint` or ""."""

    __slots__ = ("code", "column", "hint", "line", "message", "width")

    def __init__(
        self, code: str, line: int, column: int, width: int, message: str, hint: str
    ) -> None:
        self.code = code
        self.line = line
        self.column = column
        self.width = width
        self.message = message
        self.hint = hint

    @property
    def severity(self) -> str:
        return ERROR if self.code[0] == "E" else WARNING


class Report:
    """The problems of one file, in the order of their places."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self._lines = lines_of(text) if text else []
        self._problems: dict[Problem, None] = {}
        self._errors = 0

    def add(self, code: str, place: Place, message: str, hint: str = "") -> None:
        """Note a problem (E… is an error, W… a warning); TooMany ends a hopeless reading."""
        problem = Problem(code, place.line, place.column, place.width, message, hint)
        if problem not in self._problems:
            self._problems[problem] = None
            self._errors += problem.severity == ERROR
        if self._errors >= ERRORS_MAX:
            raise TooMany(self.text())

    @property
    def problems(self) -> list[Problem]:
        return sorted(self._problems, key=lambda one: (one.line, one.column, one.code))

    @property
    def errors(self) -> int:
        return self._errors

    @property
    def warnings(self) -> int:
        return len(self._problems) - self.errors

    def text(self) -> str:
        """Return every problem with its source line and a caret under the place."""
        return "\n".join(self._shown(one) for one in self.problems)

    def rows(self) -> list[dict[str, object]]:
        """Return the problems as plain data, for machines."""
        return [
            {
                "file": self.name,
                "line": one.line,
                "column": one.column,
                "severity": one.severity,
                "code": one.code,
                "message": one.message,
                "hint": one.hint,
            }
            for one in self.problems
        ]

    def require(self) -> None:
        """Raise ConfigError holding the whole text if there is an error."""
        if self.errors:
            raise ConfigError(self.text())

    def _shown(self, problem: Problem) -> str:
        where = f"{self.name}:{problem.line}:{problem.column}"
        head = f"{where}: {problem.severity} {problem.code}: {problem.message}"
        if not 1 <= problem.line <= len(self._lines):
            return head + (f" ({problem.hint})" if problem.hint else "")
        line, column = self._lines[problem.line - 1], problem.column - 1
        first = 0 if column + problem.width <= LINE_MAX else max(0, column - LINE_MAX // 2)
        source = "".join(_printable(char) for char in line[first : first + LINE_MAX])
        column -= first
        blanks = "".join(" " * _cells(char) for char in source[:column])
        under = source[column : column + problem.width]
        mark = blanks + "^" * max(1, sum(_cells(char) for char in under))
        return f"{head}\n{problem.line:5} | {source}\n      | {f'{mark} {problem.hint}'.rstrip()}"


def lines_of(text: str) -> list[str]:
    """Return the lines of a text as YAML counts them (YAML 1.1 §4.2, which libyaml follows)."""
    return _BREAK.split(text)


def near(word: str, words: Iterable[str]) -> str:
    """Return "did you mean 'x'?" for the word of `words` closest to `word`, or ""."""
    known = list(words)
    if len(known) > MANY_WORDS:  # to compare with each would take long, and find what is unlike
        alike = [one for one in known if one[:1] == word[:1]]
        known = [one for one in alike if abs(len(one) - len(word)) <= LETTERS_OFF]
        if len(known) > MANY_WORDS:
            known = heapq.nlargest(NEAREST, known, lambda one: _ends(one, word))
    found = difflib.get_close_matches(word, known, 1, 0.6)
    return f"did you mean '{found[0]}'?" if found else ""


def _ends(one: str, other: str) -> int:
    """Return how many letters two words begin and end with alike."""
    return _common(one, other) + _common(one[::-1], other[::-1])


def _common(one: str, other: str) -> int:
    for at, (letter, wanted) in enumerate(zip(one, other, strict=False)):
        if letter != wanted:
            return at
    return min(len(one), len(other))


def _printable(char: str) -> str:
    return char if char.isprintable() else " "


def _cells(char: str) -> int:
    """How many columns of a terminal a character takes (UAX #11)."""
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
