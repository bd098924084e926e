from drivers.profile import number
from gateway.core.decimal import Decimal, decimal


def d(text):
    from gateway.core.decimal import parse

    return parse(text)


def test_number_arithmetic_is_exact():
    assert number.plus(d("0.1"), d("0.2")) == d("0.3")
    assert number.minus(1, d("0.9")) == d("0.1")
    assert number.times(d("0.1"), 234) == d("23.4")
    assert number.over(1111, 10) == d("111.1")
    assert number.over(d("0.9607007"), d("0.00980665")) == d("97.9642079609")


def test_number_division_that_never_ends_has_twelve_digits():
    assert number.over(1, 3) == d("0.333333333333")
    assert number.over(2, 3) == d("0.666666666667")
    assert number.over(-200000, 3) == d("-66666.6666667")


def test_number_division_by_zero_is_no_value():
    assert number.over(1, 0) is None
    assert number.floor_over(1, 0) is None
    assert number.remainder(1, 0) is None
    assert number.power(0, -1) is None


def test_number_floor_and_remainder_follow_python():
    for a in (-7, 7, d("7.5"), d("-7.5")):
        for b in (-2, 2, d("0.5")):
            down = number.floor_over(a, b)
            rest = number.remainder(a, b)
            assert number.plus(number.times(down, b), rest) == a
            assert down == int(float(a) // float(b))


def test_number_power_is_bounded():
    assert number.power(10, -3) == d("0.001")
    assert number.power(2, 63) == 1 << 63
    assert number.power(2, 64) is None
    assert number.power(10, 10**9) is None
    assert number.power(9**17, 60) is None
    assert number.power(2, d("0.5")) is None
    assert number.power(0, 0) == 1


def test_number_ints_keep_to_64_bits():
    assert number.plus((1 << 64) - 1, 0) == (1 << 64) - 1
    assert number.plus((1 << 64) - 1, 1) is None
    assert number.minus(-(1 << 63), 1) is None


def test_number_settles_to_eighteen_digits_and_exponent_24():
    assert number.settle(123456789012345678901, -10) == d("12345678901.2345679")
    assert number.settle(15, -25) == d("2e-24")
    assert number.settle(4, -25) == 0
    assert number.settle(1, 25) is None
    assert number.settle(0, 30) == 0


def test_number_rounds_halves_away_from_zero():
    assert number.rounded(d("2.5"), 0) == 3
    assert number.rounded(d("-2.5"), 0) == -3
    assert number.rounded(d("2.345"), 2) == d("2.35")
    assert number.rounded(d("2.3"), 2) == d("2.3")


def test_number_whole_cuts_towards_zero():
    assert number.whole(d("2.9")) == 2
    assert number.whole(d("-2.9")) == -2


def test_number_from_real_has_the_digits_a_person_would_write():
    assert number.from_real(0.1 + 0.2, 7) == d("0.3")
    assert number.from_real(230.2, 7) == decimal(2302, -1)
    assert number.from_real(float("nan"), 7) is None
    assert number.from_real(float("inf"), 7) is None
    assert number.from_real(1e30, 7) is None
    assert number.from_real(1e-30, 7) == 0
    assert number.from_real(1.5e-10, 7) == d("1.5e-10")
    assert isinstance(number.from_real(1e-9, 15), Decimal)
