"""`tidegate sim city` as people call it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest

from gateway.__main__ import main
from tests.sim.mutants import cursor_on_puback
from tools.simulate import many
from tools.simulate.broker import Broker
from tools.simulate.history import plan
from tools.simulate.world import World

if TYPE_CHECKING:
    from typing import Any


def lines(capsys: Any) -> list[dict[str, Any]]:
    """Return what was printed, as JSON lines."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_city_tells_what_happened_in_a_world(capsys: Any) -> None:
    assert main(["sim", "city", "--seed", "3", "--hours", "0.6"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("seed 3: 1 life, ")
    assert "\n1 world, 0.6 simulated hours" in out
    assert "no law was broken" in out


def test_city_shows_a_broken_law_with_its_seed_and_a_short_history(capsys: Any) -> None:
    with cursor_on_puback():
        assert main(["sim", "city", "--seed", "5", "--hours", "0.6"]) == 1
        out = capsys.readouterr().out
        assert "counts as delivered" in out
        again = "sim city --seed 5 --hours 0.6 --acts none"  # it needs no trouble at all
        assert f"again: tidegate {again}" in out
        assert main([*again.split(), "--json"]) == 1
        told, total = lines(capsys)
        assert told["acts"] == []
        assert "counts as delivered" in told["broken"]
        assert total["broken"] == 1
    assert main(again.split()) == 0


def test_city_in_several_processes_is_the_same_as_in_one_and_in_order(capsys: Any) -> None:
    given = ["--seed", "1", "--seeds", "4", "--hours", "0.6", "--json"]
    found = []
    for kind, jobs in ((["city"], "3"), ([], "1")):  # and the kind may be left out
        assert main(["sim", *kind, *given, "--jobs", jobs]) == 0
        *each, total = lines(capsys)
        assert total["worlds"] == 4
        found.append([(one["seed"], one["digest"]) for one in each])
    assert found[0] == found[1]
    assert [seed for seed, _ in found[0]] == [1, 2, 3, 4]


def test_city_ends_when_it_is_time_or_when_a_law_is_broken(capsys: Any) -> None:
    assert main(["sim", "--minutes", "0.001", "--hours", "0.6", "--jobs", "2", "--json"]) == 0
    assert lines(capsys)[-1]["worlds"] < 100
    with cursor_on_puback():
        given = ["--until-broken", "--seed", "5", "--seeds", "90", "--hours", "0.6", "--json"]
        assert main(["sim", *given, "--jobs", "2"]) == 1
    assert len(lines(capsys)) == 2


def test_city_tells_of_a_broken_law_also_where_the_short_history_breaks_none() -> None:
    never = patch.object(many, "shortest", lambda *_given: [])
    broken_by_cut = patch.object(Broker, "cut", lambda self, why: self.broken(f"a {why}"))
    seed = next(seed for seed in range(99) if any(one.kind == "cut" for one in plan(seed, 0.7)))
    with never, broken_by_cut:
        found = many.live(seed, 0.7)
    assert found is not None
    assert found.outcome.broken == "a connection reset"
    assert len(found.acts) == found.planned


@pytest.mark.parametrize("jobs", [1, 2])
def test_city_names_the_world_in_which_the_simulator_itself_failed(jobs: int) -> None:
    def fall(_world: World) -> None:
        raise RuntimeError("would not end")

    with patch.object(World, "run", fall), pytest.raises(RuntimeError) as caught:
        list(many.worlds(range(7, 9), 0.6, jobs))
    assert "seed 7" in " ".join(caught.value.__notes__)


@pytest.mark.parametrize(
    "wrong",
    [
        *(["--hours", "0"], ["--hours", "nan"], ["--seeds", "0"], ["--jobs", "-1"]),
        *(["--minutes", "inf"], ["--acts", "0,x"], ["--acts", "99999"]),
        *(["--seeds", "3", "--acts", "none"], ["--minutes", "1", "--acts", "none"]),
    ],
)
def test_city_refuses_worlds_that_cannot_be(capsys: Any, wrong: list[str]) -> None:
    assert main(["sim", "city", *wrong]) == 78
    assert wrong[-2] in capsys.readouterr().err
