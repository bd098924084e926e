"""Whether a pattern means the same on all boards, and cannot search for ever.

MicroPython's `re` is a subset of Python's, and both go back on their steps: a pattern like `(a+)+`
takes longer than anyone waits. Knows patterns only; knows no text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.errors import ConfigError

if TYPE_CHECKING:
    from typing import TypeAlias

    Item: TypeAlias = "tuple[int, bool, bool, int]"  # characters, endless, needed, place

PATTERN_MAX = 100  # characters
DEPTH_MAX = 4  # groups inside each other
CHOICES_MAX = 6  # of ? and |: each may double the work
DEGREE_MAX = 2  # endless parts that contend for the same characters: the power of the work

_ALL = (1 << 128) - 1  # one bit for each ASCII character; what is beyond counts as each of them


def _span(first: str, last: str) -> int:
    return (1 << ord(last) + 1) - (1 << ord(first))


_DIGIT = _span("0", "9")
_WORD = _DIGIT | _span("a", "z") | _span("A", "Z") | _span("_", "_")
_BLANK = _span("\t", "\r") | _span(" ", " ")
_CLASSES = {"d": _DIGIT, "w": _WORD, "s": _BLANK}


class BadPattern(ConfigError):
    """What is wrong with a pattern, and at which character (from 0); `endless`: it may hang."""

    def __init__(self, message: str, offset: int, endless: bool = False) -> None:
        super().__init__(message)
        self.offset = offset
        self.endless = endless


def check(pattern: str) -> None:
    """Raise BadPattern unless `pattern` has one group to give and works everywhere, at once."""
    if not 0 < len(pattern) <= PATTERN_MAX:
        raise BadPattern(f"a pattern has 1 to {PATTERN_MAX} characters", 0)
    reader = _Reader(pattern)
    items = reader.alternatives(0)
    if reader.at < len(pattern):
        raise BadPattern("this bracket was never opened", reader.at)
    if reader.groups != 1:
        raise BadPattern("one pair of brackets says what to take; (?:…) takes nothing", 0)
    if pattern[0] != "^" or "|" in pattern:
        items = [(_ALL, True, False, 0)] + items
    _check_work(items)


class _Reader:
    """Reads a pattern from left to right; `at` is what comes next."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.groups = 0
        self.choices = 0

    def alternatives(self, depth: int) -> list[Item]:
        """Return the items up to the closing bracket or the end; those of a choice not needed."""
        if depth > DEPTH_MAX:
            raise BadPattern(f"more than {DEPTH_MAX} brackets inside each other", self.at)
        items = self._sequence(depth)
        chosen = False
        while self._next() == "|":
            self._choice()
            chosen = True
            self.at += 1
            items = items + self._sequence(depth)
        if not chosen:
            return items
        # None of them is needed, but that there is one.
        items = [(one[0], one[1], False, one[3]) for one in items]
        return items + [(_ALL, False, True, self.at)]

    def _next(self) -> str:
        return self.pattern[self.at : self.at + 1]

    def _choice(self) -> None:
        self.choices += 1
        if self.choices > CHOICES_MAX:
            raise BadPattern(f"more than {CHOICES_MAX} of ? and |", self.at, True)

    def _sequence(self, depth: int) -> list[Item]:
        items: list[Item] = []
        first = True
        while self._next() not in ("", "|", ")"):
            place, choices = self.at, self.choices
            inside = self._atom(depth, first)
            first = False
            sign = self._next()
            if sign == "" or sign not in "*+?":
                items += inside
                continue
            if not inside:
                raise BadPattern(f"nothing stands here that {sign} could repeat", self.at)
            if sign == "?":
                self._choice()
                items += [(one[0], one[1], False, one[3]) for one in inside]
            elif self.choices > choices or [one for one in inside if one[1]]:
                raise BadPattern(
                    "a repetition inside a repetition may search for ever", place, True
                )
            else:
                items.append((_union(inside), True, sign == "+", place))
            self.at += 1
            if self._next() == "?":
                raise BadPattern("a repetition that takes as little as it can: not here", self.at)
        return items

    def _atom(self, depth: int, first: bool) -> list[Item]:
        place, char = self.at, self._next()
        self.at += 1
        if char == "(":
            return self._group(depth)
        if char == "[":
            return [(self._set(), False, True, place)]
        if char == ".":
            return [(_ALL, False, True, place)]
        if char == "\\":
            return [(self._escape(), False, True, place)]
        if char in ("^", "$"):
            if (char == "^" and not first) or (char == "$" and self._next() not in ("", "|", ")")):
                raise BadPattern(
                    f"{char} belongs to the {'start' if char == '^' else 'end'}", place
                )
            return [] if char == "^" else [(_ALL, False, True, place)]
        if char in "*+?":
            raise BadPattern(f"nothing stands here that {char} could repeat", place)
        if char in "{}":
            raise BadPattern(
                "there is no counted repetition; write \\{ for the brace itself", place
            )
        return [(_bit(char), False, True, place)]

    def _group(self, depth: int) -> list[Item]:
        place = self.at - 1
        if self._next() == "?":
            if self.pattern[self.at : self.at + 2] != "?:":
                raise BadPattern("brackets with (? know only (?:", place)
            self.at += 2
        else:
            self.groups += 1
        items = self.alternatives(depth + 1)
        if self._next() != ")":
            raise BadPattern("this bracket is never closed", place)
        self.at += 1
        return items

    def _set(self) -> int:
        place = self.at - 1
        negated = self._next() == "^"
        self.at += 1 if negated else 0
        if self._next() == "]":
            raise BadPattern("write \\] for this bracket", self.at)
        found = 0
        while self._next() != "]":
            start, char = self.at, self._next()
            if char == "":
                raise BadPattern("this bracket is never closed", place)
            self.at += 1
            found |= self._escape() if char == "\\" else _bit(char)
            last = self.pattern[self.at + 1 : self.at + 2]
            if self._next() == "-" and last not in ("", "]"):
                if char == "\\" or last == "\\" or last < char:
                    raise BadPattern("no range of characters", start)
                found |= _span(char, last) & _ALL
                self.at += 2
        self.at += 1
        return _ALL & ~found if negated else found

    def _escape(self) -> int:
        char = self._next()
        self.at += 1
        if char.lower() in _CLASSES:
            found = _CLASSES[char.lower()]
            return found if char in _CLASSES else _ALL & ~found
        if char == "" or char.isdigit() or char.isalpha():
            raise BadPattern(f"there is no \\{char} on small boards", self.at - 2)
        return _bit(char)


def _bit(char: str) -> int:
    return 1 << ord(char) if ord(char) < 128 else _ALL


def _union(items: list[Item]) -> int:
    found = 0
    for one in items:
        found |= one[0]
    return found


def _check_work(items: list[Item]) -> None:
    """Raise BadPattern where too many endless parts may share out the same text.

    Two contend if each takes what the other does, and all that must stand between them: then the
    border may lie anywhere, and every place is tried.
    """
    while items and not items[-1][2]:  # what nothing must follow is never taken back
        items = items[:-1]
    degrees: list[int] = []
    for index, (mask, endless, _, place) in enumerate(items):
        degree = 1 if endless else 0
        needed: list[int] = []
        for before in range(index - 1, -1, -1) if endless else ():
            other, contends, must, _ = items[before]
            if contends and mask & other:
                if not [one for one in needed if not one & mask or not one & other]:
                    degree = max(degree, degrees[before] + 1)
            if must:
                needed.append(other)
        if degree > DEGREE_MAX:
            hint = "begin with ^, or name the characters: [^,]*"
            raise BadPattern(f"too many parts share the same characters: {hint}", place, True)
        degrees.append(degree)
