"""What a channel is to who reads it: its nature and words, whatever way leads to the value."""

from __future__ import annotations

import pytest

from drivers.profile.check_cpython import check_text
from gateway.core import cbor
from tools.profile.given import Given
from tools.profile.telling.compare import compare

PROBE = """\
name: Probe
modbus: {}
channels:
  a:
    - {at: 0, map: {0: off, 1: on}, if: m == 1}
    - {at: 1, map: {0: off, 1: on, 2: auto}, write: true}
  m: {at: 3, hidden: true}
  n: {at: 4}
  d: {calc: n + 1}
  w: {at: 5, map: {0: low, 1: high}, calc: "1 if x == 'high' else 0"}
tests:
  - holding: {4: "0001"}
    gives: {n: 1}
"""
SERIAL = """\
name: Probe
serial: {length: 4}
channels: {a: {at: 0}}
tests:
  - received: "41424344"
    gives: {a: 65}
"""


def given(text: str) -> Given:
    checked = check_text(text, "probe.yaml")
    checked.report.require()
    return Given("probe.yaml", cbor.encode(checked.document), checked)


@pytest.mark.parametrize(
    ("old", "new", "verdict", "told"),
    [
        (", 2: auto", "", "major", "a: word auto is gone"),
        ("map: {0: off, 1: on}", "map: {0: off, 1: on, 3: x}", "minor", "a: word x is new"),
        (", write: true", "", "major", "a: write {} is gone"),
        ("calc: n + 1", "calc: n > 1", "major", "d: value number → truth"),
        ("n + 1", "\"'hi' if n else 'lo'\"", "major", "d: value number → word"),
        ("n + 1", "\"'hi' if n else n\"", "major", "d: value number → number or word"),
        ("1 if x == 'high' else 0", "x", "major", "w: value number → word"),
        ("calc: n + 1", "calc: abs(n)", "minor", "d: calc n + 1 → abs(n)"),
    ],
)
def test_every_way_to_a_value_counts(old: str, new: str, verdict: str, told: str) -> None:
    assert PROBE.count(old) == 1
    found = compare(given(PROBE), given(PROBE.replace(old, new)))
    assert found.verdict == verdict
    assert told in [f"{one.subject}: {one.text}" for one in found.changes]


@pytest.mark.parametrize(
    ("bus", "new", "told"),
    [
        ("serial: {length: 4}", "type: u16", "type u8 → u16"),
        ("serial: {length: 4}", "type: u16, order: DCBA", "order ABCD → DCBA"),
        ("ble: {manufacturer: 1}", "type: u16, order: ABCD", "order DCBA → ABCD"),
        ("modbus: {}", "type: s16", "type u16 → s16"),
        ("modbus: {}", "in: input", "in holding → input"),
    ],
)
def test_what_a_row_leaves_out_is_what_its_bus_makes_of_it(bus: str, new: str, told: str) -> None:
    old = SERIAL.replace("serial: {length: 4}", bus)
    if "modbus" in bus:
        old = old.replace("received:", "holding: {0:").replace('44"', '44"}')
    found = compare(given(old), given(old.replace("at: 0", f"at: 0, {new}")))
    assert found.verdict == "minor"
    assert told in [one.text for one in found.changes]


def test_what_a_row_says_as_its_bus_would_have_it_is_no_change() -> None:
    for row in ("type: u8", "order: ABCD"):
        found = compare(given(SERIAL), given(SERIAL.replace("at: 0", f"at: 0, {row}")))
        assert (found.verdict, found.changes) == ("none", [])
