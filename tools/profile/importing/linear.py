"""What a source does to a raw number, step by step, in as few keys of the grammar as possible.

Knows exact arithmetic; knows no source.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

from tools.profile.importing.words import NUMBER_MAX, exact, fraction

_SIMPLE = re.compile(r"x ([-+*/]) (\d+(?:\.\d+)?)")


class Chain:
    """Factors, sums and formulas in the order in which a source applies them."""

    def __init__(self) -> None:
        self._factor = Fraction(1)
        self._added = Fraction(0)
        self._calc = ""

    def times(self, factor: Fraction) -> None:
        """Multiply what there is."""
        if not self._calc:
            self._factor *= factor
            self._added *= factor
        elif factor != 1:
            self._calc = f"({self._calc}) * {shown(factor)}"

    def plus(self, added: Fraction) -> None:
        """Add to what there is."""
        if not self._calc:
            self._added += added
        elif added:
            self._calc = f"{self._calc} + {shown(added)}"

    def formula(self, text: str) -> None:
        """Apply an expression of our grammar in which x is what there is."""
        inner = f"({self._calc})" if self._calc else ""
        found = _SIMPLE.fullmatch(text)
        number = fraction(found.group(2)) if found else None
        if text == "x":
            return
        if found and number:
            sign = found.group(1)
            if sign in "*/":
                self.times(number if sign == "*" else 1 / number)
            else:
                self.plus(number if sign == "+" else -number)
            return
        self._calc = re.sub(r"\bx\b", inner, text) if inner else text

    @property
    def sound(self) -> bool:
        """Return whether all numbers are such as a quantity may have."""
        numbers = (self._factor, self._added)
        return self._factor != 0 and all(
            max(abs(one.numerator), one.denominator) < NUMBER_MAX for one in numbers
        )

    def keys(self) -> dict[str, Any]:
        """Return scale, offset and calc as far as they are needed."""
        found: dict[str, Any] = {}
        scale, offset, calc = exact(self._factor), exact(self._added), self._calc
        if scale is None or offset is None:
            scaled = f"x * {shown(self._factor)}" if self._factor != 1 else "x"
            start = f"{scaled} + {shown(self._added)}" if self._added else scaled
            return {"calc": re.sub(r"\bx\b", f"({start})", calc) if calc else start}
        if scale != 1:
            found["scale"] = scale
        if offset != 0:
            found["offset"] = offset
        if calc:
            found["calc"] = calc
        return found


def shown(value: Fraction) -> str:
    """Return a fraction as an operand of an expression."""
    whole = exact(value)
    text = f"{value.numerator} / {value.denominator}" if whole is None else str(whole)
    return f"({text})" if whole is None or value < 0 else text
