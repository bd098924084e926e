"""Register lists: headings in three languages, guesses that are sure, doubts that are told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import ConfigError
from tests.tools.profile.importing.drafts import lost, profile, proves
from tools.profile.importing import table

ENGLISH = """\
Meter X1 register map,,,,,,
Address,Name,Data type,Factor,Unit,R/W,Remark
0x0000,Voltage L1,UINT16,0.1,V,R,
0x0001,Voltage L2,UINT16,0.1,V,R,
0x0002,Voltage L3,UINT16,0.1,V,R,
0x0003,Total active power,INT32,0.001,kW,R,
0x0005,Reserved,,,,,
0x0006,Relay (0=open; 1=closed),UINT16,,,RW,
0x0007,Serial number,STRING 8,,,R,
0x000B,Frequency,Float,1,Hz,R,
0x000D,Grid fault,uint16,,,R,"0: none, 1: over voltage, 2: under voltage"
"""


def draft_of(text: str, encoding: str = "utf-8") -> table.Draft:
    draft = table.read(text.encode(encoding), "list.csv")
    draft.name = "Meter X1"
    return draft


def test_an_english_list_becomes_a_profile_whose_registers_mean_the_same() -> None:
    text = proves(
        draft_of(ENGLISH),
        """\
tests:
  - holding:
      0x0000: 08FC 08FD 08FE FFFF FC18 0000 0001 4D31 3233 0000 0000 4248 0000 0002
    gives:
      voltage_l1: 230.0
      voltage_l3: 230.2
      total_active_power: -1
      relay: closed
      serial_number: M123
      frequency: 50
      grid_fault: under voltage
  - write: {relay: open}
    sends: 01 06 0006 0000 69CB
""",
    )
    assert (
        "  voltage_l[1..3]:    {at: 0x0000, scale: 0.1, unit: V, kind: util.elec.voltage}" in text
    )
    assert "reserved" not in text


def test_a_chinese_list_with_reference_numbers() -> None:
    draft = draft_of(
        "寄存器地址;参数名称;数据类型;分辨率;单位;读写\n"
        "40001;土壤温度;有符号16位;0.1;℃;只读\n"
        "40002;土壤湿度;无符号16位;0.1;%;只读\n"
        "40003;A相电压;无符号16位;0.1;V;只读\n"
        "40004;B相电压;无符号16位;0.1;V;只读\n"
        "40005;C相电压;无符号16位;0.1;V;只读\n"
        "40006;怪数据;无符号16位;;;读写\n",
        "gb18030",
    )
    text = proves(
        draft,
        """\
tests:
  - holding: {40001: FFF6 01F4 08FC 08FD 08FE 0007}
    gives: {soil_temperature: -1, soil_humidity: 50, voltage_c: 230.2, register_40006: 7}
""",
    )
    assert "modbus: {base: 40001}" in text
    assert "kind: soil.temperature" in text
    assert "title: 怪数据" in text
    assert any("reference numbers" in reason for _, _, reason in lost(draft))


def test_a_german_list_of_a_spreadsheet_in_its_old_encoding() -> None:
    draft = draft_of(
        "Adresse;Bezeichnung;Datentyp;Faktor;Einheit;Funktionscode\n"
        "100;Außentemperatur;INT16;0,1;°C;4\n"
        "101;Wirkleistung;Gleitkomma;1;W;4\n"
        "5;Störung;BIT;;;2\n",
        "cp1252",
    )
    proves(
        draft,
        """\
tests:
  - input: {100: FFF6 447A 0000}
    gives: {outdoor_temperature: -1, active_power: 1000}
  - discrete: {5: "1"}
    gives: {fault: true}
