"""What a city finds in the catalogue: its kinds of data, and names for all of them."""

from __future__ import annotations

from collections import Counter

from drivers.profile.check_cpython import check_text
from drivers.profile.units_cpython import kinds
from drivers.profile.vocabulary_cpython import LANGUAGES, translated
from tests.profiles.test_catalogue import FILES, name

PROFILES_MIN = 300
CHANNELS_MIN = 2400  # as written, arrays counted once
KINDS_MIN = 170
CITY_KINDS = 47  # what a flood early warning of one city asked for
TITLED_MIN = 0.98  # share of the visible channels that have a name in a language

# What must be there, each by any of its kinds.
WANTED = {
    "rain": ["hydro.rain.total", "hydro.rain.rate"],
    "river level": ["hydro.level.river"],
    "road level": ["hydro.level.road"],
    "sewer level": ["hydro.level.sewer"],
    "groundwater level": ["hydro.level.groundwater"],
    "flow": ["hydro.flow", "hydro.velocity"],
    "weather": ["met.temperature", "met.humidity", "met.pressure"],
    "wind speed": ["met.wind.speed"],
    "wind direction": ["met.wind.direction"],
    "illuminance": ["met.illuminance"],
    "irradiance": ["met.irradiance"],
    "PM2.5": ["air.pm2_5"],
    "PM10": ["air.pm10"],
    "SO2": ["air.so2"],
    "NO2": ["air.no2"],
    "CO": ["air.co", "safety.co"],
    "O3": ["air.o3"],
    "H2S": ["air.h2s", "safety.h2s"],
    "NH3": ["air.nh3"],
    "VOC": ["air.voc", "air.voc_ratio", "air.voc_index", "air.nmhc"],
    "CO2": ["air.co2"],
    "noise": ["noise.la", "noise.leq"],
    "pH": ["wq.ph"],
    "dissolved oxygen": ["wq.do"],
    "conductivity": ["wq.conductivity"],
    "turbidity": ["wq.turbidity"],
    "ORP": ["wq.orp"],
    "ammonia nitrogen": ["wq.nh3n"],
    "COD": ["wq.cod"],
    "chlorophyll": ["wq.chla"],
    "soil": ["soil.moisture"],
    "electricity": ["util.elec.power", "util.elec.energy.import"],
    "water": ["util.water.volume"],
    "heat": ["util.heat.energy"],
    "photovoltaics": ["util.pv.power"],
    "batteries": ["util.battery.soc"],
    "charging stations": ["ev.energy.session", "ev.state"],
    "pumps and drives": ["act.pump.state", "act.drive.frequency"],
    "valves and gates": ["act.valve.position", "act.valve.state", "hydro.gate.position"],
    "street lights": ["light.dim_level", "light.power_state"],
    "bins": ["san.bin.level"],
    "manholes": ["safety.manhole.open", "safety.manhole.tilt", "safety.manhole.water"],
    "gas alarms": ["safety.ch4_lel", "safety.ch4", "safety.gas_alarm"],
    "smoke alarms": ["safety.smoke"],
    "leaks": ["safety.water_leak"],
    "doors": ["safety.door.open"],
    "parking": ["parking.occupied"],
    "structures": ["structure.tilt"],
}
OPEN = {"road level", "manholes"}  # no public register map has been found for one yet


def test_catalogue_covers_the_kinds_of_a_city() -> None:
    used: Counter[str] = Counter()
    for path in FILES:
        checked = check_text(path.read_text(encoding="utf-8"), name(path))
        used.update({draft.keys["kind"] for draft in checked.drafts if "kind" in draft.keys})
    assert set(used) <= set(kinds())
    missing = {what for what, of in WANTED.items() if not set(of) & set(used)}
    assert missing <= OPEN
    assert len(used) >= KINDS_MIN >= CITY_KINDS
    assert len(FILES) >= PROFILES_MIN


def test_channels_have_names_in_every_language() -> None:
    visible = 0
    without: dict[str, list[str]] = {language: [] for language in LANGUAGES}
    for path in FILES:
        for draft in check_text(path.read_text(encoding="utf-8"), name(path)).drafts:
            if draft.keys.get("hidden"):
                continue
            visible += 1
            for language in LANGUAGES:
                own, kind = draft.keys.get("title"), draft.keys.get("kind", "")
                if not translated(draft.made.ids[0], kind, own, language):
                    without[language].append(f"{name(path)}: {draft.folded}")
    for language in LANGUAGES:
        assert len(without[language]) <= visible * (1 - TITLED_MIN), without[language]
    assert visible >= CHANNELS_MIN
