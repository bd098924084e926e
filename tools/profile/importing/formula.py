"""Turns one-line formulas of C++ lambdas into expressions of our grammar, or says no.

Knows arithmetic, comparisons, ?: and the state of other sensors; knows no statements, loops or
variables, so most longer lambdas are lost, which is better than being half right.
"""

from __future__ import annotations

import re

from drivers.profile.expr_cpython import BadExpression, compile_text
from tools.profile.importing.words import whole

LENGTH_MAX = 300  # characters; longer is a program

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_RETURN = re.compile(r"\s*return\s+([^;{}]+);?\s*")
_CAST = re.compile(r"\(\s*(?:float|double|u?int(?:8|16|32|64)?_t|int|unsigned|long)\s*\)")
_STATE = re.compile(r"id\(\s*(\w+)\s*\)\.(?:state|raw_state|get_state\(\))")
_TOKEN = re.compile(
    r"\s*(0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)[fF]?|&&|\|\||[=!<>]=|<<|>>"
    r"|[-+*/%()<>&|?:,!^]|[A-Za-z_]\w*)"
)
_SAME = {"&&": "and", "||": "or", "!": "not"}
_FUNCTIONS = {"abs": "abs", "fabs": "abs", "min": "min", "max": "max", "sqrt": "sqrt"}
_FUNCTIONS |= {"round": "round", "roundf": "round", "fabsf": "abs"}
# The usual ways to put the two bytes of the item's own register together.
_WORD_READ = re.compile(
    r"\(?(?:uint16_t\()?data\[item->offset\]\)?\s*<<\s*8\)?\s*[|+]\s*data\[item->offset\s*\+\s*1\]"
    r"|\(?(?:uint16_t\()?data\[0\]\)?\s*<<\s*8\)?\s*[|+]\s*data\[1\]"
)
_CASE = re.compile(
    r"(?:case\s+|==\s*)(0[xX][0-9a-fA-F]+|\d+)\s*(?::|\)\s*\{?)"
    r'\s*return\s*(?:\{|std::string\()?\s*"([^"]*)"'
)


def expression(code: str, names: dict[str, str]) -> str:
    """Return the expression of `return …;`, "" if it is more than one; `names`: id to channel."""
    text = _COMMENT.sub(" ", code).strip()
    found = _RETURN.fullmatch(text)
    if not found or len(text) > LENGTH_MAX:
        return ""
    body = _CAST.sub("", found.group(1)).replace("std::", "")
    used = [one.group(1) for one in _STATE.finditer(body)]
    if any(one not in names for one in used):
        return ""
    body = _STATE.sub(lambda one: names[one.group(1)], body)
    tokens = _tokens(body, set(names.values()))
    made = _converted(tokens) if tokens else ""
    return made if _legal(made) else ""


def labels(code: str) -> dict[int, str]:
    """Return the words that a lambda gives for the whole value of one register, {} if unsure."""
    text = _COMMENT.sub(" ", code)
    pairs = _CASE.findall(text)
    # Anything computed from the register, or a second register, would need more than a map.
    rest = _CASE.sub("", re.sub(r'"[^"]*"', "", text))
    rest = _WORD_READ.sub("", rest)
    if len(pairs) < 2 or re.search(r">>|&[^&]|<<|[*/%]|data\[|[<>]=|hex_str\(x,\s*[1-9]", rest):
        return {}
    found: dict[int, str] = {}
    for number, label in pairs:
        value = whole(number)
        if value is None or not label.strip():
            return {}
        found.setdefault(value, label.strip())
    return found


def _legal(text: str) -> bool:
    try:
        compile_text(text, lambda name, _offset: name)
    except BadExpression:
        return False
    return True


def _tokens(text: str, names: set[str]) -> list[str]:
    found, at = [], 0
    while at < len(text.rstrip()):
        sign = _TOKEN.match(text, at)
        if not sign:
            return []
        at = sign.end()
        word = sign.group(1)
        if re.match(r"[A-Za-z_]", word):
            if word in _FUNCTIONS:
                word = _FUNCTIONS[word]
            elif word != "x" and word not in names and word not in ("true", "false"):
                return []
        elif word[0].isdigit() and word[-1] in "fF" and not word.lower().startswith("0x"):
            word = word[:-1]
        found.append(_SAME.get(word, word))
    return found


def _converted(tokens: list[str]) -> str:
    """Return tokens as Python writes them; ?: becomes if else."""
    question = _outside(tokens, "?")
    if question >= 0:
        colon = _outside(tokens[question + 1 :], ":")
        if colon < 0:
            return ""
        condition = _converted(tokens[:question])
        yes = _converted(tokens[question + 1 : question + 1 + colon])
        no = _converted(tokens[question + 2 + colon :])
        return f"{yes} if {condition} else {no}" if condition and yes and no else ""
    found, at = [], 0
    while at < len(tokens):
        if tokens[at] == "(":
            end = _closing(tokens, at)
            inner = _converted(tokens[at + 1 : end]) if end > at else ""
            if not inner:
                return ""
            found.append(f"({inner})")
            at = end
        elif tokens[at] in "?:":
            return ""
        else:
            found.append(tokens[at])
        at += 1
    text = " ".join(found)
    text = re.sub(r"\b(abs|min|max|sqrt|round) \(", r"\1(", text)
    return re.sub(r"(?:(?<=^)|(?<=[-+*/%<>=(,] ))- ", "-", text).replace(" ,", ",")


def _outside(tokens: list[str], wanted: str) -> int:
    depth = nested = 0
    for at, sign in enumerate(tokens):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if depth == 0 and sign == wanted and nested == 0:
            return at
        if depth == 0 and wanted == ":" and sign in "?:":
            nested += 1 if sign == "?" else -1
    return -1


def _closing(tokens: list[str], start: int) -> int:
    depth = 0
    for at in range(start, len(tokens)):
        depth += {"(": 1, ")": -1}.get(tokens[at], 0)
        if depth == 0:
            return at
    return -1
