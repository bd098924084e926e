"""The many spellings of register types, byte orders, tables, units and scales, in our words.

Knows what other formats and manuals in English, Chinese and German write; "" means: not known.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

from drivers.profile import units_cpython
from gateway.core.decimal import Decimal, decimal, parse

if TYPE_CHECKING:
    from gateway.core.decimal import Number

DIGITS_MAX = 12  # of a factor such as 1/3, which has no end
NUMBER_MAX = 10**15  # a factor beyond it is a mistake, and so is one over it

_SIGNED = re.compile(
    r"^(s|i|int|sint|signed|short|long|s_)|有符号|(?<!un)signed|(?<!ohne )vorzeichen"
)
_UNSIGNED = re.compile(r"^(u|dw|w)|\d ?u\b|unsigned|无符号|word|vorzeichenlos|ohne vorzeichen|byte")
_FLOAT = re.compile(r"float|real|浮点|ieee|single|gleitkomma|fliess|fließ")
_DOUBLE = re.compile(r"double|双精度|float64|f64|lreal")
_TEXT = re.compile(r"^(str|char|ascii|text)|字符|zeichenkette|string")
_LETTERS = {
    "abcd": "ABCD",
    "dcba": "DCBA",
    "cdab": "CDAB",
    "badc": "BADC",
    "abcdefgh": "ABCD",
    "hgfedcba": "DCBA",
    "ghefcdab": "CDAB",
    "badcfehg": "BADC",
}
_BITS_OF = {"short": 16, "word": 16, "dword": 32, "qword": 64, "long": 32, "byte": 8}
_TABLES = {
    "holding": ("holding", "hold", "hr", "4x", "3", "03", "0x03", "保持", "halteregister"),
    "input": (
        "input register",
        "input reg",
        "ir",
        "3x",
        "4",
        "04",
        "0x04",
        "输入寄存器",
        "input",
        "eingangsregister",
    ),
    "coil": ("coil", "0x", "1", "01", "0x01", "线圈", "spule", "output coil"),
    "discrete": ("discrete", "1x", "2", "02", "0x02", "离散", "contact", "input status"),
}
_UNITS = {
    "celsius": "°C",
    "deg c": "°C",
    "degc": "°C",
    "degrees celsius": "°C",
    "C": "°C",
    "℃": "°C",
    "摄氏度": "°C",
    "fahrenheit": "°F",
    "volt": "V",
    "volts": "V",
    "伏": "V",
    "伏特": "V",
    "amp": "A",
    "amps": "A",
    "ampere": "A",
    "amperes": "A",
    "安": "A",
    "安培": "A",
    "watt": "W",
    "watts": "W",
    "瓦": "W",
    "千瓦": "kW",
    "千瓦时": "kWh",
    "hertz": "Hz",
    "赫兹": "Hz",
    "percent": "%",
    "pct": "%",
    "prozent": "%",
    "%rh": "%RH",
    "rh%": "%RH",
    "%r.h.": "%RH",
    "vars": "var",
    "kvars": "kvar",
    "secs": "s",
    "sec": "s",
    "seconds": "s",
    "second": "s",
    "msecs": "ms",
    "mps": "m/s",
    "meters": "m",
    "秒": "s",
    "mins": "min",
    "minute": "min",
    "minutes": "min",
    "分钟": "min",
    "hours": "h",
    "hour": "h",
    "hrs": "h",
    "小时": "h",
    "stunden": "h",
    "day": "d",
    "days": "d",
    "degrees": "deg",
    "degree": "deg",
    "度": "deg",
    "grad": "deg",
    "ohms": "Ω",
    "cos": "ratio",
    "cos()": "ratio",
    "r/min": "rpm",
    "u/min": "rpm",
    "m^3": "m³",
    "m^3/h": "m³/h",
    "cbm": "m³",
    "立方米": "m³",
    "米": "m",
    "毫米": "mm",
    "ug/m^3": "µg/m³",
    "mg/m^3": "mg/m³",
    "w/m^2": "W/m²",
    "us/cm": "µS/cm",
    "千帕": "kPa",
    "帕": "Pa",
    "兆帕": "MPa",
}


def wire_type(text: str, registers: int = 0, bytes_each: int = 0) -> str:
    """Return our type for another's word, of `registers` or `bytes_each` if it names no size."""
    word = " ".join(text.lower().replace("_", " ").replace("-", " ").split())
    size = _size(word, registers, bytes_each)
    if not word:
        return {0: "", 16: "u16", 32: "", 64: ""}.get(size, "")
    if _TEXT.search(word):
        return f"str{size // 8}" if 0 < size <= 2000 else ""
    if re.match(r"bool|bit(?!field|map|s)|switch|开关|coil", word):
        return "bool"
    if re.search(r"(?<!a)bcd", word):
        return f"bcd{size}" if size in (8, 16, 24, 32, 48, 64) else ""
    if _DOUBLE.search(word):
        return "f64"
    if _FLOAT.search(word) or re.match(r"f(p)?(16|32|64)?\b", word):
        return f"f{size}" if size in (16, 32, 64) and re.search(r"16|64", word) else "f32"
    if size not in (8, 16, 24, 32, 48, 64):
        return ""
    if _UNSIGNED.search(word) and not _is_signed_first(word):
        return f"u{size}"
    if _SIGNED.search(word):
        return f"s{size}"
    return f"u{size}" if re.search(r"enum|bitmap|bitfield|hex|bits|raw|count|acc|位", word) else ""


