"""`tidegate profile import` as people and machines call it, and hostile files."""

from __future__ import annotations

import json
from time import perf_counter
from typing import TYPE_CHECKING

import pytest

from gateway.__main__ import main
from gateway.core.errors import ConfigError
from tests.tools.profile.importing.test_esphome import HEAD, ITEMS
from tests.tools.profile.importing.test_evcc import CHARGER, TEMPLATE
from tests.tools.profile.importing.test_sunspec import COMMON, SIZZLER
from tests.tools.profile.importing.test_table import ENGLISH
from tests.tools.profile.importing.test_telegraf import REGISTER
from tools.bench import importing as bench
from tools.profile.importing import foreign, formats

if TYPE_CHECKING:
    from pathlib import Path

SOURCES = {
    "meter.csv": ENGLISH,
    "pump.yaml": HEAD + ITEMS,
    "acme.yaml": TEMPLATE,
    "kessel.conf": REGISTER,
    "model_64103.json": json.dumps(SIZZLER, indent=1),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    below = tmp_path / "sources"
    below.mkdir()
    for name, text in SOURCES.items():
        (below / name).write_text(text)
    (below / "notes.txt").write_text("nothing of interest\n")
    return below


def run(*arguments: object) -> int:
    return main(["profile", "import", *map(str, arguments)])


def test_one_draft_goes_to_standard_output_and_its_losses_to_the_other(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "kessel.conf"
    assert run(path) == 0
    out, err = capsys.readouterr()
    assert out.startswith("# yaml-language-server: $schema=../schema.json\n")
    assert f"{path}:21: not carried: holes: registers that do not follow each other" in err
    assert "Kessel: 10 channels; 2 not carried, 0 in part; the tests are missing" in err


def test_the_file_written_lacks_nothing_but_tests(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "kessel.yaml"
    assert run(folder / "kessel.conf", "-o", place) == 0
    capsys.readouterr()
    assert main(["profile", "check", str(place)]) == 1
    shown = capsys.readouterr().out
    assert shown.count("error E") == 1
    assert "error E060: tests must be a list" in shown
    assert "tests: []  # TODO: frames of the manual" in shown


def test_a_file_that_is_there_is_not_written_over(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "own.yaml"
    place.write_text("mine")
    assert run(folder / "meter.csv", "-o", place) == 78
    assert place.read_text() == "mine"
    assert run(folder / "meter.csv", "-o", place, "--force") == 0
    assert place.read_text() != "mine"


def test_a_folder_gives_a_draft_for_each_file_it_knows(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "drafts"
    assert run(folder, "-o", place) == 0
    assert sorted(path.name for path in place.iterdir()) == [
        "acme-hybrid-5.yaml",
        "kessel.yaml",
        "meter.yaml",
        "pump-station-1.yaml",
        "sunspec-sizzler-model-64103.yaml",
    ]


def test_one_bad_file_of_a_folder_does_not_spoil_the_others(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "bad.yaml").write_text("modbus_controller: [")
    place = tmp_path / "drafts"
    assert run(folder, "--format", "esphome", "-o", place) == 1
    assert [path.name for path in place.iterdir()] == ["pump-station-1.yaml"]
    assert f"{folder / 'bad.yaml'}:2: not YAML" in capsys.readouterr().err


def test_several_devices_need_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "box.yaml"
    path.write_text(CHARGER)
    assert run(path) == 78
    assert "2 devices (Acme Box (address 1), Acme Box (address 7))" in capsys.readouterr().err
    assert run(path, "-o", tmp_path / "new") == 0
    assert len(list((tmp_path / "new").iterdir())) == 2


def test_models_named_together_are_one_device(folder: Path, tmp_path: Path) -> None:
    common = folder / "model_1.json"
    common.write_text(json.dumps(COMMON))
    place = tmp_path / "chain.yaml"
    assert run(common, folder / "model_64103.json", "--base", "0", "-o", place) == 0
    text = place.read_text()
    assert "model_1 == 1 and model_64103 == 64103" in text
    assert "maker:" in text


def test_machines_get_the_losses_with_file_and_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder / "kessel.conf", "--json") == 0
    out, err = capsys.readouterr()
    (row,) = json.loads(out)
    assert err == ""
    assert (row["name"], row["channels"], row["errors"]) == ("Kessel", 10, [])
    assert row["profile"].startswith("# yaml-language-server")
    assert row["not_carried"][0] == {
        "file": str(folder / "kessel.conf"),
        "line": 21,
        "what": "holes",
        "reason": "registers that do not follow each other: [20, 22]",
        "whole": True,
    }


def test_templates_whose_licence_forbids_it_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config-x.json"
    path.write_text('{"device_type": "X", "device": {"channels": [{"reg_type": "input"}]}}')
    assert run(path) == 78
    assert "its licence allows its use on Wiren Board controllers only" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.yaml", "a: b\n", "none of sunspec, evcc, esphome, telegraf, csv"),
        ("a.csv", "", "none of sunspec"),
        (
            "a.yaml",
            "template: t\nrender: |\n  x: {source: modbus}\n",
            "no channel could be carried",
        ),
        ("a.csv", "Address,Name,Type\n1,A,blob\n", "none of its 1 rows could be understood"),
    ],
)
def test_what_gives_no_draft_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str, said: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert run(path) == 78
    assert said in capsys.readouterr().err


def test_what_is_not_there_or_wrong_in_the_call_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path / "none.csv") == 66
    assert run(tmp_path) == 78
    assert "nothing to import" in capsys.readouterr().err
    assert run(tmp_path / "x.yaml", "--set", "usage") == 78
    assert "write KEY=VALUE" in capsys.readouterr().err


LINES = "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)
)


