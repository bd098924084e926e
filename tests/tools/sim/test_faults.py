"""Faults by name: each does what it says, by its seed, and can be changed at any time."""

from __future__ import annotations

import pytest

from gateway.core.errors import ConfigError
from tools.sim.faults import GARBAGE_MAX, NAMES, Faults

FRAME = bytes(range(100))


def test_faults_no_fault_changes_nothing():
    faults = Faults()
    assert [faults.spoil(FRAME) for _ in range(50)] == [FRAME] * 50
    assert (str(faults), faults.delay_s, faults.exception) == ("", 0, 0)
    assert not faults.strikes("echo")


def test_faults_each_does_what_it_says():
    assert Faults("silence").spoil(FRAME) == b""
    cut = Faults("truncate").spoil(FRAME)
    assert 0 < len(cut) < len(FRAME)
    assert FRAME.startswith(cut)
    dirty = Faults("garbage").spoil(FRAME)
    assert dirty.endswith(FRAME)
    assert 1 <= len(dirty) - len(FRAME) <= GARBAGE_MAX
    noisy = Faults("noise").spoil(FRAME)
    assert [(a ^ b).bit_count() for a, b in zip(noisy, FRAME, strict=True)] == [1] * 100
    assert Faults("echo").strikes("echo")
    assert Faults("delay=0.5").delay_s == 0.5
    assert Faults("exception=6").exception == 6


def test_faults_happen_as_often_as_said_and_the_same_for_one_seed():
    faults = Faults("silence=0.25", seed=7)
    silent = [faults.spoil(FRAME) == b"" for _ in range(1000)]
    assert 200 < sum(silent) < 300
    again = Faults("silence=0.25", seed=7)
    assert silent == [again.spoil(FRAME) == b"" for _ in range(1000)]


def test_faults_change_while_running_and_show_themselves():
    faults = Faults("noise=0.01")
    faults.set("delay=2\n")
    assert str(faults) == "noise=0.01, delay=2"
    faults.set("noise=0")
    assert str(faults) == "delay=2"
    faults.set("none")
    assert str(faults) == ""


def test_faults_unknown_or_impossible_ones_say_what_there_is():
    for wrong in ("noize", "noise=x", "noise=2", "silence=-1", "exception=256", ""):
        with pytest.raises(ConfigError, match="fault"):
            Faults(wrong)
    with pytest.raises(ConfigError, match=", ".join(NAMES)):
        Faults("noize")
