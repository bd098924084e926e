"""`tidegate profile schema`: what an editor is told is what the checker says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from drivers.profile import form_cpython
from drivers.profile import schema as grammar
from drivers.profile.check_cpython import check_text
from gateway.__main__ import main
from gateway.core.source_cpython import MAP, SCALAR, Node, load_source, read_source
from tools.profile.writing import schema

PROFILES = schema.FILE.parent
FILES = sorted(PROFILES.glob("*/*.yaml"))
EXAMPLES = sorted((PROFILES.parent / "tests/drivers/profile/examples").glob("*.yaml"))
VALIDATOR = jsonschema.Draft7Validator(json.loads(schema.text()))

GOOD = """\
name: Probe
modbus: {}
channels: {a: {at: 1}}
tests:
  - holding: {1: 00FF}
    gives: {a: 255}
"""
# (what is replaced, by what); each must be an error to the schema and to the checker alike.
BROKEN = (
    ("name: Probe\n", ""),
    ("name: Probe", "name: ' '"),
    ("name: Probe", "name: null"),
    ("name: Probe", "name: true"),
    ("holding: {1: 00FF}", "sent: []\n    received: []"),
    ("{at: 1}", "{at: 1, type: str251}"),
    ("{at: 1}", "{at: 1, type: hex0}"),
    ("modbus: {}", "modbus: {baud: fast}"),
    ("modbus: {}", "modbus: {bauds: 9600}"),
    ("modbus: {}", "modbus: {parity: 8E1}"),
    ("modbus: {}", "modbus: {in: holdings}"),
    ("modbus: {}", "modbus: {stop: 3}"),
    ("modbus: {}\n", ""),
    ("modbus: {}", "modbus: {}\nmaker: {}"),
    ("modbus: {}", "modbus: {}\nmodels: one"),
    ("modbus: {}", "modbus: {}\nevery: 10"),
    ("modbus: {}", "modbus: {}\nevery: often"),
    ("modbus: {}", "modbus: {}\nverified: yes"),
    ("modbus: {}", "modbus: {}\nplaform: x"),
    ("modbus: {}", "modbus: {}\nsettings: {s: {dfault: 1}}"),
    ("modbus: {}", "modbus: {}\nsetup: {at: 1}"),
    ("{a: {at: 1}}", "{}"),
    ("{a: {at: 1}}", "[a]"),
    ("{a: {at: 1}}", "{A: {at: 1}}"),
    ("{at: 1}", "{at: one}"),
    ("{at: 1}", "{at: 1.5}"),
    ("{at: 1}", "{at: 1, type: u17}"),
    ("{at: 1}", "{at: 1, order: AB}"),
    ("{at: 1}", "{at: 1, scal: 0.1}"),
    ("{at: 1}", "{at: 1, scale: tenth}"),
    ("{at: 1}", "{at: 1, valid: 5}"),
    ("{at: 1}", "{at: 1, bits: 4-7}"),
    ("{at: 1}", "{at: 1, hidden: 1}"),
    ("{at: 1}", "{at: 1, map: {closed: 0}}"),
    ("{at: 1}", "{at: 1, flags: {0: Alarm Now}}"),
    ("{at: 1}", "{at: 1, kind: wq.ph7}"),
    ("{at: 1}", "{at: 1, write: maybe}"),
    ("{at: 1}", "{at: 1, write: {lowest: 1}}"),
    ("{at: 1}", "{at: 1, write: {steps: []}}"),
    ("{a: {at: 1}}", "{'g[1..2]': {step: 1, unit: V, channels: {a: {at: 1}}}}"),
    ("gives: {a: 255}", "gives: all"),
    ("gives: {a: 255}", "given: {a: 255}"),
    ("holding: {1: 00FF}", "sent: 01 0\n    received: 01 03"),
    ("holding: {1: 00FF}", "holding: 00FF"),
)


FRAMES = """\
name: Dust
serial: {start: 42 4D, length: {at: 2, type: u16, plus: 4}, check: sum16, wake: {send: 42 4D}}
channels: {a: {at: 4, type: u16}}
tests:
  - received: 42 4D
    gives: nothing
"""
BROKEN_FRAMES = (
    ("start: 42 4D", "start: 42 4"),
    ("start: 42 4D", "starts: 42 4D"),
    ("type: u16, plus: 4", "type: u17, plus: 4"),
    ("at: 2, type", "type"),
    ("length: {at: 2, type: u16, plus: 4}", "length: long"),
    ("length: {at: 2, type: u16, plus: 4}", "length: 0"),
    ("check: sum16", "check: sum17"),
    ("check: sum16", "check: {is: sum16, to: 3}"),
    ("wake: {send: 42 4D}", "wake: {wait: 30s}"),
    ("serial: {", "serial: {messages: {Pack: {}}, "),
    ("serial: {", "serial: {messages: {pack: {asks: '01'}}, "),
    ("serial:", "ble: {manufacturer: 70000}\nserial:"),
    ("serial: {", "ble: {manufacturer: -5, "),
    ("serial:", "ble: {}\nserial:"),
    ("serial:", "seriel:"),
    ("{at: 4, type", "{at: 4, in: [x], type"),
    ("{at: 4, type", "{at: 4, title: {fr: Eau}, type"),
    ("{at: 4, type", "{at: 4, match: 5, type"),
)


def as_json(node: Node) -> Any:
    """Return a tree of YAML as an editor's validator sees it."""
    if node.kind == MAP:
        return {key.text: as_json(value) for key, value in node.pairs}
    if node.kind != SCALAR:
        return [as_json(item) for item in node.items]
    value = node.value
    return value if value is None or isinstance(value, (bool, int, str)) else float(value)