@pytest.mark.parametrize(
    "text",
    [
        "modbus_controller: 1\na: &a [x, x, x, x, x, x, x, x, x]\n" + LINES,
        "modbus_controller: " + "[" * 50_000,
        "modbus_controller: " + "{a: " * 50_000,
        "modbus_controller: &a [*a]",
        "modbus_controller: \x00",
        "sensor:\n" + "  - {platform: modbus_controller, filters: [" + "[" * 60 + "\n",
        "modbus_controller: 1\n" + "a: b\n" * 60_000,
        "template: t\nrender: |\n  {{ " + "(" * 20_000 + "\n  source: modbus\n",
        "template: t\nrender: |\n  source: modbus\n  {{ if .a }}" + "{{ if .a }}" * 20_000 + "\n",
        "[[inputs.modbus]]\na = " + "{a=" * 20_000,
        '{"group": {"points": ' + "[" * 100_000,
    ],
)
def test_a_hostile_file_is_refused_with_a_sentence_and_soon(tmp_path: Path, text: str) -> None:
    path = tmp_path / "hostile.yaml"
    path.write_text(text)
    started = perf_counter()
    with pytest.raises(ConfigError, match="hostile"):
        formats.read([str(path)], "auto", formats.Options())
    assert perf_counter() - started < 2  # seconds; a bomb would take hours


def test_a_file_beyond_the_bound_is_not_even_read(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_bytes(b"modbus_controller: 1 #" + b"x" * foreign.SIZE_MAX)
    with pytest.raises(ConfigError, match="more than the"):
        formats.read([str(path)], "auto", formats.Options())


def test_the_bench_counts_files_and_channels(folder: Path) -> None:
    rows = {row["figure"]: row["value"] for row in bench.run([folder])}
    assert rows["telegraf: files imported, of 1"] == 100
    assert rows["telegraf: channels imported, of 12"] == 83.3
    assert rows["sunspec: drafts with an error besides their missing tests"] == 0
    assert {figure.split(":")[0] for figure in rows} == {*formats.FORMATS}
    with pytest.raises(ConfigError, match="name folders"):
        bench.run([])


def test_an_impossible_number_of_copies_is_answered_with_the_range(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run("sunspec:1", "--repeat", "99")
    said = capsys.readouterr().err
    assert "a whole number 1..32 is wanted, not '99'" in said
    assert "31" not in said
