"""Exact decimal numbers for values that sensors give in decimals (CBOR tag 4, RFC 8949 §3.4.4).

In normal form a whole number is a plain int, so a Decimal always has a negative exponent and a
mantissa that 10 does not divide: equal numbers are equal values and equal bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.record import Record

if TYPE_CHECKING:
    from typing import TypeAlias

    Number: TypeAlias = "int | float | Decimal"

EXPONENT_MIN = -24  # a yocto-unit; finer is a mistake, and bounds the powers of ten we compute
EXPONENT_MAX = 24


class Decimal(Record):
    """`mantissa` × 10 ** `exponent`; make one with `decimal()`, which keeps the normal form."""

    __slots__ = ("exponent", "mantissa")

    def __init__(self, mantissa: int, exponent: int) -> None:
        self.mantissa = mantissa
        self.exponent = exponent

    def __float__(self) -> float:
        divisor: int = 10**-self.exponent
        return self.mantissa / divisor

    def __str__(self) -> str:
        digits = f"{abs(self.mantissa):0{1 - self.exponent}}"
        point = len(digits) + self.exponent
        return f"{'-' if self.mantissa < 0 else ''}{digits[:point]}.{digits[point:]}"


def decimal(mantissa: int, exponent: int) -> int | Decimal:
    """Return mantissa × 10 ** exponent in normal form; ValueError beyond 10 ** ±24."""
    if not EXPONENT_MIN <= exponent <= EXPONENT_MAX:
        raise ValueError(f"decimal exponent {exponent} is outside {EXPONENT_MIN}..{EXPONENT_MAX}")
    while exponent < 0 and mantissa % 10 == 0:
        mantissa //= 10
        exponent += 1
    if exponent >= 0:
        power: int = 10**exponent
        return mantissa * power
    return Decimal(mantissa, exponent)


def parse(text: str) -> int | Decimal:
    """Return the number written as digits, point and optional e-notation; ValueError if none."""
    body, e, power = text.lower().partition("e")
    whole, _, fraction = body.partition(".")
    if not (whole.lstrip("+-") + fraction).isdigit() or (e and not _is_int(power)):
        raise ValueError(f"not a decimal number: {text!r}")
    return decimal(int(whole + fraction), (int(power) if power else 0) - len(fraction))


def parts(number: int | Decimal) -> tuple[int, int]:
    """Return (mantissa, exponent)."""
    if isinstance(number, Decimal):
        return number.mantissa, number.exponent
    return number, 0


def multiply(a: int | Decimal, b: int | Decimal) -> int | Decimal:
    """Return a × b exactly."""
    a_mantissa, a_exponent = parts(a)
    b_mantissa, b_exponent = parts(b)
    return decimal(a_mantissa * b_mantissa, a_exponent + b_exponent)


def add(a: int | Decimal, b: int | Decimal) -> int | Decimal:
    """Return a + b exactly."""
    a_mantissa, a_exponent = parts(a)
    b_mantissa, b_exponent = parts(b)
    low = min(a_exponent, b_exponent)
    total = a_mantissa * 10 ** (a_exponent - low) + b_mantissa * 10 ** (b_exponent - low)
    return decimal(total, low)


def from_float(value: float, digits: int) -> int | Decimal:
    """Return `value` to `digits` significant digits, as the decimal a person would write."""
    mantissa, _, power = f"{value:.{digits - 1}e}".partition("e")
    return decimal(int(mantissa.replace(".", "")), int(power) - digits + 1)


def _is_int(text: str) -> bool:
    body = text[1:] if text[:1] in ("+", "-") else text
    return body.isdigit()
