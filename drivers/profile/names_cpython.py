"""The keys of channels: ids with at most one array part, and the names expressions may use.

Knows `voltage_l[1..3]` and `voltage_[a,b,c]`; knows no register.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from drivers.profile.expr import RESERVED
from drivers.profile.expr_cpython import UnknownName
from drivers.profile.folded import CHANNELS_MAX
from gateway.core.report_cpython import near

if TYPE_CHECKING:
    from gateway.core.report_cpython import Report
    from gateway.core.source_cpython import Node

ID_MAX = 48  # characters; a point's name also holds its device
KEY_MAX = 1024  # characters, arrays included: YAML's own limit for a simple key
_KEY = re.compile(r"([a-z][a-z0-9_]*|)(?:\[([^\]]*)\])?([a-z0-9_]*)")
_SPAN = re.compile(r"([0-9]{1,3})\.\.([0-9]{1,3})")
_SUFFIX = re.compile(r"[a-z0-9_]+")
_OWN_NUMBER = ("value", "val", "raw", "reading", "v")
HINTS_MAX = 10  # comparing a name with hundreds that are nearly alike takes milliseconds
NAMES_SHOWN = 8  # of the names an expression may use
_ID = re.compile(r"[a-z][a-z0-9_]*")


class Pattern:
    """A key: `folded` with # for the suffix ("voltage_l#"), and the `suffixes` or [""]."""

    __slots__ = ("folded", "of", "suffixes")

    def __init__(self, folded: str, of: list[int] | list[str] | None, suffixes: list[str]) -> None:
        self.folded = folded
        self.of = of  # as compiled: [first, last], a list of words, or None
        self.suffixes = suffixes

    @property
    def ids(self) -> list[str]:
        return [self.folded.replace("#", suffix) for suffix in self.suffixes]


def pattern(key: Node, report: Report) -> Pattern | None:
    """Return the pattern of a channel's key; None after reporting that it is none."""
    found = _KEY.fullmatch(key.text) if len(key.text) <= KEY_MAX else None
    if not found or not (found.group(1) or found.group(2)):
        hint = "small letters, digits and _, with one array part: voltage_l[1..3]"
        likely = _plain(key.text)
        if _ID.fullmatch(likely) and "[" not in key.text and key.text.isascii():
            hint = f"did you mean '{likely}'?"
        report.add("E021", key, f"{key.shown} is no channel id", hint)
        return None
    head, spec, tail = found.groups()
    made = Pattern(head, None, [""]) if spec is None else _array(key, head, spec, tail, report)
    if made is None:
        return None
    # The members of [1..500] differ in their digits only: the longest tells for all.
    ids = made.ids if made.of is None or isinstance(made.of[0], str) else [made.ids[-1]]
    for one in ids:
        if one in RESERVED or not _ID.fullmatch(one) or len(one) > ID_MAX:
            report.add("E021", key, f"{one!r} cannot be a channel id", _why_not(one))
            return None
    return made


class Names:
    """Every name an expression may use: channels, expanded, and settings."""

    def __init__(self) -> None:
        self.channels: dict[str, int] = {}  # expanded id to the line of its key
        self.settings: set[str] = set()
        self.stored: set[str] = set()  # the same with %, and # too, still standing for suffixes
        self.labels: dict[str, set[str]] = {}  # expanded id to the words its map can give
        self._hints = 0
        self._refused: set[str] = set()  # what stands before the array in keys that are no id

    def add(
        self, key: Node, folded: str, groups: list[str], suffixes: list[str], report: Report
    ) -> bool:
        """Take the ids of one channel key, report those taken; False if there are too many."""
        if len(self.channels) + len(groups) * len(suffixes) > CHANNELS_MAX:
            report.add("E021", key, f"more than {CHANNELS_MAX} channels")
            return False
        self.stored.add(folded)
        self.stored.update(expand(folded, ["%"], suffixes))
        for one in expand(folded, groups, suffixes):
            if one in self.channels:
                message = f"channel {one!r} stands twice"
                report.add("E022", key, message, f"see line {self.channels[one]}")
            self.channels[one] = key.line
        return True

    def near(self, name: str) -> str:
        """Return the channel or setting that an unknown name may mean; "" after HINTS_MAX."""
        self._hints += 1
        known = [*self.channels, *self.settings]
        return near(name, known) if self._hints <= HINTS_MAX else ""

    def refuse(self, key: Node) -> None:
        """Note a key that is no id: what speaks of it is not wrong as well."""
        self._refused.add(_plain(key.text.partition("[")[0]))

    def refused(self, name: str) -> bool:
        """Return whether a name may be that of a key that was no id."""
        return any(one and _plain(name).startswith(one) for one in self._refused)

    def resolve(self, name: str, offset: int, group: str, suffixes: list[str], x: bool) -> str:
        """Return how `name` is stored in a channel's expression; UnknownName if it is none.

        `group` is the folded id of the channel's group or "", `suffixes` those of its own array.
        """
        if name == "x":
            if not x:
                raise UnknownName("x stands for this channel's own number: it has no 'at'", offset)
            return name
        array = suffixes != [""]
        if name == "#":
            if array or "%" in group:
                return name
            raise UnknownName("# stands for the suffix of an array: this is none", offset)
        if group:
            inner = name if array else name.replace("#", "%")
            for sibling in (f"{group}.{inner}", inner):
                if sibling in self.stored and "." in sibling:
                    return sibling
        expanded = [name.replace("#", suffix) for suffix in suffixes]
        missing = [one for one in expanded if one not in self.channels and one not in self.settings]
        if not missing:
            return name
        known = [*self.channels, *self.settings]
        hint = self.near(missing[0])
        if missing[0] in _OWN_NUMBER and x:
            hint = "x is this channel's own number"
        elif not hint and 0 < len(known) <= NAMES_SHOWN:
            hint = f"there are: {', '.join(known)}"
        raise UnknownName(f"unknown name {missing[0]!r}" + (f"; {hint}" if hint else ""), offset)


def expand(folded: str, groups: list[str], suffixes: list[str]) -> list[str]:
    """Return every id that a folded one stands for."""
    return [
        folded.replace("%", group).replace("#", suffix) for group in groups for suffix in suffixes
    ]


def _array(key: Node, head: str, spec: str, tail: str, report: Report) -> Pattern | None:
    folded = f"{head}#{tail}"
    span = _SPAN.fullmatch(spec.replace(" ", ""))
    if span:
        first, last = int(span.group(1)), int(span.group(2))
        if first < last < first + CHANNELS_MAX:
            return Pattern(folded, [first, last], [str(one) for one in range(first, last + 1)])
    words = [word.strip() for word in spec.split(",")]
    if not span and all(_SUFFIX.fullmatch(word) for word in words):
        if len(set(words)) == len(words) <= CHANNELS_MAX:
            return Pattern(folded, list(words), words)
    hint = "write [1..3] or [a,b,c]"
    dash = re.fullmatch(r" *([0-9]+) *[-:] *([0-9]+) *", spec)
    if dash:
        hint = f"did you mean [{dash.group(1)}..{dash.group(2)}]?"
    elif span:
        turned = int(span.group(1)) >= int(span.group(2))
        hint = "the lower number goes first" if turned else f"at most {CHANNELS_MAX} channels"
    elif len(set(words)) < len(words):
        hint = "each word stands once"
    report.add("E021", key, f"[{spec}] is no array part", hint)
    return None


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "_", text.lower())


def _why_not(name: str) -> str:
    if name in RESERVED:
        return "expressions use this word"
    if len(name) > ID_MAX:
        return f"at most {ID_MAX} characters"
    return "an id starts with a small letter"
