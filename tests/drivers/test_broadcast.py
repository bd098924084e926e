"""Unit 0 is everyone on the line: nothing of ours ever says it, whichever way it is asked to."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.modbus_unit import Unit
from drivers.profile.compile_cpython import compile_text
from drivers.profile.model import load
from drivers.protocol import ascii as ascii_frames
from drivers.protocol import pdu, rtu
from gateway.__main__ import main
from gateway.agent.plan import make
from gateway.core.errors import ConfigError
from gateway.site import Bus, Device, Platform, Site, Storage
from gateway.site_cpython import SiteFile
from tests.drivers.wire import Wire, device, holding

FRAMINGS = ("rtu", "ascii", "tcp")
PROFILE = """name: Test
every: 1s
modbus: {unit: 0}
channels: {level: {at: 0, write: true}}
tests: [{holding: {0: "0001"}, gives: {level: 1}}]
"""


def test_broadcast_a_profile_cannot_say_it() -> None:
    with pytest.raises(ConfigError, match="unit"):
        compile_text(PROFILE, "test.yaml")


def test_broadcast_a_site_file_cannot_say_it(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(
        "gateway: g\nplatform: mqtt://h:1\nbuses: {b: {port: tcp://h:502,"
        " devices: {d: {profile: a/b, unit: 0}}}}\n"
    )
    read = SiteFile(path)
    assert read.site is None
    assert "whole number 1..255, not '0'" in read.report.text()


@pytest.mark.parametrize("framing", FRAMINGS)
def test_broadcast_a_site_that_says_it_all_the_same_is_refused(framing: str) -> None:
    """As compiled by anything else than our reader."""
    there = Bus("b", "tcp://h:502", framing, {}, [Device("d", "x", 0, 0, {}, [], "")])
    site = Site("g", Platform(""), Storage("", 0, 0, 0), "ntp", [], [there])
    profile = compile_text(PROFILE.replace("unit: 0", "unit: 1"), "test.yaml")
    with pytest.raises(ConfigError, match="unit 0 is for all at once"):
        make(site, lambda _name: load(profile))


@pytest.mark.parametrize("framing", FRAMINGS)
def test_broadcast_a_device_for_polls_and_writes_cannot_be_made(framing: str) -> None:
    wire = Wire(holding(1), framing)
    with pytest.raises(ConfigError, match="unit 0 is for all at once"):
        device(wire, "channels: {level: {at: 0, write: true}}", unit=0)
    with pytest.raises(ConfigError, match="unit 0 is for all at once"):
        Unit("d", wire.bus(), 0)
    assert wire.log == []


@pytest.mark.parametrize("frames", [rtu, ascii_frames])
def test_broadcast_no_serial_frame_is_made(frames: object) -> None:
    with pytest.raises(ConfigError, match="unit 0"):
        frames.frame(0, pdu.write_register(0, 1).encode())  # type: ignore[attr-defined]


@pytest.mark.parametrize("verb", ["try", "simulate"])
def test_broadcast_the_tools_do_not_take_it(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "test.yaml"
    path.write_text(PROFILE.replace("unit: 0", "unit: 1"))
    with pytest.raises(SystemExit) as told:
        main(["profile", verb, str(path), "--unit", "0", "--port", "tcp://127.0.0.1:1"])
    assert told.value.code == 2
    assert "unit" in capsys.readouterr().err
