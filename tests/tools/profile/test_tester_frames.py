"""Tests inside profiles of frames and texts: what passes, what fails, and what is said of it."""

from __future__ import annotations

import pytest

from drivers.profile.check_cpython import Checked, check_text
from tools.profile.proof import tester

PACK = """\
name: Pack
serial:
  check: sum8
  length: 4
  messages:
    volts: {start: '01', ask: "A5 {addr} {check}"}
    amps:  {start: '02', ask: "A6 {limit} {check}"}
settings: {limit: {default: 3, type: u16}}
channels:
  volts: {in: volts, at: 1, type: u16, scale: 0.1, unit: V,
    write: {steps: [{send: "B0 {value} {check}", value: x, type: u16}, {send: B1}]}}
  amps: {in: amps, at: 1, unit: A}
  mark: {at: 0, hidden: true}
tests:
"""
LINES = """\
name: Lines
serial: {as: text, ask: "R{addr}\\n"}
setup: [{send: "P\\n"}, {send: 0D 0A}]
channels:
  rain: {match: '^Acc ([0-9.]+)', unit: mm, write: {steps: [{send: "S{value}\\n", value: x * 2}]}}
tests:
"""
SDI12 = """\
name: Probe
sdi12: {}
channels: {t: {in: M, at: 0, unit: °C}, h: {in: M, at: 1, unit: "%"}, v: {in: M1, at: 0, unit: V}}
tests:
"""
METER = """\
name: Meter
iec62056: {}
channels: {e: {in: 1.8.0, unit: kWh}}
tests:
"""
OWN = """\
name: Own
driver: {use: acme.meter, port: 5}
channels: {a: {in: pack, at: 1}, b: {in: log, at: -1}}
tests:
"""

PASSING = [
    (PACK, "{received: 01 00 E6 E7, gives: {volts: 23, mark: 1}}"),
    (PACK, "{sent: A5 40 E5, received: 01 00 E6 E7, gives: {volts: 23}}"),
    (PACK, "{sent: A6 00 03 A9, received: 02 07 00 09, gives: {amps: 7}}"),
    (PACK, "{settings: {limit: 4}, sent: A6 00 04 AA, received: 02 07 00 09, gives: {amps: 7}}"),
    (PACK, "{received: [01 00 E6 E7, 02 07 00 09], gives: {volts: 23, amps: 7, mark: 2}}"),
    (PACK, "{received: FF 01 00 E6 E7 02 07 00 09 01, gives: {volts: 23, amps: 7}}"),
    (PACK, "{in: amps, received: 02 07 00 09, gives: {amps: 7, volts: null}}"),
    (PACK, "{received: 01 00 E6 E8, gives: nothing}"),
    (PACK, "{write: {volts: 25.8}, sends: [B0 01 02 B3, B1]}"),
    (LINES, '{sent: "R7\\n", received: "Acc 0.5 mm\\r\\n", gives: {rain: 0.5}}'),
    (LINES, '{received: "Err\\n", gives: {rain: null}}'),
    (LINES, "{received: 41 63 63 20 31 0A, gives: {rain: 1}}"),
    (LINES, '{write: {rain: 3}, sends: "S6\\n"}'),
    (SDI12, '{in: M, received: "0+21.5-3\\r\\n", gives: {t: 21.5, h: -3}}'),
    (SDI12, '{in: M1, received: "0+12.1\\r\\n", gives: {v: 12.1, t: null}}'),
    (METER, '{received: "/X\\r\\n\\r\\n1.8.0(0012.5*kWh)\\r\\n!\\r\\n", gives: {e: 12.5}}'),
    (METER, '{received: "/X\\r\\n\\r\\n1.8.0(0012.5)\\r\\n!\\r\\n", gives: {e: 12.5}}'),
    (METER, '{received: "/X\\r\\n\\r\\n1.8.0(0012.5*MWh)\\r\\n!\\r\\n", gives: {e: null}}'),
    (OWN, "{in: pack, received: 01 02, gives: {a: 2}}"),
    (OWN, "{in: log, received: 01 02, gives: {b: 2}}"),
]

