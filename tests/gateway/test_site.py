"""Site files: what a good one becomes, and how every mistake is named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.core.errors import ConfigError
from gateway.site import Device, Platform
from gateway.site_cpython import SiteFile

GOOD = """\
gateway: 330482-0017
platform:
  url: mqtts://fusion.example:8883
  key: ${KEYS}/gateway.key
clock: system
buffer: {path: /tmp/buffer, bulk: 64MiB, commit: 500ms}
buses:
  rs485-1:
    port: /dev/serial/by-id/usb-FTDI_FT232R-if00-port0
    baud: 19200
    parity: even
    rs485: {rts: low, after: 2ms}
    devices:
      river-3: {profile: holykell/hpt604, unit: 1, alarm: [level]}
      meter-1: {profile: eastron/sdm630, unit: 3, every: 5s, settings: {ct: 200}}
  tcp-1:
    port: tcp://10.0.0.7:502
    window: 4
    devices:
      inverter: {profile: sma/sunny-tripower, unit: 126, pin: 00112233aabbccdd}
"""

# What is wrong, where it stands and what the message must hold.
BROKEN = [
    ("gateway: 330482-0017", "gateway: 330482/0017", "1:10: error E111: expected a gateway id"),
    ("gateway: 330482-0017", "gatway: x", "1:1: error E010: unknown key 'gatway'"),
    ("mqtts://fusion.example:8883", "http://x", "3:8: error E111: expected mqtt://host:port"),
    ("clock: system", "clock: gps", "5:8: error E111: expected ntp or system, not 'gps'"),
    ("commit: 500ms", "commit: 500", "6:50: error E111: expected a time such as 500ms"),
    ("bulk: 64MiB", "bulk: 64MB", "6:35: error E111: expected a size such as 64MiB"),
    ("unit: 3", "unit: 300", "expected a whole number 1..255, not '300'"),
    ("unit: 3", "unit: 0", "expected a whole number 1..255, not '0'"),
    ("unit: 3", "unit: 3, timeout: 2m", "expected at most 1m, not '2m'"),
    ("unit: 3", "unit: 3, timeout: 0s", "a time-out of nothing lets nobody answer"),
    ("unit: 3", "unit: 3, retries: 9", "expected a whole number 0..5, not '9'"),
    ("unit: 3", "unit: 3, max: 0", "expected a whole number 1..125, not '0'"),
    ("meter-1", "river-3", "error E004: key 'river-3' stands twice"),
    ("inverter", "river-3", "20:7: error E111: device 'river-3' stands twice (line 14)"),
    ("parity: even", "parity: 8E1", "expected none or even or odd, not '8E1'"),
    ("tcp://10.0.0.7:502", "10.0.0.7:502", "error E111: expected a device path, tcp://"),
    ("window: 4", "window: 17", "expected a whole number 1..16, not '17'"),
    ("parity: even", "window: 2", "only Modbus TCP tells replies apart"),
    ("rts: low", "rts: off", "expected high or low, not 'off'"),
    ("after: 2ms", "after: 1s", "expected at most 100ms"),
    ("window: 4", "rs485: {}", "'rs485' is for a serial port of this gateway"),
    ("pin: 00112233aabbccdd", "pin: 0011", "expected sixteen hexadecimal digits"),
    ("profile: sma/sunny-tripower, ", "", "20:7: error E110: device 'inverter' has no 'profile:'"),
    (
        "    port: tcp://10.0.0.7:502\n    window: 4\n",
        "",
        "16:3: error E110: bus 'tcp-1' has no 'port:'",
    ),
]


def write(folder: Path, text: str) -> Path:
    path = folder / "site.yaml"
    path.write_text(text)
    return path


def test_site_file_becomes_plain_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYS", str(tmp_path))
    (tmp_path / "gateway.key").touch()
    read = SiteFile(write(tmp_path, GOOD))
    assert read.report.text() == ""
    site = read.site
    assert site is not None
    assert site.gateway == "330482-0017"
    assert site.platform == Platform("mqtts://fusion.example:8883", key=f"{tmp_path}/gateway.key")
    assert (site.storage.bulk_bytes, site.storage.commit_ms) == (64 << 20, 500)
    serial, tcp = site.buses
    assert (serial.framing, serial.line) == ("rtu", {"baud": 19200, "parity": "even"})
    assert serial.rs485 == {"rts_high": False, "before_ms": 0, "after_ms": 2}
    assert (tcp.framing, tcp.port) == ("tcp", "tcp://10.0.0.7:502")
    assert (tcp.window, tcp.rs485) == (4, None)
    assert serial.devices[1] == Device("meter-1", "eastron/sdm630", 3, 5000, {"ct": 200}, [], "")
    assert tcp.devices[0].pin == "00112233aabbccdd"


@pytest.mark.parametrize(("right", "wrong", "message"), BROKEN)
def test_site_mistake_is_named_with_its_place(
    tmp_path: Path, right: str, wrong: str, message: str
) -> None:
    assert right in GOOD
    read = SiteFile(write(tmp_path, GOOD.replace(right, wrong)))
    assert read.site is None
    assert message in read.report.text()


def test_site_all_mistakes_are_named_in_one_run(tmp_path: Path) -> None:
    text = GOOD.replace("clock: system", "clock: gps").replace("unit: 3", "unit: x")
    assert SiteFile(write(tmp_path, text)).report.errors == 2


@pytest.mark.parametrize("text", ["", "# nothing yet\n"])
def test_site_file_that_is_empty_is_an_error(tmp_path: Path, text: str) -> None:
    assert "1:1: error E110: the file is empty" in SiteFile(write(tmp_path, text)).report.text()


def test_site_key_that_is_not_there_yet_is_a_warning(tmp_path: Path) -> None:
    read = SiteFile(write(tmp_path, GOOD.replace("${KEYS}", "/nowhere")))
    assert read.site is not None
    assert "warning W112: there is no file /nowhere/gateway.key now" in read.report.text()


def test_site_file_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(ConfigError, match="not a file"):
        SiteFile(tmp_path / "pipe.yaml")


def test_site_file_that_is_absent_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        SiteFile(tmp_path / "nowhere.yaml")
