"""`tidegate profile diff`: what the platform will see, and how grave that is."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from drivers.profile.check_cpython import check_text
from gateway.__main__ import main
from gateway.core import cbor
from tools.profile.given import Given, find
from tools.profile.telling.compare import Comparison, compare

OLD = """\
name: Probe
modbus: {max: 8, gap: 1}
settings: {ratio: {default: 1, min: 1, max: 10}}
channels:
  a: {at: 1, type: s16, scale: 0.1, unit: °C, kind: wq.temperature, valid: 0..40}
  b: {at: 2, write: {min: 0, max: 9}}
  w: {at: 3, map: {0: off, 1: on}}
  c_[1..3]: {at: 4, unit: V}
  d: {calc: a * ratio}
  h: {at: 9, hidden: true}
tests:
  - holding: {1: 00FF}
    gives: {a: 25.5}
"""

# (what is replaced, by what): the verdict, and a line that tells it.
CHANGES = (
    (" a: {at: 1,", " a: {at: 2,", "minor", "~ a: at 1 → 2"),
    ("type: s16, scale", "scale", "minor", "~ a: type s16 → u16"),
    ("scale: 0.1", "scale: 0.01", "minor", "~ a: scale 0.1 → 0.01"),
    ("s16, scale", "s16, order: DCBA, scale", "minor", "~ a: order ABCD → DCBA"),
    ("unit: °C", "unit: K", "minor", "~ a: to value → value - 273.15"),
    ("unit: °C", "unit: °F", "minor", "~ a: to value → (value - 32) × 5 / 9"),
    ("kind: wq.temperature", "kind: met.temperature", "major", "~ a: kind wq.tem"),
    (", kind: wq.temperature", "", "major", "~ a: kind wq.temperature is gone"),
    ("valid: 0..40", "valid: 0..50", "patch", "~ a: valid 0..40 → 0..50"),
    ("valid: 0..40", "valid: 0..40, every: 5s", "patch", "~ a: every 1m → 5s"),
    ("valid: 0..40", "valid: 0..40, every: never", "major", "~ a: every 1m → never"),
    ("unit: V", "unit: V, every: once", "patch", "~ c_1, c_2, c_3: every 1m → once"),
    ("unit: V", "unit: A", "major", "~ c_1, c_2, c_3: unit V → A"),
    ("unit: V", "unit: V, hidden: true", "major", "- c_2"),
    ("c_[1..3]", "c_[1..4]", "minor", "+ c_4"),
    ("c_[1..3]", "e_[1..3]", "major", "? c_1 is perhaps e_1 now"),
    ("1: on", "1: on, 2: half", "minor", "~ w: word half is new"),
    ("1: on", "1: open", "major", "~ w: word on is gone"),
    ("1: on", "2: on", "minor", "~ w: map {0: off, 1: on} → {0: off, 2: on}"),
    ("map: {0: off, 1: on}", "flags: {0: off, 1: on}", "major", "~ w: value word → flags"),
    (", write: {min: 0, max: 9}", "", "major", "~ b: write {max: 9, min: 0} is gone"),
    ("3, map", "3, write: true, map", "minor", "~ w: write {} is new"),
    ("max: 9}", "max: 8}", "major", "~ b: write max 9 → 8"),
    ("max: 9}", "max: 10}", "minor", "~ b: write max 9 → 10"),
    ("min: 0, max: 9}", "max: 9}", "minor", "~ b: write min 0 is gone"),
    ("max: 9}", "max: 9, only: true}", "major", "~ b: write only true is new"),
    ("a * ratio", "2 * a * ratio", "minor", "~ d: calc a * ratio → 2 * a * ratio"),
    ("at: 9,", "at: 10,", "patch", "what is hidden"),
    ("default: 1, min: 1, max: 10", "default: 2, min: 1, max: 10", "minor", "default 1 → 2"),
    ("{default: 1, min", "{min", "major", "~ setting ratio: default 1 is gone"),
    ("{default: 1, min: 1", "{default: 1, map: {1: one}, min: 1", "major", "map {1: one} is new"),
    ("min: 1, max: 10", "min: 1, max: 5", "major", "~ setting ratio: max 10 → 5"),
    ("settings: {", "settings: {s: {default: 1}, ", "minor", "~ setting s: it s is new"),
    ("settings: {", "settings: {s: {min: 1}, ", "major", "~ setting s: it s is new"),
    ("max: 8", "max: 9", "patch", "~ max 8 → 9"),
    ("max: 8", "max: 8, baud: 4800", "minor", "~ line {baud: 4800} is new"),
    ("gap: 1", "gap: 2", "patch", "~ gap 1 → 2"),
    ("name: Probe", "name: Probes", "patch", "~ name Probe → Probes"),
    ("modbus:", "identify: a > 1\nmodbus:", "patch", "~ identify a > 1 is new"),
    ("d: {calc", "d: {if: ratio > 1, calc", "patch", "~ d: if ratio > 1 is new"),
    ("d: {calc: a * ratio}", "d: [{calc: a}, {calc: b}]", "minor", "~ d: alternatives 1 → 2"),
)


FRAMES = """\
name: Dust
serial: {baud: 9600, messages: {a: {start: AA C0, length: 4}, b: {start: AA C1, length: 4}}}
channels: {v: {in: a, at: 2}, y: {in: b, at: 2, none: 255}}
tests:
  - received: AA C0 01 02
    gives: {v: 1}
