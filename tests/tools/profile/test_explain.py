"""`tidegate profile explain`: the steps shown are the steps taken; every word is explained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from drivers.profile import schema
from drivers.profile.form_cpython import FORMS
from gateway.__main__ import main
from gateway.core.report_cpython import Report
from tools.profile.given import find
from tools.profile.proof.exchange import picture
from tools.profile.telling import glossary
from tools.profile.telling.trace import traces

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = sorted((ROOT / "tests/drivers/profile/examples").glob("*.yaml"))  # of every bus
FILES = sorted((ROOT / "profiles").glob("*/*.yaml"))

PROBE = """\
name: Probe
modbus: {base: 1}
settings: {ratio: {default: 2}}
channels:
  f: {in: input, at: 1, type: f32, order: CDAB, unit: kV, kind: util.elec.voltage}
  s: {at: 1, type: s16, scale: 0.1, offset: -40, none: 0x8000, valid: -40..85, round: 0}
  b: {at: 2, bits: 8..15, map: {1: off, 2: on}}
  e: {at: 2, bits: 0}
  g: {at: 2, flags: {0: low, 9: high}}
  t: {at: 3, type: str4}
  c: {calc: s * ratio, if: e}
  w: {at: 9, write: only}
tests:
  - input: {1: 3333 4366}
    gives: {f: 230.2}
  - holding: {1: 00FA 0201 4142 4300}
    gives: {s: -15, b: on, e: true, g: [low, high], t: ABC, c: -30}
  - holding: {1: 8000 0300}
    gives: {s: null, b: null, e: false, g: [high]}
  - holding: {1: 2710}
    gives: {s: null}
  - write: {w: 7}
    sends: 01 06 0008 0007 4BCA
"""


@pytest.fixture
def probe(tmp_path: Path) -> str:
    path = tmp_path / "probe.yaml"
    path.write_text(PROBE)
    return str(path)


def explained(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["profile", "explain", *words]) == 0
    return capsys.readouterr().out


# channel: the lines after the head, without the name of the file.
STEPS = {
    "f": """\
:14: 230200 V
  input registers 1–2  33 33 43 66
  order CDAB           43 66 33 33
  f32                  230.2
  sent as              230200 V
""",
    "b": """\
:16: on
  holding register 2  02 01
  bits 8..15 of u16   2
  map                 on
  sent as             on
:18: no value (out-of-range)
  holding register 2  03 00
  bits 8..15 of u16   3
  meaning             no value: the map does not hold it
""",
    "w": ":22: 7 is written as 01 06 00 08 00 07 4B CA\n",
}


@pytest.mark.parametrize("channel", ["f", "b", "w"])
def test_explain_shows_each_step_from_the_bytes_to_the_value(
    channel: str, probe: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _, *lines = explained(capsys, probe, channel).replace(probe, "").splitlines()
    assert lines == STEPS[channel].splitlines()


SAID = (
    ("f", "f: input registers 1–2, f32 CDAB, kind util.elec.voltage, every 1m"),
    ("s", "× 0.1 - 40"),
    ("s", "round 0"),
    ("s", "none                this stands for: no value"),
    ("s", "valid -40..85       no value: out-of-range"),
    ("e", "bit 0 of u16        true"),
    ("g", "flags               low,high"),
    ("t", "holding registers 3–4  41 42 43 00"),
    ("c", "with            s = -15, ratio = 2"),
    ("c", "if e            true"),
    ("c", "calc s * ratio  -30"),
)


@pytest.mark.parametrize(("channel", "words"), SAID)
def test_explain_names_what_the_profile_says(
    channel: str, words: str, probe: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert words in explained(capsys, probe, channel)


@pytest.mark.parametrize(
    ("name", "channel", "lines"),
    [
        (
            "sds011",
            "pm2_5",
            ["bytes 2–3 8C 00", "order DCBA 00 8C", "u16 140", "× 0.1 14"],
        ),
        ("radoneye", "radon", ["bytes 2–5 85 EB B9 40", "order DCBA 40 B9 EB 85"]),
        ("smt100", "supply_voltage", ["column -1 11.98", "number 11.98"]),
        ("rg15", "rain", ["column 0 0.01", "number 0.01", "sent as 0.01 mm"]),
        ("dlt645", "voltage_c", ["bytes 4–5 of 0201FF00 94 23", "order DCBA 23 94"]),
        ("daly", "voltage", ["bytes 4–5 of pack 02 0E", "× 0.1 52.6"]),
    ],
)
def test_explain_shows_frames_and_texts_of_every_bus(
    name: str, channel: str, lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    shown = explained(capsys, str(ROOT / f"tests/drivers/profile/examples/{name}.yaml"), channel)
    said = [" ".join(line.split()) for line in shown.splitlines()]
    assert [line for line in lines if line not in said] == []


def test_explain_of_a_file_has_a_line_for_each_channel(
    probe: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = explained(capsys, probe).splitlines()
    assert [line.split()[0] for line in lines] == list("fsbegtcw")
    assert lines[0] == "f  input registers 1–2, f32 CDAB: 33 33 43 66 → 230200 V"
    assert lines[6] == "c  derived: -30"
    assert lines[7] == "w  holding register 9, u16: no test has its bytes"


def test_explain_tells_machines_the_same(probe: str, capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = json.loads(explained(capsys, probe, "f", "--json"))
    (test,) = row["tests"]
    assert (test["line"], test["value"], test["sent"]) == (14, "230.2", "230200")
    assert test["steps"][1] == {"step": "order CDAB", "result": "43 66 33 33"}


def test_explain_of_a_compiled_profile_has_no_tests_to_show(
    probe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["profile", "compile", probe]) == 0
    capsys.readouterr()
    assert "no test has its bytes" in explained(capsys, str(tmp_path / "probe.cbor"), "f")


def test_explain_of_every_shipped_channel_ends_where_decoding_ends() -> None:
    compared = 0
    for path in EXAMPLES + FILES:
        given = find(str(path))
        assert given.checked is not None
        for case in given.checked.cases:
            image = None if case.write else picture(case, given.profile, Report("", ""))
            if image is None:
                continue
            known: dict[str, Any] = {}
            device = given.profile.device(case.settings)
            touched: dict[str, str] = {}
            decoded = device.decode(image, known, touched=touched)
            sent = {one: value for one, value, _ in decoded}
            for name in case.gives:
                found = traces(given.checked, given.profile, name)
                trace = next((one for one in found if one.case is case), None)
                if trace is None:
                    assert known.get(name) is None
                    continue
                compared += 1
                assert trace.value == known.get(name), (path, name)
                assert trace.sent == sent.get(name, trace.sent), (path, name)
                assert trace.quality == touched[name], (path, name)
                last = [result for what, result in trace.steps if what not in ("with", "valid")]
                assert trace.value is None or last, (path, name)
    assert compared >= 300


ALTERNATIVES = """\
name: Probe
modbus: {}
channels:
  a: [{at: 0, if: m == 1}, {at: 1, scale: 2}]
  m: {at: 3, hidden: true}
  b: {at: 4, valid: 0..5, hidden: true}
  c: {calc: b + 1}
  s: {at: 6, type: s16, bits: 3, map: {0: shut, 1: ajar}}
