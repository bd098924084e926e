"""SunSpec models: chains, scale factors, sentinels, repeated blocks; these ones are made up."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from gateway.core.errors import ConfigError
from tests.tools.profile.importing.drafts import lost, profile, proves
from tools.profile.importing import sunspec

if TYPE_CHECKING:
    from pathlib import Path


def point(name: str, kind: str, size: int = 1, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "size": size, **more}


HEAD = [point("ID", "uint16"), point("L", "uint16")]
COMMON = {
    "id": 1,
    "group": {
        "name": "common",
        "label": "Common",
        "points": [
            *HEAD,
            point("Mn", "string", 4, static="S"),
            point("DA", "uint16", access="RW"),
            point("Pad", "pad"),
        ],
    },
}
SIZZLER = {
    "id": 64103,
    "group": {
        "name": "sizzler",
        "label": "Sizzler",
        "points": [
            *HEAD,
            point("W", "int16", sf="W_SF", units="W"),
            point("W_SF", "sunssf"),
            point("PhVphA", "uint16", sf=-1, units="V"),
            point("PhVphB", "uint16", sf=-1, units="V"),
            point("PhVphC", "uint16", sf=-1, units="V"),
            point("WH", "acc32", 2, units="Wh"),
            point("Tmp", "float32", 2, units="C", label="Pan Temperature"),
            point(
                "St", "enum16", symbols=[{"name": "COLD", "value": 1}, {"name": "HOT", "value": 2}]
            ),
            point(
                "Evt",
                "bitfield32",
                2,
                label="Alarms",
                symbols=[
                    {"name": "SMOKE", "value": 0},
                    {"name": "RESERVED_1", "value": 1},
                    {"name": "OIL-LOW", "value": 3},
                ],
            ),
            point("Lim", "uint16", sf="W_SF", access="RW", label="Limit"),
            point("Mode", "uint16", access="RW", label="Mode"),
            point("Odd", "wibble"),
        ],
    },
}
PANS = {
    "id": 64160,
    "group": {
        "name": "pans",
        "points": [*HEAD, point("T_SF", "sunssf")],
        "groups": [
            {
                "name": "pan",
                "count": 0,
                "points": [
                    point("Nam", "string", 2, label="Name"),
                    point("T", "int16", sf="T_SF", units="C"),
                ],
                "groups": [{"name": "spot", "count": "NSpot", "points": [point("X", "int16")]}],
            }
        ],
    },
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for model in (COMMON, SIZZLER, PANS):
        (tmp_path / f"model_{model['id']}.json").write_text(json.dumps(model, indent=1))
    return tmp_path


def draft_of(folder: Path, *numbers: int, **how: Any) -> sunspec.Draft:
    return sunspec.read([str(folder / f"model_{number}.json") for number in numbers], **how)


CHAIN = """\
tests:
  - holding:
      40000: 5375 6E53 0001 0007 4163 6D65 0000 0000 0005 8000
      40010: FA67 000F 04D2 FFFF 08FC 08FD FFFF 0000 2710 4248 0000 0002 0000 0009 FFFF 0007
    gives:
      sunspec: 1400204883
      maker: Acme
      device_address: 5
      model_64103: 64103
      power: 123.4
      voltage_l1: 230
      voltage_l2: 230.1
      voltage_l3: null
      energy: 10000
      pan_temperature: 50
      status: hot
      alarms: [smoke, oil_low]
      limit: null
      mode: 7
  - holding: {40010: FA67 000F 8000 8000}
    gives: {power: null}
  - write: {mode: 3}
    sends: 01 06 9C59 0003 3788
"""


def test_a_chain_is_laid_out_behind_its_mark_and_decodes_as_the_models_say(folder: Path) -> None:
    draft = draft_of(folder, 1, 64103)
    text = proves(draft, CHAIN)
    assert "identify: sunspec == 0x53756E53 and model_1 == 1 and model_64103 == 64103" in text
    assert "voltage_l[1..3]:" in text
    assert "kind: util.elec.voltage" in text
    assert lost(draft) == [
        (99, "Lim", "cannot be written: its scale factor is another register"),
        (114, "Odd", "type 'wibble' of 1 registers"),
    ]


def test_a_model_alone_stands_behind_the_common_one(folder: Path) -> None:
    text = " ".join(profile(draft_of(folder, 64103)).split())
    assert "model_64103: {at: 40070," in text


def test_base_and_at_move_the_chain(folder: Path) -> None:
    assert "at: 2," in profile(draft_of(folder, 1, base=0))
    moved = profile(draft_of(folder, 64103, at=40069))
    assert "model_64103:" in moved
    assert "{at: 40069, every: once, hidden: true}" in moved
    assert "sunspec:" not in moved
    assert "identify: model_64103 == 64103" in moved


def test_a_repeated_block_exists_as_often_as_the_length_of_the_model_says(folder: Path) -> None:
    draft = draft_of(folder, 64160, repeat=3)
    proves(
        draft,
        """\
tests:
  - holding:
      40070: FAA0 0007 FFFF 4C65 6674 00FA 5267 6874 00FB
    gives: {pan1.name: Left, pan1.t: 25, pan2.t: 25.1, pan3.t: null}
""",
    )
    assert lost(draft) == [(47, "X", "a block inside a repeated block")]


def test_several_models_keep_their_names_apart(folder: Path) -> None:
    text = profile(draft_of(folder, 1, 64103, 64160))
    assert "  sizzler_power:" in text
    assert "calc: x * 10 ** sizzler_w_sf" in text
    assert "  maker:" in text


def test_what_follows_a_model_of_unknown_length_is_not_placed_by_guess(folder: Path) -> None:
    with pytest.raises(ConfigError, match="how long model 64160 is: name it last"):
        draft_of(folder, 1, 64160, 64103)


def test_numbers_take_the_models_of_an_installed_pysunspec2(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sunspec, "models_folder", lambda: folder)
    assert sunspec.read(["sunspec:1, 64103"]).name == "SunSpec Sizzler (model 1 + 64103)"
    with pytest.raises(ConfigError, match="pysunspec2 has no model_7"):
        sunspec.read(["sunspec:1,7"])
    with pytest.raises(ConfigError, match="write the numbers"):
        sunspec.read(["sunspec:inverter"])


def test_without_pysunspec2_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match="pip install pysunspec2"):
        sunspec.models_folder()


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"id": 1, "group": {}}',
        "[" * 100_000,
        '{"id": "x", "group": {"points": [1]}}',
    ],
)
def test_what_is_no_model_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "model_9.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"model_9\.json: no"):
        sunspec.read([str(path)])
