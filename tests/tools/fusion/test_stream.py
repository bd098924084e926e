"""The account of one stream, against a plain set of numbers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tools.fusion import stream
from tools.fusion.stream import ISLANDS_MAX, Stream


def test_stream_acknowledges_only_what_is_contiguous() -> None:
    account = Stream()
    account.add(1, 64)
    account.add(129, 192)
    assert account.high == 64
    assert account.islands == [(129, 192)]
    account.add(65, 128)
    assert account.high == 192
    assert account.islands == []


def test_stream_gives_up_what_will_never_come_and_names_it() -> None:
    account = Stream(10, [(15, 20), (31, 40)])
    assert account.pass_to(36) == [(11, 14), (21, 30)]
    assert account.high == 40
    assert account.islands == []
    assert account.pass_to(36) == []
    assert account.pass_to(41) == []
    assert account.high == 40
    assert account.pass_to(43) == [(41, 42)]
    assert account.high == 42


def test_stream_refuses_one_island_too_many_but_not_what_touches_one() -> None:
    account = Stream()
    for number in range(ISLANDS_MAX):
        first = 10 + 10 * number
        assert account.takes(first, first)
        account.add(first, first)
    assert not account.takes(5, 5)
    assert account.takes(11, 11)
    assert account.takes(1, 3)
    assert not account.takes(1 << 30, 1 << 30)


def test_stream_survives_its_text() -> None:
    islands = [(65, 128), (200, 200)]
    assert stream.to_text(islands) == "65-128 200-200"
    assert stream.from_text(stream.to_text(islands)) == islands
    assert stream.from_text("") == []


ranges = st.tuples(st.integers(1, 60), st.integers(0, 12)).map(lambda at: (at[0], sum(at)))
moves = st.lists(st.one_of(ranges, st.integers(1, 60)), max_size=40)


@given(moves)
def test_stream_agrees_with_a_set_of_numbers(moves: list[tuple[int, int] | int]) -> None:
    account, numbers = Stream(), {0}
    for move in moves:
        if isinstance(move, int):
            given_up = {n for a, b in account.pass_to(move) for n in range(a, b + 1)}
            assert given_up == set(range(1, move)) - numbers
            numbers |= set(range(1, move))
        else:
            mine = set(range(move[0], move[1] + 1))
            if account.has(*move):
                assert mine <= numbers
            account.add(*move)
            numbers |= mine
        assert account.high == next(n for n in range(80) if n + 1 not in numbers)
        above = {n for a, b in account.islands for n in range(a, b + 1)}
        assert above == {n for n in numbers if n > account.high}
        assert all(b + 1 < a for (_, b), (a, _) in zip(account.islands, account.islands[1:]))


@given(ranges, ranges)
def test_stream_subtracts_ranges_as_sets(whole: tuple[int, int], part: tuple[int, int]) -> None:
    left = {n for a, b in stream.subtract(whole, part) for n in range(a, b + 1)}
    assert left == set(range(whole[0], whole[1] + 1)) - set(range(part[0], part[1] + 1))
