"""What is wrong with a file a person wrote: problems with place, reason and a way out.

Knows lines, columns and how to show them; does not know what the file is about.
"""

from __future__ import annotations

import difflib
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


ERROR = "error"
WARNING = "warning"
ERRORS_MAX = 100  # more help nobody, and bound what a hostile file makes us do


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
        self._lines = text.splitlines()
        self._problems: list[Problem] = []

    def add(self, code: str, place: Place, message: str, hint: str = "") -> None:
        """Note a problem (E… is an error, W… a warning); TooMany ends a hopeless reading."""
        problem = Problem(code, place.line, place.column, place.width, message, hint)
        if problem not in self._problems:
            self._problems.append(problem)
        if self.errors >= ERRORS_MAX:
            raise TooMany(self.text())

    @property
    def problems(self) -> list[Problem]:
        return sorted(self._problems, key=lambda one: (one.line, one.column, one.code))

    @property
    def errors(self) -> int:
        return sum(1 for one in self._problems if one.severity == ERROR)

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
        source = _printable(self._lines[problem.line - 1])[:200]
        mark = " " * (problem.column - 1) + "^" * max(1, problem.width)
        below = f"{mark[: max(len(source), problem.column)]} {problem.hint}".rstrip()
        return f"{head}\n{problem.line:5} | {source}\n      | {below}"


def near(word: str, words: Iterable[str]) -> str:
    """Return "did you mean 'x'?" for the word of `words` closest to `word`, or ""."""
    found = difflib.get_close_matches(word, list(words), 1, 0.6)
    return f"did you mean '{found[0]}'?" if found else ""


def _printable(line: str) -> str:
    return "".join(char if char.isprintable() else " " for char in line)
