"""The short way to a value, for what most channels are: a number in registers, perhaps scaled.

What it cannot say it leaves to the long way (`decode`, `slot`), which says the same where it can.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from drivers.profile import number
from drivers.profile.decode import arrange
from gateway.core.decimal import Decimal, from_float, parts

if TYPE_CHECKING:
    from typing import TypeAlias

    from drivers.profile.decode import Layout
    from gateway.core.decimal import Number

    Exact: TypeAlias = "int | Decimal"

_FORMS = {("u", 16): ">H", ("s", 16): ">h", ("u", 32): ">I", ("s", 32): ">i", ("f", 32): ">f"}
_FACTOR_MAX = 1_000_000  # 32 bits times this, and ten decimals, are within any bound
_DECIMALS_MAX = 10
_REAL_DIGITS = 7
_REAL_MIN, _REAL_MAX = 1e-9, 1e18  # nearer to 0 or farther from it a float has rules of its own


class Plain:
    """How to read one number of `count` registers, `factor` × 10 ** -`decimals` each step."""

    __slots__ = ("count", "decimals", "factor", "form", "mask", "none", "order", "real")

    def __init__(self, layout: Layout, form: str, scale: Exact) -> None:
        self.form = form
        self.real = form == ">f"
        self.order = "" if layout.order == "ABCD" else layout.order
        self.count = layout.count
        self.none = layout.none
        self.mask = (1 << layout.size) - 1
        self.factor, exponent = parts(scale)
        self.decimals = -exponent

    def value(self, data: bytes) -> Exact | None:
        """Return the value of these bytes; None if the long way must look at them."""
        raw = struct.unpack(self.form, arrange(data, self.order) if self.order else data)[0]
        if self.real:
            if not _REAL_MIN < abs(raw) < _REAL_MAX:
                return None
            found = from_float(raw, _REAL_DIGITS)
            if self.factor == 1 and not self.decimals:
                return found
            return number.times(found, Decimal(self.factor, -self.decimals))
        if self.none and raw & self.mask in self.none:
            return None
        mantissa = raw * self.factor
        left = self.decimals
        while left and mantissa % 10 == 0:
            mantissa //= 10
            left -= 1
        return Decimal(mantissa, -left) if left else mantissa


def plain(layout: Layout, scale: Number, offset: Number) -> Plain | None:
    """Return the short way for numbers that lie so, None if there is none."""
    form = _FORMS.get((layout.base, layout.size))
    if form is None or layout.bits or layout.width != 2 or offset != 0 or isinstance(scale, float):
        return None
    factor, exponent = parts(scale)
    if not 0 < abs(factor) < _FACTOR_MAX or -exponent > _DECIMALS_MAX:
        return None
    return None if form == ">f" and layout.none else Plain(layout, form, scale)
