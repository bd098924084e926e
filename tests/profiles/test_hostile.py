"""Files made to hurt are refused at once: little time, little memory, no traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from time import process_time
from typing import TYPE_CHECKING

import pytest

from drivers.profile.check_cpython import check_text
from drivers.profile.names_cpython import HINTS_MAX
from tests.house.rules import ROOT
from tests.profiles.hostile import COMPILED, SOURCES, alike, lines, listed
from tools.profile.proof import tester

if TYPE_CHECKING:
    from typing import Any

CPU_MS_MAX = 100
KIB_MAX = 16 * 1024
SLACK = 5  # a busy machine, or a slow one
CASES = [f"source: {name}" for name in SOURCES] + [f"compiled: {name}" for name in COMPILED]
CASES_MIN = 150


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    """What reading costs, by name; in a process of its own, whose memory is bounded."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.profiles.hostile"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


@pytest.mark.parametrize("name", CASES)
def test_hostile_file_is_refused_at_little_cost(name: str, measured: dict[str, Any]) -> None:
    refused, cpu_ms, kib = measured["cases"][name]
    assert refused
    assert cpu_ms <= CPU_MS_MAX * SLACK
    assert kib <= KIB_MAX


def test_all_hostile_files_together_leave_the_process_small(measured: dict[str, Any]) -> None:
    assert len(measured["cases"]) == len(CASES) >= CASES_MIN
    assert measured["resident_kib"] <= 128 * 1024
    typical = sorted(cpu_ms for _, cpu_ms, _ in measured["cases"].values())[len(CASES) // 2]
    assert typical <= CPU_MS_MAX


def test_causes_of_tests_that_all_fail_are_sought_for_a_moment_only() -> None:
    rows = lines("  c{0}_[1..30]: {{at: {0}, type: f32}}", 17) + "  a: {at: 0, type: f32}\n"
    words = "42F6" * 120
    wrong = lines(f"  - {{{{holding: {{{{0: '{words}'}}}}, gives: {{{{c{{0}}_1: 7}}}}}}}}", 17)
    checked = check_text(listed(rows) + wrong, "a.yaml")
    started = process_time()
    outcome = tester.run(checked)
    assert process_time() - started < 2 * SLACK
    assert outcome.failed == 18


def test_a_slip_among_hundreds_of_names_alike_is_still_known_and_only_the_first_are_told() -> None:
    slips = ", ".join(f"channel_of_a_long_name_{i}_abdcef: 1" for i in (7, 42, *range(100, 140)))
    text = alike(500, "at: {0}").replace("{a: 1}", f"{{{slips}}}")
    hints = [one.hint for one in check_text(text, "x").report.problems if one.code == "E061"]
    assert hints[:2] == [f"did you mean 'channel_of_a_long_name_{i}_abcdef'?" for i in (7, 42)]
    assert len([one for one in hints if one]) == HINTS_MAX < len(hints)
