"""docs/first-profile.md, command by command: from a manual's page to a live device."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/first-profile.md").read_text()
LINES_MAX = 25  # of the profile
LIVE_S = 20  # until the simulator answers; a loaded machine needs seconds to start a Python


def fences(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def commands() -> list[tuple[list[str], str]]:
    """Return each command of the page with the output printed below it."""
    found = []
    for block in fences("console"):
        first, _, rest = block.replace("\\\n", " ").partition("\n")
        assert first.startswith("$ tidegate ")
        found.append((shlex.split(first)[2:], rest))
    return found


def alike(text: str) -> str:
    return re.sub(r"\d+ ms", "N ms", text)


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "PYTHONUTF8": "1"}


def run(arguments: list[str], folder: Path) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_first_profile_page_is_true_from_the_table_to_the_live_device(tmp_path: Path) -> None:
    new, check, simulate, attempt = commands()
    assert [one[0][1] for one in (new, check, simulate, attempt)] == [
        *("new", "check", "simulate", "try"),
    ]
    (tmp_path / "wl200.csv").write_text(fences("csv")[0], encoding="utf-8")

    assert run(new[0], tmp_path) == new[1]
    (shown,) = fences("yaml")
    assert (tmp_path / "acme/wl200.yaml").read_text(encoding="utf-8") == shown
    assert len(shown.splitlines()) <= LINES_MAX
    assert alike(run(check[0], tmp_path)) == alike(check[1])

    device = subprocess.Popen(
        [sys.executable, "-m", "gateway", *simulate[0]],
        cwd=tmp_path,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert device.stdout is not None
        assert device.stdout.readline() == simulate[1]
        deadline = time.monotonic() + LIVE_S
        while not (tmp_path / "wl200").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert run(attempt[0], tmp_path) == attempt[1]
    finally:
        device.terminate()
        device.wait(timeout=LIVE_S)


def test_first_profile_page_names_no_verb_that_is_not_there() -> None:
    from tools.profile.cli import VERBS

    named = set(re.findall(r"tidegate profile (\w+)", PAGE))
    assert len(named) >= 7
    assert named <= set(VERBS)
