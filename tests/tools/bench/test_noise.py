"""Noise and wrong values: a small size of the bench, the arithmetic behind it, and its mutants."""

from __future__ import annotations

import math
from itertools import combinations

from drivers.line import Line, silence_us
from drivers.modbus import ModbusDevice
from drivers.modbus_unit import ModbusBus
from drivers.profile.compile_cpython import compile_text
from drivers.profile.model import load
from drivers.profile.plan import serial_cost
from drivers.protocol import ascii as ascii_frames
from drivers.protocol import pdu, rtu
from gateway.core.reading import GOOD
from tests.support import virtual
from tools.bench import noise
from tools.sim import paced
from tools.sim.modbus import Slave
from tools.sim.paced_port import PacedTransport

BYTES = 400_000


class Trusting(rtu.ReplyReader):
    """The mutant: takes a reply's CRC for granted."""

    def feed(self, data):
        self._got += data
        for at in range(len(self._got)):
            size = self._size(self._got[at:])
            if size and at + size <= len(self._got):
                return self._got[at + 1 : at + size - 2]
        return None


class TrustingAscii(ascii_frames.ReplyReader):
    """The mutant: takes a reply's sum for granted."""

    def feed(self, data):
        self._got += data
        start, end = self._got.find(b":"), self._got.find(b"\r\n")
        try:
            body = bytes.fromhex(self._got[start + 1 : end].decode()) if start < end else b""
        except ValueError:
            body = b""
        whole = body and body[0] == self._unit and self._expected.size(body[1:-1]) == len(body) - 2
        return body[1:-1] if whole else None


def test_noise_of_corrupted_replies_no_wrong_value_comes_through():
    for framing, registers in (("rtu", 1), ("rtu", 30), ("ascii", 10)):
        found = noise.Trial(framing, registers).run(BYTES)
        assert BYTES <= found.bytes < BYTES + 1000
        turned = BYTES * 11 * noise.RATE
        assert abs(found.corrupted - turned) < 5 * math.sqrt(turned) + 0.05 * turned
        assert found.wrong <= noise.most(found.expected) <= 1
        assert found.for_nothing == 0
        assert 0.8 * found.corrupted < found.refused + found.right <= found.corrupted
        assert found.refused > 4 * found.right > 0  # one bit of 11 is stop, one parity


def test_noise_is_measured_so_that_a_reader_without_a_check_is_found():
    for framing, mutant in (("rtu", Trusting), ("ascii", TrustingAscii)):
        found = noise.Trial(framing, 10, reader=mutant).run(BYTES)
        assert found.wrong > 50 > noise.most(found.expected)
    assert noise.planted(1000, reader=Trusting) == 1000


def test_noise_garbage_passes_as_seldom_as_the_crc_says():
    assert noise.planted(20_000) <= noise.most(20_000 / 2**16)
    assert noise.stream(100_000) == 0


def test_noise_the_crc_catches_every_odd_number_of_turned_bits_and_every_two():
    bits = 8 * 255
    marks = noise.syndromes(bits)
    assert len(set(marks)) == bits  # no two cancel
    assert all(mark.bit_count() % 2 for mark in marks)  # nor does any odd number


def test_noise_the_patterns_of_four_bits_that_pass_are_all_found():
    frame = rtu.frame(17, b"\x83\x02")
    passed = 0
    for places in combinations(range(8 * len(frame)), 4):
        spoilt = bytearray(frame)
        for bit in places:
            spoilt[bit // 8] ^= 1 << bit % 8
        passed += rtu.crc(spoilt[:-2]) == spoilt[-2:]
    assert passed == noise.fours(40) > 24  # the polynomial at every place, and more
    assert 1.0 < noise.fours(2040) / (math.comb(2040, 4) / 2**15) < 1.1
    chance = noise.undetected(40, 1e-4)
    assert math.isclose(chance, passed * 1e-16 * (1 - 1e-4) ** 36, rel_tol=1e-3)


def test_noise_the_pairs_that_pass_an_ascii_sum_are_all_found():
    request, pairs = pdu.read(3, 0, 1), 0
    for value in (0x0064, 0x1A2F, 0xFFFF):
        frame = ascii_frames.frame(17, b"\x03\x02" + value.to_bytes(2, "big"))
        passed = 0
        for one, other in combinations(range(8 * len(frame)), 2):
            spoilt = bytearray(frame)
            for bit in (one, other):
                spoilt[bit // 8] ^= 1 << bit % 8
            reply = ascii_frames.ReplyReader(17, request).feed(bytes(spoilt))
            passed += reply is not None and reply != b"\x03\x02" + value.to_bytes(2, "big")
        assert passed == noise.cancelling(frame, 6, len(frame))
        pairs += passed
    assert pairs > 10


def test_noise_what_chance_exceeds_is_that_of_poisson():
    assert [noise.most(expected) for expected in (0.0, 0.0005, 0.01, 1.0, 15.3)] == [0, 0, 1, 5, 29]


def test_noise_no_reading_of_a_device_is_wrong_with_a_bit_of_a_thousand_turned():
    text = """name: Noisy
every: 1s
modbus: {}
channels:
  r[1..10]: {at: 0}
tests: [{holding: {0: "0001"}, gives: {r1: 1}}]"""

    async def story():
        slave = Slave({1: {"holding": {at: 1000 + at for at in range(10)}}})
        one = paced.line(slave.answer, 9600, bit_errors=1e-3, seed=7)
        line = Line(PacedTransport(one).open, silence_us(9600))
        bus = ModbusBus("noisy", line, "rtu", serial_cost("rtu", 9600, 11))
        device = ModbusDevice("one", bus, load(compile_text(text, "noisy.yaml")).device(), 1)
        readings = []
        for _ in range(300):
            readings += await device.poll(1000)
        return one.wire.spoilt, readings

    spoilt, readings = virtual.run(story())
    good = [reading for reading in readings if reading.quality == GOOD]
    assert spoilt > 80
    assert 1500 < len(good) <= len(readings) == 3000
    wrong = [one for one in good if one.value != 1000 + int(one.point.rpartition("r")[2]) - 1]
    assert wrong == []
