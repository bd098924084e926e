"""Units, held against what the SI says: every spelling, and every pair a profile needs."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from drivers.profile.check_cpython import check_text
from drivers.profile.number import QUOTIENT_DIGITS, minus, plus, scaled
from drivers.profile.units_cpython import conversion, kinds, units
from gateway.core.decimal import Decimal, parse, parts
from tests.profiles.si import SHIFTS, worth
from tests.profiles.test_catalogue import FILES, name

if TYPE_CHECKING:
    from typing import Any

VALUES = ("0", "1", "-1", "230.4", "0.001", "-40", "65535", "4294967295", "99999.99", "1e-6")
USED_MIN = 60  # pairs of units
CONVERSIONS_MIN = 2000


def fraction(number: Any) -> Fraction:
    mantissa, exponent = parts(number)
    return Fraction(mantissa) * Fraction(10) ** exponent


def factor(text: str) -> Fraction:
    above, _, below = text.partition("/")
    return fraction(parse(above)) / fraction(parse(below or "1"))


def pairs_used() -> set[tuple[str, str]]:
    """(profile's unit, unit sent) of every channel that has a kind."""
    found = set()
    for path in FILES:
        for draft in check_text(path.read_text(encoding="utf-8"), name(path)).drafts:
            unit, kind = draft.keys.get("unit"), draft.keys.get("kind")
            if unit and kind:
                found.add((unit, kinds()[kind]["unit"]))
    return found


def test_every_unit_is_worth_what_its_definition_says() -> None:
    for unit, row in units().items():
        value, powers = worth(unit)
        base, base_powers = worth(row["base"])
        assert powers == base_powers, unit
        assert value == base * factor(row["factor"]), unit
        assert fraction(parse(row.get("pre", "0"))) == SHIFTS.get(unit, 0), unit
    assert len(units()) >= 300


def test_every_unit_and_its_wire_name_are_one_unit() -> None:
    for unit, row in units().items():
        if row["wire"] in units():
            assert worth(row["wire"]) == worth(unit), unit


def test_every_pair_of_a_profile_and_its_kind_is_converted_exactly() -> None:
    pairs = pairs_used()
    for unit, target in pairs:
        assert _exact(unit, target), (unit, target)
    assert len(pairs) >= USED_MIN


def test_units_that_can_be_converted_are_converted_exactly_and_back() -> None:
    known = [one for one in units() if not units()[one].get("pre")]
    pairs = [(a, b) for a in units() for b in known if units()[a]["base"] == units()[b]["base"]]
    for unit, target in pairs:
        assert _exact(unit, target), (unit, target)
    assert len(pairs) >= CONVERSIONS_MIN


def _exact(unit: str, target: str) -> bool:
    """Whether the conversion is the fraction that the definitions give, and its inverse too."""
    found = conversion(unit, target)
    if found is None:
        return False
    shift, above, below = found
    wanted = worth(unit)[0] / worth(target)[0]
    zero = SHIFTS.get(unit, Fraction(0)) if unit != target else Fraction(0)
    same = Fraction(above, below) == wanted and fraction(shift) == zero
    if not units()[unit].get("pre"):
        same = same and conversion(target, unit) == [0, below, above]
    return same


def test_values_arrive_exactly_and_are_turned_back_to_what_they_were() -> None:
    compared = 0
    for unit, target in sorted(pairs_used()):
        found = conversion(unit, target)
        assert found is not None
        shift, above, below = found
        wanted_factor = worth(unit)[0] / worth(target)[0]
        for text in VALUES:
            value = parse(text)
            sent = scaled(plus(value, shift), above, below)  # type: ignore[arg-type]
            wanted = (fraction(value) + fraction(shift)) * wanted_factor
            assert sent is not None
            digits = _digits(wanted)
            assert abs(fraction(sent) - wanted) <= abs(wanted) / 10**digits, (unit, target, text)
            back = minus(scaled(sent, below, above), shift)  # type: ignore[arg-type]
            assert back is not None
            largest = max(abs(fraction(value)), abs(fraction(shift)))
            assert abs(fraction(back) - fraction(value)) <= largest / 10**digits, (unit, text)
            compared += 1
    assert compared >= 10 * USED_MIN


def _digits(wanted: Fraction) -> int:
    """How many digits must be right: all that a decimal has, or those of a quotient."""
    rest = wanted.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return 17 if rest == 1 else QUOTIENT_DIGITS - 1


def test_a_conversion_that_ends_loses_nothing() -> None:
    value = Decimal(12345678901234567, -3)
    for unit, target in (("mg/L", "mg/l"), ("kPa", "hPa"), ("µS/cm", "S/m"), ("Wh", "kWh")):
        found = conversion(unit, target)
        assert found is not None
        sent = scaled(value, found[1], found[2])
        assert fraction(sent) == fraction(value) * worth(unit)[0] / worth(target)[0]
