"""The wheel a gateway installs: what is in it, and that it starts in a bare environment."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from gateway import __version__

ROOT = Path(__file__).resolve().parent.parent


def pip(python: Path | str, *arguments: str) -> None:
    command = [str(python), "-m", "pip", "-q", "--disable-pip-version-check", *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Built from an export, so that nothing untracked and no stale build folder gets in.
    source = tmp_path_factory.mktemp("source")
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name in filter(None, tracked.split("\0")):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    out = tmp_path_factory.mktemp("wheel")
    pip(sys.executable, "wheel", "--no-deps", "--no-build-isolation", "-w", str(out), str(source))
    return next(out.glob("*.whl"))


def test_wheel_holds_code_and_profiles_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"gateway", "drivers", "profiles", "tools"}
    shipped = [name for name in names if name.startswith("profiles/") and name.endswith(".yaml")]
    assert len(shipped) == len(list((ROOT / "profiles").glob("*/*.yaml"))) >= 15
    for needed in ("gateway/py.typed", "profiles/kinds.jsonl", "profiles/units.jsonl"):
        assert needed in names


def test_wheel_starts_in_a_bare_environment(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    binaries = tmp_path / "venv" / "bin"
    pip(binaries / "python", "install", str(wheel))
    for arguments, word in ((["--version"], __version__), (["profile", "--help"], "check")):
        ran = subprocess.run(
            [binaries / "tidegate", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        assert word in ran.stdout