FAILING = [
    (PACK, "{received: 01 00 E6 E8, gives: {volts: 23}}", "E062", "E8, these bytes have E7"),
    (PACK, "{received: 03 00 E6 E7, gives: {volts: 23}}", "E064", "begins with 03, not 01"),
    (PACK, "{received: 01 00 E6, gives: {volts: 23}}", "E064", "3 bytes, not 4"),
    (PACK, "{received: 01 00 E6 E7, gives: nothing}", "E063", "nothing was to come"),
    (PACK, "{received: 01 00 E6 E7, gives: {volts: 24}}", "E063", "volts is 23"),
    (PACK, "{in: amps, received: 01 00 E6 E7, gives: {volts: 23}}", "E064", "not 02"),
    (PACK, "{sent: A5 40 E4, received: 01 00 E6 E7, gives: {volts: 23}}", "E062", "have E5"),
    (
        PACK,
        "{sent: A7 40 E7, received: 01 00 E6 E7, gives: {volts: 23}}",
        "E065",
        "profile asks A5",
    ),
    (
        PACK,
        "{sent: A6 00 04 AA, received: 02 07 00 09, gives: {amps: 7}}",
        "E065",
        "other messages",
    ),
    (PACK, "{write: {volts: 25.8}, sends: [B0 01 02 B4, B1]}", "E062", "these bytes have B3"),
    (PACK, "{write: {volts: 25.8}, sends: [B0 01 03 B4, B1]}", "E063", "the write sends B00102B3"),
    (PACK, "{write: {volts: 25.8}, sends: B0 01 02 B3}", "E063", "2 requests"),
    (PACK, "{write: {amps: 1}, sends: B1}", "E063", "read-only"),
    (LINES, '{sent: "Q\\n", received: "Acc 1 mm\\n", gives: {rain: 1}}', "E065", "asks 'R"),
    (LINES, '{received: "Acc 1 mm", gives: {rain: 1}}', "E064", "ends with"),
    (LINES, "{received: Rain 1, gives: {rain: 1}}", "E012", "text stands in quotes"),
    (SDI12, '{in: M, received: "0+21.5-3", gives: {t: 21.5}}', "E064", "CR LF"),
    (
        METER,
        '{received: "/X\\r\\n\\r\\n1.8.0(0012.5*MWh)\\r\\n!\\r\\n", gives: {e: 12.5}}',
        "E063",
        "is w",
    ),
    (SDI12, '{in: M, received: "0+3.14OqX\\r\\n", gives: {t: 3.14}}', "E062", "have OqZ"),
    (METER, "{received: 02 31 28 31 29 0D 0A 03 55, gives: {e: 1}}", "E062", "these bytes have"),
]


def tried(profile: str, test: str) -> tuple[Checked, tester.Outcome]:
    checked = check_text(f"{profile}  - {test}\n", "a.yaml")
    return checked, tester.run(checked)


@pytest.mark.parametrize(("profile", "test"), PASSING)
def test_case_of_frames_passes(profile: str, test: str) -> None:
    checked, outcome = tried(profile, test)
    assert checked.report.errors == 0, checked.report.text()
    assert (outcome.tests, outcome.failed) == (1, 0)
    assert outcome.compared >= 1


@pytest.mark.parametrize(("profile", "test", "code", "said"), FAILING)
def test_case_of_frames_fails_and_says_why(profile: str, test: str, code: str, said: str) -> None:
    checked, _ = tried(profile, test)
    assert code in [problem.code for problem in checked.report.problems], checked.report.text()
    assert said in checked.report.text()


def test_every_flipped_bit_of_a_frame_makes_the_test_fail() -> None:
    frame = bytes.fromhex("0100E6E7")
    for bit in range(8 * len(frame)):
        bad = bytearray(frame)
        bad[bit // 8] ^= 1 << bit % 8
        _, outcome = tried(PACK, f"{{received: {bad.hex(' ')}, gives: {{volts: 23}}}}")
        assert outcome.failed == 1, bad.hex()
