import re

from drivers.profile.regex import BadPattern, check

# pattern, text, what it takes (None: nothing)
GOOD = [
    ("^Acc +([0-9.]+)", "Acc  0.01 mm, EventAcc 2", "0.01"),
    ("^Acc.*EventAcc +([0-9.]+)", "Acc 0.01 mm, EventAcc 2.07 mm", "2.07"),
    ("T=([-+0-9.]+)", "H=5 T=-3.5 C", "-3.5"),
    ("^[^,]*,[^,]*,([^,]*)", "a,b,c,d", "c"),
    ("(?:on|off) ([a-z]+)", "is off now", "now"),
    ("^(?:ab)+([0-9])", "abab7", "7"),
    ("([+-]?[0-9]+\\.?[0-9]*)", "x -12.5", "-12.5"),
    ("\\$([A-F\\d]+)\\*", "$0AF*", "0AF"),
    ("([\\w]+)\\s([\\d])?".replace("([\\d])?", "\\d?"), "a_1 2", "a_1"),
    ("^([0-9]+)$", "12a", None),
    ("^(a|b)c", "bc", "b"),
    ("\\{([0-9])\\}", "{7}", "7"),
    ("[a-]([0-9])", "-4", "4"),
]
# pattern, the place of the mistake, whether it is that it may never end
BAD = [
    ("", 0, False),
    ("a" * 101, 0, False),
    ("[0-9]+", 0, False),
    ("(a)(b)", 0, False),
    ("(a", 0, False),
    ("(a))", 3, False),
    ("([a", 1, False),
    ("([]a])", 2, False),
    ("([b-a])", 2, False),
    ("(a){2}", 3, False),
    ("(a+?)", 3, False),
    ("(?=a)(b)", 0, False),
    ("(?P<n>a)", 0, False),
    ("(a)\\1", 3, False),
    ("\\b(a)", 0, False),
    ("(a\\", 2, False),
    ("a^(b)", 1, False),
    ("(a)$b", 3, False),
    ("(+)", 1, False),
    ("((((((a))))))", 5, False),
    ("(a+)+", 0, True),
    ("(?:a|ab)*(c)", 0, True),
    ("(.*)x.*y.*z", 5, True),
    ("(.*)x.*y", 5, True),
    ("(a*)a*a*b", 4, True),
    ("a?a?a?a?a?a?a?(b)", 13, True),
]


def test_regex_patterns_that_pass_take_the_same_on_both_pythons():
    for pattern, text, wanted in GOOD:
        check(pattern)
        found = re.compile(pattern).search(text)
        assert (found.group(1) if found else None) == wanted, pattern


def test_regex_mistakes_are_told_at_their_place():
    for pattern, offset, endless in BAD:
        try:
            check(pattern)
        except BadPattern as error:
            assert (error.offset, error.endless) == (offset, endless), (
                pattern,
                error.offset,
                str(error),
            )
            continue
        raise AssertionError(pattern)


def test_regex_what_passes_ends_soon_on_the_worst_texts():
    for pattern in ("^(.*)x.*y", "^x*(x*)y", "(x+)y", "^[^,]*,(.*),x"):
        check(pattern)
        for text in ("x" * 256, "x," * 128, "," * 256):
            re.compile(pattern).search(text)
