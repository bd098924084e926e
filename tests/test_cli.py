"""The command line's own manners: help, versions, mistakes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from gateway import __main__ as cli
from gateway import __version__


def test_cli_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    for verb in cli.VERBS:
        assert f"  {verb} " in shown


def test_cli_version_is_the_package_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"tidegate {__version__}\n"


def test_cli_an_unknown_verb_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["dmeo"])
    assert ended.value.code == cli.USAGE
    assert "no verb 'dmeo': did you mean 'demo'?" in capsys.readouterr().err


@pytest.mark.parametrize("verb", cli.VERBS)
def test_cli_every_verb_has_help_and_json(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([verb, "--help"])
    assert ended.value.code == 0
    assert "--json" in capsys.readouterr().out


@pytest.mark.parametrize("option", ["--points", "--hours", "--seconds"])
@pytest.mark.parametrize("text", ["-1", "0", "nan", "inf", "1e300", "99999999", "x"])
def test_cli_a_measurement_of_nothing_is_refused(
    option: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["bench", "mutants", f"{option}={text}"])
    assert ended.value.code == cli.USAGE
    assert f"{option}: not a " in capsys.readouterr().err


def test_cli_a_terminal_without_our_letters_is_no_reason_to_fail() -> None:
    for encoding in ("ascii", "latin-1"):
        ended = subprocess.run(
            [sys.executable, "-m", "gateway", "sim", "modbus", "--help"],
            env={**os.environ, "PYTHONIOENCODING": encoding},
            capture_output=True,
            check=False,
        )
        assert (ended.returncode, ended.stderr) == (0, b"")
        assert b"AT=V,V?" in ended.stdout


def test_cli_a_file_that_cannot_be_written_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["sim", "modbus", "--pty", "/proc/none/x", "--unit", "1"]) == cli.IO_ERROR
    assert capsys.readouterr().err == "tidegate: /proc/none/x: No such file or directory\n"
