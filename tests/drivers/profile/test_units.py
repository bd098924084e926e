"""The registries: every kind in a unit that is known, every conversion exact."""

from __future__ import annotations

import json
import re

import pytest

from drivers.profile.units_cpython import (
    PROFILES,
    conversion,
    kind_hint,
    kinds,
    unit_hint,
    units,
    wire_unit,
)
from gateway.core.decimal import parse

# RFC 8428 §12.1 and RFC 8798 §2 (primary units), §3 (secondary units with their scale).
PRIMARY = """
    m kg g s A K cd mol Hz rad sr N Pa J W C V F Ohm S Wb T H Cel lm lx Bq Gy Sv kat m2 m3 l m/s
    m/s2 m3/s l/s W/m2 cd/m2 bit bit/s lat lon pH dB dBW count / %RH %EL EL 1/s 1/min beat/min
    S/m B VA VAs var vars J/m kg/m3 deg
"""
SECONDARY = """
    ms min h MHz kW kVA kvar Ah Wh kWh varh kvarh kVAh Wh/km KiB GB Mbit/s B/s MB/s mV mA dBm
    ug/m3 mm/h m/h ppm /100 /1000 hPa mm cm km km/h
"""
# Registered with IANA since (2021), for the objects of LwM2M.
LATER = "ppt VAh mg/l ug/l g/l"
KINDS_MIN = 340
LANGUAGES = ("en", "zh", "ja")
UNIT_COLUMNS = ["unit", "wire", "base", "factor", "pre", "senml"]
COLUMNS = ["kind", "unit", *LANGUAGES, "sl651", "hj212", "sdm", "ipso", "note"]


def test_registry_holds_the_units_of_the_rfcs_and_marks_no_other() -> None:
    marked = {unit for unit, row in units().items() if row.get("senml")}
    assert marked == {*PRIMARY.split(), *SECONDARY.split(), *LATER.split()}


def test_every_kind_has_a_unit_that_senml_registers_or_says_why_not() -> None:
    for kind, row in kinds().items():
        assert re.fullmatch(r"[a-z]+(\.[a-z0-9_]+)+", kind)
        registered = units()[row["unit"]].get("senml")
        assert registered or "registered for SenML" in row["note"], kind
        assert wire_unit(row["unit"]) == row["unit"]
    assert len(kinds()) >= KINDS_MIN


def test_every_kind_has_a_title_of_its_own_in_every_language() -> None:
    for language in LANGUAGES:
        titles = [row[language] for row in kinds().values()]
        assert all(title == title.strip() != "" for title in titles)
        assert {title for title in titles if titles.count(title) > 1} == set()
    assert all(row["en"].isascii() for row in kinds().values())
    assert all(not row["zh"].isascii() and not row["ja"].isascii() for row in kinds().values())


def test_no_crosswalk_code_is_given_to_two_kinds_that_differ() -> None:
    codes: dict[str, list[str]] = {}
    for kind, row in kinds().items():
        for column, form in (("sl651", r"[0-9A-F]{2}H [A-Za-z0-9]+"), ("hj212", r"\w+")):
            if column in row:
                assert re.fullmatch(form, row[column]), kind
                codes.setdefault(f"{column} {row[column]}", []).append(kind)
    shared = {code: found for code, found in codes.items() if len(found) > 1}
    assert shared == {"sl651 39H Z": ["hydro.level.river", "hydro.level.tide"]}
    assert len(codes) >= 100


def test_registry_files_hold_one_sorted_object_per_line_and_no_row_twice() -> None:
    for name, key in (("kinds.jsonl", "kind"), ("units.jsonl", "unit")):
        lines = (PROFILES / name).read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        assert len({row[key] for row in rows}) == len(rows)
        assert all(set(row) >= {key, "unit"} for row in rows)
        assert [row[key] for row in rows] == sorted(row[key] for row in rows), name
        order = COLUMNS if name == "kinds.jsonl" else UNIT_COLUMNS
        assert all(list(row) == [one for one in order if one in row] for row in rows), name


def test_units_on_the_wire_are_ascii_and_leave_the_number_as_it_is() -> None:
    renamed = 0
    for unit, row in units().items():
        assert row["wire"].isascii()
        if row["wire"] in units():
            assert conversion(unit, row["wire"]) == [0, 1, 1], unit
            renamed += row["wire"] != unit
    assert renamed >= 20


CONVERSIONS = [
    ("°C", "Cel", [0, 1, 1]),
    ("°F", "Cel", [-32, 5, 9]),
    ("K", "Cel", [parse("-273.15"), 1, 1]),
    ("kPa", "hPa", [0, 10, 1]),
    ("mbar", "hPa", [0, 1, 1]),
    ("µg/m³", "ug/m3", [0, 1, 1]),
    ("mg/m³", "ug/m3", [0, 1000, 1]),
    ("mg/L", "kg/m3", [0, 1, 1000]),
    ("µS/cm", "S/m", [0, 1, 10000]),
    ("mS/cm", "S/m", [0, 1, 10]),
    ("%", "/100", [0, 1, 1]),
    ("%", "%RH", [0, 1, 1]),
    ("ppb", "ppm", [0, 1, 1000]),
    ("Wh", "kWh", [0, 1, 1000]),
    ("J", "kWh", [0, 1, 3600000]),
    ("km/h", "m/s", [0, 5, 18]),
    ("m³/h", "m3/s", [0, 1, 3600]),
    ("L/s", "m3/s", [0, 1, 1000]),
    ("dBm", "dBm", [0, 1, 1]),
    ("V", "A", None),
    ("ug/m3", "ppm", None),
    ("kW", "kWh", None),
    ("W", "var", None),
    ("nonsense", "V", None),
    ("nonsense", "nonsense", [0, 1, 1]),
]


@pytest.mark.parametrize(("unit", "to", "wanted"), CONVERSIONS)
def test_conversion(unit: str, to: str, wanted: list[object] | None) -> None:
    assert conversion(unit, to) == wanted


HINTS = [
    ("Amp", "", "did you mean 'A'?"),
    ("percent", "/100", "did you mean '%'?"),
    ("degC", "Cel", "did you mean '°C'?"),
    ("KWh", "", "did you mean 'kWh'?"),
    ("v", "", "did you mean 'V'?"),
    ("g", "m/s2", "did you mean 'gn'?"),
    ("C", "Cel", "did you mean '°C'?"),
    ("µg/m^3", "", "did you mean 'µg/m³'?"),
    ("g", "kg", ""),
    ("kW", "kWh", ""),
    ("flurbs", "", ""),
]


@pytest.mark.parametrize(("unit", "target", "wanted"), HINTS)
def test_a_unit_as_others_write_it_is_known(unit: str, target: str, wanted: str) -> None:
    assert unit_hint(unit, target) == wanted


def test_a_kind_that_is_none_is_guessed() -> None:
    assert kind_hint("soil.mositure") == "did you mean 'soil.moisture'?"
    assert kind_hint("turbidity") == "did you mean wq.turbidity?"
    assert kind_hint("temperature").startswith("one of air.temperature, ")
    assert kind_hint("flurbs") == ""
