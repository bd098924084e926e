"""`tidegate bench profile`: what it measures is what it says."""

from __future__ import annotations

import time

from drivers.profile.check_cpython import check_text
from drivers.profile.model import load
from gateway.core import cbor
from tools.bench import profile
from tools.profile.proof import tester


def test_bench_checks_a_profile_of_three_hundred_channels_within_its_budget() -> None:
    started = time.process_time()
    checked = check_text(profile._wide(profile.CHANNELS), "wide")
    outcome = tester.run(checked)
    spent_ms = (time.process_time() - started) * 1000
    assert checked.report.errors == 0, checked.report.text()
    assert len(load(cbor.encode(checked.document)).channels) == 300
    assert (outcome.tests, outcome.failed, outcome.compared) == (1, 0, 15)
    assert spent_ms < 4 * profile.CHECK_MS_MAX  # a busy machine is no reason to fail


def test_bench_names_the_largest_and_the_median() -> None:
    median, largest = profile._spread("compiled", {"a/b": 5, "c/d": 9, "e/f": 6})
    assert (median["figure"], median["value"]) == ("compiled, median", 6)
    assert (largest["figure"], largest["value"]) == ("compiled, largest: c/d", 9)
    assert profile._spread("heap", {}) == []
