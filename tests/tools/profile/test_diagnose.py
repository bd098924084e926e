"""One mistake in a profile is named by the hint under the test that does not hold."""

from __future__ import annotations

import random

import pytest

from drivers.profile.check_cpython import check_text
from drivers.profile.compile_cpython import find
from tools.bench.mutants import KINDS, NAMED, TEST, TRY, UNNOTICED, Tally, count
from tools.bench.mutate import mutants
from tools.profile.proof import tester

METER = """name: Meter
modbus: {{in: input, type: f32}}
channels:
  voltage: {{at: {at}, order: {order}, type: {type}, scale: {scale}, unit: V}}
  next: {{at: 4}}
tests:
  - input: {{1: 0000 4366 3334 0000 3F80 0000}}
    gives: {{voltage: 230.2{next}}}
"""
RIGHT = {"at": 2, "order": "ABCD", "type": "f32", "scale": 1, "next": ""}


def hints(text: str) -> list[str]:
    checked = check_text(text, "meter.yaml")
    assert checked.document is not None, checked.report.text()
    tester.run(checked)
    return [problem.hint for problem in checked.report.problems if problem.code == "E063"]


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ({"at": 3}, "at 2 instead of 3 it would be 230.2, as the test says"),
        ({"at": 1}, "at 2 instead of 1 it would be 230.2, as the test says"),
        ({"order": "CDAB"}, "with order ABCD instead of CDAB it would be 230.2, as the test says"),
        ({"order": "BADC"}, "with order ABCD instead of BADC it would be 230.2, as the test says"),
        ({"scale": 100}, "with scale 1 instead of 100 it would be 230.2, as the test says"),
        ({"scale": 0.1}, "with scale 1 instead of 0.1 it would be 230.2, as the test says"),
        ({"type": "s32"}, "as f32 instead of s32 it would be 230.2, as the test says"),
        (
            {"at": 3, "order": "CDAB"},
            "at 2 instead of 3 and with order ABCD instead of CDAB it would be 230.2, "
            "as the test says",
        ),
        (
            {"type": "u32", "order": "DCBA"},
            "with order ABCD instead of DCBA and as f32 instead of u32 it would be 230.2, "
            "as the test says",
        ),
    ],
)
def test_diagnosis_names_the_mistake(wrong: dict[str, object], hint: str) -> None:
    assert hints(METER.format(**RIGHT)) == []
    assert hints(METER.format(**{**RIGHT, **wrong})) == [hint]


def test_diagnosis_is_silent_where_nothing_explains_the_value() -> None:
    assert hints(METER.format(**RIGHT).replace("230.2", "17.3")) == [""]


def test_diagnosis_never_mends_one_test_by_spoiling_another() -> None:
    # Ten times too large in the first test only: a mistyped test, not a wrong scale.
    text = METER.format(**RIGHT).replace("voltage: 230.2", "voltage: 2302")
    text += "  - input: {2: 4366 3334}\n    gives: {voltage: 230.2}\n"
    assert hints(text) == [""]


def test_diagnosis_counts_as_the_profile_does() -> None:
    text = """name: P
modbus: {base: 40001}
channels: {a: {at: 40003}, b: {at: 40012}}
tests:
  - holding: {40002: 0007 0009, 40012: "0001"}
    gives: {a: 7, b: 1}
"""
    assert hints(text) == ["at 40002 instead of 40003 it would be 7, as the test says"]


def test_diagnosis_speaks_of_a_register_where_a_group_holds_the_address() -> None:
    text = """name: P
modbus: {}
channels: {"zone[1..2]": {at: 10, step: 4, channels: {t: {at: 1}}}}
tests:
  - holding: {10: 0007 0009 0000 0000 0008 0005}
    gives: {zone1.t: 7, zone2.t: 8}
"""
    wanted = "one register earlier it would be {}, as the test says"
    assert hints(text) == [wanted.format(7), wanted.format(8)]


def test_diagnosis_finds_the_mistake_in_what_a_value_is_computed_from() -> None:
    text = """name: P
modbus: {}
channels:
  level: {at: 0, calc: x / 10 ** decimals}
  decimals: {at: 3, hidden: true}
tests:
  - holding: {0: 0457 0000 0002 0003}
    gives: {level: 11.11}
"""
    (hint,) = hints(text)
    assert "with 'decimals' at 2 instead of 3" in hint


