"""What the checker says of buses that are not Modbus: sections, messages, frames, texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.profile.bus import BUSES, CHECKS
from drivers.profile.bus_cpython import SUM_BYTES
from drivers.profile.check_cpython import Checked, check_text
from drivers.profile.model import load
from drivers.protocol import checksum
from gateway.core import cbor
from tools.profile.proof import tester

EXAMPLES = sorted((Path(__file__).parent / "examples").glob("*.yaml"))
RECEIVED = "tests: [{received: 01 02 03 04, gives: {a: 1}}]\n"


def check(text: str) -> Checked:
    checked = check_text(text, "a.yaml")
    tester.run(checked)
    return checked


def profile(bus: str, rows: str, tests: str = RECEIVED, rest: str = "") -> str:
    """A profile with this bus section and these channels."""
    return f"name: X\n{bus}\n{rest}channels: {{{rows}}}\n{tests}"


def serial(keys: str, rows: str = "a: {at: 0}", tests: str = RECEIVED, rest: str = "") -> str:
    return profile(f"serial: {{{keys}}}", rows, tests, rest)


def codes(text: str) -> list[str]:
    return [problem.code for problem in check(text).report.problems]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_worked_example_is_clean_and_its_tests_hold(path: Path) -> None:
    checked = check_text(path.read_text(encoding="utf-8"), path.name)
    outcome = tester.run(checked)
    assert [one.code for one in checked.report.problems if one.code != "W060"] == []
    assert outcome.failed == 0
    assert outcome.compared >= outcome.tests >= 1
    assert len(cbor.encode(checked.document)) < 1024


def test_there_are_as_many_worked_examples_as_the_format_was_tried_on() -> None:
    assert len(EXAMPLES) == 15


def test_check_sums_of_the_grammar_are_those_of_the_protocols() -> None:
    assert {name: SUM_BYTES.get(name, 1) for name in CHECKS} == checksum.SIZES


# What stands in the section, and the compiled message that must come of it.
MESSAGES = [
    ("length: 4", {"length": [4]}),
    ("length: [8, 4]", {"length": [4, 8]}),
    ("length: 4..8", {"length": {"min": 4, "max": 8}}),
    ("length: {at: 1, plus: 2}", {"length": {"at": 1, "plus": 2}}),
    (
        "length: {at: 1, type: u16, order: DCBA}",
        {"length": {"at": 1, "type": "u16", "order": "DCBA"}},
    ),
    ("end: 03 04", {"end": b"\x03\x04"}),
    ("start: 01 02, length: 4", {"start": [b"\x01\x02"], "length": [4]}),
    ("start: ['01', 02 03], length: 4", {"start": [b"\x01", b"\x02\x03"], "length": [4]}),
    (
        "length: 4, bytes: {1: '02', -1: '04'}",
        {"bytes": [[-1, b"\x04"], [1, b"\x02"]], "length": [4]},
    ),
    ("length: 4, check: xor8", {"length": [4], "check": {"is": "xor8"}}),
    (
        "length: 4, check: {is: sum8, from: 1, seed: 6}",
        {"length": [4], "check": {"is": "sum8", "from": 1, "seed": 6}},
    ),
    ("length: 4, ask: 05 06", {"length": [4], "ask": [b"\x05\x06"]}),
    (
        "length: 4, check: sum8, ask: 'AA {addr} 01{check}'",
        {"length": [4], "check": {"is": "sum8"}, "ask": [b"\xaa", "'addr", b"\x01", "'check"]},
    ),
    ('as: text, ask: "R{addr}\\n"', {"as": "text", "ask": [b"R", "'addr", b"\n"]}),
    ('as: text, split: ",", start: $GP', {"as": "text", "split": ",", "start": [b"$GP"]}),
]


@pytest.mark.parametrize(("keys", "row"), MESSAGES)
def test_message_is_compiled_as_the_readers_of_frames_want_it(keys: str, row: object) -> None:
    text = "as: text" in keys
    tests = 'tests: [{received: "$GP1\\n", gives: {a: 1}}]' if text else RECEIVED
    rows = "a: {match: '([0-9]+)'}" if text and "split" not in keys else "a: {at: 0}"
    checked = check_text(serial(keys, rows, tests), "a.yaml")
    assert checked.report.errors == 0, checked.report.text()
    assert checked.document is not None
    assert checked.document["messages"] == [{"id": "", **row}]  # type: ignore[dict-item]


def test_messages_take_what_the_section_says_unless_they_say_otherwise() -> None:
    messages = "messages: {p: {start: '01'}, q: {start: '02', length: 5, every: 1m}}"
    rows = "a: {in: p, at: 1}, b: {in: q, at: 2}, c: {at: 0}"
    checked = check_text(serial(f"length: 4, check: sum8, {messages}", rows), "a.yaml")
    assert checked.document is not None
    common = {"check": {"is": "sum8"}}
    assert checked.document["messages"] == [
        {"id": "p", "start": [b"\x01"], "length": [4], **common},
        {"id": "q", "start": [b"\x02"], "length": [5], "every": 60000, **common},
    ]
    rows_by_id = {row["id"]: row for row in checked.document["channels"]}
    assert rows_by_id["a"] == {"id": "a", "in": "p", "at": 1}
    assert rows_by_id["c"] == {"id": "c", "at": 0}


def test_line_knows_what_wakes_a_device_and_what_lets_it_sleep() -> None:
    keys = "length: 4, baud: 2400, timeout: 1s, wake: {send: FE FE, wait: 30s}, sleep: 'FF'"
    document = check_text(serial(keys), "a.yaml").document
    assert document is not None
    wake = {"wake": [b"\xfe\xfe", 30000], "sleep": b"\xff"}
    assert document["line"] == {"baud": 2400, "timeout_ms": 1000, **wake}


def test_wake_and_sleep_of_a_device_of_texts_may_be_either() -> None:
    tests = 'tests: [{received: "1\\n", gives: {a: 1}}]'
    for wake, data in (("FE FE", b"\xfe\xfe"), ('"W\\n"', b"W\n")):
        checked = check_text(
            serial(f"as: text, wake: {wake}, sleep: {wake}", tests=tests), "a.yaml"
        )
        assert checked.document is not None, checked.report.text()
        assert checked.document["line"] == {"wake": [data, 0], "sleep": data}


SECTIONS = [
    ("serial:", "E070"),
    ("serial: {}", "E070"),
    ("serial: 5", "E011"),
    ("serial: {length: 4, bauds: 1}", "E010"),
    ("serial: {length: 0}", "E012"),
    ("serial: {length: 5..4}", "E012"),
    ("serial: {length: 1025}", "E012"),
    ("serial: {length: {plus: 1}}", "E013"),
    ("serial: {length: {at: 1, type: s8}}", "E012"),
    ("serial: {length: 4, check: md5}", "E012"),
    ("serial: {length: 4, check: {from: 1}}", "E013"),
    ("serial: {length: 4, start: 0}", "E012"),
    ("serial: {length: 4, start: []}", "E012"),
    ("serial: {length: 4, bytes: '01'}", "E012"),
    ("serial: {length: 4, bytes: {-1: 01 02}}", "E012"),
    ("serial: {length: 4, wake: {wait: 1s}}", "E013"),
    ("serial: {length: 4, wake: {send: '01', wait: 1h}}", "E012"),
    ("serial: {length: 4, split: ','}", "E023"),
    ("serial: {length: 4, as: bytes}", "E012"),
    ("serial: {length: 4, ask: R}", "E012"),
    ("serial: {length: 4, ask: '01 {check}'}", "E072"),
    ("serial: {length: 4, ask: '01 {probe}'}", "E072"),
    ("serial: {start: '01', check: sum8}", "E070"),
    ("serial: {length: 4, messages: []}", "E011"),
    ("serial: {length: 4, messages: {P: {}}}", "E021"),
    ("serial: {length: 4, messages: {coil: {}}}", "E021"),
    ("serial: {length: 4, messages: {p: {}, q: {}}}", "E070"),
    ("serial: {length: 4, messages: {p: {stat: '01'}}}", "E010"),
    ("serial: {length: 2, start: 01 02 03}", "E070"),
    ("ble: {}", "E013"),
    ("ble: {manufacturer: 65536}", "E012"),
    ("ble: {manufacturer: 1, service: battery}", "E012"),
    ("ble: {manufacturer: 1, ask: '01'}", "E013"),
    ("ble: {manufacturer: 1, baud: 9600}", "E010"),
    ("ble: {format: tlv}", "E012"),
    ("ble: {format: bthome, start: '01'}", "E023"),
    ("driver: {}", "E013"),
    ("driver: {use: 'a b'}", "E012"),
    ("driver: {use: acme.meter, keys: [1]}", "E023"),
    ("dlt645: {messages: {}}", "E010"),
    ("modbus: {}\nserial: {}", "E014"),
]


@pytest.mark.parametrize(("bus", "code"), SECTIONS)
def test_section_that_cannot_be_is_reported(bus: str, code: str) -> None:
    assert code in codes(profile(bus, "a: {at: 0}"))


CHANNELS = [
    ("serial: {length: 4}", "a: {at: 4}", "E024"),
    ("serial: {length: 4}", "a: {at: -5}", "E024"),
    ("serial: {length: 4}", "a: {at: -1, type: u16}", "E024"),
    ("serial: {length: 4}", "a: {at: 2, type: u24}", "E024"),
    ("serial: {length: 4}", "'a_[1..5]': {at: 0}", "E024"),
    ("serial: {length: 4}", "a: {in: p, at: 0}", "E071"),
    ("serial: {length: 4, messages: {p: {}}}", "a: {in: q, at: 0}", "E071"),
    ("serial: {length: 4}", "a: {at: 0, type: u24, order: CDAB}", "E023"),
    ("serial: {length: 4}", "a: {at: 0, match: '([0-9])'}", "E023"),
    ("serial: {length: 4}", "a: {at: 0, write: true}", "E050"),
    ("serial: {length: 4}", "a: {at: 0, write: {steps: [{at: 1, value: x}]}}", "E023"),
    ("serial: {length: 4}", "a: {at: 0, write: {steps: [{value: x}]}}", "E013"),
    ("serial: {length: 4}", "a: {at: 0, write: {steps: [{send: '01 {value}'}]}}", "E072"),
    ("serial: {length: 4}", "a: {at: 0, write: {steps: [{send: '01', value: x}]}}", "E072"),
    ("serial: {length: 4}", "a: {at: 0, write: {steps: [{send: '01 {check}'}]}}", "E072"),
    ("serial: {length: 4}", "a: {at: 0, write: {steps: [{send: '01', with: 6}]}}", "E023"),
    ("serial: {length: 4}", "a: {at: 1, type: u16}, b: {at: 2}", "W033"),
    ("serial: {length: 4}", "a: {at: 1, type: u16}, b: {at: -2}", "W033"),
    ("serial: {end: '04'}", "a: {at: -3, type: u16}, b: {at: -2}", "W033"),
    ("serial: {length: 4, start: '01'}", "a: {at: 0}", "W033"),
    ("serial: {length: 4, check: sum16, end: '04'}", "a: {at: 1}", "W033"),
    ("serial: {length: 4, end: '04'}", "a: {at: 2, type: u16}", "W033"),
    ("serial: {length: {at: 1}, end: '04'}", "a: {at: -2, type: u16}", "W033"),
    ("serial: {as: text}", "a: {at: 0, type: u16}", "E023"),
    ("serial: {as: text}", "a: {at: 0, order: DCBA}", "E023"),
    ("serial: {as: text}", "a: {at: 256}", "E024"),
    ("serial: {as: text}", "a: {at: 0, bits: 3}", "E025"),
    ("serial: {as: text}", "'a_[1..2]': {match: '([0-9])'}", "E023"),
    ("serial: {as: text, split: ','}", "a: {match: '([0-9])'}", "E013"),
    ("serial: {as: text}", "a: {match: '[0-9]{2}'}", "E044"),
    ("serial: {as: text}", "a: {match: '(?=a)([0-9])'}", "E044"),
    ("serial: {as: text}", "a: {match: '[0-9]'}", "E044"),
    ("serial: {as: text}", "a: {match: '([0-9]+)+'}", "E045"),
    ("serial: {as: text}", "a: {match: '(.*),.*,.*;'}", "E045"),
    ("dlt645: {}", "a: {in: 0201FF00}", "E013"),
    ("dlt645: {}", "a: {in: 0201FF, type: u8}", "E071"),
    ("dlt645: {}", "a: {at: 0, type: u8}", "E013"),
    ("cjt188: {}", "a: {in: 901, type: bcd8}", "E071"),
    ("mbus: {}", "a: {in: 0C, type: bcd32}", "E071"),
    ("sdi12: {}", "a: {in: X}", "E071"),
    ("sdi12: {}", "a: {in: M, type: u16}", "E023"),
    ("iec62056: {}", "a: {in: '(1.8.0)'}", "E071"),
    ("modbus: {}", "a: {in: holdings, at: 0}", "E012"),
    ("modbus: {}", "a: {at: -1}", "E024"),
    ("modbus: {}", "a: {at: 0, write: {steps: [{send: '01'}]}}", "E023"),
]


@pytest.mark.parametrize(("bus", "row", "code"), CHANNELS)
def test_channel_that_cannot_be_is_reported(bus: str, row: str, code: str) -> None:
    assert code in codes(profile(bus, row))


def test_pattern_is_pointed_at_where_it_goes_wrong() -> None:
    text = serial("as: text", "a: {match: '^(?:x|[0-9]{2})'}")
    (problem,) = [one for one in check(text).report.problems if one.code == "E044"]
    assert (problem.line, problem.column) == (3, 24 + len("^(?:x|[0-9]"))


REST = [
    ("settings: {s: {default: 1, at: 5}}\n", "E023"),
    ("setup: [{at: 1, value: 1}]\n", "E023"),
    ("setup: [{send: 'R'}]\n", "E012"),
    ("setup: [{send: '01 {s}'}]\n", "E072"),
]


@pytest.mark.parametrize(("rest", "code"), REST)
def test_registers_have_no_place_where_bytes_are_sent(rest: str, code: str) -> None:
    assert code in codes(serial("length: 4", rest=rest))


TESTS = [
    ("{holding: {0: '0000'}, gives: {a: 1}}", "E060"),
    ("{gives: {a: 1}}", "E060"),
    ("{sent: 01, received: [01 02 03 04, 01 02 03 04], gives: {a: 1}}", "E060"),
    ("{in: p, received: 01 02 03 04, gives: {a: 1}}", "E071"),
    ("{received: 01 02 03, gives: {a: 1}}", "E064"),
    ("{sent: '07', received: 01 02 03 04, gives: {a: 1}}", "E065"),
]


@pytest.mark.parametrize(("test", "code"), TESTS)
def test_test_that_cannot_be_is_reported(test: str, code: str) -> None:
    assert code in codes(serial("length: 4, ask: '05'", tests=f"tests: [{test}]\n"))


def test_a_value_that_only_another_order_makes_look_right_is_doubted() -> None:
    rows = "a: {at: 0, type: f32, unit: V}, b: {at: 2, type: u32, unit: Wh}"
    words = {"CDAB": "3333 4366 00E6 0000", "ABCD": "4366 3333 0000 00E6"}
    right = "tests: [{holding: {0: %s}, gives: {a: 230.2, b: 230}}]" % words["ABCD"]
    assert codes(profile("modbus: {}", rows, right)) == []
    held = {"a": "4.173798e-08", "b": str(0xE6 << 16)}
    wrong = "tests: [{holding: {0: %s}, gives: {a: %s, b: %s}}]" % (words["CDAB"], *held.values())
    report = check(profile("modbus: {}", rows, wrong)).report
    assert [one.code for one in report.problems] == ["W034", "W034"], report.text()
    assert [one.hint for one in report.problems] == [
        "with order CDAB it would be 230.2",
        "with order CDAB it would be 230",
    ]


@pytest.mark.parametrize("bus", BUSES)
def test_every_bus_has_a_profile_that_loads(bus: str) -> None:
    sections = {
        "serial": "{length: 4}",
        "ble": "{manufacturer: any}",
        "driver": "{use: a.b, port: 5}",
    }
    places = {"dlt645": "in: '9010'", "cjt188": "in: 901F", "sdi12": "in: M", "mbus": "in: 0C 06"}
    places |= {"iec62056": "in: 1.8.0"}
    row = places.get(bus, "at: 0")
    row += ", type: u8" if bus in ("dlt645", "cjt188", "mbus") else ""
    checked = check_text(profile(f"{bus}: {sections.get(bus, '{}')}", f"a: {{{row}}}"), "a.yaml")
    problems = [one for one in checked.report.problems if one.code != "E060"]
    assert not problems, checked.report.text()
    checked = check_text(
        profile(
            f"{bus}: {sections.get(bus, '{}')}",
            f"a: {{{row}}}",
            "tests: [{received: 01, gives: {a: 1}}]",
        ),
        "a.yaml",
    )
    if bus != "modbus":  # whose tests need the request, too
        assert checked.document is not None
        assert load(cbor.encode(checked.document)).bus == bus
