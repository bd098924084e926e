"""What a channel is called in English, Chinese and Japanese: the profile's own title first, then
the registry of well-known ids, then that of kinds. Knows those files; knows no profile.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING

from drivers.profile import units_cpython
from gateway.core.source_cpython import MAP, Node

if TYPE_CHECKING:
    from typing import TypeAlias

    from drivers.profile.channel_cpython import Draft

    Titles: TypeAlias = "dict[str, str]"  # language to text

LANGUAGES = ("en", "zh", "ja")
_VOCABULARY = "vocabulary.jsonl"


def of_draft(draft: Draft) -> Titles:
    """Return the titles of a channel as written; # stands where the suffix of its array goes."""
    own = of_node(draft.node.get("title"))
    name = draft.folded.rpartition(".")[2]
    return _of_kind(draft.row.get("kind", "")) | of_id(name) | own


def of_node(node: Node | None) -> Titles:
    """Return what stands under a key `title` or `name`: a text is English."""
    if node is None:
        return {}
    if node.kind == MAP:
        return {key.text: value.text for key, value in node.pairs if key.text in LANGUAGES}
    return {"en": node.text}


def of_id(name: str) -> Titles:
    """Return the titles of a well-known channel id, {} if it is none."""
    exact = _vocabulary().get(name)
    if exact is not None or "#" in name:
        return exact or {}
    for pattern, titles in _patterns():
        found = pattern.fullmatch(name)
        if found:
            suffix = found.group(1)
            return {lang: text.replace("#", suffix) for lang, text in titles.items()}
    return {}


def told(titles: Titles, lang: str, name: str) -> str:
    """Return the title in a language, else in English, else what the id says."""
    found = titles.get(lang) or titles.get("en")
    return found or name.rpartition(".")[2].replace("_", " ").strip().capitalize()


def _of_kind(kind: str) -> Titles:
    return _languages(units_cpython.kinds().get(kind, {}))


def _languages(row: dict[str, str]) -> Titles:
    return {lang: row[lang] for lang in LANGUAGES if row.get(lang)}


@cache
def _vocabulary() -> dict[str, Titles]:
    path = units_cpython.PROFILES / _VOCABULARY
    if not path.is_file():
        return {}
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    return {row["id"]: _languages(row) for row in rows}


@cache
def _patterns() -> list[tuple[re.Pattern[str], Titles]]:
    folded = sorted(name for name in _vocabulary() if "#" in name)
    return [(_pattern(name), _vocabulary()[name]) for name in folded]


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(re.escape(name).replace(r"\#", "([0-9a-z_]+)", 1))
