"""The tests inside a profile: what passes, what fails, and that each kind of test can fail."""

from __future__ import annotations

import pytest

from drivers.profile.check_cpython import check_text
from tools.profile.proof import tester

RELAY = """\
name: Relay
modbus: {in: coil, base: 0}
settings: {probes: {default: 1, min: 1, max: 4}}
channels:
  relay_[1..8]: {at: 0, write: true}
  input_[1..8]: {in: discrete, at: 0}
  level: {in: holding, at: 4, type: s16, scale: 0.1, unit: kPa, kind: util.water.pressure,
    write: {min: -10, max: 100, with: 16}}
  second: {in: holding, at: 5, if: probes >= 2}
  status: {in: input, at: 9, flags: {0: low, 3: door}, hidden: true}
  name: {in: input, at: 20, type: str4}
  mode: {in: holding, at: 30, map: {0: idle, 1: busy}, write: only}
tests:
"""

ASKED, ANSWERED = "01 01 0000 0008 3DCC", "01 01 01 81 91E8"
BOTH = "gives: {relay_8: true, status: [low]}"
STATUS_ASKED, STATUS_ANSWERED = "01 04 0009 0001 E1C8", "01 04 02 0001 78F0"

PASSING = [
    f"{{sent: {ASKED}, received: {ANSWERED}, gives: {{relay_1: true, relay_2: false}}}}",
    f"{{sent: [{ASKED}, {STATUS_ASKED}], received: [{ANSWERED}, {STATUS_ANSWERED}], {BOTH}}}",
    "{write: {relay_1: true}, sends: 01 05 0000 FF00 8C3A}",
    "{write: {mode: busy}, sends: 01 06 001E 0001 280C}",
    "{write: {level: 12.3}, sends: 05 10 0004 0001 02 007B D537}",
    "{discrete: {0: '10000001'}, gives: {input_1: true, input_8: true, input_2: false}}",
    "{holding: {4: FF9C}, gives: {level: -10.0}}",
    "{holding: {4: FF9C}, gives: {level: -10.000001}}",
    "{holding: {5: '0007'}, settings: {probes: 2}, gives: {second: 7}}",
    "{holding: {5: '0007'}, gives: {second: null}}",
    "{input: {9: '0009', 20: 4142 4344}, gives: {status: [door, low], name: ABCD}}",
    "{input: {9: '0000'}, gives: {status: []}}",
    "{sent: 01 04 0009 0001 E1C8, received: 01 84 02 C2C1, gives: {status: null}}",
    "{sent: 01 01 0000 0008 3DCC, received: 01 01 01 81 91E9, gives: nothing}",
    "{sent: 01 01 0000 0008 3DCC, received: 02 01 01 81 91AC, gives: nothing}",
]

FAILING = [
    ("{sent: 01 01 0000 0008 3DCC, received: 01 01 01 81 91E9, gives: {relay_1: true}}", "91E8"),
    ("{sent: 01 01 0000 0008 CC3D, received: 01 01 01 81 91E8, gives: {relay_1: true}}", "3DCC"),
    ("{sent: 01 01 0000 0008 3DCC, received: 02 01 01 81 91AC, gives: {relay_1: true}}", "asked"),
    ("{sent: 01 01 0000 0008 3DCC, received: 01 02 01 81 61E8, gives: {relay_1: true}}", "answer"),
    (
        "{sent: 01 05 0000 FF00 8C3A, received: 01 05 0000 FF00 8C3A, gives: {relay_1: true}}",
        "read",
    ),
    ("{sent: 01 01 0000 0008 3DCC, received: 01 01 01 81 91E8, gives: nothing}", "relay_1"),
    ("{sent: '01 01', received: '01 01', gives: {relay_1: true}}", "no frame"),
    ("{write: {relay_1: false}, sends: 01 05 0000 FF00 8C3A}", "010500000000CDCA"),
    ("{write: {relay_1: true}, sends: 01 05 0000 FF00 3A8C}", "8C3A"),
    ("{write: {relay_1: 7}, sends: 01 05 0000 FF00 8C3A}", "does not fit"),
    ("{write: {relay_1: true}, sends: [01 05 0000 FF00 8C3A, 01 05 0000 FF00 8C3A]}", "1 request"),
    ("{write: {input_1: true}, sends: 01 05 0000 FF00 8C3A}", "read-only"),
    ("{write: {level: 101}, sends: 01 05 0000 FF00 8C3A}", "outside -10..100"),
    ("{write: {mode: lazy}, sends: 01 05 0000 FF00 8C3A}", "idle, busy"),
    ("{holding: {4: FF9C}, gives: {level: -10.001}}", "level is -10, the test says -10.001"),
    ("{holding: {4: FF9C}, gives: {level: true}}", "level is -10"),
    ("{holding: {4: FF9C}, gives: {level: '-10'}}", "level is -10"),
    ("{holding: {4: FF9C}, gives: {level: null}}", "level is -10"),
    ("{holding: {3: FF9C}, gives: {level: -10}}", "without a value"),
    ("{coil: {0: '1'}, gives: {relay_1: 1}}", "relay_1 is true"),
    ("{input: {9: '0009'}, gives: {status: [low]}}", "low,door"),
    ("{input: {20: 4142 4344}, gives: {name: ABC}}", "'ABCD'"),
    ("{holding: {5: '0007'}, settings: {probes: 9}, gives: {second: 7}}", "outside 1..4"),
]


@pytest.mark.parametrize("test", PASSING)
def test_case_passes(test: str) -> None:
    checked = check_text(f"{RELAY}  - {test}\n", "a.yaml")
    outcome = tester.run(checked)
    assert checked.report.errors == 0, checked.report.text()
    assert (outcome.tests, outcome.failed) == (1, 0)
    assert outcome.compared >= 1


@pytest.mark.parametrize(("test", "said"), FAILING)
def test_case_fails_and_says_why(test: str, said: str) -> None:
    checked = check_text(f"{RELAY}  - {test}\n", "a.yaml")
    assert checked.report.errors == 0, checked.report.text()
    outcome = tester.run(checked)
    assert (outcome.tests, outcome.failed) == (1, 1)
    assert said in checked.report.text(), checked.report.text()


def test_every_flipped_bit_of_an_answer_makes_the_test_fail() -> None:
    answer = bytes.fromhex("0104020001" + "78F0")
    flips = 0
    for bit in range(8 * len(answer)):
        bad = bytearray(answer)
        bad[bit // 8] ^= 1 << bit % 8
        test = f"{{sent: 01 04 0009 0001 E1C8, received: {bad.hex(' ')}, gives: {{status: [low]}}}}"
        checked = check_text(f"{RELAY}  - {test}\n", "a.yaml")
        assert tester.run(checked).failed == 1
        flips += 1
    assert flips == 56


def test_profile_with_an_error_runs_no_test() -> None:
    checked = check_text("name: X\n", "a.yaml")
    assert tester.run(checked).tests == 0


def test_numbers_agree_to_a_millionth() -> None:
    assert tester.close(1_000_000, 1_000_001)
    assert not tester.close(1_000_000, 1_000_002)
    assert tester.close(0, 0)
    assert not tester.close(0, 0.001)
