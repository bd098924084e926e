"""The systemd unit: understood by systemd, and as shut in as the documents say."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

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


def test_unit_watches_what_the_agent_feeds() -> None:
    text = UNIT.read_text()
    for line in ("Type=notify", "WatchdogSec=60", "Restart=always", "RestartPreventExitStatus=78"):
        assert line in text.splitlines()
