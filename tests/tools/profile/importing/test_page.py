"""The page about importing says what the importers do: its example, its headings, its factors."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.tools.profile.importing.drafts import profile
from tools.profile.importing import formats, terms

PAGE = Path(__file__).resolve().parents[4] / "docs" / "importing.md"
TEXT = PAGE.read_text()
ROWS = re.findall(r"^\| (\w+) \| ([^|]+) \| [^|]+ \|$", TEXT.split("## Register lists")[1], re.M)
HEADINGS = [
    (role, heading.strip())
    for role, told in ROWS
    if role in terms.HEADINGS
    for heading in told.split(",")
]


def fence(kind: str) -> str:
    found = re.search(rf"^```{kind}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    assert found
    return found.group(1)


def test_the_example_list_becomes_the_example_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("meter.csv").write_text(fence("csv"))
    (draft,) = formats.read(["meter.csv"], "auto", formats.Options())
    assert profile(draft) == fence("yaml")


@pytest.mark.parametrize(("role", "heading"), HEADINGS)
def test_the_headings_named_are_understood(role: str, heading: str) -> None:
    if heading.startswith("offset of"):
        heading = "value offset"
    assert terms.role(heading) == role


def test_every_column_has_its_row() -> None:
    told = {role for role, _ in ROWS}
    unsaid = {"multiplier", "range", "about"}  # a factor by another name, told, and remarks
    assert set(terms.HEADINGS) - unsaid <= told
    assert len(HEADINGS) > 40
