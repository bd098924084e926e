"""`tidegate explain`: plan, times and savings of a site's devices or of a profile alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.__main__ import main
from gateway.core import cbor
from tools.profile import given

PROFILE = """\
name: Probe
every: 10s
modbus: {max: 20, gap: 0, baud: 9600}
channels:
  level: {at: 0, type: u32}
  flow: {at: 2}
  total: {at: 3, every: 60s}
  serial: {at: 40, every: once}
tests: [{holding: {0: 0000 0001 0002 0003}, gives: {level: 1, flow: 2, total: 3}}]
"""
SITE = """\
gateway: 330482-0017
platform: mqtt://127.0.0.1:1883
clock: system
profiles: [.]
buffer: {path: /var/lib/tidegate/buffer, crit: 1MiB, bulk: 4MiB}
buses:
  rs485-1:
    port: /dev/ttyUSB0
    devices:
      river-3: {profile: probe, unit: 1}
      river-4: {profile: probe, unit: 2, every: 20s}
"""
# 8 and 5 bytes of frames and 2 a register at 10 bits each and 9600 baud, 3.5 characters of
# silence, 5 ms in the device.
THREE_MS, FOUR_MS = 28.4, 30.5


@pytest.fixture
def probe(tmp_path: Path) -> Path:
    path = tmp_path / "probe.yaml"
    path.write_text(PROFILE)
    return path


def told(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["explain", *words]) == 0
    return capsys.readouterr().out


def test_explain_shows_a_profile_with_its_savings(
    probe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = told(capsys, str(probe)).splitlines()
    assert lines[0] == "Probe  rtu at 9600 baud  needs 0.00 s per 1 s, 0.3 % of its line"
    assert lines[1:7] == [
        "  once: 1 request, 24.3 ms",
        "    holding     40..40    1 register       24.3 ms",
        f"  every 10 s: 1 request, {THREE_MS} ms",
        f"    holding      0..2     3 registers      {THREE_MS} ms",
        f"  every 60 s, with what is read every 10 s: 1 request, {FOUR_MS} ms",
        f"    holding      0..3     4 registers      {FOUR_MS} ms",
    ]
    assert lines[7:] == [
        "  wire time per hour:",
        "        10.4 s  this plan: none can take less",
        "        11.7 s  greedy joining, 1.13 times as much",
        "        19.7 s  one request per channel, 1.90 times as much",
    ]


def test_explain_says_the_same_to_machines(probe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found: dict[str, Any] = json.loads(told(capsys, str(probe), "--json"))
    (device,) = found["devices"]
    assert found["schema"] == "tidegate.explain/2"
    assert [(one["every_ms"], one["with_ms"]) for one in device["ticks"]] == [
        (0, []),
        (10_000, []),
        (60_000, [10_000]),
    ]
    wire = device["wire"]
    assert wire["plan_us"] == wire["least_us"] < wire["greedy_us"] < wire["single_us"]
    assert (wire["requests"], wire["greedy_requests"], wire["single_requests"]) == (6, 7, 13)
    assert wire["span_ms"] == 60_000
    assert device["load"] == pytest.approx(wire["plan_us"] / 60e6, abs=2e-6)


def test_explain_takes_another_line(probe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "rtu at 115200 baud" in told(capsys, str(probe), "--baud", "115200")
    assert "once: 1 request, 2.0 ms" in told(capsys, str(probe), "--framing", "tcp")


def test_explain_shows_the_devices_of_a_site(
    tmp_path: Path, probe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(
        SITE.replace("profile: probe", "profile: x/probe").replace(
            "/var/lib/tidegate", str(tmp_path)
        )
    )
    (tmp_path / "x").mkdir()
    probe.rename(tmp_path / "x/probe.yaml")
    digest = given.find(str(tmp_path / "x/probe.yaml")).profile.digest.hex()
    learned = {f"river-4 {digest}": [["holding", 2, 1]], f"river-3 {'0' * 16}": [["holding", 3, 1]]}
    (tmp_path / "learned.cbor").write_bytes(cbor.encode(learned))
    whole = told(capsys, "--site", str(site))
    assert whole.startswith("rs485-1  /dev/ttyUSB0 9600 baud")
    assert "  river-3  x/probe  needs" in whole
    assert "  river-4  x/probe  needs" in whole
    only = told(capsys, "river-4", "--site", str(site))
    assert "river-3" not in only
    assert "every 20 s: 1 request, 26.4 ms\n      holding      0..1 " in only
    assert "  refused, as this device was heard to: holding 2\n" in only
    assert whole.count("refused") == 1  # what another profile's device refused says nothing
    found = json.loads(told(capsys, "--site", str(site), "--json"))
    assert [one["device"] for one in found["buses"][0]["devices"]] == ["river-3", "river-4"]


@pytest.mark.parametrize(
    ("words", "code"),
    [([], 78), (["nobody/nothing"], 78), (["ruuvi/ruuvitag"], 78), (["--site", "gone.yaml"], 78)],
)
def test_explain_names_what_it_cannot_explain(
    words: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", *words]) == code
    assert capsys.readouterr().err.startswith("tidegate: ")


def test_explain_prints_what_the_documents_show(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).resolve().parents[3] / "docs/bus.md").read_text()
    shown = page.split("$ tidegate explain eastron/sdm630\n")[1].split("```")[0]
    assert told(capsys, "eastron/sdm630") == shown