tests:
  - holding: {0: 0001 0002}
    gives: {a: null}
  - holding: {0: 0001 0002 0000 0001}
    gives: {a: 1}
  - holding: {1: 0002 0000 0001}
    gives: {a: null}
  - holding: {1: 0002 0000 0000}
    gives: {a: null}
  - holding: {0: 0001 0002 0000 0000}
    gives: {a: 4}
  - holding: {4: "0009", 6: "0008"}
    gives: {c: null, s: ajar}
"""


def test_explain_takes_the_alternative_that_decoding_takes_with_its_quality(
    tmp_path: Path,
) -> None:
    path = tmp_path / "probe.yaml"
    path.write_text(ALTERNATIVES)
    given = find(str(path))
    assert given.checked is not None
    for name in ("a", "c", "s"):
        traced = {
            one.case: (one.sent, one.quality) for one in traces(given.checked, given.profile, name)
        }
        for case in given.checked.cases:
            image = picture(case, given.profile, Report("", ""))
            assert image is not None
            decoded = given.profile.device().decode(image, {})
            told = {one: (value, quality) for one, value, quality in decoded}
            assert traced.get(case) == told.get(name), (name, case.node.line)


def test_explain_does_not_compute_what_it_shows_differently() -> None:
    for path in EXAMPLES + FILES[:8]:
        given = find(str(path))
        assert given.checked is not None
        for name in {name for case in given.checked.cases for name in case.gives}:
            for one in traces(given.checked, given.profile, name):
                steps = [result for what, result in one.steps if not what.startswith("valid")]
                if one.value is not None and not isinstance(one.value, (bool, str)):
                    assert steps[-1] in (str(one.value), "not one of those"), (path, name)


def test_explain_knows_every_word_of_the_grammar() -> None:
    words = glossary.words()
    assert len(words) >= 200
    assert [word for word in words if not glossary.explain(word)] == []
    assert set(glossary.FORMS) == set(FORMS)
    assert set(schema.CODES) <= set(words)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("type", "sbcd8 sbcd16"),
        ("s16", "s16: 16 bits; whole number with a sign, in two's complement; -32768..32767"),
        ("str20", "str20: 20 bytes; text"),
        ("order", "CDAB: 0x0A0B0C0D stands as 0C 0D 0A 0B on the wire"),
        ("E063", "E063 (error, the profile is not used): a test does not hold"),
        ("W060", "W060 (warning): "),
        ("none", "none in a channel: raw value"),
        ("parity", "  one of none, even, odd"),
        ("wq.ph", "wq.ph (kind): "),
        ("kWh", "kWh (unit): sent as kWh = 3600000 J"),
    ],
)
def test_explain_of_a_word(word: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said in explained(capsys, word)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["u17"], "did you mean 'u16'?"),
        (["eastron/sdm63"], "did you mean 'eastron/sdm630'?"),
        (["eastron/sdm630", "voltage_11"], "did you mean 'voltage_l1'?"),
        (["none.yaml"], "No such file"),
    ],
)
def test_explain_of_what_there_is_not_guesses(
    words: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = words[0] not in ("u17", "eastron/sdm63", "eastron/sdm630")
    assert main(["profile", "explain", *words]) == (66 if gone else 78)
    assert hint in capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("electricity_meter", "(device category)"),
        (
            "water_temperature",
            "(channel id): Water temperature, 水温; usually in °C",
        ),
        ("silver", "silver (grade): bronze, no warning"),
        ("dissolved_oxygen", "usually of kind wq.do"),
    ],
)
def test_explain_knows_the_words_of_the_registries(
    word: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["profile", "explain", word]) == 0
    assert said in capsys.readouterr().out


def test_explain_corrects_a_slip_in_a_grade(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", "explain", "sliver"]) == 78
    assert "did you mean 'silver'?" in capsys.readouterr().err
