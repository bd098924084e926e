"""The systemd unit: understood by systemd, and as shut in as the documents say."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from gateway.agent.agent import PULSE_MS
from gateway.health import POLL_LIMIT_MS, STORE_LIMIT_MS, UPLINK_LIMIT_MS
from tests.support.missing import missing

UNIT = Path(__file__).resolve().parent.parent / "tools/systemd/tidegate.service"
EXPOSURE_MAX = 20  # tenths: 2.0 of 10; measured 1.5


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("systemd-analyze") is None:
        missing("systemd-analyze", "apt-get install systemd")
    command = ["systemd-analyze", *arguments, str(UNIT)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_unit_is_sandboxed_as_documented() -> None:
    ran = analyze("security", "--offline=true", f"--threshold={EXPOSURE_MAX}")
    assert ran.returncode == 0, ran.stdout[-300:] + ran.stderr
    assert "Overall exposure level for tidegate.service: 1.5" in ran.stdout


def test_unit_has_no_line_systemd_does_not_know(tmp_path: Path) -> None:
    ran = analyze("verify", "--man=no")
    complaints = [line for line in ran.stderr.splitlines() if "tidegate.service" in line]
    # The program itself is not installed where the tests run; nothing else may be wrong.
    assert all("/opt/tidegate/bin/tidegate is not executable" in line for line in complaints)


def settings() -> dict[str, str]:
    """Return what the unit sets; of what it sets twice, the last."""
    rows = [row.partition("=") for row in UNIT.read_text().splitlines() if "=" in row]
    return {name: value for name, _, value in rows if not name.startswith("#")}


def test_unit_watches_what_the_agent_feeds() -> None:
    found = settings()
    assert (found["Type"], found["WatchdogSec"]) == ("notify", "60")
    # One pulse may come late, and a part is named before systemd would lose its patience.
    assert 2 * PULSE_MS + STORE_LIMIT_MS < 60_000
    assert max(POLL_LIMIT_MS, UPLINK_LIMIT_MS) <= 60_000


def test_unit_never_stops_trying() -> None:
    found = settings()
    assert (found["Restart"], found["StartLimitIntervalSec"]) == ("always", "0")
    assert 1 <= int(found["RestartSec"]) <= 5  # no spinning, and no long blindness
    assert found["RestartPreventExitStatus"] == "78"  # but for what only a person can mend
    # A leak ends this service, not the machine, and a hung one is killed, not waited for.
    assert found["OOMPolicy"] == "stop"
    assert (found["MemoryMax"], found["TasksMax"]) == ("256M", "64")
    assert int(found["TimeoutStopSec"]) <= 5
