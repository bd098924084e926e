"""`tidegate sim city` as people call it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from gateway.__main__ import main
from tests.sim.mutants import cursor_on_puback

if TYPE_CHECKING:
    from typing import Any


def test_city_tells_what_happened_in_a_world(capsys: Any) -> None:
    assert main(["sim", "city", "--seed", "3", "--hours", "0.6"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("seed 3: 1 lives")
    assert "1 worlds, 0.6 simulated hours" in out
    assert "no law was broken" in out


def test_city_shows_a_broken_law_with_its_seed_and_a_short_history(capsys: Any) -> None:
    with cursor_on_puback():
        assert main(["sim", "city", "--seed", "5", "--hours", "0.6"]) == 1
        out = capsys.readouterr().out
        assert "counts as delivered" in out
        assert "again: tidegate sim city --seed 5 --hours 0.6" in out
        assert main(["sim", "city", "--seed", "5", "--hours", "0.6", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["acts"] == []  # it needs no trouble at all
    assert told["broken"]


@pytest.mark.parametrize("wrong", [["--hours", "0"], ["--hours", "nan"], ["--seeds", "0"]])
def test_city_refuses_worlds_that_cannot_be(capsys: Any, wrong: list[str]) -> None:
    assert main(["sim", "city", *wrong]) == 78
    assert wrong[0] in capsys.readouterr().err