def test_diagnosis_prefers_the_cause_that_leaves_no_two_channels_in_one_register() -> None:
    text = """name: P
modbus: {}
channels: {a: {at: 1}, b: {at: 3, type: u32}}
tests:
  - holding: {0: 0000 0001 0000 0499 0000}
    gives: {a: 1, b: 1177}
"""
    # In words b would be as well 1177 with order CDAB.
    assert hints(text)[0].startswith("with order CDAB instead of ABCD, or at 2 instead of 3")
    overlap = text.replace("a: {at: 1}", "a: {at: 1}, c: {at: 4}")
    assert hints(overlap)[0].startswith("at 2 instead of 3")


def test_diagnosis_trusts_the_order_that_other_channels_prove() -> None:
    text = """name: P
modbus: {type: u32}
channels: {a: {at: 0}, b: {at: 3}}
tests:
  - holding: {0: 0000 0001 0000 0499 0000}
    gives: {a: 1, b: 1177}
"""
    assert hints(text)[0].startswith("at 2 instead of 3, or")


def test_diagnosis_of_a_write_names_the_address() -> None:
    text = """name: P
modbus: {}
channels: {relay: {at: 4, write: only}}
tests:
  - write: {relay: 1}
    sends: 01 06 0003 0001 B80A
"""
    assert hints(text) == ["at 3 instead of 4 it would send what the test says"]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (
            "serial: {length: 6, type: u16}\nchannels: {a: {at: 3}}\n"
            "tests: [{received: 55 03 E6 01 02 07, gives: {a: 998}}]\n",
            "at 1 instead of 3",
        ),
        (
            "serial: {length: 6, type: u16}\nchannels: {a: {at: 2}}\n"
            "tests: [{received: 55 03 E6 01 02 07, gives: {a: 998}}]\n",
            "at 1 instead of 2 it would be 998, as the test says",
        ),
        (
            "serial: {length: 6, type: u16, order: DCBA}\nchannels: {a: {at: 1}}\n"
            "tests: [{received: 55 03 E6 01 02 07, gives: {a: 998}}]\n",
            "with order ABCD instead of DCBA it would be 998, as the test says",
        ),
        (
            'serial: {as: text, split: ","}\nchannels: {a: {at: 1}}\n'
            'tests: [{received: "7,8,9\\n", gives: {a: 9}}]\n',
            "at 2 instead of 1 it would be 9, as the test says",
        ),
        (
            'serial: {as: text, split: ","}\nchannels: {a: {at: -1, scale: 0.1}}\n'
            'tests: [{received: "7,8,9\\n", gives: {a: 9}}]\n',
            "with scale 1 instead of 0.1 it would be 9, as the test says",
        ),
    ],
)
def test_diagnosis_knows_bytes_and_columns_of_frames(text: str, hint: str) -> None:
    found = hints("name: P\n" + text)
    assert found == ([""] if hint == "at 1 instead of 3" else [hint])  # two off is no slip


SAMPLE = ("eastron/sdm630", "keller/36xw", "solaredge/se-three-phase", "plantower/pms5003")


def test_mutants_are_sound_yaml_with_one_definition_changed() -> None:
    chance = random.Random(7)
    seen = dict.fromkeys(KINDS, 0)
    for name in SAMPLE:
        text = find(name).read_text()
        whole = check_text(text, name)
        assert whole.document is not None
        found = list(mutants(text))
        for mutant in chance.sample(found, min(30, len(found))):
            checked = check_text(mutant.text, name)
            assert checked.document is not None, checked.report.text()
            pairs = zip(whole.document["channels"], checked.document["channels"], strict=True)
            differing = [row for row, (one, other) in enumerate(pairs) if one != other]
            assert differing == [mutant.row]
            seen[mutant.kind] += 1
    assert min(seen.values()) >= 10


def test_of_the_mistakes_in_a_sample_nine_tenths_are_named_by_test_and_by_try() -> None:
    tally = Tally()
    for name in SAMPLE:
        count(find(name).read_text(), tally, per_kind=10, seed=3)
    assert tally.profiles == len(SAMPLE)
    assert tally.total(TEST) >= 80
    assert tally.total(TRY) >= 60
    for tool in (TEST, TRY):
        noticed = tally.total(tool) - tally.total(tool, outcome=UNNOTICED)
        assert tally.total(tool, outcome=NAMED) >= 0.9 * noticed, tally.counts
