"""Expressions as people write them, to the postfix lists that expr.py evaluates.

Python's own parser reads the text (nothing is ever executed); only the operators and functions
of the grammar pass. Knows no channel: the caller says which names exist.
"""

from __future__ import annotations

import ast
import re
import warnings
from typing import TYPE_CHECKING

from drivers.profile.expr import DEPTH_MAX, NODES_MAX, RESERVED, evaluate, is_name
from drivers.profile.number import INT_MAX
from gateway.core.decimal import parse
from gateway.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

TEXT_MAX = 500  # characters; checked before the text is parsed
_SUFFIX = "ǂ"  # stands for # while Python reads the text: a letter that names never hold
_QUOTED = re.compile(r"""("[^"]*"|'[^']*')""")
_BINARY: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.BitXor: "^",
    ast.LShift: "<<",
    ast.RShift: ">>",
}
_COMPARE: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
# What other languages write, and Python's syntax for it.
_ELSEWHERE = (
    (re.compile(r"&&"), "'and', not '&&'"),
    (re.compile(r"\|\|"), "'or', not '||'"),
    (re.compile(r"\?"), "'a if c else b', not 'c ? a : b'"),
    (re.compile(r"=>"), "'>=', not '=>'"),
    (re.compile(r"=<"), "'<=', not '=<'"),
    (re.compile(r"<>"), "'!=', not '<>'"),
    (re.compile(r"!(?!=)"), "'not', not '!'"),
    (re.compile(r"(?<![=!<>])=(?!=)"), "'==' to compare, not '='"),
    (re.compile(r";"), "',' between the values of a function, not ';'"),
    (re.compile(r"[0-9]x|\)[0-9(]"), "'*' to multiply"),
)
_FUNCTIONS = {"min": 2, "max": 2, "abs": 1, "round": 1, "int": 1, "sqrt": 1, "log": 1, "exp": 1}


