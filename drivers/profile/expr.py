"""Evaluates the expressions of a profile, compiled to postfix lists.

An item is a literal (a number, a bool, or text after an apostrophe), an operator or function of
the table below, or else the name of a channel or setting. Any missing operand makes the result
None. Knows no profile: names come in two dictionaries.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from drivers.profile import number
from gateway.core.decimal import Decimal
from gateway.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    Value: TypeAlias = "bool | int | Decimal | str | None"
    Code: TypeAlias = "list[Any]"

NODES_MAX = 64
DEPTH_MAX = 8
SHIFT_MAX = 63
FLOAT_DIGITS = 12  # of sqrt, log and exp, the only steps that leave exact arithmetic
EXP_MAX = 43  # e to more is beyond 64 bits, and to less than -EXP_MAX below any decimal

# How many operands each operator and function takes; "if" is condition, then, else.
TAKES = dict.fromkeys(("neg", "not", "abs", "int", "sqrt", "log", "exp", "rint"), 1)
TAKES.update(dict.fromkeys(("+", "-", "*", "/", "//", "%", "**", "&", "|", "^", "<<", ">>"), 2))
TAKES.update(dict.fromkeys(("==", "!=", "<", "<=", ">", ">=", "and", "or"), 2))
TAKES.update({"min": 2, "max": 2, "round": 2, "if": 3})
RESERVED = tuple(sorted(TAKES)) + ("else", "false", "in", "is", "none", "null", "true", "x")


def evaluate(code: Code, known: dict[str, Any], fixed: dict[str, Any], x: Value = None) -> Value:
    """Return the value of `code`; names are looked up in `known`, then in `fixed`."""
    stack: list[Value] = []
    for item in code:
        if not isinstance(item, str):
            stack.append(item)
        elif item not in TAKES:
            if item.startswith("'"):  # item[0] would stay on a board for ever
                stack.append(item[1:])
            elif item == "x":
                stack.append(x)
            else:
                stack.append(known[item] if item in known else fixed.get(item))
        elif TAKES[item] == 2:
            right = stack.pop()
            stack.append(_binary(item, stack.pop(), right))
        elif TAKES[item] == 1:
            stack.append(_unary(item, stack.pop()))
        else:
            otherwise, then, condition = stack.pop(), stack.pop(), stack.pop()
            truth = _truth(condition)
            stack.append(None if truth is None else then if truth else otherwise)
    return stack[0]


def operands(code: Code) -> list[str]:
    """Return the names `code` looks up, without `x`."""
    return [item for item in code if is_name(item) and item != "x"]


def is_name(item: Any) -> bool:
    """Return whether an item of a compiled expression is a name."""
    return isinstance(item, str) and item[:1] != "'" and item not in TAKES


def check(code: Any) -> None:
    """Raise ConfigError unless `code` leaves exactly one value and keeps within the bounds."""
    if not isinstance(code, list) or not 0 < len(code) <= 2 * NODES_MAX:
        raise ConfigError("an expression is no list, or too long")
    depth = 0
    for item in code:
        if not isinstance(item, (bool, int, str, Decimal)) or item == "":
            raise ConfigError(f"an expression holds {item!r}")
        takes = TAKES.get(item, 0) if isinstance(item, str) else 0
        if depth < takes:
            raise ConfigError("an expression lacks an operand")
        depth += 1 - takes
    if depth != 1:
        raise ConfigError("an expression leaves more than one value")


def _truth(value: Value) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value != ""
    return value != 0


def _plain(value: Value) -> Value:
    return int(value) if isinstance(value, bool) else value


def _unary(operator: str, value: Value) -> Value:
    if operator == "not":
        truth = _truth(value)
        return None if truth is None else not truth
    value = _plain(value)
    if value is None or isinstance(value, str):
        return None
    if operator == "int":
        return number.whole(value)
    if operator == "neg":
        return number.minus(0, value)
    if operator == "abs":
        return number.minus(0, value) if number.less(value, 0) else value
    if operator == "rint":
        return number.rounded(value, 0)
    approximate = float(value)
    if operator == "exp":
        if not -EXP_MAX <= approximate <= EXP_MAX:
            return None if approximate > 0 else 0
        return number.from_real(math.exp(approximate), FLOAT_DIGITS)
    if approximate < 0 or (operator == "log" and approximate == 0):
        return None
    result = math.sqrt(approximate) if operator == "sqrt" else math.log(approximate)
    return number.from_real(result, FLOAT_DIGITS)


def _binary(operator: str, left: Value, right: Value) -> Value:
    if operator in ("and", "or"):
        return _both(_truth(left), _truth(right), operator == "or")
    left, right = _plain(left), _plain(right)
    if left is None or right is None:
        return None
    if operator in ("==", "!="):
        return (left == right) == (operator == "==")
    if isinstance(left, str) or isinstance(right, str):
        return None
    if operator in _ARITHMETIC:
        return _ARITHMETIC[operator](left, right)
    if operator in _ORDER:
        return _ORDER[operator](left, right)
    if not isinstance(left, int) or not isinstance(right, int):
        return None
    return _bitwise(operator, left, right)


def _both(left: bool | None, right: bool | None, decisive: bool) -> bool | None:
    # One operand can decide alone, as in Python: `true or missing` is true.
    if decisive in (left, right):
        return decisive
    return None if left is None or right is None else not decisive


def _bitwise(operator: str, left: int, right: int) -> Value:
    if operator == "&":
        return left & right
    if operator == "|":
        return left | right
    if operator == "^":
        return left ^ right
    if not 0 <= right <= SHIFT_MAX:
        return None
    return number.settle(left << right if operator == "<<" else left >> right, 0)


def _round(value: Any, decimals: Any) -> Value:
    if not isinstance(decimals, int) or not 0 <= decimals <= 24:
        return None
    return number.rounded(value, decimals)


_ARITHMETIC: dict[str, Callable[[Any, Any], Value]] = {
    "+": number.plus,
    "-": number.minus,
    "*": number.times,
    "/": number.over,
    "//": number.floor_over,
    "%": number.remainder,
    "**": number.power,
    "round": _round,
    "min": lambda a, b: b if number.less(b, a) else a,
    "max": lambda a, b: b if number.less(a, b) else a,
}
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": number.less,
    ">": lambda a, b: number.less(b, a),
    "<=": lambda a, b: not number.less(b, a),
    ">=": lambda a, b: not number.less(a, b),
}
