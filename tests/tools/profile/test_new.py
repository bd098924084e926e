"""`tidegate profile new`: a draft that lacks only what a person must know."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from drivers.profile import schema
from drivers.profile.check_cpython import check_text
from gateway.__main__ import main
from tests.tools.profile.test_schema import problems
from tools.profile.proof import tester
from tools.profile.writing.questions import Answers, asked, checked, frames

TABLES = {
    "en": """\
Register,Name,Data type,Factor,Unit,Access
0x0000,Water level,INT16,0.001,m,R
0x0001,Water temperature,INT16,0.1,°C,R
0x0002,Battery voltage,UINT16,0.01,V,R
0x0003,Filter time,UINT16,1,s,R/W
""",
    "zh": """\
寄存器地址,名称,数据类型,系数,单位,读写
0x0000,水位,INT16,0.001,m,R
0x0001,水温,INT16,0.1,℃,R
0x0002,电池电压,UINT16,0.01,V,R
0x0003,滤波时间,UINT16,1,s,R/W
""",
    "de": """\
Adresse;Bezeichnung;Datentyp;Faktor;Einheit;Zugriff
0x0000;Wasserstand;INT16;0,001;m;R
0x0001;Wassertemperatur;INT16;0,1;°C;R
0x0002;Batteriespannung;UINT16;0,01;V;R
0x0003;Filterzeit;UINT16;1;s;R/W
""",
}
SENT, RECEIVED = "01 03 0000 0004 4409", "01 03 08 04D2 00E1 0168 001E DA17"

DUST = """\
Dust 5
Plan
Five, Six
https://plan.example/dust
air_quality
2m
serial




42 4D
{at: 2, type: u16, plus: 4}

sum16

pm1
10
u16

µg/m³
pm2_5
12
u16

µg/m³


424D 001C 0004 0007 0008 0004 0007 0008 0384 010E 0032 0006 0002 0000 9700 0238
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in TABLES.items():
        (tmp_path / f"{name}.csv").write_text(text)
    return tmp_path


def new(*arguments: object) -> int:
    return main(["profile", "new", *map(str, arguments)])


def errors(path: str) -> list[tuple[str, int]]:
    found = check_text(Path(path).read_text(), path)
    tester.run(found)
    return [(one.code, one.line) for one in found.report.problems if one.severity == "error"]