class BadExpression(ConfigError):
    """What is wrong, and at which character of the text (from 0)."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


class UnknownName(BadExpression):
    """A name that stands for nothing here."""


def compile_text(text: str, name: Callable[[str, int], str]) -> list[Any]:
    """Return `text` as a postfix list; BadExpression with the place if it is not one.

    `name` is asked about each name (with # for an array's suffix) and its place, and returns
    the name to store or raises BadExpression.
    """
    if len(text) > TEXT_MAX:
        raise BadExpression(f"an expression has at most {TEXT_MAX} characters", 0)
    parts = _QUOTED.split(text)
    parts[::2] = [part.replace("#", _SUFFIX) for part in parts[::2]]
    prepared = "".join(parts).strip()
    lead = len(text) - len(text.lstrip())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(prepared, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        offset = getattr(error, "offset", 1) or 1
        place = min(lead + offset - 1, len(text))
        raise BadExpression(f"not an expression{_hint(prepared)}", place)
    code = _Compiler(prepared, lead, name).code(tree.body)
    if len(code) > NODES_MAX:
        message = f"{len(code)} nodes are more than {NODES_MAX}"
        raise BadExpression(f"{message}: write hidden channels for its parts", 0)
    return code


def _hint(text: str) -> str:
    bare = _QUOTED.sub("''", text)
    for pattern, wanted in _ELSEWHERE:
        if pattern.search(bare):
            return f": write {wanted}"
    if text.rstrip()[-1:] in "=<>+-*/(&|":
        return '; " #" starts a comment: put the whole expression in quotes'
    return ""


class _Compiler:
    def __init__(self, text: str, lead: int, name: Callable[[str, int], str]) -> None:
        self._bytes = text.encode()
        self._lead = lead
        self._name = name

    def code(self, node: ast.expr, depth: int = 1) -> list[Any]:
        if depth > DEPTH_MAX:
            raise self._bad(node, f"more than {DEPTH_MAX} levels inside each other")
        if isinstance(node, ast.Constant):
            return [self._literal(node)]
        if isinstance(node, (ast.Name, ast.Attribute)):
            name = self._dotted(node).replace(_SUFFIX, "#")
            if name in ("true", "false"):
                return [name == "true"]
            if name in RESERVED and name != "x":
                raise UnknownName(f"{name!r} is no name here", self._offset(node))
            return [self._name(name, self._offset(node))]
        if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
            # A sum of ten terms is one level, however Python nests it.
            same = isinstance(node.left, ast.BinOp)
            left = self.code(node.left, depth if same else depth + 1)
            code = left + self.code(node.right, depth + 1) + [_BINARY[type(node.op)]]
            if not [item for item in code if is_name(item)] and evaluate(code, {}, {}) is None:
                raise self._bad(node, f"{self._shown(node)!r} has no value that fits 64 bits")
            return code
        if isinstance(node, ast.UnaryOp):
            return self._unary(node, depth)
        if isinstance(node, ast.BoolOp):
            word = "and" if isinstance(node.op, ast.And) else "or"
            return self._folded([self.code(one, depth + 1) for one in node.values], word)
        if isinstance(node, ast.Compare):
            return self._compare(node, depth)
        if isinstance(node, ast.IfExp):
            parts = [self.code(one, depth + 1) for one in (node.test, node.body, node.orelse)]
            return parts[0] + parts[1] + parts[2] + ["if"]
        if isinstance(node, ast.Call):
            return self._call(node, depth)
        if isinstance(node, ast.Tuple):
            raise self._bad(node, "a comma separates nothing here: decimals have a point")
        raise self._bad(node, f"{self._shown(node)!r} is beyond what an expression may hold")

    def _literal(self, node: ast.Constant) -> Any:
        value = node.value
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.isprintable():  # half a surrogate pair is no text
            return "'" + value
        if isinstance(value, int) and value <= INT_MAX:
            return value
        if isinstance(value, float):
            try:
                return parse(self._shown(node).replace("_", ""))
            except ValueError:
                pass
        raise self._bad(node, f"{self._shown(node)!r} is no value an expression may hold")

    def _dotted(self, node: ast.expr) -> str:
        if isinstance(node, ast.Name):
            return node.id
        if isinstance(node, ast.Attribute):
            return f"{self._dotted(node.value)}.{node.attr}"
        raise self._bad(node, f"{self._shown(node)!r} is no name")

    def _unary(self, node: ast.UnaryOp, depth: int) -> list[Any]:
        inner = self.code(node.operand, depth + 1)
        if isinstance(node.op, ast.USub):
            if len(inner) == 1 and isinstance(node.operand, ast.Constant):
                return self._negative(node, inner)
            return inner + ["neg"]
        if isinstance(node.op, ast.Not):
            return inner + ["not"]
        if isinstance(node.op, ast.UAdd):
            return inner
        raise self._bad(node, "~ is not an operator here")

    def _negative(self, node: ast.UnaryOp, inner: list[Any]) -> list[Any]:
        if isinstance(inner[0], (bool, str)):
            raise self._bad(node, f"{self._shown(node)!r} is no number")
        return [-inner[0]] if isinstance(inner[0], int) else inner + ["neg"]

    def _compare(self, node: ast.Compare, depth: int) -> list[Any]:
        sides = [self.code(one, depth + 1) for one in [node.left, *node.comparators]]
        pairs = []
        for index, operator in enumerate(node.ops):
            if type(operator) not in _COMPARE:
                raise self._bad(node, "only == != < <= > >= compare")
            pairs.append(sides[index] + sides[index + 1] + [_COMPARE[type(operator)]])
        return self._folded(pairs, "and")

    def _call(self, node: ast.Call, depth: int) -> list[Any]:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in _FUNCTIONS or node.keywords:
            known = ", ".join(sorted(_FUNCTIONS))
            raise self._bad(node, f"unknown function {self._shown(node.func)!r}; there are {known}")
        arguments = [self.code(one, depth + 1) for one in node.args]
        if name in ("min", "max") and len(arguments) >= 2:
            return self._folded(arguments, name)
        if name == "round" and len(arguments) == 2:
            return arguments[0] + arguments[1] + ["round"]
        if len(arguments) != _FUNCTIONS[name] or name in ("min", "max"):
            raise self._bad(node, f"{name} is given {len(arguments)} values")
        return arguments[0] + ["rint" if name == "round" else name]

    @staticmethod
    def _folded(parts: list[list[Any]], operator: str) -> list[Any]:
        code = list(parts[0])
        for part in parts[1:]:
            code += [*part, operator]
        return code

    def _shown(self, node: ast.expr) -> str:
        raw = self._bytes[node.col_offset : node.end_col_offset]
        return raw.decode(errors="replace").replace(_SUFFIX, "#")

    def _offset(self, node: ast.expr) -> int:
        return self._lead + len(self._bytes[: node.col_offset].decode(errors="replace"))

    def _bad(self, node: ast.expr, message: str) -> BadExpression:
        return BadExpression(message, self._offset(node))
