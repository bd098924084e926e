"""What units are worth, from the definitions of the SI and NIST SP 811, in exact fractions.

Written without a look at profiles/units.jsonl, to be held against it: a unit's spelling is read,
prefix and symbol, and each symbol is worth what its definition says.
"""

from __future__ import annotations

import re
from fractions import Fraction

PREFIXES = {
    "G": Fraction(10**9),
    "M": Fraction(10**6),
    "k": Fraction(10**3),
    "h": Fraction(100),
    "d": Fraction(1, 10),
    "c": Fraction(1, 100),
    "m": Fraction(1, 10**3),
    "u": Fraction(1, 10**6),
    "n": Fraction(1, 10**9),
    "p": Fraction(1, 10**12),
    "": Fraction(1),
}
FOOT = Fraction(3048, 10000)  # international foot, SP 811 B.6
POUND = Fraction(45359237, 10**8)
GRAVITY = Fraction(980665, 10**5)  # standard acceleration of free fall
MERCURY = Fraction(135951, 10)  # kg/m³, conventional
WATER = 1000  # kg/m³, conventional
HOUR, DAY = 3600, 86400
GALLON = 231 * (FOOT / 12) ** 3
CALORIE = Fraction(41868, 10**4)  # International Table

# Symbols that take a prefix: worth, and what they are made of. Volt-ampere and var keep apart
# from the watt, bytes from counts: alike in dimension, they are not the same quantity.
SYMBOLS: dict[str, tuple[Fraction | int, str]] = {
    **{one: (1, one) for one in ("m", "s", "A", "K", "cd", "mol", "rad", "sr", "bit")},
    **{one: (1, one) for one in ("VA", "var", "lm", "kat", "deg", "Cel")},
    "g": (Fraction(1, 1000), "kg"),
    "Hz": (1, "1/s"),
    "N": (1, "kg m/s2"),
    "Pa": (1, "kg/m/s2"),
    "J": (1, "kg m2/s2"),
    "W": (1, "kg m2/s3"),
    "C": (1, "A s"),
    "V": (1, "kg m2/s3/A"),
    "F": (1, "A2 s4/kg/m2"),
    "Ohm": (1, "kg m2/s3/A2"),
    "S": (1, "A2 s3/kg/m2"),
    "Wb": (1, "kg m2/s2/A"),
    "T": (1, "kg/s2/A"),
    "H": (1, "kg m2/s2/A2"),
    "lx": (1, "lm/m2"),
    "Bq": (1, "Bq"),
    "Gy": (1, "Gy"),
    "Sv": (1, "Sv"),
    "Ci": (37 * 10**9, "Bq"),
    "L": (Fraction(1, 1000), "m3"),
    "l": (Fraction(1, 1000), "m3"),
    "bar": (10**5, "kg/m/s2"),
    "Gal": (Fraction(1, 100), "m/s2"),
    "t": (1000, "kg"),
    "B": (8, "bit"),
    "Wh": (HOUR, "kg m2/s2"),
    "VAh": (HOUR, "VA s"),
    "VAs": (1, "VA s"),
    "varh": (HOUR, "var s"),
    "vars": (1, "var s"),
    "Ah": (HOUR, "A s"),
    "Wp": (1, "kg m2/s3"),
    "cal": (CALORIE, "kg m2/s2"),
}
# Words that take none.
WORDS: dict[str, tuple[Fraction | int, str]] = {
    **{one: (1, one) for one in ("lat", "lon", "pH", "dB", "dBW", "count", "%LEL", "PSU", "dH")},
    **{one: (1, one) for one in ("RFU", "NTU")},
    # Scales of the same suspension, formazin (ISO 7027-1, EPA 180.1).
    **dict.fromkeys(("FNU", "FTU"), (1, "NTU")),
    **{one: (Fraction(1, 100), "") for one in ("%", "%RH", "%EL", "%vol", "Vol%")},
    "ppth": (Fraction(1, 1000), ""),
    "ppm": (Fraction(1, 10**6), ""),
    "‰": (Fraction(1, 1000), ""),
    "ppb": (Fraction(1, 10**9), ""),
    "ppt": (Fraction(1, 10**12), ""),
    "ratio": (1, ""),
    "uε": (Fraction(1, 10**6), ""),
    "EL": (1, "s"),
    "min": (60, "s"),
    "h": (HOUR, "s"),
    "d": (DAY, "s"),
    "dB(A)": (1, "dB"),
    "dBA": (1, "dB"),
    "dBm": (1, "dBW"),
    "rpm": (Fraction(1, 60), "1/s"),
    "cpm": (Fraction(1, 60), "1/s"),
    "cps": (1, "1/s"),
    "beat": (1, ""),
    "cells": (1, ""),
    "pcs": (1, ""),
    "#": (1, ""),
    "°": (1, "deg"),
    "arcsec": (Fraction(1, 3600), "deg"),
    "°dH": (1, "dH"),
    "°C": (1, "Cel"),
    "℃": (1, "Cel"),
    "K": (1, "Cel"),
    "°F": (Fraction(5, 9), "Cel"),
    "KiB": (8 * 1024, "bit"),
    "MiB": (8 * 1024**2, "bit"),
    "ft": (FOOT, "m"),
    "in": (FOOT / 12, "m"),
    "mi": (5280 * FOOT, "m"),
    "mph": (5280 * FOOT / HOUR, "m/s"),
    "kn": (Fraction(1852, HOUR), "m/s"),
    "gn": (GRAVITY, "m/s2"),
    "kgf": (GRAVITY, "kg m/s2"),
    "psi": (POUND * GRAVITY / (FOOT / 12) ** 2, "kg/m/s2"),
    "atm": (101325, "kg/m/s2"),
    "mmHg": (MERCURY * GRAVITY / 1000, "kg/m/s2"),
    "inHg": (MERCURY * GRAVITY * FOOT / 12, "kg/m/s2"),
    "mH2O": (WATER * GRAVITY, "kg/m/s2"),
    "cmH2O": (WATER * GRAVITY / 100, "kg/m/s2"),
    "mmH2O": (WATER * GRAVITY / 1000, "kg/m/s2"),
    "mmWC": (WATER * GRAVITY / 1000, "kg/m/s2"),
    "inH2O": (WATER * GRAVITY * FOOT / 12, "kg/m/s2"),
    "gal(US)": (GALLON, "m3"),
    "BTU": (POUND * 1000 * CALORIE * Fraction(5, 9), "kg m2/s2"),
    "Nm": (1, "kg m2/s2 torque"),
    "N.m": (1, "kg m2/s2 torque"),
}
OTHER_SPELLINGS = {
    "lux": "lx",
    "klux": "klx",
    "ohm": "Ohm",
    "VAr": "var",
    "VAR": "var",
    "%rh": "%RH",
}
OTHER_SPELLINGS |= {"kVAr": "kvar", "kVAR": "kvar", "kVArh": "kvarh", "%VOL": "%vol", "psu": "PSU"}
# What counts from a shifted zero: so much is added to a value, before the factor.
SHIFTS = {"K": Fraction(-27315, 100), "°F": Fraction(-32), "dBm": Fraction(-30)}

