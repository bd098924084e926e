"""What people call a channel, in their language, and what a well-known id usually measures.

Knows profiles/vocabulary.jsonl: ids, and patterns in which `#` is a number and `*` another id;
knows no profile.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from drivers.profile.units_cpython import kinds, rows, units

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any, TypeAlias

    Own: TypeAlias = "str | Mapping[str, str] | None"  # a title as the profile writes it

LANGUAGES = ("en", "zh", "ja")


def title(channel: str, kind: str, own: Own, language: str) -> str:
    """Return the name for people of a channel id, in `language` if anybody gave it there.

    The profile's own title goes first, then the kind's, the vocabulary's, and the id itself.
    """
    found = translated(channel, kind, own, language)
    if found:
        return found
    if isinstance(own, str) and own:
        return own
    if own:
        return own.get("en") or next(iter(own.values()))
    return _readable(channel)


def translated(channel: str, kind: str, own: Own, language: str) -> str:
    """Return the title as `title` does, but "" if there is none in this language.

    A title that is a plain text counts as English.
    """
    titles = {"en": own} if isinstance(own, str) else dict(own or {})
    if titles.get(language):
        return titles[language]
    *groups, last = channel.split(".")
    found = _titles(last, kind).get(language, "")
    if not found or not groups:
        return found
    inside = " ".join(_titles(one, "").get(language) or _readable(one) for one in groups)
    return f"{inside}: {found}"


def doubt(channel: str, unit: str, kind: str) -> str:
    """Return what is unusual about a channel's unit or kind for its id, "" if nothing is."""
    last = channel.rpartition(".")[2]
    row = usual(last)
    usual_kind = row.get("kind", "")
    same = kind == usual_kind or kind.startswith((f"{usual_kind}.", f"{usual_kind}_"))
    if kind and usual_kind and not same:
        return f"a channel {last!r} is usually of kind {usual_kind}, not {kind}"
    usual_unit = row.get("unit") or kinds().get(usual_kind, {}).get("unit", "")
    here = unit or kinds().get(kind, {}).get("unit", "")
    known = units()
    if here in known and usual_unit in known and known[here]["base"] != known[usual_unit]["base"]:
        return f"a channel {last!r} is usually in {usual_unit}, not {here}"
    return ""


def usual(channel: str) -> dict[str, Any]:
    """Return the row that says what a well-known id measures (kind, or unit), {} if none does.

    Members of arrays, extremes and means measure what the id without them does.
    """
    row = _vocabulary().get(channel)
    if row is not None:
        return row
    for outer, inside, _ in _matches(channel):
        if outer.get("same"):
            found = usual(inside)
            if found:
                return found
    return {}


def ids() -> list[str]:
    """Return the well-known ids, patterns left out."""
    return [one for one in _vocabulary() if "*" not in one and "#" not in one]


def id_of(name: str) -> str:
    """Return the only well-known id with this title in Chinese or Japanese, "" if there is none."""
    found = _ids().get(name, set())
    return next(iter(found)) if len(found) == 1 else ""


@cache
def _ids() -> dict[str, set[str]]:
    """Ids by their titles in languages from whose letters no id can be made."""
    found: dict[str, set[str]] = {}
    for channel in ids():
        titles = _of_row(_vocabulary()[channel])
        for language in ("zh", "ja"):
            found.setdefault(titles[language], set()).add(channel)
    return found


@cache
def _vocabulary() -> dict[str, dict[str, Any]]:
    return rows("vocabulary.jsonl", "id")


@cache
def _patterns() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    """The rows with `*`, the most particular first."""
    found = [row for one, row in _vocabulary().items() if "*" in one]
    found.sort(key=lambda row: (-len(row["id"].strip("*#")), row["id"]))
    return [(_regex(row["id"]), row) for row in found]


def _regex(pattern: str) -> re.Pattern[str]:
    text = re.escape(pattern).replace(r"\*", "([a-z][a-z0-9_]*?)").replace(r"\#", "([0-9]+|#)")
    return re.compile(text)


def _matches(channel: str) -> Iterator[tuple[dict[str, Any], str, list[str]]]:
    """The patterns an id fits: row, the id inside, the numbers."""
    for regex, row in _patterns():
        found = regex.fullmatch(channel)
        if found:
            inside, *numbers = found.groups()
            yield row, inside, numbers


def _titles(channel: str, kind: str) -> dict[str, str]:
    """Titles by language: the kind's or the vocabulary's, with what the id adds to it."""
    row = _vocabulary().get(channel)
    of_kind = kinds().get(kind)
    if row is not None and of_kind is None:
        return _of_row(row)
    if row is None:
        for outer, inside, numbers in _matches(channel):
            if of_kind is not None and (not outer.get("same") or _says(kind, outer)):
                continue
            titles = _titles(inside, kind)
            if titles:
                return {one: _filled(outer[one], titles[one], numbers) for one in LANGUAGES}
    return {} if of_kind is None else {one: of_kind[one] for one in LANGUAGES}


def _says(kind: str, outer: dict[str, Any]) -> bool:
    # hydro.rain.rate_max is a maximum already, a gust is one by its nature.
    return kind.endswith((outer["id"].strip("*_#"), "gust")) and outer["id"] != "*_#"


def _of_row(row: dict[str, Any]) -> dict[str, str]:
    of_kind = kinds().get(row.get("kind", ""), {})
    return {one: row.get(one) or of_kind[one] for one in LANGUAGES}


def _filled(text: str, inside: str, numbers: list[str]) -> str:
    for number in numbers:
        text = text.replace("#", number, 1)
    if not text.startswith("*") and inside[:1].isascii() and inside[1:2].islower():
        inside = inside[0].lower() + inside[1:]
    return text.replace("*", inside)


def _readable(channel: str) -> str:
    words = channel.replace(".", ": ").replace("_", " ").strip()
    return re.sub(r"(?<=[a-z])(?=[0-9#])", " ", words[:1].upper() + words[1:])
