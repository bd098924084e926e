"""Expressions: what passes, what is refused, and Python's own arithmetic as the oracle."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.profile.expr import DEPTH_MAX, NODES_MAX, check, evaluate
from drivers.profile.expr_cpython import TEXT_MAX, BadExpression, compile_text
from gateway.core.decimal import Decimal, parse, parts
from tests.support.fuzz import parser

NAMES = {"a": 3, "b": -2, "c": parse("0.25")}


def compiled(text: str) -> list[Any]:
    return compile_text(text, lambda name, _: name)


def value(text: str) -> Any:
    return evaluate(compiled(text), dict(NAMES), {}, 10)


def fraction(number: Any) -> Fraction:
    mantissa, exponent = parts(number)
    return Fraction(mantissa) * Fraction(10) ** exponent


VALUES = {
    "1 + 2 * 3": 7,
    "(1 + 2) * 3": 9,
    "x / 4": parse("2.5"),
    "-x + 1": -9,
    "+x": 10,
    "2 ** 3 ** 2": 512,
    "7 // 2 + 7 % 4": 6,
    "0x10 | 3": 19,
    "6 & 3 ^ 1": 3,
    "1 << 4 >> 2": 4,
    "0 < a < 5": True,
    "0 < a < 2": False,
    "a == 3 and not b == 3": True,
    "a if a > b else b": 3,
    "min(a, b, c)": -2,
    "max(a, b, c)": 3,
    "round(2.345, 2)": parse("2.35"),
    "round(2.5)": 3,
    "abs(b)": 2,
    "int(2.9)": 2,
    "sqrt(16)": 4,
    "exp(0)": 1,
    "log(1)": 0,
    "'it''s' == 'its'": True,
    "true and not false": True,
    "1e-3 * 1000": 1,
    "0.1 + 0.2 == 0.3": True,
    "-0.5": parse("-0.5"),
    "a - -1": 4,
}


@pytest.mark.parametrize("text", VALUES)
def test_expression_gives(text: str) -> None:
    assert value(text) == VALUES[text]


REFUSED = {
    "": 0,
    "x +": 0,
    "a b": 0,
    "a.b()": 0,
    "eval('1')": 0,
    "__import__('os')": 0,
    "(lambda: 1)": 1,
    "[1, 2]": 0,
    "{1: 2}": 0,
    "x[0]": 0,
    "f'{x}'": 0,
    "a := 1": 0,
    "1 if x": 0,
    "~x": 0,
    "x is a": 0,
    "x in a": 0,
    "*x": 0,
    "min(1)": 0,
    "min(1, key=2)": 0,
    "abs(1, 2)": 0,
    "pow(1, 2)": 0,
    "1j": 0,
    "None": 0,
    "int": 0,
    "1 + max": 4,
    "b'x'": 0,
    "1e400": 0,
    "18446744073709551616": 0,
    "'a' 1": 0,
    "yield x": 0,
    "await x": 0,
    "x; a": 0,
    "1 + abs(b) + len(c)": 13,
}


@pytest.mark.parametrize("text", REFUSED)
def test_expression_refuses_what_the_grammar_does_not_hold(text: str) -> None:
    with pytest.raises(BadExpression) as caught:
        compiled(text)
    assert 0 <= caught.value.offset <= len(text)
    if REFUSED[text]:
        assert caught.value.offset == REFUSED[text]


def test_expression_bounds() -> None:
    assert len(compiled("+".join(["1"] * 32))) == 63
    with pytest.raises(BadExpression, match=f"more than {NODES_MAX}"):
        compiled("+".join(["1"] * 33))
    assert compiled("1+(" * (DEPTH_MAX - 2) + "1" + ")" * (DEPTH_MAX - 2))
    with pytest.raises(BadExpression, match=f"more than {DEPTH_MAX} levels"):
        compiled("1+(" * DEPTH_MAX + "1" + ")" * DEPTH_MAX)
    with pytest.raises(BadExpression, match=f"at most {TEXT_MAX}"):
        compiled("1" * (TEXT_MAX + 1))
    for text in ("(" * 400 + "1" + ")" * 50, "-" * 499 + "1", "not " * 120 + "x"):
        with pytest.raises(BadExpression):
            compiled(text)


def test_expression_suffix_is_a_name_but_not_within_quotes() -> None:
    assert compiled("probes >= #") == ["probes", "#", ">="]
    assert compiled("l# * zone1.t") == ["l#", "zone1.t", "*"]
    assert compiled("x == '#'") == ["x", "'#", "=="]


def test_expression_names_are_asked_about_at_their_place() -> None:
    asked: list[tuple[str, int]] = []

    def note(name: str, offset: int) -> str:
        asked.append((name, offset))
        return name

    compile_text("  a + max(b_1, 'ü' == c.d)", note)
    assert asked == [("a", 2), ("b_1", 10), ("c.d", 22)]


_NUMBERS = st.sampled_from(["a", "b", "c", "x", "7", "0.5", "12.25", "0"])
_SUMS = st.recursive(
    _NUMBERS,
    lambda inner: st.tuples(inner, st.sampled_from(["+", "-", "*", "//", "%"]), inner).map(
        lambda part: f"({part[0]} {part[1]} {part[2]})"
    ),
    max_leaves=8,
)


@given(_SUMS)
def test_expression_arithmetic_agrees_with_exact_fractions(text: str) -> None:
    names = {name: fraction(one) for name, one in NAMES.items()} | {"x": Fraction(10)}
    python = text.replace("0.5", "h").replace("12.25", "q")
    names |= {"h": Fraction(1, 2), "q": Fraction(49, 4)}
    for number in ("7", "0"):
        names[f"n{number}"] = Fraction(int(number))
    try:
        wanted = eval(python, {}, names)
    except ZeroDivisionError:
        wanted = None
    try:
        got = value(text)
    except BadExpression:
        return  # beyond the bounds
    if wanted is None:
        assert got is None
    elif got is not None and abs(wanted) < 10**15:
        assert fraction(got) == Fraction(wanted)


@given(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9).filter(bool), st.integers(0, 6))
def test_expression_division_is_right_to_twelve_digits(up: int, down: int, places: int) -> None:
    text = f"{up} / ({down} / 10 ** {places})"
    got = value(text)
    assert math.isclose(float(got), up * 10**places / down, rel_tol=1e-11)
    assert isinstance(got, (int, Decimal))


@parser
@given(st.text("abx#0123456789.+-*/%()<>=! 'andortif", max_size=40))
def test_any_text_compiles_to_sound_code_or_is_refused(text: str) -> None:
    try:
        code = compiled(text)
    except BadExpression as error:
        assert 0 <= error.offset <= len(text)
        return
    check(code)
    evaluate(code, dict(NAMES), {}, 10)