"""
FRAME_CHANGES = (
    ("start: AA C0", "start: AA C2", "minor", "~ message a: start [AA C0] → [AA C2]"),
    ("length: 4}}}", "length: 5}}}", "minor", "~ message b: length [4] → [5]"),
    (", b: {start: AA C1, length: 4}", "", "major", "- y"),
    ("baud: 9600", "baud: 4800", "minor", "~ baud 9600 → 4800"),
    ("none: 255", "none: 254", "patch", "~ y: none [255] → [254]"),
    ("in: a, at: 2", "in: a, at: 3", "minor", "~ v: at 2 → 3"),
)


def given(text: str) -> Given:
    checked = check_text(text, "probe.yaml")
    checked.report.require()
    return Given("probe.yaml", cbor.encode(checked.document), checked)


def compared(old: str, new: str) -> Comparison:
    return compare(given(old), given(new))


def write(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    ("old", "new", "verdict", "line"), CHANGES, ids=[o + "→" + n for o, n, *_ in CHANGES]
)
def test_diff_tells_each_change_and_how_grave_it_is(
    old: str,
    new: str,
    verdict: str,
    line: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert old in OLD
    files = [write(tmp_path, "old.yaml", OLD), write(tmp_path, "new.yaml", OLD.replace(old, new))]
    assert main(["profile", "diff", *files]) == 1
    shown = capsys.readouterr().out
    assert line in shown
    assert shown.splitlines()[-1].startswith(f"{verdict}: ")


@pytest.mark.parametrize(("old", "new", "verdict", "line"), FRAME_CHANGES)
def test_diff_tells_what_changed_in_frames(
    old: str, new: str, verdict: str, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = FRAMES.replace(old, new)
    if "- y" in line:
        text = text.replace(", y: {in: b, at: 2, none: 255}", "")
    files = [write(tmp_path, "old.yaml", FRAMES), write(tmp_path, "new.yaml", text)]
    assert main(["profile", "diff", *files]) == 1
    shown = capsys.readouterr().out
    assert line in shown
    assert shown.splitlines()[-1].startswith(f"{verdict}: ")


def test_diff_the_other_way_turns_new_into_gone() -> None:
    found = compared(OLD.replace("c_[1..3]", "c_[1..4]"), OLD)
    assert (found.removed, found.added, found.verdict) == (["c_4"], [], "major")


def test_diff_of_a_period_that_was_never_is_minor_and_settings_gone_keep_their_order() -> None:
    off = OLD.replace("unit: V", "unit: V, every: never")
    assert compared(off, OLD).verdict == "minor"
    many = OLD.replace("settings: {", "settings: {q: {default: 1}, b1: {default: 1}, ")
    gone = [one.subject for one in compared(many, OLD).changes]
    assert gone == ["setting q", "setting b1"]


def test_diff_of_remarks_and_tests_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = OLD.replace("name:", "# a remark\nname:").replace("a: {at", "a: {title: A, at")
    files = [write(tmp_path, "old.yaml", OLD), write(tmp_path, "new.yaml", new)]
    assert main(["profile", "diff", *files]) == 0
    assert capsys.readouterr().out == "none: the platform sees no difference\n"


def test_diff_of_a_hidden_channel_that_becomes_visible_is_a_new_one() -> None:
    found = compared(OLD, OLD.replace(", hidden: true", ""))
    assert (found.added, found.verdict) == (["h"], "minor")


def test_diff_takes_compiled_files_shipped_names_and_git_revisions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(tmp_path, "probe.yaml", OLD)
    assert main(["profile", "compile", source]) == 0
    monkeypatch.chdir(tmp_path)
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "x"]):
        who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        subprocess.run(["git", *who, *command], check=True)
    write(tmp_path, "probe.yaml", OLD.replace("unit: V", "unit: A"))
    for old in (str(tmp_path / "probe.cbor"), "HEAD:probe.yaml"):
        capsys.readouterr()
        assert main(["profile", "diff", old, "probe.yaml", "--json"]) == 1
        row = json.loads(capsys.readouterr().out)
        assert row["verdict"] == "major"
        assert row["changed"][0] == {
            "subject": "c_1",
            "what": "unit",
            "old": "V",
            "new": "A",
            "level": "major",
        }
    assert main(["profile", "diff", "eastron/sdm630", "eastron/sdm630"]) == 0


@pytest.mark.parametrize("word", ["no/such", "HEAD:no/such.yaml", "no.cbor", "no.yaml"])
def test_diff_of_what_is_not_there_is_said_with_its_name(
    word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["profile", "diff", word, "eastron/sdm630"]) == 66
    assert word in capsys.readouterr().err


def test_diff_of_a_broken_file_shows_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = write(tmp_path, "new.yaml", OLD.replace("scale: 0.1", "scal: 0.1"))
    assert main(["profile", "diff", "eastron/sdm630", broken]) == 78
    assert "error E010: unknown key 'scal'" in capsys.readouterr().err


def test_diff_with_what_is_no_compiled_profile_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.cbor").write_bytes(b"\xa0")
    assert main(["profile", "diff", str(tmp_path / "x.cbor"), "eastron/sdm630"]) == 78


def test_diff_of_any_two_shipped_profiles_finds_words() -> None:
    shipped = [path for path in sorted(Path("profiles").glob("*/*.yaml"))][:8]
    loaded = [find(str(path)) for path in shipped]
    pairs = 0
    for old in loaded:
        for new in loaded:
            pairs += 1
            found = compare(old, new)
            assert (found.verdict == "none") == (old is new)
            assert all(one.text for one in found.changes)
    assert pairs >= 64
