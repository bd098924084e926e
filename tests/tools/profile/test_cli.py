"""`tidegate profile`: exit codes, what is printed, and what machines get."""

from __future__ import annotations

import argparse
import importlib
import io
import json
import os
import re
import shlex
from typing import TYPE_CHECKING

import pytest

from drivers.profile.model import load
from gateway.__main__ import main
from tools.profile.cli import VERBS
from tools.profile.plural import many

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """\
name: Probe
modbus: {}
channels: {a: {at: 1}, b: {at: 2}}
tests:
  - holding: {1: 00FF 0001}
    gives: {a: 255, b: 1}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "probe.yaml"
    path.write_text(GOOD)
    return path


def run(*arguments: object) -> int:
    return main(["profile", *map(str, arguments)])


def test_check_of_a_good_profile_says_its_grade_and_the_counts(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("check", file) == 0
    grade, counts = capsys.readouterr().out.splitlines()
    assert grade == f"{file}: grade –; bronze lacks: 'docs' does not say where the manual is"
    assert counts.startswith(
        "1 profile, 2 channels (100 % touched by tests), 1 test: 0 errors, 0 warnings, 1 none, "
    )


def test_check_of_a_folder_counts_the_grades(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(f"docs: manual of the maker\n{GOOD}")
    (file.parent / "other.yaml").write_text(GOOD)
    assert run("check", file.parent) == 0
    (counts,) = capsys.readouterr().out.splitlines()
    assert counts.startswith(
        "2 profiles, 4 channels (100 % touched by tests), 2 tests: 0 errors, 0 warnings, "
        "1 bronze 1 none"
    )


def test_test_names_each_file(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("test", file) == 0
    assert f"{file}: 1 test, 2 values compared" in capsys.readouterr().out


def test_errors_are_findings_and_warnings_only_when_strict(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(GOOD.replace(", b: 1", ""))
    assert run("check", file) == 0
    assert "warning W060: no test touches channel 'b'" in capsys.readouterr().out
    assert run("check", "--strict", file) == 1
    file.write_text(GOOD.replace("255", "254"))
    assert run("check", file) == 1
    assert run("test", file) == 1
    assert f"{file}:6:16: error E063: a is 255, the test says 254" in capsys.readouterr().out


def test_a_file_that_is_not_there_does_not_keep_the_others_from_being_checked(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = tmp_path / "gone.yaml"
    assert run("check", gone, file) == 1
    out = capsys.readouterr().out
    assert f"{gone}:1:1: error E006: No such file or directory" in out
    assert "2 profiles, 2 channels (100 % touched by tests), 1 test: 1 error, 0 warnings" in out
    assert run("check", gone) == 66
    assert "E006" in capsys.readouterr().err
    broken = tmp_path / "broken.yaml"
    broken.write_bytes(b"name: \xff")
    assert run("test", broken, file) == 1
    assert "byte 6 is not UTF-8" in capsys.readouterr().out


def test_folders_are_searched_and_empty_ones_are_no_input(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("check", file.parent) == 0
    empty = tmp_path / "empty"
    empty.mkdir()
    assert run("check", empty) == 66
    assert "no profile there" in capsys.readouterr().err


def test_json_before_or_after_the_verb(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(GOOD.replace("255", "254"))
    for arguments in (("--json", "check", file), ("check", "--json", file)):
        assert run(*arguments) == 1
        (row,) = json.loads(capsys.readouterr().out)
        assert (row["errors"], row["tests"], row["failed"]) == (1, 1, 1)
        assert (row["grade"], row["channels"]) == ("none", 2)
        assert row["lacking"][0] == "an error to mend"
        (problem,) = row["problems"]
        assert (problem["code"], problem["line"], problem["column"]) == ("E063", 6, 16)


def test_compile_writes_what_a_board_loads(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("compile", file) == 0
    assert load((tmp_path / "probe.cbor").read_bytes()).name == "Probe"
    output = tmp_path / "other.cbor"
    assert run("compile", file, "-o", output, "--json") == 0
    assert json.loads(capsys.readouterr().out.split("\n")[1])["output"] == str(output)
    file.write_text("name: X")
    assert run("compile", file) == 78
    assert run("compile", tmp_path / "none.yaml") == 66


def test_compile_that_cannot_write_is_an_io_error(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("compile", file, "-o", tmp_path / "none" / "x.cbor") == 74
    assert capsys.readouterr().err.endswith("none/x.cbor: No such file or directory\n")


@pytest.mark.parametrize("words", ["0001", "12", "1E00"])
def test_check_asks_for_quotes_where_others_would_read_a_number(
    words: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for written, codes in ((words, ["W061"]), (f'"{words}"', [])):
        file.write_text(GOOD.replace("{1: 00FF 0001}", f"{{1: 00FF 0001, 9: {written}}}"))
        run("check", file, "--json")
        (row,) = json.loads(capsys.readouterr().out)
        found = [one["code"] for one in row["problems"] if one["code"] == "W061"]
        assert found == codes


def test_compile_to_standard_output_is_the_bytes_alone(
    file: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run("compile", file, "-o", "-") == 0
    assert load(capfdbinary.readouterr().out).name == "Probe"
    assert [path.name for path in tmp_path.iterdir()] == ["probe.yaml"]


@pytest.mark.parametrize("words", [("schema",), ("doc", "probe.yaml"), ("import", "table.csv")])
def test_a_dash_as_output_is_standard_output(
    words: tuple[str, ...],
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(file.parent)
    (file.parent / "table.csv").write_text("Register,Name\n1,Level\n")
    before = sorted(file.parent.iterdir())
    run(*words)
    plain = capsys.readouterr()
    run(*words, "-o", "-")
    assert capsys.readouterr() == plain
    assert plain.out
    assert sorted(file.parent.iterdir()) == before


def test_a_pipe_instead_of_a_file_is_refused_and_never_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pipes = [tmp_path / "p.yaml", tmp_path / "p.cbor"]
    for pipe in pipes:
        os.mkfifo(pipe)
    draft = tmp_path / "a" / "b.yaml"
    cases = (
        ("doc", pipes[0]),
        ("explain", pipes[1]),
        ("new", draft, "--table", pipes[0]),
        ("new", draft, "--answers", pipes[0]),
    )
    for words in cases:
        assert run(*words) == 66
        assert capsys.readouterr().err.endswith(": not a file\n"), words


def test_an_unknown_option_is_answered_with_the_usage_of_the_verb(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        run("check", file, "--strickt")
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("usage: tidegate profile check ")
    assert said.endswith("unrecognized arguments: --strickt: did you mean '--strict'?\n")


@pytest.mark.parametrize("verb", [("simulate", "--for", "1ms"), ("try", "/dev/none")])
def test_shipped_profiles_are_played_and_tried_by_their_names(
    verb: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    run(verb[0], "eastron/sdm630", *verb[1:])
    told = capsys.readouterr()
    assert ("9600 8N1, unit 1" in told.out) or ("/dev/none is not there" in told.err)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("try", "FILE", "/dev/none", "--timeout", "nan"), "'nan' is no time"),
        (("try", "FILE", "/dev/none", "--timeout", "-1"), "'-1' is no time"),
        (("try", "FILE", "/dev/none", "--timeout", "0"), "'0' is no time"),
        (("try", "FILE", "/dev/none", "--baud", "0"), "a whole number 1..4000000"),
        (("simulate", "FILE", "--for", "1ms", "--baud", "0"), "a whole number 1..4000000"),
        (("simulate", "FILE", "--for", "1ms", "--unit", "256"), "a whole number 1..255"),
        (("import", "FILE", "--base", "foo"), "a register is wanted"),
    ],
)
def test_numbers_that_cannot_be_are_wrong_usage(
    words: tuple[str, ...], said: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        run(*(file if word == "FILE" else word for word in words))
    assert left.value.code == 2
    assert said in capsys.readouterr().err


def test_an_unknown_setting_is_answered_with_those_there_are(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("simulate", file, "--for", "1ms", "--set", "x=1") == 78
    assert capsys.readouterr().err.endswith("unknown setting 'x'; the profile has: none\n")


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_each_verb_has_examples_that_its_parser_takes(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(verb, "--help")
    told = capsys.readouterr().out.partition("\nexamples:\n")[2]
    told = re.sub(r" *\\\n *", " ", told)
    examples = re.findall(rf"^  tidegate profile {verb} (.+)$", told, re.M)
    assert examples
    module = importlib.import_module(f"tools.profile.{VERBS[verb][0]}")
    for example in examples:
        words = shlex.split(re.split(r"(?:^| )[|>] | {2,}", example)[0])
        parser = argparse.ArgumentParser(exit_on_error=False)
        parser.add_argument("--json", action="store_true")
        module.arguments(parser)
        parser.parse_args(words)


def test_machines_are_told_of_files_that_cannot_be_read_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("check", tmp_path / "none.yaml", "--json") == 66
    (row,) = json.loads(capsys.readouterr().out)
    assert [one["code"] for one in row["problems"]] == ["E006"]


@pytest.mark.parametrize("gone", ["gone.yaml", "no/such", "nothing"])
@pytest.mark.parametrize(
    "words",
    [
        ("check",),
        ("test",),
        ("compile",),
        ("doc",),
        ("diff", "eastron/sdm630"),
        ("simulate",),
        ("try", "/dev/null"),
        ("explain", "a"),
        ("new", "--table"),
        ("new", "--answers"),
        ("import",),
    ],
)
def test_a_file_that_is_not_there_is_no_input_to_any_verb(
    words: tuple[str, ...],
    gone: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    verb, *rest = words
    arguments = {"new": ["a/b.yaml", *rest, gone], "try": [gone, *rest], "explain": [gone, *rest]}
    assert run(verb, *arguments.get(verb, [*rest, gone])) == 66
    assert gone in capsys.readouterr().err


def test_a_file_too_large_is_told_its_size(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(GOOD + "# ä" * 50_000)
    assert run("check", file) == 1
    size = file.stat().st_size
    assert size > 200_000
    assert f"{size} bytes are more than the 65536 allowed" in capsys.readouterr().out


def test_shipped_names_are_checked_tested_and_compiled_like_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("check", "eastron/sdm630") == 0
    assert "eastron/sdm630.yaml: grade" in capsys.readouterr().out
    assert run("test", "eastron/sdm630") == 0
    assert run("compile", "eastron/sdm630") == 0
    assert load((tmp_path / "sdm630.cbor").read_bytes()).maker == "Eastron"
    assert run("check", "eastron/sdm63") == 66
    assert "did you mean 'eastron/sdm630'?" in capsys.readouterr().err


def test_a_dash_is_standard_input_which_is_bounded(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for text, code, said in (
        (GOOD, 0, "standard input: grade"),
        (GOOD.replace("255", "254"), 1, "standard input:6:16: error E063"),
        (GOOD + "#" * 100_000, 1, "E001: more than the 65536 bytes allowed"),
    ):
        stdin = io.TextIOWrapper(io.BytesIO(text.encode()))
        monkeypatch.setattr("sys.stdin", stdin)
        assert run("check", "-") == code
        assert said in capsys.readouterr().out
        assert stdin.buffer.tell() <= 65537
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(GOOD.encode())))
    assert run("test", "-") == 0
    assert "standard input: 1 test, 2 values compared" in capsys.readouterr().out


def test_one_of_a_thing_takes_no_s() -> None:
    assert [many(number, "channel") for number in (0, 1, 2)] == [
        "0 channels",
        "1 channel",
        "2 channels",
    ]