def problems(text: str) -> list[str]:
    root = load_source(text, "probe.yaml").root
    assert root is not None
    return [error.message for error in VALIDATOR.iter_errors(as_json(root))]


def test_schema_is_a_draft_07_schema_without_one_of() -> None:
    jsonschema.Draft7Validator.check_schema(VALIDATOR.schema)
    assert VALIDATOR.schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert '"oneOf"' not in schema.text()


def test_schema_shipped_is_the_one_the_tables_make() -> None:
    assert schema.FILE.read_text() == schema.text(), (
        "write it: tidegate profile schema -o profiles/schema.json"
    )


def test_schema_knows_every_form_and_every_key_with_keys_of_its_own() -> None:
    assert set(schema.FORMS) | {"node"} == set(form_cpython.FORMS)
    made = schema.document()
    assert set(made["properties"]) == {key for key, _, _ in grammar.PROFILE}
    places = made["definitions"]["place"]["properties"]
    assert set(places) == {key for key, _, _ in grammar.CHANNEL} - {"channels"}


def test_schema_tells_the_purpose_of_every_key_and_allows_no_other() -> None:
    maps = [one for one in _walk(schema.document()) if "additionalProperties" in one]
    closed = [one for one in maps if one["additionalProperties"] is False]
    assert len(closed) >= 8
    told = [value["description"] for one in closed for value in one["properties"].values()]
    assert len(told) >= 80
    assert all(told)


def test_schema_finds_nothing_wrong_with_any_shipped_profile() -> None:
    found = [
        f"{path.parent.name}/{path.stem}: {'/'.join(map(str, error.path))}: {error.message}"
        for path in EXAMPLES + FILES
        for error in VALIDATOR.iter_errors(as_json(read_source(path).root or Node(MAP, 1, 1, 1)))
    ]
    assert not found, "\n".join(found)
    assert len(FILES) >= 18


@pytest.mark.parametrize(("old", "new"), BROKEN, ids=[new or f"no {old}" for old, new in BROKEN])
def test_schema_and_checker_agree_on_what_is_broken(old: str, new: str) -> None:
    assert problems(GOOD) == []
    text = GOOD.replace(old, new)
    assert text != GOOD
    assert problems(text)
    assert check_text(text, "probe.yaml").report.errors


@pytest.mark.parametrize(("old", "new"), BROKEN_FRAMES, ids=[new for _, new in BROKEN_FRAMES])
def test_schema_and_checker_agree_on_broken_frames(old: str, new: str) -> None:
    assert problems(FRAMES) == []
    assert check_text(FRAMES, "probe.yaml").report.errors == 0
    text = FRAMES.replace(old, new)
    assert text != FRAMES
    assert problems(text)
    assert check_text(text, "probe.yaml").report.errors


@pytest.mark.parametrize("word", ["'0103'", "01 03", "01 a3 0000"])
def test_schema_takes_bytes_as_text(word: str) -> None:
    frames = f"sent: {word}\n    received: {word}"
    assert problems(GOOD.replace("holding: {1: 00FF}", frames)) == []


@pytest.mark.parametrize("word", ["0103", "00", "12e3"])
def test_schema_wants_quotes_where_yaml_would_read_bytes_as_a_number(word: str) -> None:
    frames = f"sent: {word}\n    received: 01 03"
    (message,) = problems(GOOD.replace("holding: {1: 00FF}", frames))
    assert "is not of type 'string'" in message


def test_schema_wants_quotes_around_marks_that_are_digits_only() -> None:
    assert problems(FRAMES.replace("start: 42 4D", 'start: "4242"')) == []
    assert problems(FRAMES.replace("start: 42 4D", "start: 4242"))


def test_schema_takes_texts_where_the_message_is_one() -> None:
    text = FRAMES.replace("start: 42 4D, ", "").replace(
        "serial: {", 'serial: {as: text, end: "\\n", '
    )
    assert problems(text) == []


def test_schema_and_checker_agree_on_the_longest_text() -> None:
    for size in (1, 9, 10, 99, 100, 199, 200, 249, 250, 251, 999):
        text = GOOD.replace("at: 1}", f"at: 1, type: str{size}}}")
        unknown = "E020" in [one.code for one in check_text(text, "probe.yaml").report.problems]
        assert bool(problems(text)) == unknown == (size > 250)


def test_schema_names_the_wrong_key_of_a_channel() -> None:
    (message,) = problems(GOOD.replace("{at: 1}", "{at: 1, scal: 0.1}"))
    assert "'scal' was unexpected" in message


def test_schema_is_printed_written_and_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["profile", "schema"]) == 0
    assert capsys.readouterr().out == schema.text()
    path = tmp_path / "schema.json"
    assert main(["profile", "schema", "-o", str(path)]) == 0
    assert path.read_text() == schema.text()
    capsys.readouterr()
    assert main(["profile", "schema", "--check", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"file": str(schema.FILE), "stale": False}


def test_schema_that_is_stale_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(schema, "FILE", tmp_path / "schema.json")
    assert main(["profile", "schema", "--check"]) == 1
    assert "stale, write it with -o" in capsys.readouterr().out


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_schema_is_named_by_both_lines_editors_look_for(path: Path) -> None:
    first, second = path.read_text().split("\n")[:2]
    named = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert named, f"{path}: the first line names no schema"
    assert second == f"# $schema: {named.group(1)}"
    assert (path.parent / named.group(1)).resolve() == schema.FILE


def _walk(tree: Any) -> list[dict[str, Any]]:
    found = [tree] if isinstance(tree, dict) else []
    for one in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        found += _walk(one)
    return found
