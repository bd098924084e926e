"""What the checker says: every code at its place, good profiles without a word."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from drivers.profile import schema, schema_bus
from drivers.profile.check_cpython import Checked, check_text
from tools.profile.proof import tester

if TYPE_CHECKING:
    from gateway.core.report_cpython import Problem

ROOT = Path(__file__).resolve().parents[3]

GOOD = """\
name: Soil probe
maker: ACME
kind: soil_probe
modbus: {baud: 4800}
channels:
  moisture: {at: 0, scale: 0.1, unit: "%", kind: soil.moisture}
  temperature: {at: 1, type: s16, scale: 0.1, unit: °C}
tests:
  - sent: 01 03 0000 0003 05CB
    received: 01 03 06 01EF 0144 0004 B559
    gives: {moisture: 49.5, temperature: 32.4}
"""


def check(text: str) -> Checked:
    checked = check_text(text, "a.yaml")
    tester.run(checked)
    return checked


def channels(rows: str, rest: str = "") -> str:
    """A profile with these channel lines and a test that touches all of them."""
    inside = "".join(f"  {row}\n" for row in rows.strip().split("\n"))
    tests = "tests:\n  - holding: {0: '0000'}\n    gives: {a: 0}\n"
    return f"name: X\nmodbus: {{}}\n{rest}channels:\n{inside}{tests}"


def of_code(code: str, text: str) -> list[Problem]:
    return [problem for problem in check(text).report.problems if problem.code == code]


def codes(text: str) -> list[str]:
    return [problem.code for problem in check(text).report.problems]


def test_good_profile_passes_without_a_word() -> None:
    checked = check(GOOD)
    assert checked.report.text() == ""
    assert checked.document is not None
    assert len(checked.cases) == 1


# What is changed in the good profile, and the code, line and column that must come of it.
CHANGES = [
    ("name: Soil probe\n", "", "E013", 1, 1),
    ("maker: ACME", "maker: [ACME]", "E012", 2, 8),
    ("maker: ACME", "vendor: ACME", "E010", 2, 1),
    ("kind: soil_probe", "kind: soil_prob", "W032", 3, 7),
    ("kind: soil_probe", "kind: Soil", "E012", 3, 7),
    ("modbus: {baud: 4800}\n", "", "E014", 1, 1),
    ("modbus: {baud: 4800}", "serial: {baud: 4800}", "E070", 4, 9),
    ("modbus: {baud: 4800}", "modbus: {}\nble: {}", "E014", 5, 1),
    ("baud: 4800", "baud: fast", "E012", 4, 16),
    ("baud: 4800", "parity: strange", "E012", 4, 18),
    ("baud: 4800", "max: 0", "E012", 4, 15),
    ("moisture: {at", "Moisture: {at", "E021", 6, 3),
    ("moisture: {at", "moisture_[1..]: {at", "E021", 6, 3),
    ("moisture: {at", "min: {at", "E021", 6, 3),
    ("temperature: {at", "moisture: {at", "E004", 7, 3),
    ("moisture: {at: 0,", "moisture: {adress: 0,", "E010", 6, 14),
    ("type: s16", "type: s17", "E020", 7, 30),
    ("scale: 0.1, unit: °C", "scale: 0, unit: °C", "E012", 7, 42),
    ("scale: 0.1, unit: °C", "scale: '0.1', unit: °C", "E012", 7, 42),
    ("at: 1,", "at: 0x1FFFF,", "E012", 7, 21),
    ("at: 1,", "at: 65536,", "E024", 7, 21),
    ("at: 1,", "at: 01,", "E012", 7, 21),
    ("at: 1,", "at: 1.5,", "E012", 7, 21),
    ("at: 1, ", "", "E013", 7, 3),
    ("unit: °C", "unit: °X", "W031", 7, 53),
    ("unit: °C", "unit: °C, kind: met.temprature", "E030", 7, 63),
    ("unit: °C", "unit: °C, kind: met.pressure", "E031", 7, 53),
    ("unit: °C", "kind: met.temperature", "E031", 7, 53),
    ("unit: °C", "every: 5 minutes", "E012", 7, 54),
    ("unit: °C", "every: 1ms", "E012", 7, 54),
    ("unit: °C", "none: [0x8000, 0x18000]", "E025", 7, 62),
    ("unit: °C", "none: low", "E025", 7, 53),
    ("unit: °C", "bits: 4..16", "E025", 7, 53),
    ("unit: °C", "bits: 7..4", "E012", 7, 53),
    ("unit: °C", "map: {0: low}", "E023", 7, 35),
    ("unit: °C", "valid: 100..0", "E012", 7, 54),
    ("unit: °C", "calc: x +", "E040", 7, 53),
    ("unit: °C", "calc: x + moistur", "E041", 7, 57),
    ("unit: °C", "calc: x + temperature", "E042", 7, 3),
    ("unit: °C", "calc: eval(x)", "E040", 7, 53),
    ("unit: °C", "calc: 'x + #'", "E041", 7, 58),
    ("unit: °C", "calc: x + #", "E002", 7, 16),
    ("unit: °C", "write: maybe", "E050", 7, 54),
    ("unit: °C", "write: {min: a}", "E012", 7, 60),
    ("unit: °C", "write: {with: 5}", "E050", 7, 61),
    ("unit: °C", "in: input, write: true", "E050", 7, 65),
    ("unit: °C", "calc: x + 1, write: true", "E050", 7, 67),
    ("unit: °C", "step: 2", "E023", 7, 47),
    ("at: 1, type: s16", "at: 40002, type: s16", "", 0, 0),
    ("05CB", "CB05", "E062", 9, 11),
    ("B559", "59B5", "E062", 10, 15),
    ("B559", "B55", "E012", 10, 15),
    ("moisture: 49.5", "moisture: 49.6", "E063", 11, 23),
    ("moisture: 49.5", "moisture: null", "E063", 11, 23),
    ("moisture: 49.5", "moistur: 49.5", "E061", 11, 13),
    ("01 03 0000 0003 05CB", "01 06 0000 0003 C9CB", "E064", 9, 11),
    ("01 03 0000 0003 05CB", "02 03 0000 0003 05F8", "E064", 10, 15),
    ("gives: {moisture: 49.5, temperature: 32.4}", "gives: nothing", "E063", 9, 5),
    ("gives: {moisture: 49.5, temperature: 32.4}", "gives: all", "E060", 11, 12),
    ("    received: 01 03 06 01EF 0144 0004 B559\n", "", "E060", 9, 5),
    (", temperature: 32.4", "", "W060", 7, 3),
]


@pytest.mark.parametrize(("old", "new", "code", "line", "column"), CHANGES)
def test_every_accident_is_found_at_its_place(
    old: str, new: str, code: str, line: int, column: int
) -> None:
    assert GOOD.count(old) == 1
    found = [
        (problem.code, problem.line, problem.column)
        for problem in check(GOOD.replace(old, new)).report.problems
    ]
    if code:
        assert (code, line, column) in found, found
    else:
        assert "W030" not in [one[0] for one in found]


# (channel lines, code), where the place does not matter.
COMBINATIONS = [
    ("a: {at: 0, type: str4, scale: 2}", "E023"),
    ("a: {at: 0, type: str4, unit: V}", "E023"),
    ("a: {at: 0, in: coil, type: u16}", "E023"),
    ("a: {at: 0, in: coil, valid: 0..1}", "E023"),
    ("a: {at: 0, map: {0: off}, flags: {0: low}}", "E023"),
    ("a: {at: 0, type: f32, bits: 1}", "E025"),
    ("a: {at: 0, flags: {16: low}}", "E025"),
    ("a: {at: 0, map: {70000: off}}", "E025"),
    ("a: {at: 0, map: {0: off, 1: 2}}", "E012"),
    ("a: {at: 0, map: [off]}", "E012"),
    ("a: {at: 0}\nb: {at: 1, if: a == 'x' and c}", "E041"),
    ("a: {at: 0, map: {0: cm, 1: mm}}\nb: {at: 1, if: a == 'cn'}", "E043"),
    ("a: {at: 0}\na_[1..600]: {at: 1}", "E021"),
    ("a: {at: 0}\nb_[1..500]: {at: 1}\nc_[1..100]: {at: 600}", "E021"),
    ("a: {at: 0}\nb_[1..2]: {at: 1}\nb_1: {at: 9}", "E022"),
    ("a: {at: 0}\nb: {calc: c}\nc: {calc: b}", "E042"),
    ("a: {at: 0}\nb: {calc: x + 1}", "E041"),
    ("a: {at: 0}\nb: {calc: '1 + #'}", "E041"),
    ("a: {at: 0}\nb: {calc: a, scale: 2}", "E023"),
    ("a: {at: 0}\nb: {calc: a, write: true}", "E050"),
    ("a: {at: 0, write: {steps: []}}", "E050"),
    ("a: {at: 0, write: {steps: [{at: 1}]}}", "E013"),
    ("a: {at: 0, write: {steps: [{at: 1, value: y}]}}", "E041"),
    ("a: {at: 0, write: {steps: [{at: 1, value: 1, if: a == 1}]}}", "E023"),
    ("a: {at: 0, type: u32, write: {with: 6}}", "E050"),
    ("a: {at: 0, bits: 3, write: true}", "E050"),
    ("a: {at: 0, map: {0: low}, write: {min: 0}}", "E050"),
    ("a: [{at: 0, unit: V}, {at: 1, unit: A}]", "E023"),
    ("a: []", "E011"),
    ("a: 5", "E011"),
    ("a: {at: 0}\nz[1..2]: {channels: {b: {at: 1}}}", "E013"),
    ("a: {at: 0}\nz[1..2]: {step: 5, channels: [b]}", "E011"),
    ("a: {at: 0}\nz[1..2]: {step: 5, channels: {b: {at: 1, channels: {}}}}", "E023"),
    ("a: {at: 0}\nb: {at: 1, type: u32}\nc: {at: 2}", "W033"),
    ("a: {at: 40001}", "W030"),
    ("a: {at: 0}\nvoltage_l1: {at: 1, unit: A}", "W035"),
    ("a: {at: 0}\npm10: {at: 1, unit: µg/m³, kind: air.pm2_5}", "W035"),
    ("a: {at: 65535, type: u32}", "E024"),
    ("a_[1..9]: {at: 65530}", "E024"),
    ("a: {at: 0}\nz[1..9]: {step: 9000, channels: {b: {at: 1}}}", "E024"),
]


@pytest.mark.parametrize(("rows", "code"), COMBINATIONS)
def test_keys_that_do_not_fit_are_reported(rows: str, code: str) -> None:
    assert code in codes(channels(rows))


SETTINGS = [
    ("settings: {a: {default: 1}}", "E022"),
    ("settings: {s: {default: 5, max: 4}}", "E012"),
    ("settings: {s: {map: {0: low}, default: high}}", "E012"),
    ("settings: {s: {defalt: 1}}", "E010"),
    ("settings: [s]", "E011"),
    ("setup: [{at: 1, value: 1, if: filter == 1}]", "E041"),
    ("setup: [{value: 1}]", "E013"),
    ("setup: {}", "E050"),
    ("identify: b == 1", "E041"),
    ("identify: x == 1", "E041"),
]


@pytest.mark.parametrize(("rest", "code"), SETTINGS)
def test_settings_setup_and_identify_are_checked(rest: str, code: str) -> None:
    assert code in codes(channels("a: {at: 0}", rest + "\n"))


BASES = [
    (0, 3, "holding", 3),
    (1, 3, "holding", 2),
    (1, 3, "coil", 2),
    (40001, 40003, "holding", 2),
    (40001, 30003, "input", 2),
    (40001, 10003, "discrete", 2),
    (40001, 3, "coil", 2),
    (40001, 105536, "holding", 65535),
]


@pytest.mark.parametrize(("base", "at", "table", "address"), BASES)
def test_base_counts_as_the_manual_does(base: int, at: int, table: str, address: int) -> None:
    image, value = ("'1'", "true") if table in ("coil", "discrete") else ("'0001'", "1")
    checked = check(
        f"name: X\nmodbus: {{base: {base}}}\nchannels: {{a: {{at: {at}, in: {table}}}}}\n"
        f"tests: [{{{table}: {{{at}: {image}}}, gives: {{a: {value}}}}}]\n"
    )
    assert checked.report.text() == ""
    assert checked.document is not None
    assert checked.document["channels"][0]["at"] == address


def test_numbers_below_the_base_are_reported_wherever_they_stand() -> None:
    rest = "setup: [{at: 0, value: 1}]\nsettings: {s: {at: 0, default: 1}}\n"
    text = channels("a: {at: 0}", rest).replace("modbus: {}", "modbus: {base: 1}")
    assert codes(text).count("E024") == 4  # channel, setup, setting and the test's image


def test_a_stated_base_or_a_register_40000_silences_the_reference_number_warning() -> None:
    assert "W030" in codes(channels("a: {at: 40001}"))
    stated = channels("a: {at: 40001}").replace("modbus: {}", "modbus: {base: 0}")
    assert "W030" not in codes(stated)
    assert "W030" not in codes(channels("a: {at: 40069}\nb: {at: 40000}"))


def test_reference_numbers_are_shown_where_one_stands_and_as_it_is_written() -> None:
    (derived,) = of_code("W030", channels("a: {calc: b + 1}\nb: {at: 40101}"))
    assert (derived.line, derived.message[:5]) == (5, "40101")
    group = "z[1..2]: {at: 40101, step: 4, channels: {b: {at: 2}}}"
    (grouped,) = of_code("W030", channels(f"{group}\na: {{calc: z1.b}}"))
    assert grouped.message[:5] == "40103"
    assert "base: 40001" in grouped.hint and "base: 0" in grouped.hint


def test_numbers_that_share_a_byte_but_no_bit_do_not_overlap() -> None:
    rows = "a: {at: 0, type: u24, bits: 12..23}\nb: {at: 1, bits: LOW..11}"
    serial = channels(rows).replace("modbus: {}", "serial: {length: 4, type: u16}")
    serial = serial.replace("holding: {0: '0000'}", "received: '00000000'")
    assert "W033" not in codes(serial.replace("LOW", "0"))
    assert "W033" in codes(serial.replace("12..23", "11..23").replace("LOW", "0"))
    turned = serial.replace("serial: {", "serial: {order: DCBA, ").replace("12..23", "0..11")
    assert "W033" not in codes(turned.replace("LOW..11", "4..15"))
    assert "W033" in codes(turned.replace("LOW..11", "3..15"))


def test_a_test_without_any_bytes_is_none() -> None:
    for key in ("sent: []\n    received", "received"):
        text = channels("a: {at: 0}").replace("holding: {0: '0000'}", f"{key}: []")
        assert {"E012", "E060"} & set(codes(text)), text


def test_nothing_and_truth_are_no_texts() -> None:
    for word in ("null", "~", "true"):
        assert "E012" in codes(channels("a: {at: 0}", f"docs: {word}\n"))


def test_one_mistake_is_one_problem() -> None:
    for wrong in ("at: 1.5", "adress: 1", "at: 01"):
        found = [one for one in codes(channels(f"a: {{at: 0}}\nb: {{{wrong}}}")) if one[0] == "E"]
        assert len(found) == 1, (wrong, found)


def test_all_problems_come_in_one_run() -> None:
    text = GOOD.replace("at: 0", "adress: 0").replace("s16", "s17").replace("°C", "°X")
    found = [problem.code for problem in check(text).report.problems]
    assert {"E010", "E020", "W031"} <= set(found)


def test_hints_know_what_other_formats_say() -> None:
    for word, ours in (("register", "at"), ("factor", "scale"), ("datatype", "type")):
        text = channels(f"a: {{at: 0, {word}: 1}}")
        hint = check(text).report.problems[0].hint
        assert f"'{ours}'" in hint


def test_unit_conversion_is_folded_into_the_row() -> None:
    rows = "a: {at: 0, unit: °F, kind: met.temperature}\nb: {at: 1, unit: kPa, kind: met.pressure}"
    checked = check(channels(rows))
    assert checked.document is not None
    first, second = checked.document["channels"]
    assert (first["unit"], first["to"]) == ("Cel", [-32, 5, 9])
    assert (second["unit"], second["to"]) == ("hPa", [0, 10, 1])


def test_names_in_groups_mean_the_siblings_first() -> None:
    rows = (
        "a: {at: 0}\n"
        "t: {at: 1}\n"
        "zone[1..2]: {at: 10, step: 10, channels: {t: {at: 1}, twice: {calc: t * 2 + a},"
        " number: {calc: 't * 0 + #'}, 'u_[1..2]': {at: 3, calc: x + t}}}"
    )
    checked = check(channels(rows))
    assert checked.report.errors == 0, checked.report.text()
    assert checked.document is not None
    rows_by_id = {row["id"]: row for row in checked.document["channels"]}
    assert rows_by_id["zone%.twice"]["calc"] == ["zone%.t", 2, "*", "a", "+"]
    assert rows_by_id["zone%.u_#"]["calc"] == ["x", "zone%.t", "+"]
    assert rows_by_id["zone%.t"]["at"] == 11
    assert checked.document["groups"] == [{"of": [1, 2], "step": 10}]


def test_code_table_holds_exactly_what_the_checker_can_say() -> None:
    sources = [ROOT / "tools/profile/proof/tester.py", ROOT / "tools/profile/proof/exchange.py"]
    sources += [ROOT / "tools/profile/proof/verify.py", ROOT / "tools/profile/proof/order_doubt.py"]
    sources += [ROOT / "gateway/core/source_cpython.py"]
    sources += (ROOT / "drivers/profile").glob("*_cpython.py")
    used = set()
    for path in sources:
        used |= set(re.findall(r'"([EW]0[0-9]{2})"', path.read_text()))
    assert used == set(schema.CODES)


def test_reference_page_holds_every_key_and_code_in_order() -> None:
    page = (ROOT / "docs/profiles.md").read_text()
    tables = [schema.PROFILE, schema.CHANNEL, schema.WRITE, schema.STEP, schema.SETTING]
    tables += [schema.TEST, schema.FRAME, schema.LENGTH, schema.CHECK, schema.WAKE]
    tables += [*schema.SECTIONS.values(), schema_bus.MESSAGE, schema_bus.MESSAGE_BLE]
    for table in tables:
        rows = "\n".join(f"| `{key}` | {purpose} |" for key, _, purpose in table)
        assert rows in page
    assert "\n".join(f"| {code} | {meaning} |" for code, meaning in schema.CODES.items()) in page


def test_reference_page_example_passes() -> None:
    page = (ROOT / "docs/profiles.md").read_text()
    example = page.split("```yaml\n")[1].split("```")[0]
    assert check(example).report.text() == ""


# What once ended the checker with a traceback, or kept it busy, and the codes that must come of it.
HOSTILE = [
    ("a: {at: 0, valid: 0..1" + 400 * "0" + "}", ["E012"]),
    ("a: {at: 0, valid: 0..1" + 23 * "0" + "}", ["E012"]),
    ("a: {at: 0, map: {1: 1" + 23 * "0" + "}}", ["E012"]),
    ("a: {at: 0, map: {1: 0.12345678901234567890}}", ["E012"]),
    ("a: {at: 0, type: f32, map: {-1" + 25 * "0" + ": b}}", ["E012"]),
    ("a: {at: 0, type: f32, none: 1" + 23 * "0" + "}", ["E012"]),
    ("a: {at: 0, scale: 0.12345678901234567890}", ["E012"]),
    ("a: {at: 0, type: str" + 5000 * "1" + "}", ["E020"]),
    ("a: {at: 0, calc: \"1 if 'b' == '\\\\ud800' else 0\"}", ["E040"]),
    ("? " + 60_000 * "a" + "!\n: {at: 0}", ["E021"]),
    ("a: {at: 0, write: {steps: [{at: 65535, type: u32, value: 1}]}}", ["E024"]),
    ("a: {at: 0, write: {steps: [{at: 1, value: 1, wait: 1h}]}}", ["E012"]),
]


@pytest.mark.parametrize(("row", "wanted"), HOSTILE)
def test_hostile_channels_are_reported_like_any_other(row: str, wanted: list[str]) -> None:
    started = time.process_time()
    assert codes(channels(row)) == wanted
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("rest", "wanted"),
    [
        ("settings: {s: {at: 65535, type: u32, default: 1}}\n", ["E024"]),
        ("settings: {s: {at: 5, default: 70000}}\n", ["E012"]),
        ("setup: [{at: 65535, type: u32, value: 1}]\n", ["E024"]),
    ],
)
def test_what_would_only_fail_at_the_device_is_found_before(rest: str, wanted: list[str]) -> None:
    assert codes(channels("a: {at: 0}", rest)) == wanted


def test_a_profile_whose_tests_all_fail_is_still_reported() -> None:
    more = "".join(f"  - holding: {{0: '0000'}}\n    gives: {{a: {i}}}\n" for i in range(1, 199))
    assert set(codes(channels("a: {at: 0}") + more)) == {"E063"}
