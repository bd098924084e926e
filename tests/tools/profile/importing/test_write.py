"""What a draft looks like when it is written, and that folding it changes no meaning."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.profile import schema
from drivers.profile.check_cpython import check_text
from drivers.profile.map import places
from drivers.profile.model import Profile
from gateway.core.decimal import parse
from gateway.core.source_cpython import SIZE_MAX, load_source
from tests.tools.profile.importing.drafts import profile, proves
from tools.profile.importing import fold, write
from tools.profile.importing.draft import Draft, identifier


def draft_of(*rows: tuple[str, dict[str, Any]]) -> Draft:
    draft = Draft("source", name="Sample")
    for line, (name, keys) in enumerate(rows, 1):
        draft.add(name, dict(keys), line)
    return draft


def channels(draft: Draft) -> list[str]:
    lines = profile(draft).split("channels:\n")[1].splitlines()
    return [line.strip() for line in lines[:-1]]


@given(st.text(min_size=1, max_size=60))
def test_any_text_is_read_back_as_it_was(text: str) -> None:
    for flow in (True, False):
        shown = write.scalar(text, flow)
        around = f"a: {{b: {shown}, c: 1}}\n" if flow else f"a: {shown}\n"
        root = load_source(around, "t").root
        assert root is not None, shown
        value = root.pairs[0][1]
        assert (value.pairs[0][1] if flow else value).value == text


@pytest.mark.parametrize("text", ["V", "°C", "5s", "x * 10 ** a_sf", "over voltage", "only", "kWh"])
def test_harmless_texts_have_no_quotes(text: str) -> None:
    assert write.scalar(text) == text


@pytest.mark.parametrize("text", ["%", "off # x", "a: b", "1e5", "null", "true", "0x10", "", "[a"])
def test_texts_that_would_be_read_as_something_else_have(text: str) -> None:
    assert write.scalar(text)[0] == '"'


def test_neighbours_fold_where_the_step_is_constant() -> None:
    draft = draft_of(
        *((f"voltage_l{n}", {"at": n, "unit": "V"}) for n in (1, 2, 3)),
        *((f"energy_{n}", {"at": 10 + 4 * n, "type": "u32"}) for n in (1, 2, 3)),
        *((f"power_{n}", {"at": at}) for n, at in (("a", 40), ("b", 41), ("c", 42))),
        *((f"odd_{n}", {"at": at}) for n, at in ((1, 50), (2, 51), (3, 53))),
        *((f"other_{n}", {"at": 60 + n, "scale": n + 1}) for n in (1, 2)),
    )
    assert channels(draft) == [
        "voltage_l[1..3]: {at: 1, unit: V}",
        "energy_[1..3]:   {at: 14, type: u32, step: 4}",
        "power_[a,b,c]:   {at: 40}",
        "odd_[1..2]:      {at: 50}",
        "odd_3:           {at: 53}",
        "other_1:         {at: 61, scale: 2}",
        "other_2:         {at: 62, scale: 3}",
    ]


def test_neighbours_interleaved_in_the_source_fold_too() -> None:
    rows = []
    for n in (1, 2):
        rows += [(f"pv{n}_voltage", {"at": 10 * n}), (f"pv{n}_current", {"at": 10 * n + 1})]
    assert channels(draft_of(*rows)) == [
        "pv[1..2]_voltage: {at: 10, step: 10}",
        "pv[1..2]_current: {at: 11, step: 10}",
    ]


def test_formulas_that_name_the_neighbour_fold_with_it() -> None:
    rows = [(f"sf_{n}", {"at": n, "hidden": True}) for n in (1, 2)]
    rows += [(f"level_{n}", {"at": 10 + n, "calc": f"x * 10 ** sf_{n}"}) for n in (1, 2)]
    assert channels(draft_of(*rows)) == [
        "sf_[1..2]:    {at: 1, hidden: true}",
        'level_[1..2]: {at: 11, calc: "x * 10 ** sf_#"}',
    ]


def test_an_array_that_starts_its_id_is_a_legal_key() -> None:
    rows = [(f"{phase}_offset", {"at": at}) for at, phase in enumerate("rst")]
    assert channels(draft_of(*rows)) == ['"[r,s,t]_offset": {at: 0}']


def test_defaults_go_into_the_bus_section_where_that_saves_something() -> None:
    rows = [
        (name, {"at": 2 * at, "in": "input", "type": "f32", "order": "CDAB"})
        for at, name in enumerate(["red", "green", "blue", "grey"])
    ]
    draft = draft_of(*rows, ("switch", {"at": 3, "in": "coil"}), ("mode", {"at": 9, "type": "u16"}))
    text = profile(draft)
    assert "modbus: {in: input, type: f32, order: CDAB}" in text
    assert "  red:    {at: 0}" in text
    assert "  switch: {at: 3, in: coil}" in text
    assert "  mode:   {at: 9, in: holding, type: u16}" in text


def test_losses_stand_in_the_file_and_too_many_are_counted() -> None:
    draft = draft_of(("level", {"at": 1}))
    for line in range(50):
        draft.lose(line, f"channel {line}", "why\nnot")
    lines = channels(draft)
    assert lines[1] == "# not carried: channel 0: why not"
    assert lines[2] == "# not carried: channel 1 (line 1): why not"
    assert lines[-1] == "# not carried: and 10 more"


def test_long_channels_are_broken_into_lines_of_at_most_100_columns() -> None:
    words = {number: f"state number {number}" for number in range(30)}
    draft = draft_of(("state", {"at": 1, "map": words, "unit": "V", "none": 0xFFFF}))
    text = profile(draft)
    assert max(len(line) for line in text.splitlines()) <= write.COLUMNS_MAX
    assert "none: 0xFFFF" in text


def test_a_draft_that_would_be_too_large_is_cut_and_says_so() -> None:
    draft = draft_of(
        *(
            (
                f"thing {n * n}",
                {"at": n, "title": f"T {n} " + "x" * 190, "map": {0: "y" * 60, 1: "z" * 60}},
            )
            for n in range(512)
        )
    )
    text = profile(draft)
    assert len(text.encode()) <= SIZE_MAX
    assert any("65536 bytes" in loss.reason for loss in draft.losses)


def test_what_no_profile_holds_is_lost_not_written() -> None:
    draft = draft_of(*((f"c{n}_x", {"at": n}) for n in range(600)))
    assert len(draft.channels) == 512
    assert len(draft.losses) == 88


def test_keys_of_the_grammar_all_have_their_place() -> None:
    assert {key for key, *_ in schema.CHANNEL} - {"match", "lane"} <= set(write.CHANNEL)
    assert {key for key, *_ in schema.MODBUS} <= set(write.BUS)


@given(st.text(max_size=80))
def test_any_name_makes_a_legal_id_or_none(name: str) -> None:
    draft = draft_of((name, {"at": 1}), (name, {"at": 2}))
    profile(draft)
    assert draft.channels[0].id != draft.channels[1].id


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("Total Active Power", "total_active_power"),
        ("PM2.5", "pm2_5"),
        ("3-phase", "n3_phase"),
        ("TotalPowerL1", "total_power_l1"),
        ("Größe", "groesse"),
        ("x", "x_value"),
        ("电压", ""),
        ("kWh", "kwh"),
        ("l'eau", "leau"),
        ("a" * 60, "a" * 48),
    ],
)
def test_ids_as_a_person_would_make_them(name: str, made: str) -> None:
    assert identifier(name) == made


KEYS = st.fixed_dictionaries(
    {"at": st.integers(0, 40)},
    optional={
        "type": st.sampled_from(["s16", "u32", "f32", "u64"]),
        "in": st.sampled_from(["input", "coil"]),
        "order": st.sampled_from(["CDAB", "DCBA"]),
        "unit": st.sampled_from(["V", "A"]),
        "every": st.sampled_from(["10s", "once"]),
    },
)
NAMES = st.tuples(st.sampled_from(["v_l", "pv", "t_"]), st.integers(1, 5))


def meaning(text: str) -> dict[str, Any]:
    """Return where and how every channel of a profile is read."""
    test = "tests:\n  - holding: {0: 0000}\n    gives: nothing"
    checked = check_text(text.replace(write.TODO, test), "t")
    assert checked.document is not None, checked.report.text()
    found: dict[str, Any] = {}
    for place in places(Profile(checked.document, b"")):
        channel, layout = place.channel, place.channel.layout
        how = (layout.base, layout.size, layout.order, str(channel.scale))
        found[place.id] = (place.address, channel.table, *how, channel.unit, channel.every_ms)
    return found


@given(st.lists(st.tuples(NAMES, KEYS), min_size=1, max_size=12))
def test_folding_changes_nothing_of_where_and_how_a_channel_is_read(rows: list[Any]) -> None:
    draft = Draft("source", name="Sample")
    for (name, number), keys in rows:
        bit = keys.get("in") == "coil"
        legal = {key: one for key, one in keys.items() if not bit or key in ("at", "in")}
        draft.add(f"{name}{number}", legal, 1)
    folded = meaning(write.text(draft))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fold, "arrays", lambda entries: entries)
        patch.setattr(fold, "defaults", lambda _draft: None)
        plain = meaning(write.text(draft))
    assert folded == plain


def test_a_draft_with_tests_is_a_profile() -> None:
    draft = draft_of(("level", {"at": 1, "scale": parse("0.01"), "unit": "m"}))
    proves(draft, "tests:\n  - holding: {1: 0064}\n    gives: {level: 1}\n")
