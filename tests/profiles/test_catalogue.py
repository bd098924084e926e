"""Every profile we ship: clean, tested, the same on both Pythons."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import cbor2
import pytest

from drivers.profile.check_cpython import Checked, check_text
from drivers.profile.model import Image, load
from gateway.core import cbor
from tests.test_portable import run as run_micropython
from tools.profile.proof import tester
from tools.profile.proof.exchange import picture

PROFILES = Path(__file__).resolve().parents[2] / "profiles"
FILES = sorted(PROFILES.rglob("*.yaml"))
BATCH = 16
PROFILES_MIN, TESTS_MIN, VALUES_MIN = 300, 950, 4500


def name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def checked(path: Path) -> Checked:
    return check_text(path.read_text(encoding="utf-8"), name(path))


def document(path: Path) -> bytes:
    found = checked(path)
    assert found.document is not None, found.report.text()
    return cbor.encode(found.document)


@pytest.mark.parametrize("path", FILES, ids=name)
def test_profile_is_clean_and_its_tests_pass(path: Path) -> None:
    found = checked(path)
    outcome = tester.run(found)
    assert found.report.errors == 0, found.report.text()
    untested = [one.message for one in found.report.problems if one.code == "W060"]
    assert untested == []
    assert outcome.tests >= 1
    assert outcome.compared >= outcome.tests


def test_catalogue_is_as_large_as_it_was() -> None:
    tests = values = 0
    for path in FILES:
        outcome = tester.run(checked(path))
        tests += outcome.tests
        values += outcome.compared
    assert len(FILES) >= PROFILES_MIN
    assert tests >= TESTS_MIN
    assert values >= VALUES_MIN


@pytest.mark.parametrize("path", FILES, ids=name)
def test_profile_has_one_compiled_form(path: Path) -> None:
    data = document(path)
    assert cbor.encode(cbor.decode(data)) == data
    assert cbor2.dumps(cbor2.loads(data), canonical=True) == data
    assert load(data).digest == load(document(path)).digest
    assert len(data) < 16_384


def test_profiles_say_where_their_bytes_come_from() -> None:
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert re.search(r"^# Source: .", text, re.MULTILINE), name(path)
        assert re.search(r"^verified: (manual|captured|none)$", text, re.MULTILINE), name(path)


def test_no_two_profiles_have_the_same_identity() -> None:
    digests = {load(document(path)).digest for path in FILES}
    assert len(digests) == len(FILES)


@pytest.mark.parametrize("first", range(0, len(FILES), BATCH))
def test_profiles_decode_the_same_under_micropython(first: int, tmp_path: Path) -> None:
    # A few on each board, the largest first: a board has one, and a heap that is in one piece.
    files = sorted(FILES[first : first + BATCH], key=lambda path: -len(document(path)))
    tests = 0
    for number, path in enumerate(files):
        rows = _expected(checked(path))
        data = cbor.encode([document(path), [cbor.encode(row) for row in rows]])
        (tmp_path / f"{number:02}.cbor").write_bytes(data)
        tests += len(rows)
    ran = run_micropython("-X", "heapsize=256K", "tests/profiles/replay.py", str(tmp_path))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.split() == [str(len(files)), "profiles,", str(tests), "tests", "the", "same"]
    assert tests >= len(files) // 2


def _expected(found: Checked) -> list[Any]:
    """What each test's bytes give here: [settings, bytes, columns, failures, readings, known]."""
    assert found.document is not None
    profile = load(cbor.encode(found.document))
    rows = []
    for case in found.cases:
        image = picture(case, profile, found.report)
        if case.write or image is None:
            continue
        known: dict[str, Any] = {}
        readings = profile.device(case.settings).decode(image, known)
        rows.append([case.settings, *_contents(image), [list(one) for one in readings], known])
    return rows


def _contents(image: Image) -> tuple[list[Any], dict[str, list[str]], list[Any]]:
    chunks = [[table, *one] for table, held in image._chunks.items() for one in held]
    return chunks, image._columns, [list(one) for one in image._failed]
