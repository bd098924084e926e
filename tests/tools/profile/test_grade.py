"""Grades of profiles: each step up asks for one thing more, and says which."""

from __future__ import annotations

import pytest

from drivers.profile.check_cpython import check_text
from tools.profile.proof import tester
from tools.profile.proof.grade import Grade, grade

GOLD = """\
name: Probe
docs: https://maker.example/probe.pdf
verified: captured
modbus: {}
identify: a < 1000
channels:
  a: {at: 1, kind: wq.temperature, unit: °C, none: 0xFFFF}
tests:
  - sent:     01 03 0001 0001 D5CA
    received: 01 03 02 00FF F804
    gives: {a: 255}
  - holding: {1: FFFF}
    gives: {a: null}
"""
SENT = "sent:     01 03 0001 0001 D5CA\n    received: 01 03 02 00FF F804"


def graded(text: str) -> Grade:
    checked = check_text(text, "probe.yaml")
    tester.run(checked)
    return grade(checked)


def test_grade_gold_lacks_nothing() -> None:
    found = graded(GOLD)
    assert (found.name, found.lacking, found.following) == ("gold", [], "")
    assert found.text() == "gold"


STEPS = (
    ("a: 255", "a: 254", "none", "an error to mend"),
    ("docs: https://maker.example/probe.pdf\n", "", "none", "'docs' does not say"),
    ("  a: {", "  b: {at: 2, kind: wq.ph}\n  a: {", "none", "no test touches channel 'b'"),
    ("identify: a < 1000\n", "", "bronze", "'identify' does not say"),
    ("a: null", "a: null}\n  - holding: {1: '0001'}\n    gives: {a: 1", "gold", ""),
    ("  - holding: {1: FFFF}\n    gives: {a: null}\n", "", "bronze", "no test shows a missing"),
    ("verified: captured", "verified: none", "bronze", "'verified' is neither manual nor captured"),
    ("kind: wq.temperature, ", "", "bronze", "channel 'a' has no title in en and zh"),
    ("kind: wq.temperature", "title: A", "bronze", "channel 'a' has no title in zh"),
    ("verified: captured", "kind: probe\nverified: captured", "bronze", "a warning to mend"),
    ("verified: captured", "verified: manual", "silver", "'verified' is not captured"),
    (SENT, "holding: {1: 00FF}", "silver", "no test holds a frame as on the wire"),
)


def test_grade_takes_the_title_of_one_alternative_for_all() -> None:
    titled, bare = "{at: 1, none: 0xFFFF, if: m == 0, title: {en: A, zh: B}}", "{at: 2}"
    for ways in ((titled, bare), (bare.replace("2", "2, if: m == 1"), titled)):
        text = GOLD.replace(
            "{at: 1, kind: wq.temperature, unit: °C, none: 0xFFFF}", f"[{', '.join(ways)}]"
        )
        text = text.replace("tests:", "  m: {at: 3, hidden: true}\ntests:")
        text = text.replace("  - sent", "  - holding: {3: '0000'}\n    sent")
        found = graded(text.replace("{1: FFFF}", "{1: FFFF 0001 0000}"))
        assert (found.name, found.lacking) == ("gold", [])


@pytest.mark.parametrize(("old", "new", "name", "lacking"), STEPS, ids=[one[3] for one in STEPS])
def test_grade_tells_what_the_next_one_lacks(old: str, new: str, name: str, lacking: str) -> None:
    text = GOLD.replace(old, new)
    assert text != GOLD
    found = graded(text)
    assert found.name == name
    assert lacking in "; ".join(found.lacking)
    if found.following:
        assert len(found.lacking) == 1
        assert found.text().endswith(f"{found.following} lacks: {found.lacking[0]}")


def test_grade_takes_a_frame_that_must_be_rejected_for_a_missing_value() -> None:
    text = GOLD.replace("holding: {1: FFFF}", SENT.replace("F804", "F805"))
    assert graded(text.replace("gives: {a: null}", "gives: nothing")).name == "gold"


def test_grade_names_three_channels_and_counts_the_rest() -> None:
    more = "".join(f"  b{number}: {{at: {number}}}\n" for number in range(10, 16))
    found = graded(GOLD.replace("tests:", f"{more}tests:"))
    assert len(found.lacking) == 4
    assert found.lacking[-1] == "and 3 more like this"


def test_grade_of_hidden_channels_asks_nothing() -> None:
    text = GOLD.replace("tests:", "  h: {at: 9, hidden: true}\ntests:")
    assert graded(text).name == "gold"


def test_grade_of_what_is_no_profile_is_none() -> None:
    assert graded("a list").name == "none"
    assert graded("name: X").text().startswith("–; bronze lacks: ")
