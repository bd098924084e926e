"""What every importer's tests ask of a draft: it checks, and its bytes mean what they should."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.profile.check_cpython import check_text
from tools.profile.importing import formats, write
from tools.profile.proof import tester

if TYPE_CHECKING:
    from tools.profile.importing.draft import Draft


def profile(draft: Draft) -> str:
    """Return the draft's text, which must have exactly one error: it has no tests."""
    text, problems = formats.finished(draft)
    assert not problems, problems
    errors = [one for one in check_text(text, "draft").report.problems if one.severity == "error"]
    assert [(one.code, text.splitlines()[one.line - 1]) for one in errors] == [("E060", write.TODO)]
    return text


def proves(draft: Draft, tests: str) -> str:
    """Put `tests` into the draft; they must hold and nothing may be an error."""
    text = profile(draft).replace(write.TODO, tests.rstrip("\n"))
    checked = check_text(text, "draft")
    outcome = tester.run(checked)
    assert checked.report.errors == 0, f"{text}\n{checked.report.text()}"
    assert outcome.tests > 0
    assert outcome.failed == 0
    return text


def lost(draft: Draft) -> list[tuple[int, str, str]]:
    """Return what is lost as (line, what, reason), in the order of the source."""
    return sorted((one.line, one.what, one.reason) for one in draft.losses)
