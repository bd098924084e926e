"""The frames on a page: each value stands beside the bytes it comes from, and nowhere else."""

from __future__ import annotations

from drivers.profile.check_cpython import check_text
from gateway.core import cbor
from tools.profile.given import Given
from tools.profile.telling.annotate import example

ALTERNATIVES = """\
name: Probe
modbus: {}
channels:
  a: [{at: 0, if: m == 1}, {at: 1, scale: 2}]
  m: {at: 3, hidden: true}
tests:
  - holding: {0: 0001 0002 0000 MODE}
    gives: {a: 1}
"""


def answer(text: str) -> list[tuple[str, str]]:
    checked = check_text(text, "probe.yaml")
    shown = example(Given("probe.yaml", cbor.encode(checked.document), checked))
    assert shown is not None
    return [(part.shown, part.means) for part in shown.frames[1][1]]


def test_value_of_alternatives_stands_beside_the_one_that_was_taken() -> None:
    first = answer(ALTERNATIVES.replace("MODE", "0001"))
    assert first[3:-1] == [("00 01", "a 1"), ("00 02 00 00", "not used"), ("00 01", "m 1")]
    second = answer(ALTERNATIVES.replace("MODE", "0000"))
    assert second[3:6] == [("00 01", "not used"), ("00 02", "a 4"), ("00 00", "not used")]
