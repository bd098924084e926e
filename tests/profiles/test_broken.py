"""Profiles as people get them wrong, each beside the report that a check must print.

A name says which code the mistake has; `many-` has several. After a change of wording,

    python -m tests.profiles.test_broken

writes the reports anew: read every difference as the author of that profile would.
"""

from __future__ import annotations

import re
from pathlib import Path
from time import process_time

import pytest

from drivers.profile import schema
from tools.profile.proof import verify

FOLDER = Path(__file__).parent / "broken"
FILES = sorted(FOLDER.glob("*.yaml"))
FILES_MIN, MANY_MIN = 200, 10
HINTS_MIN = 0.8  # share of the files whose report says what to write instead
CPU_S_MAX = 0.5  # the budget of a check of 300 channels; these are small
_HINT = re.compile(r"\^ \S|; did you mean|: write |one of|(is|are) wanted")
_PLACE = re.compile(r"(.+)\.yaml:(\d+):(\d+): (error|warning) ([EW]\d{3}): (.+)")


def report(path: Path) -> str:
    """What `profile check` prints of a file."""
    checked, _ = verify.look(str(path))
    return checked.report.text().replace(f"{path}:", f"{path.name}:") + "\n"


def expected(path: Path) -> str:
    return path.with_suffix(".txt").read_text(encoding="utf-8")


def codes(path: Path) -> list[str]:
    heads = [_PLACE.fullmatch(line) for line in expected(path).splitlines()]
    return [head.group(5) for head in heads if head]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_broken_profile_is_reported_as_written_beside_it(path: Path) -> None:
    started = process_time()
    assert report(path) == expected(path)
    assert process_time() - started < CPU_S_MAX


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_report_names_the_mistake_and_points_into_the_file(path: Path) -> None:
    source = path.read_text(encoding="utf-8", errors="replace").splitlines()
    shown = expected(path).splitlines()
    found = codes(path)
    assert found
    assert path.stem.startswith("many-") or path.stem[:4] in found
    assert not path.stem.startswith("many-") or len(found) >= 3
    for index, line in enumerate(shown):
        head = _PLACE.fullmatch(line)
        if head is None:
            continue
        number, column = int(head.group(2)), int(head.group(3))
        assert 1 <= number <= len(source)
        if head.group(5) == verify.UNREADABLE:
            continue
        assert source[number - 1][column - 1 : column].strip() or head.group(5) == "E002"
        assert shown[index + 1].startswith(f"{number:5} | ")
        assert "^" in shown[index + 2]


def test_one_mistake_is_one_problem() -> None:
    single = [path for path in FILES if not path.stem.startswith("many-")]
    alone = [path for path in single if len(set(codes(path))) == 1]
    assert len(alone) / len(single) > 0.9, sorted(set(single) - set(alone))


def test_corpus_is_large_and_holds_every_code() -> None:
    held = {code for path in FILES for code in codes(path)}
    assert held == set(schema.CODES)
    assert len(FILES) >= FILES_MIN
    assert len([path for path in FILES if path.stem.startswith("many-")]) >= MANY_MIN
    assert {path.stem for path in FOLDER.glob("*.txt")} == {path.stem for path in FILES}


def test_most_reports_say_what_to_write_instead() -> None:
    hinted = [path for path in FILES if _HINT.search(expected(path))]
    assert len(hinted) / len(FILES) >= HINTS_MIN


def main() -> None:
    """Write the reports anew."""
    for path in FILES:
        path.with_suffix(".txt").write_text(report(path), encoding="utf-8")
    print(len(FILES), "reports written")


if __name__ == "__main__":
    main()
