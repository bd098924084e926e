"""The command line's own manners: help, versions, mistakes."""

from __future__ import annotations

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
    assert "dmeo" in capsys.readouterr().err


@pytest.mark.parametrize("verb", cli.VERBS)
def test_cli_every_verb_has_help_and_json(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([verb, "--help"])
    assert ended.value.code == 0
    assert "--json" in capsys.readouterr().out
