"""Runs against a plain set of numbers."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from gateway.buffer.runs import Runs

STEPS = st.lists(
    st.tuples(st.sampled_from("aaard"), st.integers(0, 60), st.integers(0, 12)), max_size=30
)


@given(STEPS)
def test_runs_are_a_set_of_numbers(steps: list[tuple[str, int, int]]) -> None:
    runs, plain = Runs(), set[int]()
    for kind, first, more in steps:
        span = set(range(first, first + more + 1))
        if kind == "a":
            runs.add(first, first + more)
            plain |= span
        elif kind == "r":
            runs.remove(first, first + more)
            plain -= span
        else:
            runs.drop(first)
            found = runs.inside(0, 100)
            assert all(last > first for _, last in found)
            assert plain >= {seq for run in found for seq in range(run[0], run[1] + 1)}
            assert {seq for seq in plain if seq > first} <= {
                seq for run in found for seq in range(run[0], run[1] + 1)
            }
            plain = {seq for run in found for seq in range(run[0], run[1] + 1)}
    found = runs.inside(-1, 100)
    assert len(found) == len(runs)
    assert {seq for run in found for seq in range(run[0], run[1] + 1)} == plain
    assert all(one[1] + 1 < two[0] for one, two in itertools.pairwise(found))
    for first in range(0, 75, 3):
        assert runs.count(first, first + 9) == len(plain & set(range(first, first + 10)))
        after = runs.after(first)
        assert after not in plain
        assert set(range(first, after)) <= plain
    again = Runs()
    again.load(runs.packed())
    assert again.inside(-1, 100) == found
