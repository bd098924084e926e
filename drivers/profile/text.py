"""The text of one channel to its value. Knows no message and no column.

A number is read as it is written; what follows `*` is its unit, as meters after IEC 62056-21 say.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from drivers.profile import number
from drivers.profile.decode import Layout, split_type
from gateway.core.decimal import parse, parts
from gateway.core.errors import ConfigError
from gateway.core.reading import GOOD, OUT_OF_RANGE, SENTINEL, UNIT_CONFLICT

if TYPE_CHECKING:
    from typing import Any

    from drivers.profile.expr import Value
    from drivers.profile.image import Image

DECIMAL = "decimal"  # as a type: a number as a text has it
DECIMAL_BITS = 64  # what its whole part may have
SEARCHED_MAX = 256  # characters a pattern is tried on; bounds what it may cost


def plain_unit(unit: str) -> str:
    """Return a unit without what spellings differ in; mW stays another than MW."""
    return unit[0] + unit[1:].lower() if unit[:1] in ("m", "M") else unit.lower()


class Text(Layout):
    """How a value stands in a column: a number, or up to `size` characters; one a channel.

    `match` is a pattern whose group 1 is the value, or ""; `says` are the units it may name, plain.
    """

    __slots__ = ("match", "says")

    def __init__(self, name: str, match: str, none: list[Any], says: list[str]) -> None:
        self.base, self.size = split_type(name) if name else (DECIMAL, DECIMAL_BITS)
        if self.base not in (DECIMAL, "str"):
            raise ConfigError(f"type {name!r} is not for texts")
        self.match = re.compile(match) if match else None
        self.none = none
        self.says = says
        self.order = "ABCD"
        self.bits = None
        self.count = 1
        self.width = 1

    def take(self, image: Image, table: str, address: int) -> bytes | None:
        """Return the text of the column, or what the pattern finds in it; None if nothing."""
        column = image.column(table, address)
        if column is None or self.match is None:
            return None if column is None else column.encode()
        try:
            found = self.match.search(column[:SEARCHED_MAX])
            taken = found.group(1) if found else None
        except (RuntimeError, ValueError):  # a board's stack did not suffice, or `.` took half an é
            return None
        return None if taken is None else taken.encode()

    def value(self, data: bytes) -> tuple[Value, str]:
        """Return the value that a text stands for and its quality; None unless good."""
        text = data.decode().strip()
        if self.base == "str":
            text = text[: self.size]
            return (None, SENTINEL) if not text or text in self.none else (text, GOOD)
        if text in self.none:
            return None, SENTINEL
        digits, star, unit = text.partition("*")
        if star and self.says and plain_unit(unit.strip()) not in self.says:
            return None, UNIT_CONFLICT
        try:
            value = parse(digits.strip())
        except ValueError:
            return None, SENTINEL
        if value in self.none:
            return None, SENTINEL
        held = number.settle(*parts(value))
        return (None, OUT_OF_RANGE) if held is None else (held, GOOD)

    def pattern(self, value: Any) -> bytes:
        """Return the text that stands for `value`."""
        if isinstance(value, bool):
            value = int(value)
        return str(value).encode()
