"""Well-known ids: a title in every language, and a word when one measures something else."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from drivers.profile.units_cpython import PROFILES, kinds, units
from drivers.profile.vocabulary_cpython import LANGUAGES, doubt, title, translated

if TYPE_CHECKING:
    from drivers.profile.vocabulary_cpython import Own

COLUMNS = ["id", "kind", "unit", "same", *LANGUAGES]
ROWS_MIN = 390


def rows() -> list[dict[str, str]]:
    lines = (PROFILES / "vocabulary.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_vocabulary_is_sorted_and_holds_each_id_once() -> None:
    ids = [row["id"] for row in rows()]
    assert ids == sorted(set(ids))
    assert len(ids) >= ROWS_MIN
    for row in rows():
        assert list(row) == [one for one in COLUMNS if one in row]
        assert re.fullmatch(r"(\*_)?[a-z0-9_#]+", row["id"]), row


def test_every_row_names_units_and_kinds_that_are_registered() -> None:
    for row in rows():
        assert "unit" not in row or row["unit"] in units()
        assert "kind" not in row or row["kind"] in kinds()
        assert not ("unit" in row and "kind" in row), "the kind says the unit"


def test_every_row_has_titles_in_every_language_or_leaves_them_to_its_kind() -> None:
    left = 0
    for row in rows():
        given = [language for language in LANGUAGES if row.get(language)]
        left += not given
        assert given == list(LANGUAGES) or ("kind" in row and not given), row
        for language in given:
            assert row[language].count("*") == row["id"].count("*"), row
            assert row[language].count("#") == row["id"].count("#"), row
    assert left >= 100


TITLES = [
    ("voltage_l1", "", None, ["Voltage L1", "L1相电压", "L1相電圧"]),
    ("voltage_l1", "util.elec.voltage", None, ["Voltage L1", "L1相电压", "L1相電圧"]),
    ("voltage_l#", "", None, ["Voltage L#", "L#相电压", "L#相電圧"]),
    ("voltage_l1_l2", "util.elec.voltage", None, ["Voltage L1–L2", "L1-L2电压", "L1-L2間電圧"]),
    ("pm2_5", "", None, ["PM2.5", "细颗粒物(PM2.5)浓度", "微小粒子状物質(PM2.5)濃度"]),
    ("temperature", "met.temperature", None, ["Air temperature", "气温", "気温"]),
    ("temperature", "", None, ["Temperature", "温度", "温度"]),
    ("temperature_max", "", None, ["Temperature, maximum", "最大温度", "最大温度"]),
    ("wind_speed_max", "met.wind.gust", None, ["Gust", "阵风风速", "最大瞬間風速"]),
    ("rain_rate_max", "hydro.rain.rate_max", None, ["Highest rain intensity"]),
    ("cell_voltage_12", "", None, ["Battery cell voltage 12", "单体电池电压12"]),
    ("relay_8", "act.relay.state", None, ["Relay state 8", "继电器状态8", "リレー状態8"]),
    ("current_l2_max", "", None, ["Current L2, maximum"]),
    ("tank_alarm", "safety.gas_alarm", None, ["Gas alarm", "可燃气体报警", "ガス警報"]),
    ("zone2.temperature", "", None, ["Zone 2: Temperature", "Zone 2: 温度", "Zone 2: 温度"]),
    ("flux_capacitor7", "", None, ["Flux capacitor 7", "Flux capacitor 7", "Flux capacitor 7"]),
    ("level", "", "Silo level", ["Silo level", "液位", "液位"]),
    ("level", "", {"en": "Silo", "zh": "筒仓"}, ["Silo", "筒仓", "液位"]),
    ("silo", "", "Silo level", ["Silo level", "Silo level", "Silo level"]),
    ("silo", "", {"zh": "筒仓"}, ["筒仓", "筒仓", "筒仓"]),
    ("level", "no.such.kind", None, ["Level", "液位", "液位"]),
]


@pytest.mark.parametrize(("channel", "kind", "own", "wanted"), TITLES)
def test_title(channel: str, kind: str, own: Own, wanted: list[str]) -> None:
    found = [title(channel, kind, own, language) for language in LANGUAGES]
    assert found[: len(wanted)] == wanted


def test_what_nobody_translated_is_no_translation() -> None:
    assert translated("silo", "", "Silo level", "en") == "Silo level"
    assert translated("silo", "", "Silo level", "zh") == ""
    assert translated("zone2.silo", "", None, "ja") == ""


DOUBTS = [
    ("voltage", "V", "util.elec.voltage", ""),
    ("voltage", "mV", "", ""),
    ("voltage_l3", "A", "", "a channel 'voltage_l3' is usually in V, not A"),
    ("energy_import", "kW", "", "a channel 'energy_import' is usually in kWh, not kW"),
    ("pm10", "µg/m³", "air.pm2_5", "a channel 'pm10' is usually of kind air.pm10, not air.pm2_5"),
    ("pm2_5", "µg/m³", "air.pm2_5", ""),
    ("wind_speed_min", "m/s", "met.wind.speed_min", ""),
    ("humidity", "%", "met.humidity", ""),
    ("zone1.temperature", "%", "", "a channel 'temperature' is usually in °C, not %"),
    ("water_level", "", "air.co2", "a channel 'water_level' is usually in m, not ppm"),
    ("temperature_alarm", "", "", ""),
    ("flux_capacitor", "GW", "", ""),
    ("voltage", "no such unit", "", ""),
]


@pytest.mark.parametrize(("channel", "unit", "kind", "wanted"), DOUBTS)
def test_doubt(channel: str, unit: str, kind: str, wanted: str) -> None:
    assert doubt(channel, unit, kind) == wanted
