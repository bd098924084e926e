"""Which values look like one, and what is made of a device whose values do not."""

from __future__ import annotations

import pytest

from drivers.profile.check_cpython import check_text
from drivers.profile.image import Image
from drivers.profile.model import load
from drivers.profile.units_cpython import kinds
from gateway.core import cbor
from gateway.core.reading import REFUSED
from tools.profile.causes import plausible
from tools.profile.causes.doubt import SOUGHT_MAX, doubts

TESTS = 'tests: [{holding: {0: "0000"}, gives: nothing}]\n'


def device(channels: str, bus: str = "modbus: {}", more: str = ""):
    checked = check_text(f"name: P\n{bus}\n{more}channels: {{{channels}}}\n{TESTS}", "p.yaml")
    assert checked.document is not None, checked.report.text()
    return load(cbor.encode(checked.document)).device()


def image(**words: str) -> Image:
    made = Image()
    for name, text in words.items():
        made.put("holding", int(name[1:]), bytes.fromhex(text))
    return made


def told(channels: str, made: Image, **options: str) -> list[tuple[str, str, str]]:
    one = device(channels, **options)
    return [
        (doubt.place.id, doubt.verdict.reason, doubt.best.variant.told(doubt.channel))
        if doubt.best
        else (doubt.place.id, doubt.verdict.reason, "")
        for doubt in doubts(one, made)
    ]


VOLTS = "u: {at: 2, type: f32, order: ORDER, unit: V, kind: util.elec.voltage}"


def test_word_that_is_no_quantity_may_be_any_number() -> None:
    assert told("code: {at: 0}, word: {at: 1, type: u32}", image(r0="FFEC 0001 0000")) == []


def test_value_in_its_usual_place_is_not_doubted() -> None:
    assert told(VOLTS.replace("ORDER", "ABCD"), image(r1="0000 4366 3334 0000")) == []
    assert told("t: {at: 0, scale: 0.1, unit: °C}", image(r0="00E6")) == []
    assert told("a: {at: 0}", image(r0="0000")) == []  # zero is no proof of anything


@pytest.mark.parametrize("order", ["CDAB", "DCBA", "BADC"])
def test_float_in_another_word_order_is_recognised(order: str) -> None:
    (found,) = told(VOLTS.replace("ORDER", order), image(r1="0000 4366 3334 0000"))
    assert found[2] == f"with order ABCD instead of {order}"


@pytest.mark.parametrize("at", [1, 3])
def test_float_one_register_off_is_recognised(at: int) -> None:
    # The high word alone is a voltage, too: what decides is the order of the other channel.
    text = VOLTS.replace("ORDER", "ABCD").replace("at: 2", f"at: {at}")
    text += ", f: {at: 6, type: f32, unit: Hz, kind: util.elec.frequency}"
    (found,) = told(text, image(r0="0000 0000 4366 3334 0000 0000 4248 0000"))
    assert found[2] == f"at 2 instead of {at}"


def test_slipped_point_is_recognised_by_the_kind() -> None:
    text = "f: {at: 0, scale: 0.1, unit: Hz, kind: util.elec.frequency}"
    reason = "util.elec.frequency usually lies between 40 and 70 Hz"
    assert told(text, image(r0="1388")) == [("f", reason, "with scale 0.01 instead of 0.1")]


def test_raw_number_near_the_end_of_its_type_is_a_negative_one() -> None:
    text = "t: {at: 0, scale: 0.1, unit: °C, kind: met.temperature}"
    (found,) = told(text, image(r0="FFEC"))
    assert found == ("t", "65516 would be -20 if it were signed", "as s16 instead of u16")


def test_swapped_words_of_a_counter_are_recognised() -> None:
    (found,) = told("n: {at: 0, type: u32, unit: kWh}", image(r0="2710 0000"))
    assert found[1:] == (
        "655360000 has an empty low word: are the words swapped?",
        "with order CDAB instead of ABCD",
    )


def test_refused_register_is_looked_for_next_door() -> None:
    made = image(r4="0000 00F0")
    made.fail("holding", 6, 1, REFUSED)
    text = "t: {at: 6, scale: 0.1, unit: °C, kind: met.temperature}"
    (found,) = told(text, made)
    assert found == ("t", "the device refuses to read it", "at 5 instead of 6")


def test_word_that_is_not_in_the_map_is_looked_for_next_door() -> None:
    made = image(r0="0002 0907")
    (found,) = told("state: {at: 1, map: {1: off, 2: on}}", made)
    assert found == ("state", "the raw value 2311 is outside of what is valid", "at 0 instead of 1")


def test_digits_that_are_none_and_text_that_is_none_are_doubted() -> None:
    (found,) = told("n: {at: 0, type: bcd16}", image(r0="00E6"))
    assert found[1:] == ("these bytes are no decimal digits", "as u16 instead of bcd16")
    (found,) = told("n: {at: 0, type: str4}", image(r0="0102 0304"))
    assert found[1] == "these bytes are no printable text"


def test_rule_of_the_device_counts_as_evidence() -> None:
    made = image(r0="0005 0901 0001")
    one = told("model: {at: 0}, t: {at: 2}", made, more="identify: model == 0x0901\n")
    assert one == [("model", "it does not look like this device's", "at 1 instead of 0")]


def test_what_other_channels_show_decides_between_readings_that_look_alike() -> None:
    # 22.7 °C as a float reads -3.9 °C with swapped words, which is a temperature, too.
    text = (
        "u: {at: 0, type: f32, order: CDAB, kind: util.elec.voltage, unit: V}, "
        "f: {at: 2, type: f32, order: CDAB, kind: util.elec.frequency, unit: Hz}"
    )
    found = told(text, image(r0="4366 3334 4248 0000"))
    assert [one[2] for one in found] == ["with order ABCD instead of CDAB"] * 2


def test_doubt_about_a_computed_value_is_led_back_to_its_operand() -> None:
    text = (
        "level: {at: 0, calc: x * 2 ** exponent, valid: 1000..1100, unit: m}, "
        "exponent: {at: 3, hidden: true}"
    )
    (found,) = told(text, image(r0="0022 0000 0005 0000"))
    assert found == ("level", "the raw value 34 is outside of what is valid", "at 2 instead of 3")


def test_usual_ranges_are_of_kinds_and_units_that_exist() -> None:
    names = list(kinds())
    for prefix, (low, high) in plausible.BY_KIND.items():
        assert any(name.startswith(prefix) for name in names), prefix
        assert low < high
    for unit in plausible.BY_UNIT:
        assert unit in {kind["unit"] for kind in kinds().values()}, unit
    covered = [name for name in names if plausible.usual(name, "")]
    assert len(covered) >= 0.3 * len(names)


def test_doubts_of_a_wrong_profile_are_all_told_but_not_all_pondered() -> None:
    made = image(r0="7FFF " * 100)
    channels = ", ".join(f"c{n}: {{at: {n}, type: s16, unit: A}}" for n in range(100))
    found = doubts(device(channels), made)
    assert len(found) == 100
    pondered = [doubt for doubt in found if len(doubt.readings) > 1]
    assert len(pondered) == SOUGHT_MAX
