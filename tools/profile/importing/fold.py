"""Shortens a draft as a person would: neighbours become arrays, common keys go into the bus.

Knows which ids count on; changes no channel's meaning.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

from drivers.profile.decode import arrange, split_type, words
from drivers.profile.image import BIT_TABLES, HOLDING
from tools.profile.importing.draft import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from tools.profile.importing.draft import Draft

_NUMBER = re.compile(r"\d+")
# Families people count by; a name holds one of their words between underscores or at its end.
_FAMILIES = (
    *(("a", "b", "c"), ("r", "s", "t"), ("u", "v", "w"), ("x", "y", "z"), ("ab", "bc", "ca")),
    *(("l1_l2", "l2_l3", "l3_l1"), ("l12", "l23", "l31"), ("an", "bn", "cn"), ("rs", "st", "tr")),
)
_EXPRESSIONS = ("calc", "if")
_STANDARD = {"in": HOLDING, "type": "u16", "order": "ABCD", "scale": 1}
_SAVED_MIN = 2  # keys; a default that saves less only makes the reader look in two places


def arrays(entries: list[Entry]) -> list[Entry]:
    """Return the channels with neighbours folded: voltage_l1 … l3 become voltage_l[1..3]."""
    runs: dict[int, list[Entry]] = {}
    used: set[int] = set()
    for group in sorted(_alike(entries), key=len, reverse=True):
        for run in _runs([one for one in group if id(one[1]) not in used]):
            used.update(id(entry) for _, entry in run)
            runs[id(run[0][1])] = [_folded(run)]
    found = []
    for entry in entries:
        if id(entry) in runs:
            found += runs[id(entry)]
        elif id(entry) not in used:
            found.append(entry)
    return found


def defaults(draft: Draft) -> None:
    """Move what most channels say about table, type, order and scale into the bus section."""
    entries = [entry for one in draft.channels for entry in (one.inner or [one])]
    for key, standard in _STANDARD.items():
        said = Counter(str(one.keys[key]) for one in entries if key in one.keys)
        if not said:
            continue
        value, number = said.most_common(1)[0]
        silent = [one for one in entries if key not in one.keys and _minds(one, key, value, draft)]
        if value == str(standard) or number - len(silent) < _SAVED_MIN:
            continue
        if key in ("scale", "type") and len(silent) * 4 > number:
            continue  # where none stands, a reader expects the standard one
        for entry in silent:
            entry.keys[key] = standard
        for entry in entries:
            if str(entry.keys.get(key)) == value:
                draft.bus[key] = entry.keys.pop(key)


def span(entry: Entry) -> int:
    """Return how many registers (or bits) one value of a channel takes."""
    if entry.keys.get("in") in BIT_TABLES:
        return 1
    return words(*split_type(entry.keys.get("type", "u16")))


class _Part:
    """Where in an id the part stands that counts on: `head` + word + `tail`."""

    def __init__(self, head: str, word: str, tail: str, family: tuple[str, ...]) -> None:
        self.head = head
        self.word = word
        self.tail = tail
        self.family = family

    @property
    def rank(self) -> int:
        return self.family.index(self.word) if self.family else int(self.word)


def _parts(name: str) -> Iterator[_Part]:
    for found in _NUMBER.finditer(name):
        if found.group() == str(int(found.group())) and len(found.group()) <= 3:
            yield _Part(name[: found.start()], found.group(), name[found.end() :], ())
    for family in _FAMILIES:
        for word in family:
            for found in re.finditer(rf"(?<![a-z0-9]){word}(?=_|$)", name):
                yield _Part(name[: found.start()], word, name[found.end() :], family)


def _alike(entries: list[Entry]) -> list[list[tuple[_Part, Entry]]]:
    """Group the channels that differ in one part of the id and in the address only."""
    groups: dict[Any, list[tuple[_Part, Entry]]] = {}
    for entry in entries:
        if not isinstance(entry.keys.get("at"), int) or entry.inner or "step" in entry.keys:
            continue
        for part in _parts(entry.id):
            rest = [
                (key, str(_template(part, key, value)))
                for key, value in sorted(entry.keys.items())
                if key != "at"
            ]
            key = (part.head, part.tail, part.family, tuple(rest))
            groups.setdefault(key, []).append((part, entry))
    return [group for group in groups.values() if len(group) > 1]


def _template(part: _Part, key: str, value: Any) -> Any:
    """Return a text without what differs from neighbour to neighbour."""
    if key == "title":
        shown = re.sub(rf"(?<![0-9]){part.word}(?![0-9])", "", value, flags=re.IGNORECASE)
        return " ".join(shown.split())
    if key not in _EXPRESSIONS:
        return value
    # Only inside a name: the 1 of x + 1 is no suffix.
    shown = re.sub(rf"(?<=[a-z_]){part.word}(?![0-9a-z])", "#", value)
    return shown if shown.replace("#", part.word) == value and "#" not in value else value


def _runs(group: list[tuple[_Part, Entry]]) -> Iterator[list[tuple[_Part, Entry]]]:
    """Yield neighbours whose number and address both count on evenly."""
    ordered = sorted(group, key=lambda one: one[0].rank)
    if ordered and ordered[0][0].family:
        whole = len(ordered) == len(ordered[0][0].family)
        if whole and len({_gap(a, b) for a, b in pairwise(ordered)}) == 1:
            if _gap(*ordered[:2]) >= span(ordered[0][1]):
                yield ordered
        return
    run: list[tuple[_Part, Entry]] = []
    for one in ordered:
        if run:
            next_number = one[0].rank == run[-1][0].rank + 1
            gap = _gap(run[-1], one)
            even = len(run) == 1 or gap == _gap(run[0], run[1])
            if not (next_number and even and gap >= span(one[1])):
                if len(run) > 1:
                    yield run
                run = []
        run.append(one)
    if len(run) > 1:
        yield run


def _gap(before: tuple[_Part, Entry], after: tuple[_Part, Entry]) -> int:
    return int(after[1].keys["at"] - before[1].keys["at"])


def _folded(run: list[tuple[_Part, Entry]]) -> Entry:
    part, first = run[0]
    names = ",".join(one.word for one, _ in run)
    spec = names if part.family else f"{part.word}..{run[-1][0].word}"
    keys = {key: _template(part, key, value) for key, value in first.keys.items()}
    if not keys.get("title", True):
        del keys["title"]
    gap = _gap(run[0], run[1])
    if gap != span(first):
        keys["step"] = gap
    return Entry(f"{part.head}[{spec}]{part.tail}", keys, first.line)


def _minds(entry: Entry, key: str, value: str, draft: Draft) -> bool:
    """Return whether the default `value` would reach a channel that does not name the key."""
    keys = entry.keys
    table = keys.get("in", draft.bus.get("in", HOLDING))
    if "at" not in keys or (key != "in" and table in BIT_TABLES):
        return False
    kind = keys.get("type", draft.bus.get("type", "u16"))
    if key == "order":
        probe = bytes(range(2 * words(*split_type(kind))))
        return arrange(probe, value) != probe
    if key == "scale":
        worded = {"map", "flags"} & set(keys) or kind.startswith(("str", "hex", "bool"))
        return not worded and not isinstance(keys.get("bits"), int)
    return True