def wire_order(text: str) -> str:
    """Return ABCD, DCBA, CDAB or BADC for words about byte or word order.

    Little-endian alone is not known: half the manuals mean the words, half the bytes.
    """
    lower = text.lower()
    letters = re.search(r"\b([a-h])([- ]?[a-h]){3}(([- ]?[a-h]){4})?\b", lower)
    if letters:
        return _LETTERS.get(re.sub("[- ]", "", letters.group()), "")
    words = set(re.sub(r"[^a-z]+", " ", lower.replace("wordswap", "word swap")).split())
    swapped = {"swap", "swapped", "reversed"} & words
    if swapped and "word" in words:
        return "BADC" if "little" in words else "CDAB"
    if swapped and "byte" in words:
        return "CDAB" if "little" in words else "BADC"
    return "ABCD" if {"big", "be", "msw", "msb"} & words and not swapped else ""


def wire_table(text: str) -> str:
    """Return holding, input, coil or discrete for a function code or a name."""
    word = " ".join(text.lower().replace("_", " ").split())
    if re.search(r"[0-9]", word) and not word.isdigit():
        codes = re.findall(
            r"(?:0x)?0?([1-4])(?![0-9x])", re.sub(r"\b(?:0x)?(0?[56]|1[056]|0f)\b", "", word)
        )
        if codes:
            word = codes[0]
    if word.isdigit():
        word = str(int(word))
    for table, words in _TABLES.items():
        if word in words:
            return table
    for table, words in (
        ("discrete", _TABLES["discrete"]),
        ("coil", _TABLES["coil"]),
        *_TABLES.items(),
    ):
        if any(one in word for one in words if len(one) > 3 or not one.isascii()):
            return table
    return ""


def known_unit(text: str) -> str:
    """Return the registry's spelling of a unit, or the text as it is if nobody knows it."""
    word = " ".join(text.strip().strip("[]()").split())
    if word.lower() in ("", "-", "--", "—", "n/a", "none", "null", "无", "/", "1", "1/1"):
        return ""
    known = units_cpython.units()
    if word in _UNITS:
        return _UNITS[word]
    for tried in (word, word.replace(" ", ""), word.replace("·", "").replace(".", "")):
        if tried in known and tried not in ("C", "F", "G"):
            return tried
    lower = word.lower()
    if lower in _UNITS:
        return _UNITS[lower]
    for tried in known:
        if tried.lower() == lower.replace(" ", "") and tried not in (
            "MW",
            "mW",
            "Mvar",
            "MHz",
            "mHz",
        ):
            return tried
    return word


def exact(value: Fraction) -> Number | None:
    """Return a fraction as a whole number or Decimal; None if it needs too many digits."""
    scaled = value
    for exponent in range(DIGITS_MAX + 1):
        if scaled.denominator == 1 and abs(scaled.numerator) < NUMBER_MAX:
            return decimal(scaled.numerator, -exponent)
        scaled *= 10
    return None


def fraction(text: str) -> Fraction | None:
    """Return a number written as 0.1, 1/10, 1,5 or 1e-3; None if it is none."""
    word = text.strip().replace(" ", "")
    if re.fullmatch(r"[-+]?[0-9]+,[0-9]+", word):
        word = word.replace(",", ".")
    above, slash, below = word.partition("/")
    try:
        top, bottom = of_number(parse(above)), of_number(parse(below)) if slash else Fraction(1)
    except (ValueError, IndexError):
        return None
    found = top / bottom if bottom else None
    bounded = found is not None and max(abs(found.numerator), found.denominator) < NUMBER_MAX
    return found if bounded else None


def of_number(value: Number) -> Fraction:
    """Return an exact number as a fraction."""
    if isinstance(value, Decimal):
        return Fraction(value.mantissa, 10**-value.exponent)
    return Fraction(value)


def whole(text: str) -> int | None:
    """Return a whole number in decimal, 0x… or …h; None if it is none."""
    word = text.strip().replace(" ", "").lower()
    if re.fullmatch(r"[0-9]{1,18}", word):
        return int(word)
    found = re.fullmatch(r"0x([0-9a-f]{1,16})|([0-9a-f]{1,16})h", word)
    return int(found.group(1) or found.group(2), 16) if found else None


def _is_signed_first(word: str) -> bool:
    if re.search(r"\d ?u(nsigned)?\b", word):
        return False
    return bool(re.match(r"(signed|s ?(8|16|24|32|48|64)|s ?d?word|有符号)", word))


def _size(word: str, registers: int, bytes_each: int) -> int:
    found = re.search(r"(?<![0-9])(8|16|24|32|48|64)(?![0-9])", word)
    if _TEXT.search(word):
        found = None
        length = re.search(r"([0-9]{1,3})", word)
        if length and not registers:
            return 8 * int(length.group(1))
    if found:
        return int(found.group(1))
    if registers:
        return 16 * registers
    if bytes_each:
        return 8 * bytes_each
    for name, bits in sorted(_BITS_OF.items(), key=lambda one: -len(one[0])):
        if name in word:
            return bits
    return 32 if _FLOAT.search(word) else 64 if _DOUBLE.search(word) else 16
