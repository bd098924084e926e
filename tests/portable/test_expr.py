from drivers.profile.expr import check, evaluate, operands
from gateway.core.decimal import parse
from gateway.core.errors import ConfigError

D = parse


def refused(code):
    try:
        check(code)
    except ConfigError:
        return True
    return False


def test_expr_computes_what_a_level_probe_needs():
    # x / 10 ** decimals * (0.01 if unit == "cm" else 0.001)
    code = ["x", 10, "decimals", "**", "/", "unit", "'cm", "==", D("0.01"), D("0.001"), "if", "*"]
    assert evaluate(code, {"decimals": 1, "unit": "cm"}, {}, 1111) == D("1.111")
    assert evaluate(code, {"decimals": 1, "unit": "mm"}, {}, 1111) == D("0.1111")


def test_expr_missing_operand_makes_it_none():
    assert evaluate(["a", 1, "+"], {}, {}) is None
    assert evaluate(["a", 1, "+"], {"a": None}, {}) is None
    assert evaluate(["a", 1, "+"], {}, {"a": 2}) == 3
    assert evaluate(["x", 1, "+"], {}, {}) is None


def test_expr_known_values_go_before_settings():
    assert evaluate(["a"], {"a": 1}, {"a": 2}) == 1


def test_expr_only_the_branch_taken_must_have_a_value():
    code = ["c", "a", "b", "if"]
    assert evaluate(code, {"c": True, "a": 1}, {}) == 1
    assert evaluate(code, {"c": False, "b": 2}, {}) == 2
    assert evaluate(code, {"c": True, "b": 2}, {}) is None
    assert evaluate(code, {"a": 1, "b": 2}, {}) is None


def test_expr_one_operand_decides_and_or():
    assert evaluate(["a", "b", "or"], {"a": True}, {}) is True
    assert evaluate(["a", "b", "or"], {"b": True}, {}) is True
    assert evaluate(["a", "b", "or"], {"b": False}, {}) is None
    assert evaluate(["a", "b", "and"], {"a": False}, {}) is False
    assert evaluate(["a", "b", "and"], {"a": True}, {}) is None
    assert evaluate(["a", "b", "and"], {"a": 3, "b": "word"}, {}) is True


def test_expr_text_takes_no_part_in_arithmetic():
    assert evaluate(["'a", 1, "+"], {}, {}) is None
    assert evaluate(["'a", "'b", "<"], {}, {}) is None
    assert evaluate(["'a", "neg"], {}, {}) is None
    assert evaluate(["'a", 1, "=="], {}, {}) is False
    assert evaluate(["'a", 1, "!="], {}, {}) is True


def test_expr_bool_counts_as_a_number():
    assert evaluate([True, 1, "=="], {}, {}) is True
    assert evaluate([True, 1, "+"], {}, {}) == 2
    assert evaluate(["x", "not"], {}, {}, 0) is True


def test_expr_bits_want_whole_numbers_and_short_shifts():
    assert evaluate([0xF0, 0x3C, "&"], {}, {}) == 0x30
    assert evaluate([0xF0, 0x0F, "|"], {}, {}) == 0xFF
    assert evaluate([0xF0, 0xFF, "^"], {}, {}) == 0x0F
    assert evaluate([1, 63, "<<"], {}, {}) == 1 << 63
    assert evaluate([1, 64, "<<"], {}, {}) is None
    assert evaluate([3, 63, "<<"], {}, {}) is None
    assert evaluate([1, -1, "<<"], {}, {}) is None
    assert evaluate([D("1.5"), 1, "&"], {}, {}) is None


def test_expr_functions():
    assert evaluate([-3, "abs"], {}, {}) == 3
    assert evaluate([D("-3.7"), "int"], {}, {}) == -3
    assert evaluate([2, "sqrt"], {}, {}) == D("1.41421356237")
    assert evaluate([-2, "sqrt"], {}, {}) is None
    assert evaluate([1, "exp"], {}, {}) == D("2.71828182846")
    assert evaluate([-2, "neg", "exp"], {}, {}) == D("7.38905609893")
    assert evaluate([44, "exp"], {}, {}) is None
    assert evaluate([1 << 60, "exp"], {}, {}) is None
    assert evaluate([-(1 << 60), "exp"], {}, {}) == 0
    assert evaluate(["'a", "exp"], {}, {}) is None
    assert evaluate([0, "log"], {}, {}) is None
    assert evaluate([1, "log"], {}, {}) == 0
    assert evaluate([D("2.5"), "rint"], {}, {}) == 3
    assert evaluate([D("2.345"), 2, "round"], {}, {}) == D("2.35")
    assert evaluate([D("2.345"), -1, "round"], {}, {}) is None
    assert evaluate([3, 7, "min", 5, "max"], {}, {}) == 5


def test_expr_comparisons_are_exact():
    assert evaluate([D("0.3"), D("0.1"), D("0.2"), "+", "=="], {}, {}) is True
    for a in (-1, 0, D("0.5"), 1):
        for b in (-1, 0, D("0.5"), 1):
            assert evaluate([a, b, "<"], {}, {}) is (float(a) < float(b))
            assert evaluate([a, b, "<="], {}, {}) is (float(a) <= float(b))
            assert evaluate([a, b, ">"], {}, {}) is (float(a) > float(b))
            assert evaluate([a, b, ">="], {}, {}) is (float(a) >= float(b))
            assert evaluate([a, b, "=="], {}, {}) is (float(a) == float(b))


def test_expr_broken_code_is_refused_before_it_runs():
    check([1, 2, "+"])
    assert refused([])
    assert refused([1, "+"])
    assert refused([1, 2])
    assert refused(["+"])
    assert refused([1, 2, "if"])
    assert refused([1, ""])
    assert refused([1.5])
    assert refused([[1]])
    assert refused([1] * 200)
    assert refused("x")


def test_expr_operands_are_names_only():
    assert operands(["x", "a", "'b", "+", 1, "min", "zone1.t"]) == ["a", "zone1.t"]
