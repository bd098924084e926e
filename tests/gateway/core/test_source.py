"""Strict YAML: what is read, what is refused and where, and how fast hostile files are refused."""

from __future__ import annotations

from time import process_time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.profile.check_cpython import check_text
from gateway.core.decimal import parse
from gateway.core.errors import ConfigError
from gateway.core.report_cpython import ERRORS_MAX
from gateway.core.source_cpython import DEPTH_MAX, SIZE_MAX, load_source, only, read_source
from tests.support.fuzz import parser

if TYPE_CHECKING:
    from pathlib import Path

SCALARS = {
    "0.10": parse("0.1"),
    "1e-05": parse("0.00001"),
    "10.10": parse("10.1"),
    "12": 12,
    "-7": -7,
    "+7": 7,
    "0x1F": 31,
    "0o17": 15,
    "0102": 102,
    "true": True,
    "False": False,
    "~": None,
    "null": None,
    "off": "off",
    "yes": "yes",
    "1:30": "1:30",
    "2026-11-23": "2026-11-23",
    "0b11": "0b11",
    "1_000": "1_000",
    "'12'": "12",
    '"true"': "true",
    "8N1": "8N1",
}


def test_source_reads_scalars_by_the_core_schema_of_yaml_1_2() -> None:
    for text, value in SCALARS.items():
        source = load_source(f"a: {text}", "a.yaml")
        assert source.root is not None
        node = source.root.get("a")
        assert node is not None
        assert (node.value, type(node.value)) == (value, type(value)), text
        assert not source.report.problems


def test_source_nodes_know_their_place_and_text() -> None:
    source = load_source("a: 1\nb:\n  - {c: 0.50, d: x y}\n", "a.yaml")
    assert source.root is not None
    item = source.root.get("b").items[0]  # type: ignore[union-attr]
    node = item.get("c")
    assert node is not None
    assert (node.line, node.column, node.width, node.text) == (3, 9, 4, "0.50")
    assert (item.key("d").line, item.key("d").column) == (3, 15)


@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        ("a: &x 1\nb: *x", "E003", 1, 4),
        ("a: 1\nb: !!str 1", "E003", 2, 4),
        ("a: !thing {b: 1}", "E003", 1, 4),
        ("a: 1\n---\nb: 1", "E003", 2, 1),
        ("%YAML 1.2\n---\na: 1", "E003", 1, 1),
        ("a:\n  <<: {b: 1}", "E003", 2, 3),
        ("? [a]\n: 1", "E003", 1, 3),
        ("a: 1\nb: 2\na: 3", "E004", 3, 1),
        ("a: {b: 1, b: 2}", "E004", 1, 11),
        ("a: .nan", "E005", 1, 4),
        ("a: -.inf", "E005", 1, 4),
        ("a: 1e99", "E005", 1, 4),
        ("a: [1, 2\nb: 1", "E002", 1, 4),
        ("a: {b: [1,\n  2}\n", "E002", 2, 4),
        ("a: {b: c d: 1}", "E002", 1, 11),
        ('a: "b\nc: 1', "E002", 1, 4),
        ("a: 1\nb 2\nc: 3", "E002", 2, 1),
        ("a: 1\r\n# b\rc: {d: [1\x85\u2028e: 2", "E002", 3, 8),
        ("a: 1\u2029b: {c: 1\n", "E002", 2, 4),
        ("\r\r\ra: {b", "E002", 4, 4),
        ("a: b\rc: d\re: '\0'", "E002", 3, 5),
        ("a: 1\n  b: 2", "E002", 2, 4),
        ("a:\n  b: 1\n c: 2", "E002", 3, 2),
        ("a:\n\tb: 1", "E002", 2, 1),
        ("a: %", "E002", 1, 4),
        ("a: b: c", "E002", 1, 5),
        ("a: '\x00'", "E002", 1, 5),
        ("a: \ud800", "E002", 1, 1),
        ("[" * (DEPTH_MAX + 1), "E003", 1, DEPTH_MAX + 1),
        ("a" * (SIZE_MAX + 1), "E001", 1, 1),
    ],
)
def test_source_refuses_with_the_place(text: str, code: str, line: int, column: int) -> None:
    found = load_source(text, "a.yaml").report.problems[0]
    assert (found.code, found.line, found.column) == (code, line, column)


