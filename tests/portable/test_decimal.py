from gateway.core.decimal import Decimal, add, decimal, from_float, multiply, parse


def test_decimal_equal_numbers_are_equal_values() -> None:
    assert decimal(230, -1) == 23
    assert decimal(2340, -2) == decimal(234, -1) == Decimal(234, -1)
    assert decimal(0, -3) == 0
    assert decimal(5, 3) == 5000


def test_decimal_text_is_read_exactly() -> None:
    for text, value in (
        ("0.1", decimal(1, -1)),
        ("-4.00", -4),
        ("1e-05", decimal(1, -5)),
        ("2.5E3", 2500),
        (".5", decimal(5, -1)),
    ):
        assert parse(text) == value, text


def test_decimal_text_that_is_no_number_is_refused() -> None:
    for text in ("", ".", "1.2.3", "0x10", "1e", "nan", "inf", "1e99", "--1"):
        try:
            parse(text)
        except ValueError:
            continue
        assert False, text


def test_decimal_arithmetic_has_no_float_noise() -> None:
    tenth = parse("0.1")
    assert add(multiply(2, tenth), tenth) == parse("0.3")
    assert multiply(parse("0.25"), 4) == 1
    assert add(parse("-0.05"), 500) == parse("499.95")


def test_decimal_shows_as_people_write_it() -> None:
    for text in ("0.1", "-0.05", "12.345", "1206.42"):
        assert str(parse(text)) == text
    assert float(parse("-0.05")) == -0.05


def test_decimal_of_a_float_has_the_digits_asked_for() -> None:
    assert from_float(230.1999969482422, 7) == parse("230.2")
    assert from_float(-0.0, 7) == 0
    assert from_float(1234567.0, 7) == 1234567
