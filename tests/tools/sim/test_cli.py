"""`tidegate sim modbus` as a person runs it."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.__main__ import main
from gateway.core.errors import ConfigError
from tools.sim import cli, paced_cli

HEAD = [sys.executable, "-m", "gateway", "sim", "modbus"]


def start(*arguments):
    return subprocess.Popen(
        [*HEAD, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_sim_tables_belong_to_the_unit_before_them():
    parser = argparse.ArgumentParser()
    cli.arguments(parser)
    given = "modbus --pty x --holding 0=1,0x10 --unit 2 --coil 8=1,0 --holding 9=5 --unit 3"
    args = parser.parse_args(given.split())
    assert cli.units(args.images) == {
        1: {"holding": {0: 1, 1: 16}},
        2: {"coil": {8: 1, 9: 0}, "holding": {9: 5}},
        3: {},
    }


@pytest.mark.parametrize(
    "wrong", ["0", "0=", "0=x", "0=65536", "65536=1", "x=1", "-1=1", "0=1,,2", "0=-1"]
)
def test_sim_a_wrong_table_says_what_is_wrong(wrong):
    with pytest.raises(ConfigError):
        cli.units([("holding", wrong)])


def test_sim_wrong_arguments_end_with_the_right_codes(capsys):
    assert main(["sim", "modbus", "--pty", "x"]) == 78
    assert "no unit" in capsys.readouterr().err
    assert main(["sim", "modbus", "--tcp", "1502", "--unit", "1"]) == 78
    assert main(["sim", "modbus", "--pty", "x", "--unit", "1", "--fault", "nois"]) == 78
    assert "noise" in capsys.readouterr().err
    for usage in (["sim"], ["sim", "modbus"], ["sim", "modbus", "--pty", "x", "--tcp", "y"]):
        with pytest.raises(SystemExit) as end:
            main(usage)
        assert end.value.code == 2


def test_sim_serves_until_terminated_takes_faults_and_cleans_up(tmp_path):
    path = tmp_path / "bus"
    running = start("--pty", str(path), "--unit", "1", "--holding", "0=1", "--json")
    try:
        assert json.loads(running.stdout.readline()) == {"place": str(path), "units": [1]}
        assert path.is_symlink()
        running.stdin.write("noise=0.5\nnoize\nnone\n")
        running.stdin.flush()
        said = [running.stderr.readline().strip() for _ in range(3)]
        assert said[0] == "faults: noise=0.5"
        assert said[1].startswith("fault 'noize' is none of")
        assert said[2] == "faults: none"
    finally:
        running.terminate()
        _, errors = running.communicate(timeout=10)
    assert (running.returncode, errors) == (0, "")
    assert not path.is_symlink()


def test_sim_runs_in_the_background_and_tells_the_port():
    running = subprocess.Popen(
        [*HEAD, "--tcp", "127.0.0.1:0", "--unit", "7"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ, PYTHONUNBUFFERED=""),
    )
    try:
        said = running.stdout.readline()
        assert said.startswith("Modbus units 7 on 127.0.0.1:")
        assert ":0;" not in said
    finally:
        running.terminate()
        running.communicate(timeout=10)
    assert running.returncode == 0


@pytest.mark.parametrize(
    "wrong",
    [
        ("--holding", "65535=1,2"),
        ("--holding", "0=1", "--baud", "-1"),
        ("--holding", "0=1", "--turnaround", "-1"),
        ("--holding", "0=1", "--turnaround", "nan"),
        ("--profile", "1=geolux/lx-80", "--profile", "1=geolux/lx-80"),
    ],
)
def test_sim_what_no_line_can_do_is_refused_before_it_is_announced(wrong, tmp_path):
    ended = subprocess.run(
        [*HEAD, "--pty", str(tmp_path / "bus"), *wrong],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (78, "")
    assert ended.stderr.startswith("tidegate: ")


PAGE = (Path(__file__).resolve().parents[3] / "docs/try-and-simulate.md").read_text()


def test_sim_the_page_names_every_option_of_a_paced_line():
    parser = argparse.ArgumentParser()
    paced_cli.arguments(parser)
    known = {text for action in parser._actions for text in action.option_strings} - {
        "-h",
        "--help",
    }
    rows = re.findall(r"^\| (`--.*?) \|", PAGE[PAGE.index("## A line as on RS-485") :], re.M)
    named = {name for row in rows for name in re.findall(r"--[a-z0-9-]+", row)}
    assert named == known
    assert len(known) >= 15


def test_sim_the_example_of_the_page_runs_as_shown(tmp_path):
    command, place = re.search(r"^\$ tidegate sim modbus (.*)\n(.*)$", PAGE, re.M).groups()
    path = str(tmp_path / "bus")
    running = start(*command.replace("/tmp/bus", path).split())
    assert json.loads(running.stdout.readline()) == json.loads(place.replace("/tmp/bus", path))
    running.terminate()
    out, errors = running.communicate(timeout=10)
    assert errors == ""
    assert json.loads(out)["event"] == "end"
