"""A simulated Modbus device answers its tests word for word first, then from its registers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from drivers.profile.check_cpython import check_text
from gateway.core.decimal import parse
from tools.sim.sensors import sensor_of
from tools.sim.tested import TestedSlave

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = """name: Probe
every: 1s
modbus: {}
channels:
  moisture: {at: 0, scale: 0.1}
  temperature: {at: 1, scale: 0.1, type: s16}
tests:
  - sent:     01 03 0000 0002 C40B
    received: 01 03 04 01EF 0144 CB99
    gives: {moisture: 49.5, temperature: 32.4}
  - sent:     01 03 0009 0001 5408
    received: 01 83 02 C0F1
    gives: {moisture: null}
  - holding: {0: 0001 0002}
    gives: {moisture: 0.1}
"""
READ, READ_FAR = bytes.fromhex("0300000002"), bytes.fromhex("0300090001")
VECTOR = bytes.fromhex("030401EF0144")

Told = list[tuple[bytes, bytes | None, str]]


@pytest.fixture
def told() -> Told:
    return []


@pytest.fixture
def play(told: Told) -> Callable[..., tuple[TestedSlave, list[float]]]:
    def made(unit: int = 1, still: bool = False) -> tuple[TestedSlave, list[float]]:
        now_s = [0.0]
        checked = check_text(TEXT, "probe.yaml")
        note = lambda *event: told.append(event)
        one = TestedSlave(sensor_of(checked), unit, checked.cases, still, note, lambda: now_s[0])
        return one, now_s

    return made


def test_tested_slave_answers_a_test_first_and_wanders_from_there(play, told) -> None:
    slave, now_s = play()
    assert slave.answer(1, READ) == VECTOR
    now_s[0] = 60.0
    wandered = slave.answer(1, READ)
    assert wandered != VECTOR
    assert len(wandered) == len(VECTOR)
    assert [event[2] for event in told] == ["a test of the profile", "registers"]
    assert told[0][:2] == (
        bytes.fromhex("01 03 0000 0002 C40B"),
        bytes.fromhex("01 03 04 01EF 0144 CB99"),
    )


def test_tested_slave_repeats_a_refusal_of_its_tests(play) -> None:
    slave, _ = play()
    for _ in range(3):
        assert slave.answer(1, READ_FAR) == b"\x83\x02"


def test_tested_slave_that_stands_still_always_answers_its_tests(play) -> None:
    slave, now_s = play(still=True)
    for second in (0.0, 50.0, 500.0):
        now_s[0] = second
        assert slave.answer(1, READ) == VECTOR


def test_tested_slave_answers_at_the_number_it_was_given_only(play, told) -> None:
    slave, _ = play(unit=7)
    assert slave.answer(7, READ) == VECTOR
    assert slave.answer(1, READ) is None
    assert told[-1][1:] == (None, "there is no unit 1")


def test_tested_slave_forgets_its_tests_once_a_value_was_set(play) -> None:
    slave, _ = play()
    slave.sensors[1].hold("moisture", parse("12.5"))
    slave.hold()
    assert slave.answer(1, READ)[2:4] == (125).to_bytes(2, "big")
