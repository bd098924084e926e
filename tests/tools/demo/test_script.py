"""The scripted demonstration's cues."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tools.demo.script import CALM_S, DISTURBANCES, REST_S, cues

NAMES = st.lists(st.sampled_from(sorted(DISTURBANCES)), min_size=1, max_size=4, unique=True)


@given(NAMES, st.floats(20, 600), st.integers(0, 2**32))
def test_script_every_thing_broken_comes_back_before_the_end(
    names: list[str], duration: float, seed: int
) -> None:
    down: set[str] = set()
    broken: set[str] = set()
    for cue in cues(names, duration, seed):
        assert CALM_S <= cue.at_s <= duration - REST_S
        assert cue.down != (cue.name in down)
        (down.add if cue.down else down.discard)(cue.name)
        broken.add(cue.name)
    assert not down
    assert broken == set(names)


def test_script_a_seed_replays_exactly() -> None:
    assert cues(["agent", "broker"], 60, 7) == cues(["broker", "agent"], 60, 7)
    assert cues(["agent", "broker"], 60, 7) != cues(["agent", "broker"], 60, 8)
