"""Compiled expressions as people write them: the way back from expr_cpython.

Knows operators and their precedence; knows no channel and computes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.profile import expr

if TYPE_CHECKING:
    from typing import Any

# How tightly each binds, as in Python (reference, 6.17); two operators of one row go left to right.
_BINDS = {"or": 1, "and": 2, "==": 4, "!=": 4, "<": 4, "<=": 4, ">": 4, ">=": 4, "|": 5, "^": 6}
_BINDS |= {"&": 7, "<<": 8, ">>": 8, "+": 9, "-": 9, "*": 10, "/": 10, "//": 10, "%": 10, "**": 12}
_IF, _NOT, _NEG, _CALL = 0, 3, 11, 13
_ONE = ("abs", "int", "sqrt", "log", "exp")


def infix(code: list[Any]) -> str:
    """Return the text that compiles to `code`."""
    stack: list[tuple[str, int]] = []  # text, and how tightly its outermost operator binds
    for item in code:
        if not isinstance(item, str) or item[:1] == "'" or expr.is_name(item):
            stack.append(_operand(item))
        elif item == "if":
            (other, _), then, condition = stack.pop(), stack.pop(), stack.pop()
            stack.append((f"{_in(then, 1)} if {_in(condition, 1)} else {other}", _IF))
        elif item == "not":
            stack.append((f"not {_in(stack.pop(), _NOT)}", _NOT))
        elif item == "neg":
            stack.append((f"-{_in(stack.pop(), _NEG)}", _NEG))
        elif item == "rint" or item in _ONE:
            name = "round" if item == "rint" else item
            stack.append((f"{name}({stack.pop()[0]})", _CALL))
        elif item in ("min", "max", "round"):
            stack.append(_call(item, *reversed((stack.pop(), stack.pop()))))
        else:
            right, left = stack.pop(), stack.pop()
            stack.append((_binary(item, left, right), _BINDS[item]))
    return stack[0][0]


def _operand(item: Any) -> tuple[str, int]:
    if isinstance(item, bool):
        return str(item).lower(), _CALL
    if isinstance(item, str):
        return (repr(item[1:]) if item[:1] == "'" else item), _CALL
    return str(item), _NEG if str(item).startswith("-") else _CALL


def _in(part: tuple[str, int], binds: int) -> str:
    text, own = part
    return text if own >= binds else f"({text})"


def _call(name: str, left: tuple[str, int], right: tuple[str, int]) -> tuple[str, int]:
    first = left[0]
    if name != "round" and left[1] == _CALL and first.startswith(f"{name}(") and _whole(first):
        first = first[len(name) + 1 : -1]  # max(max(a, b), c) was written max(a, b, c)
    return f"{name}({first}, {right[0]})", _CALL


def _whole(text: str) -> bool:
    """Return whether the first parenthesis of a text closes with its last letter."""
    depth = 0
    for at, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if letter == ")" and depth == 0:
            return at == len(text) - 1
    return False


def _binary(operator: str, left: tuple[str, int], right: tuple[str, int]) -> str:
    binds = _BINDS[operator]
    compares = binds == _BINDS["=="]  # a == b == c would be a chain
    if operator == "**":
        return f"{_in(left, binds + 1)} ** {_in(right, _NEG)}"
    first = _in(left, binds + 1 if compares else binds)
    return f"{first} {operator} {_in(right, binds + 1)}"