Worth = tuple[Fraction, dict[str, int]]


def worth(unit: str) -> Worth:
    """Return what 1 `unit` is: a factor, and powers of what it is made of."""
    text = unit.translate(str.maketrans("µμ²³·", "uu23."))
    text = text.replace("Ω", "Ohm")
    text = OTHER_SPELLINGS.get(text, text)
    if text in WORDS:
        return _defined(WORDS[text])
    if re.fullmatch(r"/1?0*", text):
        return Fraction(1, int(text[1:] or "1")), {}
    above, *below = re.sub(r"/\((.*)\)$", r"/\1", text).split("/")
    factor, powers = _product(above, 1)
    for one in below:
        more, more_powers = _product(one, -1)
        factor *= more
        _add(powers, more_powers, 1)
    return factor, powers


def _product(text: str, sign: int) -> Worth:
    factor, powers = Fraction(1), dict[str, int]()
    for one in text.split("."):
        if one == "1":
            continue
        found = re.fullmatch(r"(\D+)([23]?)", one)
        assert found, text
        power = sign * int(found.group(2) or 1)
        value, inside = _symbol(found.group(1))
        factor *= value**power
        _add(powers, inside, power)
    return factor, powers


def _symbol(text: str) -> Worth:
    if text in WORDS and text != "K":
        return _defined(WORDS[text])
    # "min" is no milli-inch and "Pa" no peta-year: the whole word goes first, then the prefix.
    for prefix in ("", *PREFIXES):
        if text.startswith(prefix) and text[len(prefix) :] in SYMBOLS:
            value, powers = _defined(SYMBOLS[text[len(prefix) :]])
            return value * PREFIXES[prefix], powers
    raise KeyError(text)


def _defined(definition: tuple[Fraction | int, str]) -> Worth:
    factor, text = definition
    powers: dict[str, int] = {}
    above, *below = text.split("/")
    for sign, group in [(1, above), *((-1, one) for one in below)]:
        for one in group.split():
            found = re.fullmatch(r"(.*?)(\d?)", one)
            assert found
            if found.group(1) and found.group(1) != "1":
                _add(powers, {found.group(1): int(found.group(2) or 1)}, sign)
    return Fraction(factor), powers


def _add(powers: dict[str, int], more: dict[str, int], times: int) -> None:
    for name, power in more.items():
        powers[name] = powers.get(name, 0) + times * power
        if not powers[name]:
            del powers[name]