SAID = [
    ("a: %", "no value begins with %", "a text that starts with % @ or ` needs quotes"),
    ("a:\n\tb: 1", "a tab stands here", "indent with spaces, never with tabs"),
    ("a: b: c", "a second colon in one line", 'a text that holds ": " needs quotes'),
    ("a: [1\nb: 1", "this [ is never closed", "write the ] that"),
    ("a: {b: [1,\n  2}\n", "not YAML: while parsing a flow sequence", "a comma is missing"),
    ("a: {b: x + #}\nc: 1", "this { is never closed", '" #" starts a comment: put the text in'),
    ('a: "b\nc: 1', "this quote is never closed", "write the other"),
    ("a: 1\nb 2\nc: 3", "this is no key and value", "a colon and a blank stand between them"),
    ("a: 1\n  b: 2", "no key can stand here", "is the line set in too far?"),
    ("a:\n  b: 1\n c: 2", "this line fits nowhere", "what belongs together begins in one column"),
]


@pytest.mark.parametrize(("text", "message", "hint"), SAID)
def test_source_says_in_plain_words_what_is_wrong(text: str, message: str, hint: str) -> None:
    found = load_source(text, "a.yaml").report.problems[0]
    assert found.message.startswith(message)
    assert found.hint.startswith(hint)
    assert bool(found.hint) == bool(hint)


def test_report_shows_line_caret_and_hint() -> None:
    source = load_source("name: x\nchanels:\n  a: 1\n", "wl200.yaml")
    assert source.root is not None
    only(source.root, ("name", "channels"), "the profile", source.report)
    assert source.report.text() == (
        "wl200.yaml:2:1: error E010: unknown key 'chanels' in the profile\n"
        "    2 | chanels:\n"
        "      | ^^^^^^^ did you mean 'channels'?"
    )
    assert source.report.rows()[0]["line"] == 2
    with pytest.raises(ConfigError, match="E010"):
        source.report.require()


def test_source_file_that_cannot_be_read_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_source(tmp_path / "none.yaml")
    bad = tmp_path / "bad.yaml"
    bad.write_bytes(b"a: \xff")
    with pytest.raises(ConfigError, match="byte 3 is not UTF-8"):
        read_source(bad)


HOSTILE = {
    "levels": "[" * 60_000,
    "maps": "{" * 60_000,
    "sequences": "- " * 30_000,
    "alias bomb": "a: &a [1,1,1,1,1,1,1,1]\n"
    + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{f'*{chr(97 + i)},' * 8}]\n" for i in range(20)),
    "size": "a: 1\n" * 20_000,
    "one key": "a: 1\n" * 13_000,
    "unknown keys": "".join(f"key_{i}: 1\n" for i in range(5000)),
    "digits": "every: " + "9" * 65_000,
    "arrays": "channels:\n" + "".join(f"  c{i}_[1..500]: {{at: 1}}\n" for i in range(2000)),
    "groups": "channels:\n"
    + "".join(f"  c{i}_[1..500]: {{step: 1, channels: {{}}}}\n" for i in range(1500)),
    "arrays in groups": "channels:\n  z[1..500]:\n    step: 1\n    channels:\n"
    + "".join(f"      c{i}_[1..500]: {{at: 1}}\n" for i in range(1500)),
    "alternatives": "channels:\n"
    + "".join(f"  c{i}_[1..60]: [{'{at: 1, if: 1},' * 1000}]\n" for i in range(3)),
    "brackets": "channels:\n"
    + "".join(f"  b{i}: {{calc: '{'(' * 200}1{')' * 200}'}}\n" for i in range(140)),
    "power": "name: a\nmodbus: {}\nchannels: {a: {calc: 9**9**9**9}}\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_file_is_refused_at_once(name: str) -> None:
    check_text("name: warm up", "a.yaml")
    best = 1.0
    for _ in range(3):  # the best of three: other work on the machine is not our cost
        started = process_time()
        checked = check_text(HOSTILE[name], "a.yaml")
        best = min(best, process_time() - started)
        assert checked.document is None
        assert 1 <= checked.report.errors <= ERRORS_MAX
    assert best < 0.1, f"{best * 1000:.0f} ms"


@parser
@given(st.text(max_size=300))
def test_any_text_is_read_or_reported(text: str) -> None:
    checked = check_text(text, "a.yaml")
    assert checked.document is None
    assert checked.report.errors


_LEAF = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8))
_KEYS = st.sampled_from(
    ["name", "channels", "tests", "modbus", "at", "type", "map", "calc", "if", "write", "a", "step"]
)
_TREES = st.recursive(
    _LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner), max_leaves=20
)


@given(st.dictionaries(_KEYS, _TREES))
def test_any_tree_of_our_own_keys_is_checked_without_a_crash(tree: dict[str, object]) -> None:
    import json

    checked = check_text(json.dumps(tree), "a.yaml")
    assert checked.report.errors or checked.document


def test_a_control_character_is_shown_where_it_stands_behind_letters_of_many_bytes() -> None:
    source = load_source("name: 水位\nmaker: 厂\x07\n" + "a: 1\n" * 9, "probe.yaml")
    (problem,) = source.report.problems
    assert (problem.code, problem.line, problem.column) == ("E002", 2, 9)
