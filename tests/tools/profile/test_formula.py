"""Compiled expressions are shown as people write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.profile.check_cpython import check_text
from drivers.profile.expr_cpython import BadExpression, compile_text
from gateway.core.decimal import decimal
from tools.profile.telling.formula import infix

FILES = sorted((Path(__file__).resolve().parents[3] / "profiles").glob("*/*.yaml"))
WRITTEN = (
    "x * 10 ** decimals",
    "a - (b - c)",
    "a - b - c",
    "(a + b) * -c",
    "-(a ** 2)",
    "(-a) ** 2",
    "2 ** -a",
    "(a if b else c) if d else 1",
    "a if b else c if d else 1",
    "max(a, b, c) - min(a, b)",
    "max(a, max(b, c))",
    "round(x, 2) + round(x)",
    "not (a or b) and c",
    "not a == b",
    "(a == b) == c",
    "40 < a and a < 70",
    "unit == 'cm' or unit != \"it's\"",
    "a & 3 | b << 2 ^ c",
    "zone1.temperature / zone2.temperature",
    "abs(x) // int(y) % sqrt(log(2))",
    "true if 0.001 < x else false",
)


def compiled(text: str) -> list[Any]:
    return compile_text(text, lambda name, _: name)


@pytest.mark.parametrize("text", WRITTEN)
def test_formula_of_what_was_written_means_the_same(text: str) -> None:
    code = compiled(text)
    assert compiled(infix(code)) == code


def test_formula_is_written_with_no_more_parentheses_than_needed() -> None:
    for text in ("a - b - c", "a - (b - c)", "x * 10 ** decimals", "max(a, b, c) - min(a, b)"):
        assert infix(compiled(text)) == text


def test_formula_of_every_shipped_expression_means_the_same() -> None:
    seen = 0
    for path in FILES:
        document = check_text(path.read_text(), path.stem).document or {}
        rows = [*document.get("channels", []), document]
        codes = [row[key] for row in rows for key in ("calc", "if", "identify") if row.get(key)]
        for code in codes:
            plain = [item.replace("%", "group") if isinstance(item, str) else item for item in code]
            if "%" in code:
                continue
            seen += 1
            assert compiled(infix(plain)) == plain
    assert seen >= 20


LEAVES = st.one_of(
    st.integers(0, 99).map(str),
    st.decimals(0, 9, places=2).map(str),
    st.sampled_from(["a", "b.c", "x", "true", "'word'"]),
)
INFIX = ("+", "-", "*", "/", "//", "%", "**", "&", "|", "^", "<<", ">>", "==", "<", ">=")
INFIX += ("and", "or")
TEXTS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(INFIX), inner).map(lambda one: "({} {} {})".format(*one)),
        st.tuples(inner, inner, inner).map(lambda one: "({} if {} else {})".format(*one)),
        st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(
            lambda one: "{}({}, {})".format(*one)
        ),
        inner.map(lambda one: f"(-({one} + 1))"),
        inner.map(lambda one: f"(not {one})"),
    ),
    max_leaves=8,
)


@given(TEXTS)
def test_formula_of_any_expression_means_the_same(text: str) -> None:
    try:
        code = compiled(text)
    except BadExpression:
        return  # nested too deeply
    assert compiled(infix(code)) == code


def test_formula_of_a_negative_decimal_keeps_its_sign() -> None:
    assert infix([2, decimal(-15, -1), "-"]) == "2 - -1.5"