""",
    )


@pytest.mark.parametrize("factor", ["10", "x10", "×100"])
def test_a_factor_that_may_multiply_or_divide_is_not_guessed(factor: str) -> None:
    draft = draft_of(f"Address,Name,Factor,Unit\n1,Temperature,{factor},°C\n")
    assert "scale: " not in profile(draft)
    ((_, what, reason),) = lost(draft)
    assert what == "Temperature"
    assert reason.endswith("times or divided by?")


@pytest.mark.parametrize(
    ("heading", "cell", "scale"),
    [("Gain", "10", "0.1"), ("Divisor", "100", "0.01"), ("Scale", "1/4", "0.25")]
    + [("Decimals", "2", "0.01"), ("Multiplier", "10", "10"), ("Factor", "0.5", "0.5")],
)
def test_factors_that_are_clear(heading: str, cell: str, scale: str) -> None:
    text = profile(draft_of(f"Address,Name,{heading},Unit\n1,Temperature,{cell},°C\n"))
    assert f"{{at: 1, scale: {scale}, unit: °C}}" in text


def test_a_factor_without_an_end_becomes_a_formula() -> None:
    draft = draft_of("Address,Name,Scale\n1,Turns,1/60\n")
    proves(draft, "tests:\n  - holding: {1: 003C}\n    gives: {turns: 1}\n")


def test_what_is_not_understood_is_told_with_its_line() -> None:
    draft = draft_of(
        "Address,Name,Type,Registers,Byte order\n"
        "1,Level,UINT16,1,\n"
        "two,Flow,UINT16,1,\n"
        "3,Total,,2,\n"
        "5,Sum,blob,1,\n"
        "6,Depth,INT32,2,little-endian\n"
    )
    text = profile(draft)
    assert lost(draft) == [
        (3, "Flow", "'two' is no register address"),
        (4, "Total", "2 registers, but no type"),
        (5, "Sum", "type 'blob' is not known"),
        (6, "Depth", "'little-endian': which order, DCBA or CDAB?"),
    ]
    assert "  # not carried: Total (line 4): 2 registers, but no type" in text


def test_addresses_as_people_print_them() -> None:
    draft = draft_of(
        "Register,Name,Type\n0000H,A value,UINT16\n0x0001-0x0002,B value,FLOAT\n3~4,C value,INT32\n"
    )
    text = profile(draft)
    assert "a_value: {at: 0x0000}" in text
    assert "b_value: {at: 0x0001, type: f32}" in text
    assert "c_value: {at: 0x0003, type: s32}" in text


def test_six_digit_reference_numbers_and_tables_by_their_first_digit() -> None:
    draft = draft_of("Register,Name\n400001,First\n300002,Second\n")
    text = profile(draft)
    assert "first:  {at: 40001}" in text
    assert "second: {at: 30002, in: input}" in text


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no row of headings"),
        (b"a,b\n1,2\n", "no row of headings"),
        (b"Address,Name\nx,y\n", "none of its 1 rows"),
        (b"Address,Name\n" + b"1,a\n" * 5001, "at most 5000 rows"),
        (b"x" * (1 << 20) + b"x", "more than the 1048576 allowed"),
        (b"Address,Name\n1," + b'"' + b"x" * 200_000, "not CSV"),
        (b"," * 70 + b"\n", "64 cells"),
    ],
)
def test_what_is_no_register_list_is_refused_with_a_sentence(data: bytes, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        table.read(data, "list.csv")


@given(st.lists(st.lists(st.text(max_size=12), min_size=6, max_size=6), max_size=6))
def test_no_cell_makes_a_draft_that_has_an_error(rows: list[list[str]]) -> None:
    lines = ["\t".join(cell.replace("\t", " ") for cell in row) for row in rows]
    head = "Address\tName\tType\tScale\tUnit\tRemark\n1\tSure\tUINT16\t1\tV\t\n"
    draft = table.read((head + "\n".join(lines)).encode("utf-8", "replace"), "list.csv")
    profile(draft)


def test_names_that_the_registries_know_become_their_ids() -> None:
    names = ("水温", "水温(℃)", "気温", "濁度", "溶解氧", "Wassertemperatur", "水位", "某某值")
    rows = "".join(f"{at},{name},u16\n" for at, name in enumerate(names))
    draft = table.read(f"地址,名称,类型\n{rows}".encode(), "x.csv")
    assert [entry.id for entry in draft.channels] == [
        "water_temperature",
        "water_temperature_2",
        "air_temperature",
        "turbidity",
        "dissolved_oxygen",
        "water_temperature_3",
        "water_level",
        "register_7",
    ]
    assert "title" not in draft.channels[0].keys
    assert draft.channels[7].keys["title"] == "某某值"
