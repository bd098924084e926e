"""Adverts of anybody, cut, damaged and made up, are read or refused; and atheris for a moment."""

from __future__ import annotations

import importlib.util
import platform
import random
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from drivers.protocol import advert
from gateway.core.errors import BadReply
from tests.fuzz.advert_target import ROOT, one_input, seeds
from tests.support.missing import missing

if TYPE_CHECKING:
    from pathlib import Path

SEEDS = 27
DAMAGED = 120
RUNS = 300


def test_every_cut_of_every_published_advert_is_read_or_refused() -> None:
    whole = list(seeds())
    assert len(whole) == SEEDS
    read = [one_input(data) for data in whole]
    assert all(read)
    cuts = 0
    for data in whole:
        for cut in range(len(data)):
            # A payload cut short in a structure of the right length is the worse case.
            shorter = data[:3] + bytes((cut,)) + data[4 : 4 + cut]
            one_input(shorter if cut % 4 == 0 else data[:cut])
            cuts += 1
    assert cuts > 500


def test_damaged_adverts_are_read_or_refused() -> None:
    chance = random.Random(181)
    known = list(seeds())
    outcomes = set()
    for _ in range(DAMAGED):
        data = bytearray(chance.choice(known))
        for _ in range(chance.randrange(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        outcomes.add(one_input(bytes(data)))
    assert outcomes == {True, False}


@given(some.binary(max_size=64))
def test_any_bytes_are_an_advert_or_refused(data: bytes) -> None:
    try:
        found = advert.parse(data)
    except BadReply as error:
        assert str(error)
        return
    held = sum(map(len, found.companies.values())) + sum(map(len, found.services.values()))
    assert held <= len(data)


@settings(max_examples=50)
@given(
    some.dictionaries(some.integers(0, 0xFFFF), some.binary(max_size=20), max_size=3),
    some.dictionaries(some.integers(0, 0xFFFF), some.binary(max_size=20), max_size=3),
    some.text(max_size=12).filter(lambda text: text == text.encode("utf-8", "ignore").decode()),
    some.integers(-128, 127),
)
def test_what_is_put_into_structures_is_read_from_them(
    companies: dict[int, bytes], services: dict[int, bytes], name: str, power: int
) -> None:
    parts = [(0x0A, power.to_bytes(1, "little", signed=True)), (0x09, name.encode())]
    parts += [(0xFF, one.to_bytes(2, "little") + data) for one, data in companies.items()]
    parts += [(0x16, one.to_bytes(2, "little") + data) for one, data in services.items()]
    whole = b"".join(bytes((1 + len(data), kind)) + data for kind, data in parts)
    found = advert.parse(whole)
    assert (found.companies, found.name, found.tx_power) == (companies, name, power)
    assert found.services == {f"{one:04x}": data for one, data in services.items()}


def test_atheris_finds_nothing_in_adverts_in_a_moment(tmp_path: Path) -> None:
    if importlib.util.find_spec("atheris") is None:
        if (sys.platform, platform.machine()) != ("linux", "x86_64"):
            pytest.skip("atheris has wheels for Linux on x86-64 only")
        missing("atheris", "pip install atheris")
    ran = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.adverts", f"-runs={RUNS}", "-seed=1", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, (ran.stdout + ran.stderr)[-3000:]
    done = re.search(r"Done (\d+) runs", ran.stderr)
    assert done
    assert int(done.group(1)) >= RUNS
