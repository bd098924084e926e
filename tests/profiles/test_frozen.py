"""Profiles of every release, compiled then, with the tests they had: today's code reads them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from drivers.profile.model import load
from gateway import __version__
from tools.profile.proof import freeze

SETS = sorted(freeze.SETS.glob(f"*{freeze.SUFFIX}"))
PROBE = """\
name: Probe
modbus: {}
settings: {ratio: {default: 2}}
channels:
  a: {at: 1, scale: 0.1, unit: kV, kind: util.elec.voltage}
  f: {at: 2, flags: {0: low, 1: high}}
  w: {at: 3, write: true}
  d: {calc: a * ratio}
tests:
  - holding: {1: 00FF 0003}
    gives: {a: 25.5, f: [high, low], d: 51}
  - settings: {ratio: 3}
    sent:     01 03 0001 0001 D5CA
    received: 01 03 02 00FF F804
    gives: {d: 76.5}
  - sent:     01 03 0001 0001 D5CA
    received: 01 03 02 00FF F805
    gives: nothing
  - write: {w: 7}
    sends: 01 06 0003 0007 3808
"""


@pytest.fixture
def probe(tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / "acme/probe.yaml"
    path.parent.mkdir()
    path.write_text(PROBE)
    (row,) = freeze.thawed(freeze.frozen("0", [path]))["profiles"]
    return row


@pytest.mark.parametrize("path", SETS, ids=lambda path: path.name)
def test_frozen_profiles_of_every_release_give_what_they_gave(path: Path) -> None:
    held = freeze.thawed(path.read_bytes())
    assert path.name == held["release"] + freeze.SUFFIX
    compared = 0
    wrong: list[str] = []
    for row in held["profiles"]:
        found, count = freeze.failures(row)
        wrong += found
        compared += count
    assert not wrong, "\n".join(wrong[:20])
    assert len(held["profiles"]) >= 120
    assert compared >= 1000


def test_frozen_sets_begin_with_the_first_release() -> None:
    assert f"0.1.0{freeze.SUFFIX}" in [path.name for path in SETS]


def test_frozen_row_holds_the_tests_of_the_file(probe: dict[str, Any]) -> None:
    assert probe["name"] == "acme/probe"
    assert load(probe["compiled"]).name == "Probe"
    assert freeze.failures(probe) == ([], 6)
    assert probe["tests"][0]["readings"][0] == ["a", 25500, "good"]


@pytest.mark.parametrize(
    ("test", "key", "value", "said"),
    [
        (0, "gives", {"a": 25}, "a is 25.5"),
        (0, "gives", {"f": ["low"]}, "f is"),
        (0, "images", [["holding", 1, b"\x00\xfe\x00\x03"]], "a is 25.4"),
        (0, "readings", [["a", 1, "good"]], "acme/probe, test 1: "),
        (1, "settings", {"ratio": 4}, "d is 102"),
        (2, "received", [b"\x01\x03\x02\x00\xff\xf8\x04"], "nothing was to come"),
        (3, "write", {"w": 8}, "the write sends"),
    ],
)
def test_frozen_row_that_does_not_hold_is_told(
    test: int, key: str, value: Any, said: str, probe: dict[str, Any]
) -> None:
    probe["tests"][test][key] = value
    found, _ = freeze.failures(probe)
    assert found
    assert any(said in one for one in found)


def test_frozen_profile_that_means_something_else_is_told(probe: dict[str, Any]) -> None:
    document = freeze.cbor.decode(probe["compiled"])
    document["channels"][0]["scale"] = 1
    probe["compiled"] = freeze.cbor.encode(document)
    found, _ = freeze.failures(probe)
    assert found


def test_frozen_release_is_written_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freeze, "frozen", lambda release, _: release.encode())
    monkeypatch.setattr(sys, "argv", ["freeze", "-o", str(tmp_path)])
    assert freeze.main() == 0
    path = tmp_path / f"{__version__}{freeze.SUFFIX}"
    assert path.read_bytes() == __version__.encode()
    assert freeze.main() == 1
    assert "a release is frozen once" in capsys.readouterr().err


def test_frozen_set_takes_no_profile_with_an_error(tmp_path: Path) -> None:
    path = tmp_path / "probe.yaml"
    path.write_text(PROBE.replace("a: 25.5", "a: 25"))
    with pytest.raises(freeze.ConfigError, match="E063"):
        freeze.frozen("0", [path])
