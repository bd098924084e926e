"""What the words of a profile mean: keys, types, problems, kinds and units, from their tables.

Knows the tables of drivers/profile and the registries; knows no profile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.profile import schema, schema_bus, units_cpython, vocabulary_cpython
from drivers.profile.decode import ORDERS, TYPES, arrange, split_type
from drivers.profile.vocabulary_cpython import LANGUAGES
from gateway.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

_TABLES: tuple[tuple[str, schema.Table], ...] = (
    ("a profile", schema.PROFILE),
    *schema.SECTIONS.items(),
    *((f"a message of {bus}", table) for bus, table in schema_bus.MESSAGES.items()),
    *((word, table) for word, (table, _) in schema.MAPS.items()),
    ("a channel", schema.CHANNEL),
    ("write", schema.WRITE),
    ("a step", schema.STEP),
    ("a setting", schema.SETTING),
    ("a test", schema.TEST),
)
_SIZES = {
    "bool": "true or false: anything but 0 is true",
    "u": "whole number from 0 up",
    "s": "whole number with a sign, in two's complement",
    "sm": "whole number, whose highest bit is the sign",
    "f": "real number (IEEE 754)",
    "bcd": "decimal digits, four bits each",
    "sbcd": "decimal digits, four bits each; the highest bit is the sign",
    "str": "text of that many bytes, up to the first zero byte",
    "hex": "that many bytes, sent as hexadecimal digits",
}
# What the forms of the tables look like in a file.
FORMS: dict[str, str] = {
    "text": "a text",
    "texts": "a list of texts",
    "word": "a word of small letters, digits and _",
    "yes": "true or false",
    "number": "a number",
    "int": "a whole number {0}..{1}",
    "one": "one of {}",
    "type": "a type: explain type",
    "time": "a time such as 500ms, 10s, 5m",
    "every": "500ms, 10s, 5m, 1h, 1d, once or never",
    "bits": "3 or 4..7",
    "range": "lo..hi, one of them may be absent",
    "raws": "a raw value or a list of them",
    "map": "a map {{raw: word or number}}",
    "flags": "a map {{bit: name}}",
    "hexes": "bytes in hex (in profiles of texts: a text in quotes), or a list of such",
    "mark": "bytes in hex, or a text in a message of text",
    "marks": "bytes in hex or a text, or a list of such",
    "fixed": "a map {{place of a byte, -1 for the last: bytes in hex}}",
    "length": "10, [10, 32], 8..40, or {{at, type, plus, order}}",
    "check": "the name of a check sum, or {{is, from, seed}}",
    "wake": "bytes in hex, or {{send, wait}}",
    "ask": "bytes in hex or a text, with names in braces",
    "uuid": "4 hex digits, or a whole UUID",
    "company": "a number such as 0x0499, or any",
    "patterns": "a name in which * is any text, or a list of such",
    "module": "a Python module",
    "title": "a text, or {{en, zh, ja}}",
    "regex": "a pattern with one pair of brackets",
    "place": "a table, message or identifier",
    "image": "a map {{address: words in hex}}",
    "expr": "an expression",
    "scalar": "a value",
    "node": "keys of its own",
}

GRADES = {
    "bronze": "no error; a test for every channel that is not hidden; 'docs' names the manual",
    "silver": "bronze, no warning, a way to know the device, a test without a value, checked "
    "against a manual or a device, titles in English and Chinese",
    "gold": "silver, checked against a real device, and a test with a frame as on the wire",
}


def words() -> list[str]:
    """Return every word that can be explained."""
    keys = [key for _, table in _TABLES for key, _, _ in table]
    sized = [f"{base}{size}" for base, sizes in TYPES.items() for size in sizes if base != "bool"]
    registries = [*units_cpython.kinds(), *units_cpython.units()]
    registries += [*schema.CATEGORIES, *vocabulary_cpython.ids(), *GRADES]
    return list(dict.fromkeys([*keys, *sized, "bool", *ORDERS, *schema.CODES, *registries]))


def _category(word: str) -> list[str]:
    if word not in schema.CATEGORIES:
        return []
    return [f"{word} (device category): what a profile's 'kind' says it is"]


def _grade(word: str) -> list[str]:
    return [f"{word} (grade): {GRADES[word]}"] if word in GRADES else []


def _id(word: str) -> list[str]:
    row = vocabulary_cpython.usual(word)
    if not row:
        return []
    kind = row.get("kind", "")
    titles = [vocabulary_cpython.title(word, kind, None, lang) for lang in LANGUAGES]
    unit = row.get("unit") or units_cpython.kinds().get(kind, {}).get("unit", "")
    told = [f"usually of kind {kind}"] if kind else []
    told += [f"usually in {unit}"] if unit and unit != "/" else []
    return [f"{word} (channel id): {'; '.join([', '.join(dict.fromkeys(titles)), *told])}"]


def explain(word: str) -> list[str]:
    """Return what a word means, a line each; [] if it means nothing here."""
    makers: tuple[Callable[[str], list[str]], ...] = (
        *(_code, _type, _order, _key, _kind, _unit),
        *(_category, _id, _grade),
    )
    return [line for make in makers for line in make(word)]


def form(text: str) -> str:
    """Return a form of the tables ("int 0 255") as people say it."""
    name, _, argument = text.partition(" ")
    words = argument.split()
    return FORMS[name].format(*([", ".join(words)] if name == "one" else words))


def _code(word: str) -> list[str]:
    meaning = schema.CODES.get(word)
    if meaning is None:
        return []
    kind = "error, the profile is not used" if word.startswith("E") else "warning"
    return [f"{word} ({kind}): {meaning}"]


def _key(word: str) -> list[str]:
    places: dict[tuple[str, str], list[str]] = {}
    for name, table in _TABLES:
        for key, form_name, purpose in table:
            if key == word:
                places.setdefault((purpose, form(form_name)), []).append(name)
    found = []
    for (purpose, said), names in places.items():
        found += [f"{word} in {', '.join(names)}: {purpose}", f"  {said}"]
    if word == "type":
        for base, sizes in TYPES.items():
            sized = "bool" if base == "bool" else " ".join(f"{base}{size}" for size in sizes)
            found.append(f"  {sized}: {_SIZES[base]}")
        found += [f"  {base}N: {_SIZES[base]}" for base in ("str", "hex")]
    if word == "order":
        found += [line for one in ORDERS for line in _order(one)]
    return found


def _order(word: str) -> list[str]:
    if word not in ORDERS:
        return []
    data = arrange(bytes.fromhex("0A0B0C0D"), word)
    return [f"  {word}: 0x0A0B0C0D stands as {data.hex(' ').upper()} on the wire"]


def _type(word: str) -> list[str]:
    try:
        base, size = split_type(word)
    except ConfigError:
        return []
    if base in ("str", "hex"):
        return [f"{word}: {size} bytes; {_SIZES[base]}"]
    ends = span(base, size)
    told = f"; {ends[0]}..{ends[1]}" if ends else ""
    return [f"{word}: {size} bit{'s' if size > 1 else ''}; {_SIZES[base]}{told}"]


def span(base: str, size: int) -> tuple[int, int] | None:
    """Return the lowest and highest whole number of a type, None if it holds no such."""
    spans = {
        "u": (0, (1 << size) - 1),
        "s": (-(1 << size - 1), (1 << size - 1) - 1),
        "sm": (1 - (1 << size - 1), (1 << size - 1) - 1),
        "bcd": (0, 10 ** (size // 4) - 1),
        "sbcd": (1 - 8 * 10 ** (size // 4 - 1), 8 * 10 ** (size // 4 - 1) - 1),
    }
    return spans.get(base)


def _kind(word: str) -> list[str]:
    row = units_cpython.kinds().get(word)
    if row is None:
        return []
    titles = ", ".join(row[lang] for lang in ("en", "zh", "ja") if lang in row)
    note = f"; {row['note']}" if row.get("note") else ""
    return [f"{word} (kind): {titles}; sent in {row['unit']}{note}"]


def _unit(word: str) -> list[str]:
    row = units_cpython.units().get(word)
    if row is None:
        return []
    base = (
        ""
        if row["base"] == row["wire"] and row["factor"] == "1"
        else f" = {row['factor']} {row['base']}"
    )
    return [f"{word} (unit): sent as {row['wire']}{base}"]
