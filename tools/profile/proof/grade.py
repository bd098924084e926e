"""The grade of a profile: bronze, silver or gold, computed from what is in it, never claimed.

Knows what a grade asks for; finds nothing wrong itself, that is the checker's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivers.profile.vocabulary_cpython import translated
from gateway.core.source_cpython import MAP, SCALAR

if TYPE_CHECKING:
    from collections.abc import Iterable

    from drivers.profile.cases_cpython import Case
    from drivers.profile.check_cpython import Checked
    from drivers.profile.draft_cpython import Draft
    from drivers.profile.vocabulary_cpython import Own

NONE, BRONZE, SILVER, GOLD = "none", "bronze", "silver", "gold"
GRADES = (NONE, BRONZE, SILVER, GOLD)
LANGUAGES = ("en", "zh")  # what a title must be given in
_NAMED_MAX = 3  # channels a sentence names; a profile may have hundreds

# Buses whose telegrams name what they hold, so that a value is never taken for another.
_TELLING_BUSES = ("dlt645", "cjt188", "iec62056", "mbus")
_MARKS = ("start", "bytes", "end", "check")


@dataclass(frozen=True, slots=True)
class Grade:
    """What a profile has reached, and what it lacks for the next grade, a sentence each."""

    name: str
    lacking: list[str]

    @property
    def following(self) -> str:
        """The next grade, "" after gold."""
        return "" if self.name == GOLD else GRADES[GRADES.index(self.name) + 1]

    def text(self) -> str:
        """Return the grade and what is lacking, as a person reads it."""
        if not self.following:
            return self.name
        name = "–" if self.name == NONE else self.name
        return f"{name}; {self.following} lacks: {'; '.join(self.lacking)}"


def grade(checked: Checked) -> Grade:
    """Return the grade of a profile that was checked, and whose tests have run.

    A test that does not hold has put an error into the report.
    """
    asked = ((BRONZE, _for_bronze), (SILVER, _for_silver), (GOLD, _for_gold))
    reached = NONE
    for name, lacking in asked:
        found = lacking(checked)
        if found:
            return Grade(reached, found)
        reached = name
    return Grade(reached, [])


def written_titles(drafts: Iterable[Draft]) -> dict[str, Own]:
    """Return the title the profile gives each folded id, for one language or all.

    Of alternatives the first that has one names them all.
    """
    found: dict[str, Own] = {}
    for draft in drafts:
        node = draft.node.get("title")
        if node is not None and draft.folded not in found:
            texts = {key.text: value.text for key, value in node.pairs}
            found[draft.folded] = texts if node.kind == MAP else node.text
    return found


def _for_bronze(checked: Checked) -> list[str]:
    lacking = []
    errors = checked.report.errors  # those of the tests, too
    if errors:
        lacking.append("an error to mend" if errors == 1 else f"{errors} errors to mend")
    untested = [one for one in checked.report.problems if one.code == "W060"]
    lacking += _listed([one.message for one in untested])
    if not _written(checked, "docs"):
        lacking.append("'docs' does not say where the manual is")
    return lacking


def _for_silver(checked: Checked) -> list[str]:
    lacking = []
    warnings = checked.report.warnings
    if warnings:
        lacking.append("a warning to mend" if warnings == 1 else f"{warnings} warnings to mend")
    if not _recognisable(checked):
        lacking.append("'identify' does not say how to tell this device from another")
    if not any(_shows_no_value(case) for case in checked.cases):
        lacking.append("no test shows a missing value (null) or a rejected frame (gives: nothing)")
    if _written(checked, "verified") not in ("manual", "captured"):
        lacking.append("'verified' is neither manual nor captured")
    titles = written_titles(checked.drafts)
    visible = [one for one in checked.drafts if not one.row.get("hidden")]
    bare = {one.folded: _untitled(one, titles.get(one.folded)) for one in visible}
    named = [f"channel {name!r} has no title in {langs}" for name, langs in bare.items() if langs]
    return lacking + _listed(named)


def _for_gold(checked: Checked) -> list[str]:
    lacking = []
    if _written(checked, "verified") != "captured":
        lacking.append("'verified' is not captured: no frames of a real device")
    if not any(case.received for case in checked.cases):
        lacking.append("no test holds a frame as on the wire")
    return lacking


def _written(checked: Checked, key: str) -> str:
    node = checked.root.get(key) if checked.root else None
    return node.text if node else ""


def _recognisable(checked: Checked) -> bool:
    document = checked.document or {}
    if document.get("identify") or document.get("bus") in _TELLING_BUSES or document.get("ble"):
        return True
    messages = document.get("messages", [])
    return bool(messages) and all(any(mark in one for mark in _MARKS) for one in messages)


def _shows_no_value(case: Case) -> bool:
    nulls = [node for node in case.gives.values() if node.kind == SCALAR and node.value is None]
    return case.gives_nothing or bool(nulls)


def _untitled(draft: Draft, own: Own) -> str:
    kind = draft.row.get("kind", "")
    missing = [lang for lang in LANGUAGES if not translated(draft.folded, kind, own, lang)]
    return " and ".join(missing)


def _listed(sentences: list[str]) -> list[str]:
    more = len(sentences) - _NAMED_MAX
    return sentences[:_NAMED_MAX] + ([f"and {more} more like this"] if more > 0 else [])
