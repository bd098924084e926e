"""Exact arithmetic within bounds: ints of 64 bits and decimals of 18 digits, or no value (None).

The same digits on every board, whatever its floats are. Knows nothing of channels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.decimal import EXPONENT_MAX, EXPONENT_MIN, decimal, from_float, parse, parts

if TYPE_CHECKING:
    from typing import TypeAlias

    from gateway.core.decimal import Decimal

    Exact: TypeAlias = "int | Decimal"

INT_MIN = -(1 << 63)  # what CBOR and a platform's database hold
INT_MAX = (1 << 64) - 1
MANTISSA_MAX = 10**18  # fits 64 bits
QUOTIENT_DIGITS = 12  # of a division that never ends; finer than any sensor
POWER_MAX = 64
_WORKING_DIGITS = 30  # places tried before a division counts as endless


def settle(mantissa: int, exponent: int) -> Exact | None:
    """Return mantissa × 10 ** exponent, rounded to what the bounds hold; None if too large."""
    if exponent < 0 and (exponent < EXPONENT_MIN or not -MANTISSA_MAX < mantissa < MANTISSA_MAX):
        excess = max(EXPONENT_MIN - exponent, len(str(abs(mantissa))) - 18, 0)
        drop = min(excess, -exponent)
        mantissa = _nearest(mantissa, 10**drop)
        exponent += drop
    if exponent > EXPONENT_MAX:
        return None if mantissa else 0
    number = decimal(mantissa, exponent)
    if isinstance(number, int) and not INT_MIN <= number <= INT_MAX:
        return None
    return number


def from_real(value: float, digits: int) -> Exact | None:
    """Return a float to `digits` significant digits; None for NaN, infinite or too large."""
    if value != value or abs(value) >= 1e19:
        return None
    if abs(value) < 1e-9:  # so small that all the digits would not fit the exponents of a Decimal
        return parse(f"{value:.{min(9 + digits, 24)}f}")
    return from_float(value, digits)


def times(a: Exact, b: Exact) -> Exact | None:
    """Return a × b."""
    a_mantissa, a_exponent = parts(a)
    b_mantissa, b_exponent = parts(b)
    return settle(a_mantissa * b_mantissa, a_exponent + b_exponent)


def plus(a: Exact, b: Exact) -> Exact | None:
    """Return a + b."""
    a_mantissa, b_mantissa, exponent = aligned(a, b)
    return settle(a_mantissa + b_mantissa, exponent)


def minus(a: Exact, b: Exact) -> Exact | None:
    """Return a - b."""
    a_mantissa, b_mantissa, exponent = aligned(a, b)
    return settle(a_mantissa - b_mantissa, exponent)


def over(a: Exact, b: Exact) -> Exact | None:
    """Return a / b, exact where it ends, else to QUOTIENT_DIGITS; None for division by zero."""
    return scaled(a, 1, b)


def scaled(a: Exact, above: Exact, below: Exact) -> Exact | None:
    """Return a × above / below as one step: what is multiplied need not fit the bounds yet."""
    a_mantissa, a_exponent = parts(a)
    b_mantissa, b_exponent = parts(above)
    c_mantissa, c_exponent = parts(below)
    if c_mantissa == 0:
        return None
    dividend = a_mantissa * b_mantissa
    if c_mantissa < 0:
        dividend, c_mantissa = -dividend, -c_mantissa
    lifted: int = dividend * 10**_WORKING_DIGITS
    exponent = a_exponent + b_exponent - c_exponent - _WORKING_DIGITS
    quotient = _nearest(lifted, c_mantissa)
    if quotient * c_mantissa != lifted:
        drop = max(0, len(str(abs(quotient))) - QUOTIENT_DIGITS)
        quotient = _nearest(quotient, 10**drop)
        exponent += drop
    return settle(quotient, exponent)


def floor_over(a: Exact, b: Exact) -> Exact | None:
    """Return a // b, rounded down; None for division by zero."""
    a_mantissa, b_mantissa, _ = aligned(a, b)
    return settle(a_mantissa // b_mantissa, 0) if b_mantissa else None


def remainder(a: Exact, b: Exact) -> Exact | None:
    """Return a % b with the sign of b; None for division by zero."""
    a_mantissa, b_mantissa, exponent = aligned(a, b)
    return settle(a_mantissa % b_mantissa, exponent) if b_mantissa else None


def power(a: Exact, b: Exact) -> Exact | None:
    """Return a ** b for a whole |b| ≤ POWER_MAX; None beyond, or where the result has no end."""
    mantissa, exponent = parts(a)
    if not isinstance(b, int) or not -POWER_MAX <= b <= POWER_MAX:
        return None
    if b < 0:
        below = power(a, -b)
        return None if below is None else over(1, below)
    if b and len(str(abs(mantissa))) * b > 2 * POWER_MAX:
        return None
    raised: int = mantissa**b
    return settle(raised, exponent * b)


def rounded(a: Exact, decimals: int) -> Exact | None:
    """Return a to `decimals` places, halves away from zero."""
    mantissa, exponent = parts(a)
    if -exponent <= decimals:
        return a
    return settle(_nearest(mantissa, 10 ** (-exponent - decimals)), -decimals)


def whole(a: Exact) -> int:
    """Return a without what follows the point."""
    mantissa, exponent = parts(a)
    power_of_ten: int = 10**-exponent
    return mantissa // power_of_ten if mantissa >= 0 else -(-mantissa // power_of_ten)


def less(a: Exact, b: Exact) -> bool:
    """Return whether a < b."""
    a_mantissa, b_mantissa, _ = aligned(a, b)
    return a_mantissa < b_mantissa


def aligned(a: Exact, b: Exact) -> tuple[int, int, int]:
    """Return both mantissas at one exponent, and that exponent."""
    a_mantissa, a_exponent = parts(a)
    b_mantissa, b_exponent = parts(b)
    low = min(a_exponent, b_exponent)
    return a_mantissa * 10 ** (a_exponent - low), b_mantissa * 10 ** (b_exponent - low), low


def _nearest(number: int, divisor: int) -> int:
    # Halves away from zero, as people round; `//` alone would round down.
    half = (abs(number) + divisor // 2) // divisor
    return half if number >= 0 else -half
