"""The line of the simulator against arithmetic: times, bits, noise, collisions."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import ConfigError
from tools.sim.wire import FRAMING, PARITIES, PARITY, Coding, Wire

CODINGS = [Coding(9600, parity, stop) for parity in PARITIES for stop in (1, 2)]


def values(characters):
    return bytes([one.value for one in characters])


def test_wire_a_character_takes_start_eight_data_parity_and_stop_bits():
    sizes = [(coding.parity, coding.stop, coding.bits) for coding in CODINGS]
    assert sizes == [
        ("none", 1, 10),
        ("none", 2, 11),
        ("even", 1, 11),
        ("even", 2, 12),
        ("odd", 1, 11),
        ("odd", 2, 12),
    ]
    assert [Coding(9600, parity).bits for parity in PARITIES] == [11, 11, 11]  # as Modbus has it
    assert Coding(9600).silence_us == pytest.approx(3.5 * 11 / 9600 * 1e6)
    assert Coding(19200).silence_us == pytest.approx(3.5 * 11 / 19200 * 1e6)
    assert Coding(38400).silence_us == 1750


@pytest.mark.parametrize("coding", CODINGS, ids=lambda one: f"{one.parity}{one.stop}")
def test_wire_every_value_is_read_as_it_was_sent_and_one_wrong_bit_is_seen_by_parity(coding):
    turned = 0
    for value in range(256):
        levels = coding.levels(value)
        assert len(levels) == coding.bits
        assert coding.read(levels) == (value, "")
        for place in range(1, 9 + coding.has_parity):
            levels[place] ^= 1
            assert coding.read(levels)[1] == (PARITY if coding.has_parity else "")
            levels[place] ^= 1
            turned += 1
    assert turned == 256 * (8 + coding.has_parity)


@pytest.mark.parametrize("baud", [1200, 9600, 115200])
def test_wire_a_hundred_thousand_characters_take_exactly_their_bits(baud):
    wire = Wire(Coding(baud))
    frame, at_us = bytes(250), 0.0
    for number in range(400):  # each frame's start from its own arithmetic: nothing adds up
        at_us = wire.send("a", frame, number * wire.coding.time_us(len(frame)))
    assert wire.sent == 100_000
    assert at_us == pytest.approx(1e5 * 11e6 / baud, rel=1e-12)
    heard = wire.heard(math.inf)
    assert len(heard) == 100_000
    ends = [one.end_us for one in heard]
    assert max(abs(then - at - 11e6 / baud) for at, then in pairwise(ends)) < 1e-3


def test_wire_a_character_is_not_heard_before_its_last_bit():
    wire = Wire(Coding(9600))
    wire.send("a", b"ab", 1000.0)
    char_us = wire.coding.time_us(1)
    assert values(wire.heard(1000 + char_us - 1)) == b""
    assert values(wire.heard(1000 + char_us)) == b"a"
    assert values(wire.heard(1000 + 2 * char_us)) == b"b"


@given(st.binary(min_size=1, max_size=40), st.sampled_from(CODINGS), st.floats(0, 1e9))
def test_wire_listening_bit_by_bit_hears_what_the_short_way_says(data, coding, start_us):
    wire = Wire(coding)
    wire.send("a", data, start_us)
    short = wire.heard(math.inf)
    listened = wire._listened()
    assert [one[1:] for one in listened] == [one[1:] for one in short]
    assert all(abs(a.end_us - b.end_us) < 1e-2 for a, b in zip(short, listened, strict=True))


@given(st.binary(min_size=2, max_size=12), st.sampled_from(CODINGS), st.data())
def test_wire_with_turned_data_bits_both_ways_hear_the_same(data, coding, draw):
    bits = coding.bits
    may = [flip for flip in range(len(data) * bits) if 0 < flip % bits < bits - coding.stop]
    flips = sorted(draw.draw(st.sets(st.sampled_from(may), min_size=1, max_size=4)))
    wire = Wire(coding)
    wire._noise = lambda _: flips
    wire.send("a", data, 0.0)
    short = wire.heard(math.inf)
    assert [one[1:] for one in wire._listened()] == [one[1:] for one in short]
    assert values(short) != data or coding.has_parity  # a turned parity bit spoils no value


def test_wire_a_turned_start_bit_spoils_what_follows_until_the_line_rests():
    wire = Wire(Coding(9600))
    wire._noise = lambda _: [0]
    wire.send("a", b"\x55\x01\x02\x03", 0.0)
    assert values(wire.heard(math.inf)) != b"\x55\x01\x02\x03"
    wire._noise = lambda _: []
    wire.send("a", b"well", 1e6)
    assert values(wire.heard(math.inf)) == b"well"


def test_wire_a_turned_stop_bit_is_a_framing_error():
    wire = Wire(Coding(9600, "none", 1))
    wire._noise = lambda _: [9]
    wire.send("a", b"\xff", 0.0)
    (one,) = wire.heard(math.inf)
    assert (one.value, one.fault) == (0xFF, FRAMING)


@pytest.mark.parametrize("rate", [1e-2, 1e-4])
def test_wire_noise_turns_as_many_bits_as_it_should(rate):
    wire = Wire(Coding(9600), rate, seed=5)
    bits = int(2000 / rate)
    turned = []
    for _ in range(bits // 1000):
        flips = wire._noise(1000)
        assert flips == sorted(set(flips))
        assert all(0 <= flip < 1000 for flip in flips)
        turned += flips
    assert abs(len(turned) - 2000) < 4 * math.sqrt(2000)
    assert abs(sum(turned) / len(turned) - 499.5) < 4 * 289 / math.sqrt(2000)  # evenly spread


def test_wire_what_is_passed_over_is_counted_and_holds_no_noise():
    wire = Wire(Coding(9600), 1e-3, seed=1)
    characters = wire.calm_bits // 11
    wire.pass_over(characters)
    assert wire.sent == characters
    assert wire.calm_bits < 11
    wire.send("a", b"a", 0.0)
    assert wire.flipped >= 1
    with pytest.raises(ValueError, match="noise strikes"):
        wire.pass_over(10**9)


def test_wire_two_talkers_spoil_each_other_and_only_where_they_overlap():
    spoilt = 0
    for seed in range(20):
        wire = Wire(Coding(9600), seed=seed)
        char_us = wire.coding.time_us(1)
        wire.send("a", b"abcdefgh", 0.0)
        before = wire.heard(3 * char_us)
        wire.send("b", bytes([0x5A] * 8), 4.3 * char_us)
        after = wire.heard(math.inf)
        assert values(before) == b"abc"
        assert after[0].value == ord("d")
        assert after[0].talkers == {"a"}
        assert any(one.talkers == {"a", "b"} for one in after)
        assert wire.collisions == 1
        spoilt += b"efgh" not in values(after)
        wire.send("a", b"next", 1e6)
        assert values(wire.heard(math.inf)) == b"next"
    assert spoilt == 20


def test_wire_who_says_the_same_at_the_same_time_is_understood():
    wire = Wire(Coding(9600, "even"))
    wire.send("a", b"same", 0.0)
    wire.send("b", b"same", 0.0)
    heard = wire.heard(math.inf)
    assert values(heard) == b"same"
    assert {one.talkers for one in heard} == {frozenset("ab")}


def test_wire_frames_back_to_back_do_not_collide():
    wire = Wire(Coding(115200))
    end_us = wire.send("a", b"one", 12345.678)
    wire.send("b", b"two", end_us)
    assert values(wire.heard(math.inf)) == b"onetwo"
    assert wire.collisions == 0


def test_wire_the_same_seed_makes_the_same_noise():
    def heard(seed):
        wire = Wire(Coding(9600), 0.01, seed)
        wire.send("a", bytes(range(100)), 0.0)
        wire.send("b", bytes(range(100)), 500.0)
        return wire.heard(math.inf)

    assert heard(1) == heard(1) != heard(2)


def test_wire_refuses_what_no_line_is():
    for wrong in (lambda: Coding(0), lambda: Coding(9600, "mark"), lambda: Coding(9600, "none", 3)):
        with pytest.raises(ConfigError):
            wrong()
    with pytest.raises(ConfigError):
        Wire(Coding(9600), 1.0)