@pytest.mark.parametrize("language", TABLES)
def test_new_from_a_table_and_a_frame_is_a_profile_whose_test_holds(
    language: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = ["--frame", SENT, RECEIVED]
    assert new("acme/wl200.yaml", "--table", f"{language}.csv", *frame, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["problems"] == []
    assert len(told["channels"]) == 4
    assert set(told["columns"].values()) == {"address", "name", "type", "scale", "unit", "access"}
    text = Path("acme/wl200.yaml").read_text()
    assert errors("acme/wl200.yaml") == []
    assert problems(text) == []  # an editor has nothing to say either
    assert [text.count(one) for one in ("1.234", "22.5", "3.6", ": 30")] == [1, 1, 1, 1]
    assert "verified: manual  #" in text


def test_new_without_a_frame_proposes_the_request_and_leaves_the_answer(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert new("acme/wl200.yaml", "--table", "en.csv") == 0
    text = Path("acme/wl200.yaml").read_text()
    assert f"- sent: {SENT}\n" in text
    lines = text.splitlines()
    place = 1 + next(at for at, line in enumerate(lines) if line.startswith("  - sent:"))
    assert {line >= place for _, line in errors("acme/wl200.yaml")} == {True}
    told = capsys.readouterr().out
    assert "columns taken for: Register = address, Name = name" in told
    assert f"still to do: line {place + 2}: bytes in hex such as 01 03 0000 are wanted" in told
    assert "an error to mend" not in told
    assert told.endswith("next: tidegate profile check acme/wl200.yaml\n")
    # what the manual says, pasted, is all that was missing
    filled = text.replace("received:\n", f"received: {RECEIVED}\n").replace(
        "level: }", "level: 1.234}"
    )
    Path("acme/wl200.yaml").write_text(filled)
    assert errors("acme/wl200.yaml") == []


def test_new_explains_each_key_once(folder: Path) -> None:
    new("acme/wl200.yaml", "--table", "en.csv", "--frame", SENT, RECEIVED, "--set", "baud=4800")
    text = Path("acme/wl200.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=../schema.json\n# $schema: ../schema.")
    remarks = " ".join(line.partition("# ")[2] for line in text.splitlines())
    explained = 0
    for table, keys in (
        (schema.PROFILE, ("name", "maker", "verified", "channels", "tests")),
        (schema.MODBUS, ("baud",)),
        (schema.CHANNEL, ("at", "type", "scale", "unit", "write")),
        (schema.TEST, ("sent", "received", "gives")),
    ):
        purposes = {key: purpose for key, _, purpose in table}
        for key in keys:
            explained += 1
            assert remarks.count(purposes[key].replace(" (required)", "")) == 1, key
    assert explained == 14
    assert max(map(len, text.splitlines())) <= 100


def test_new_takes_what_the_command_line_says(folder: Path) -> None:
    options = ["--name", "Level: 200", "--maker", "Acme & Co", "--docs", "manual p. 7"]
    options += ["--kind", "water_level", "--set", "every=10s", "--set", "identify=water_level < 9"]
    assert new("acme/wl200.yaml", "--table", "en.csv", *options, "--frame", SENT, RECEIVED) == 0
    root = check_text(Path("acme/wl200.yaml").read_text(), "x").root
    assert root is not None
    found = {key.text: value.text for key, value in root.pairs}
    assert found["name"] == "Level: 200"
    assert found["maker"] == "Acme & Co"
    assert found["docs"] == "manual p. 7"
    assert (found["kind"], found["every"]) == ("water_level", "10s")
    assert found["identify"] == "water_level < 9"


def test_new_names_maker_and_device_after_the_file(folder: Path) -> None:
    new("acme/wl200.yaml", "--table", "en.csv", "--frame", SENT, RECEIVED)
    text = Path("acme/wl200.yaml").read_text()
    assert "\nname: Acme WL200  #" in text
    assert "\nmaker: Acme  #" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--table", "en.csv", "--frame", SENT, RECEIVED.replace("17", "18")], "have DA17"),
        (
            ["--table", "en.csv", "--frame", "01 03 0100 0001 85F6", "01 03 02 0000 B844"],
            "its bytes",
        ),
        (["--table", "en.csv", "--frame", "1", "2", "3"], "a request and its answer"),
        (["--table", "en.csv", "--set", "bauds=9600"], "did you mean 'baud'?"),
        (["--table", "en.csv", "--set", "baud=fast"], "a number is wanted"),
        (["--table", "en.csv", "--set", "baud"], "KEY=VALUE"),
        (["--table", "none.csv"], "none.csv: No such file"),
        (["--answers", "none.txt"], "none.txt: No such file"),
        ([], "nobody to ask"),
    ],
)
def test_new_says_what_is_wrong_and_writes_nothing(
    arguments: list[str],
    said: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert new("acme/wl200.yaml", *arguments) == (66 if "No such file" in said else 78)
    assert said in capsys.readouterr().err
    assert not Path("acme").exists()


def test_new_writes_over_a_file_only_by_force(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["acme/wl200.yaml", "--table", "en.csv"]
    assert new(*arguments) == 0
    assert new(*arguments) == 78
    assert "--force writes over it" in capsys.readouterr().err
    assert new(*arguments, "--force") == 0


def test_new_from_answers_asks_what_the_bus_needs(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(DUST))
    assert new("plan/dust.yaml", "--answers", "-") == 0
    text = Path("plan/dust.yaml").read_text()
    assert 'serial: {start: "42 4D", length: {at: 2, type: u16, plus: 4}, check: sum16}' in text
    assert "gives: {pm1: 4, pm2_5: 7}" in text
    assert "models: [Five, Six]" in text
    assert errors("plan/dust.yaml") == []
    assert problems(text) == []
    assert "kinds guessed: pm1 = air.pm1" in capsys.readouterr().out


def test_new_asks_again_on_a_terminal_and_says_why() -> None:
    lines = iter(
        DUST.replace("air_quality\n2m", "Air Quality\nair_quality\noften\n2m").splitlines()
    )
    objections: list[str] = []
    answers = Answers(lambda _: next(lines, ""), objections.append)
    draft = asked(answers)
    assert (draft.kind, draft.every) == ("air_quality", "2m")
    assert len(objections) == 2
    assert "a word of small letters" in objections[0]
    assert len(frames(answers, lambda _: "")) == 1


def test_new_ends_at_a_wrong_answer_of_a_script(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("answers.txt").write_text(DUST.replace("sum16", "sum15"))
    assert new("plan/dust.yaml", "--answers", "answers.txt") == 78
    assert "did you mean 'sum16'?" in capsys.readouterr().err


# bus: the answers about it, then those about a channel "a".
OF_BUS = {
    "modbus": (["", "", ""], ["0", "", "u16", "", ""]),
    "serial": (["", "", "", "", "AA", "4", "", "", ""], ["1", "u16", "", ""]),
    "ble": (["0x0499", "", "", ""], ["0", "u16", "", ""]),
    "dlt645": (["", "even"], ["0201FF00", "bcd16", "0.1", "V"]),
    "cjt188": (["", ""], ["901F", "bcd32", "", ""]),
    "sdi12": (["", ""], ["M", "", "", ""]),
    "iec62056": (["300", "even"], ["1.8.0", "", "", "kWh"]),
    "mbus": (["2400", "even"], ["0C06", "bcd32", "", "kWh"]),
    "driver": (["acme.thing"], ["0", "", "u16", "", ""]),
}


@pytest.mark.parametrize("bus", schema.BUSES)
def test_new_makes_a_draft_for_every_bus(bus: str, folder: Path) -> None:
    about, channel = OF_BUS[bus]
    lines = ["Thing", "", "", "", "", "", bus, *about, "a", *channel]
    Path("answers.txt").write_text("\n".join(lines) + "\n")
    assert new("plan/thing.yaml", "--answers", "answers.txt") == 0
    codes = {code for code, _ in errors("plan/thing.yaml")}
    assert codes <= {"E060", "E012"}, Path("plan/thing.yaml").read_text()


VALUES: tuple[tuple[str, str, Any], ...] = (
    ("int 0 100", "0x10", 16),
    ("number", "0.1", "0.1"),
    ("mark hex", "0103", "0103"),
    ("length", "8..40", "8..40"),
    ("length", "[10, 32]", [10, 32]),
    ("one u8 u16", "u16", "u16"),
    ("texts", "a, b ,", ["a", "b"]),
    ("text", "x: y", "x: y"),
)


@pytest.mark.parametrize(("form", "answer", "value"), VALUES)
def test_new_reads_an_answer_by_the_form_of_its_key(form: str, answer: str, value: Any) -> None:
    found = checked("key", form, answer)
    assert (str(found) if form == "number" else found) == value


@pytest.mark.parametrize(
    ("first", "request_sent"),
    [("40001", "01 03 0000 0003 05CB"), ("30001", "01 04 0000 0003 B00B")],
)
def test_new_from_reference_numbers_begins_a_test_at_the_first_register(
    first: str, request_sent: str, folder: Path
) -> None:
    rows = [f"{int(first) + at},{name}\n" for at, name in enumerate(("Level", "Flow", "Fill"))]
    Path("reference.csv").write_text("Register,Name\n" + "".join(rows))
    assert new("acme/wl200.yaml", "--table", "reference.csv") == 0
    text = Path("acme/wl200.yaml").read_text()
    assert "base: 40001" in text
    assert f"- sent: {request_sent}\n" in text


def test_new_refuses_answers_that_are_no_text(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("answers.txt").write_bytes(b"\xff\xfe")
    assert new("acme/wl200.yaml", "--answers", "answers.txt") == 66
    assert capsys.readouterr().err == "tidegate: answers.txt: byte 0 is not UTF-8\n"


def test_new_asks_again_for_an_id_that_cannot_be_or_is_taken() -> None:
    channel = ["2", "u16", "", "µg/m³"]
    lines = [*DUST.splitlines()[:16], "PM 1", "pm1", *channel, "pm1", "pm2_5", *channel]
    given, objections = iter(lines), list[str]()
    draft = asked(Answers(lambda _: next(given, ""), objections.append))
    assert [one.id for one in draft.channels] == ["pm1", "pm2_5"]
    assert "'PM 1' is no channel id" in objections[0]
    assert objections[1:] == ["there is a channel 'pm1' already"]


def test_new_asks_nothing_more_once_the_answers_have_ended() -> None:
    prompts = []

    def ask(prompt: str) -> str:
        prompts.append(prompt)
        raise EOFError

    answers = Answers(ask, print)
    draft = asked(answers)
    found = frames(answers, lambda _: "")
    assert (len(prompts), draft.channels, found) == (1, [], [])


def test_new_refuses_a_pasted_frame_with_a_wrong_sum_at_once_and_asks_again(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = DUST.splitlines()[-1]
    lines = iter([*DUST.splitlines()[:-1], right.replace("0238", "0239"), "", right, "", ""])
    monkeypatch.setattr("builtins.input", lambda _: next(lines))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    assert new("plan/dust.yaml") == 0
    assert "the check sum is 0239, these bytes have 0238" in capsys.readouterr().out
    assert errors("plan/dust.yaml") == []
    assert "gives: {pm1: 4, pm2_5: 7}" in Path("plan/dust.yaml").read_text()


def test_new_tells_a_script_what_is_wrong_with_its_frame(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("answers.txt").write_text(DUST.replace("0238", "0239"))
    assert new("plan/dust.yaml", "--answers", "answers.txt") == 78
    said = capsys.readouterr().err
    assert said.startswith("tidegate: the check sum is 0239, these bytes have 0238")
    assert not Path("plan").exists()
