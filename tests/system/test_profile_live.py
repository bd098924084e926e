"""A vendor's profile on real ptys and ports: `profile simulate` plays it, `profile try` looks."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import serial

from drivers.profile.check_cpython import check_text
from drivers.profile.compile_cpython import find
from tools.profile.proof import tester
from tools.sim.process import Process, Stage, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.system

EXAMPLES = Path(__file__).parents[1] / "drivers" / "profile" / "examples"
PROBE = EXAMPLES / "soil_probe.yaml"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        yield stage


def play(stage: Stage, path: Path, *options: str) -> tuple[Process, str]:
    """Start a simulated device; return the process and where it is."""
    arguments = ("profile", "simulate", str(path), "--json", *options)
    process = stage.python("device", "-m", "gateway", *arguments)
    process.until(lambda: process.out_path.stat().st_size > 0, "say where it is")
    ready = json.loads(process.out_path.read_text().splitlines()[0])
    assert ready["event"] == "ready"
    return process, ready["place"]


def events(process: Process) -> list[dict[str, object]]:
    return [json.loads(line) for line in process.out_path.read_text().splitlines()]


def attempt(path: Path, place: str, *options: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "gateway", "profile", "try", str(path), place, *options]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


def values(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    return {row["channel"]: row["value"] for row in json.loads(done.stdout)["channels"]}


def test_profile_is_played_on_a_pty_and_read_back(stage: Stage) -> None:
    process, place = play(stage, PROBE)
    done = attempt(PROBE, place)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Soil moisture, temperature and EC probe at /dev/pts/" in done.stdout
    assert "unit 1, 4800 8N1" in done.stdout
    # The request is that of the manual, so its answer is, too.
    assert "← 01 03 06 01 EF 01 44 00 04 B5 59" in done.stdout
    assert "  soil_moisture      0  01EF  u16 495  49.5 %" in done.stdout
    process.stop()
    told = events(process)
    assert [event["event"] for event in told] == ["ready", "request", "end"]
    assert told[1]["source"] == "a test of the profile"
    assert process.returncode == 0


def test_frames_of_try_are_a_test_that_holds(stage: Stage) -> None:
    _, place = play(stage, PROBE)
    attempt(PROBE, place)  # the first answer is the manual's
    time.sleep(1.5)
    done = attempt(PROBE, place, "--frames")
    assert done.returncode == 0
    head, _, _ = PROBE.read_text().partition("\ntests:")
    checked = check_text(f"{head}\n{done.stdout}", "pasted.yaml")
    outcome = tester.run(checked)
    assert (checked.report.errors, outcome.tests, outcome.compared) == (0, 1, 3)


def test_try_names_a_wrong_address_and_a_wrong_word_order_at_the_device(
    stage: Stage, tmp_path: Path
) -> None:
    text = find("eastron/sdm630").read_text().partition("\ntests:")[0]
    text += '\ntests: [{input: {0: "0000"}, gives: nothing}]\n'  # a first draft: no test yet
    _, place = play(stage, find("eastron/sdm630"))
    wrong = tmp_path / "wrong.yaml"
    for old, new, remedy, channel in (
        ("{at: 0x0046,", "{at: 0x0047,", "at 70 instead of 71", "frequency"),
        ("{at: 0x00C8,", "{at: 0x00C8, order: CDAB,", "with order ABCD instead of CDAB", "voltage"),
        ("{at: 0x0046,", "{at: 0x0046, scale: 0.01,", "with scale 1 instead of 0.01", "frequency"),
    ):
        assert old in text
        wrong.write_text(text.replace(old, new))
        done = attempt(wrong, place, "--json")
        assert done.returncode == 1, done.stderr
        doubts = json.loads(done.stdout)["doubts"]
        assert [(one["channel"].partition("_")[0], one["remedy"]) for one in doubts] == [
            (channel, remedy)
        ]


def test_try_says_what_to_check_when_nobody_answers_and_finds_the_speed(stage: Stage) -> None:
    process, place = play(stage, PROBE)
    done = attempt(PROBE, place, "--baud", "19200", "--timeout", "0.2")
    assert events(process)[1:] == [{"event": "speed", "baud": 19200, "own": 4800}]
    assert done.returncode == 69
    assert "nobody answers at 19200 8N1" in done.stderr
    assert "--scan-baud" in done.stderr
    done = attempt(PROBE, place + ":9", "--timeout", "0.2")
    assert done.returncode == 69
    assert f"unit 9 on {place}" in done.stderr
    done = attempt(PROBE, place, "--baud", "19200", "--scan-baud")
    assert done.returncode == 0, done.stderr
    assert done.stderr == "it answers at 4800 8N1\n"
    done = attempt(PROBE, "/dev/no-such-port")
    assert done.returncode == 69
    assert "is not there" in done.stderr


def test_faults_come_from_the_command_line_and_from_the_keyboard(stage: Stage) -> None:
    process, place = play(stage, PROBE, "--fault", "exception")
    done = attempt(PROBE, place, "--json")
    assert "exception 4" in json.loads(done.stdout)["exchanges"][0]["why"]
    process.type("x")
    process.type("v soil_moisture=12.5")
    process.until(lambda: events(process)[-1]["event"] == "set", "take the keys")
    assert events(process)[-2]["faults"] == "none"
    assert values(attempt(PROBE, place, "--json"))["soil_moisture"] == 12.5
    process.type("s")
    process.until(lambda: events(process)[-1]["event"] == "fault", "fall silent")
    assert attempt(PROBE, place, "--timeout", "0.2").returncode == 69
    process.type("q")
    assert process.wait(5) == 0


def test_profile_is_played_on_tcp_for_a_while(stage: Stage) -> None:
    port = free_port()
    process, place = play(stage, PROBE, "--port", f"tcp:{port}", "--unit", "5", "--for", "4s")
    assert place == f"127.0.0.1:{port}"
    done = attempt(PROBE, f"tcp://127.0.0.1:{port}:5", "--json")
    assert done.returncode == 0, done.stderr
    assert values(done)["soil_temperature"] == 32.4
    assert json.loads(done.stdout)["exchanges"][0]["request"].startswith("0503")
    done = attempt(PROBE, f"tcp://127.0.0.1:{port}:6", "--timeout", "0.2")
    assert done.returncode == 69
    assert process.wait(10) == 0


@pytest.mark.parametrize(
    ("name", "channel", "value"),
    [("sds011", "pm2_5", 14.0), ("smt100", "soil_moisture", 21.37), ("daly", "voltage", 52.6)],
)
def test_device_with_frames_of_its_own_is_played_and_read(
    stage: Stage, name: str, channel: str, value: float
) -> None:
    path = EXAMPLES / f"{name}.yaml"
    process, place = play(stage, path, "--still")
    done = attempt(path, place, "--json")
    assert done.returncode == 0, done.stderr
    assert values(done)[channel] == value
    process.type("n")
    process.until(lambda: events(process)[-1]["event"] != "ready", "say something")


def test_meter_answers_a_client_of_its_protocol(stage: Stage) -> None:
    _, place = play(stage, EXAMPLES / "dlt645.yaml")
    body = b"\x68" + b"\xaa" * 6 + b"\x68\x11\x04" + bytes.fromhex("33333433")
    with serial.Serial(place, 2400, timeout=5) as port:
        port.write(body + bytes((sum(body) & 0xFF, 0x16)))
        answer = port.read(20)
    assert answer.hex() == "682504030201006891083333343375394533" + "8b16"
