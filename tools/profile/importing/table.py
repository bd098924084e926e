"""Reads a register list: CSV as spreadsheets write it, headings in English, Chinese or German.

Guesses separator, encoding, heading row and how addresses count; says what it did not
understand. Knows no XLSX and no PDF: save those as CSV first.
"""

from __future__ import annotations

import csv
import io
import re
from fractions import Fraction
from typing import TYPE_CHECKING

from drivers.profile.vocabulary_cpython import id_of
from gateway.core.errors import ConfigError
from tools.profile.importing import kinds, terms, words
from tools.profile.importing.draft import Draft, one_line
from tools.profile.importing.linear import Chain

if TYPE_CHECKING:
    from typing import Any

SIZE_MAX = 1024 * 1024  # bytes; the longest register list known to us has 200 KiB
ROWS_MAX = 5_000
COLUMNS_MAX = 64
HEADING_ROWS_MAX = 40  # lines of title and remarks before the table begins

_PAIR = re.compile(r"(?<![\w.])(0x[0-9a-fA-F]+|\d{1,5})\s*[:=：＝\-–—]\s*([^,;，；、|\n:=：＝]+)")
_IN_BRACKETS = re.compile(r"[（(\[]([^（(\[]*)[）)\]]\s*$")
_RANGE = re.compile(r"^(\S+?)\s*(?:-|~|–|…|\.\.|至|,)\s*(\S+)$")
_UNIT_STEP = re.compile(r"^(0?\.\d+|1/\d+|0\.0*1|10+)\s*[×x*]?\s*(\D.*)$")


def read(data: bytes, source: str) -> Draft:
    """Return the draft of a register list; ConfigError if it is none."""
    if len(data) > SIZE_MAX:
        raise ConfigError(f"{source}: {len(data)} bytes are more than the {SIZE_MAX} allowed")
    rows = _rows(_decoded(data), source)
    line, roles = _heading(rows, source)
    draft = Draft(source)
    draft.origin = [
        f"Source: register list {one_line(source)}.",
        "Licence: registers are facts; name the manual they come from.",
    ]
    headings = next(cells for number, cells in rows if number == line)
    draft.columns = {one_line(headings[at]): role for at, role in roles.items()}
    taken = _cells(rows, line, roles)
    _counting(taken, draft)
    for number, cells in taken:
        _channel(number, cells, draft)
    if "range" in roles.values():
        draft.lose(line, "range", "a range may be raw or in the unit: write valid", whole=False)
    if not draft.channels:
        raise ConfigError(f"{source}: none of its {len(taken)} rows could be understood")
    return draft


def looks_like(data: bytes) -> bool:
    """Return whether a file may be a register list."""
    lines = _decoded(data[:SIZE_MAX]).split("\n")[:HEADING_ROWS_MAX]
    try:
        _heading(_rows("\n".join(lines), ""), "")
    except ConfigError:
        return False
    return True


def _decoded(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    # Nearly any bytes are legal GB 18030; only a Chinese heading shows that they are meant so.
    chinese = data.decode("gb18030", "replace")
    found = re.search("地址|寄存器|名称|单位|类型|功能码", chinese)
    return chinese if found else data.decode("cp1252", "replace")


def _rows(text: str, source: str) -> list[tuple[int, list[str]]]:
    head = "\n".join(text.split("\n")[:HEADING_ROWS_MAX])
    separator = max(";\t|,", key=lambda one: (head.count(one), one))
    if separator == "," and head.count(";") * 2 > head.count(","):
        separator = ";"
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    found: list[tuple[int, list[str]]] = []
    try:
        for cells in reader:
            if len(cells) > COLUMNS_MAX or len(found) >= ROWS_MAX:
                raise ConfigError(
                    f"{source}:{reader.line_num}: at most {ROWS_MAX} rows of {COLUMNS_MAX} cells"
                )
            found.append((reader.line_num, [cell.strip() for cell in cells]))
    except csv.Error as error:
        raise ConfigError(f"{source}:{reader.line_num}: not CSV: {error}")
    return found


def _heading(rows: list[tuple[int, list[str]]], source: str) -> tuple[int, dict[int, str]]:
    best: tuple[int, dict[int, str]] = (0, {})
    for line, cells in rows[:HEADING_ROWS_MAX]:
        roles: dict[int, str] = {}
        for column, cell in enumerate(cells):
            role = terms.role(cell) if len(cell) < 60 else ""
            if role and (role == "name" or role not in roles.values()):
                roles[column] = role
            elif cell.lower() in ("id", "nr", "no", "nr.", "no."):
                roles[column] = "number"
        if "address" not in roles.values():
            roles = {at: "address" if one == "number" else one for at, one in roles.items()}
        if "address" in roles.values() and len(roles) > max(1, len(best[1])):
            best = (line, roles)
    if "name" not in best[1].values():
        for column, role in best[1].items():
            if role == "about":  # lists that only describe
                best[1][column] = "name"
                break
    if not {"address", "name"} <= set(best[1].values()):
        raise ConfigError(
            f"{source}: no row of headings: one column must be called address (地址, Adresse) "
            "and one name (名称, Bezeichnung)"
        )
    return best


def _cells(
    rows: list[tuple[int, list[str]]], line: int, roles: dict[int, str]
) -> list[tuple[int, dict[str, str]]]:
    found: list[tuple[int, dict[str, str]]] = []
    for number, cells in rows:
        if number <= line:
            continue
        row: dict[str, str] = {}
        for at, cell in enumerate(cells):
            if at in roles and cell:  # of several names, the first that stands there
                row.setdefault(roles[at], cell)
        if row.get("address") and row.get("name"):
            found.append((number, row))
    if all(re.fullmatch(r"\d+\.0", row["address"]) for _, row in found):
        for _, row in found:  # a spreadsheet took the addresses for measurements
            row["address"] = row["address"][:-2]
    return found


def _counting(rows: list[tuple[int, dict[str, str]]], draft: Draft) -> None:
    """Find out whether addresses are reference numbers (40001) or written in hex."""
    numbers = [_span(row["address"])[0] for _, row in rows]
    known = [one for one in numbers if one is not None]
    hexes = sum(1 for _, row in rows if re.match(r"(?i)0x|[0-9a-f]+h\b", row["address"]))
    draft.hexadecimal = hexes * 2 > len(rows)
    references = [one for one in known if _reference(one)]
    if known and len(references) == len(known) and not hexes:
        draft.bus["base"] = 40001
        reason = "taken for reference numbers (base: 40001), not for wire addresses"
        draft.lose(rows[0][0], "addresses", reason, whole=False)
    _factors(rows, draft)


def _factors(rows: list[tuple[int, dict[str, str]]], draft: Draft) -> None:
    """Drop factors of which nobody can know whether they multiply or divide."""
    found = [words.fraction(row.get("scale", "")) for _, row in rows]
    if any(one is not None and 0 < one < 1 for one in found):
        return  # a list that has 0.1 as well as 10 multiplies by both
    for (line, row), factor in zip(rows, found, strict=True):
        if factor is not None and factor > 1:
            draft.lose(line, row["name"], f"factor {row['scale']}: times or divided by?", False)
            del row["scale"]


def _reference(number: int) -> tuple[str, int] | None:
    for low, high, table, less in (
        (10001, 19999, "discrete", 0),
        (30001, 39999, "input", 0),
        (40001, 49999, "holding", 0),
        (100001, 165536, "discrete", 90000),
        (300001, 365536, "input", 270000),
        (400001, 465536, "holding", 360000),
    ):
        if low <= number <= high:
            return table, number - less
    return None


def _span(text: str) -> tuple[int | None, int]:
    """Return the first address in a cell and the number of registers, 0 if it does not say."""
    cell = re.sub(r"^[0134][xX](?=\d{4,})", "", text) if re.match(r"[0134]x\d{5}", text) else text
    single = words.whole(cell)
    if single is not None:
        return single, 0
    found = _RANGE.match(cell)
    if not found:
        return None, 0
    first, last = words.whole(found.group(1)), words.whole(found.group(2))
    if first is None or last is None or not 0 <= last - first < 125:
        return None, 0
    return first, last - first + 1


def _channel(line: int, row: dict[str, str], draft: Draft) -> None:
    name = one_line(row["name"])
    if any(name.lower().startswith(word) for word in terms.RESERVED):
        return
    at, registers = _span(row["address"])
    if at is None:
        draft.lose(line, name, f"{row['address']!r} is no register address")
        return
    table = words.wire_table(row.get("function", ""))
    if "base" in draft.bus:
        said, at = _reference(at) or ("", at)
        table = table or said
    keys: dict[str, Any] = {"at": at, "in": table if table != "holding" else ""}
    if not _type(line, row, registers, table, keys, draft):
        return
    found = _IN_BRACKETS.search(name)
    if found and labelled(found.group(1)):
        row.setdefault("values", found.group(1))
        name = name[: found.start()].strip()
    _meaning(line, row, keys, draft)
    _access(line, row, table, keys, draft)
    bare = _IN_BRACKETS.sub("", name).strip()
    if id_of(bare):  # its title is in the registry, in all languages
        kinds.guess(draft.add(bare, keys, line))
        return
    told = terms.english(name)
    entry = draft.add(told or f"register_{at}", keys, line)
    if not name.isascii() or len(name) > len(entry.id) + 12:
        entry.keys["title"] = name  # the id does not say it all
    kinds.guess(entry)


def _type(
    line: int, row: dict[str, str], registers: int, table: str, keys: dict[str, Any], draft: Draft
) -> bool:
    if table in ("coil", "discrete"):
        return True
    told = row.get("type", "")
    size_word = row.get("count", "")
    if not told and size_word and not size_word.isdigit() and words.wire_type(size_word):
        told = row.pop("count")  # a size such as s16 says both
    count = re.search(r"\d+", row.get("count", ""))
    size = int(count.group()) if count else 0
    if size and re.search("byte|字节", row["count"].lower()):
        registers = registers or (size + 1) // 2
    kind = words.wire_type(told, registers or size)
    if not kind and told:
        draft.lose(line, row["name"], f"type {told!r} is not known")
        return False
    if not kind:
        if registers or size:
            draft.lose(line, row["name"], f"{registers or size} registers, but no type")
            return False
        kind = "u16"
    if kind == "bool":
        # A register that is called a boolean is a whole word on the wire.
        kind = "u16"
        keys["map"] = {0: False, 1: True}
    keys["type"] = kind if kind != "u16" else ""
    said = row.get("order", "") or told
    order = words.wire_order(said)
    if not order and re.search("(?i)little|swap", said):
        draft.lose(line, row["name"], f"{said!r}: which order, DCBA or CDAB?", whole=False)
    keys["order"] = order if order != "ABCD" else ""
    bit = re.fullmatch(
        r"(?i)(?:bit\s*)?(\d{1,2})(?:\s*(?:-|\.\.|~)\s*(?:bit\s*)?(\d{1,2}))?", row.get("bit", "")
    )
    if bit:
        low, high = sorted((int(bit.group(1)), int(bit.group(2) or bit.group(1))))
        keys["bits"] = f"{low}..{high}" if high > low else low
        keys.pop("map", None)
    return True


def _meaning(line: int, row: dict[str, str], keys: dict[str, Any], draft: Draft) -> None:
    if str(keys.get("type", "")).startswith(("str", "hex")):
        return
    labels = labelled(row.get("values", "")) or labelled(row.get("about", ""))
    if labels and "bits" not in keys:
        keys["map"] = labels
        return
    if "map" in keys or isinstance(keys.get("bits"), int):
        return
    unit, step = row.get("unit", ""), Fraction(1)
    found = _UNIT_STEP.match(unit)
    if found:
        step = words.fraction(found.group(1)) or step
        unit = found.group(2)
    factor = _factor(line, row, draft)
    if factor is not None:
        step *= factor
    chain = Chain()
    chain.times(step)
    chain.plus(words.fraction(row.get("add", "")) or Fraction(0))
    if chain.sound:
        keys.update(chain.keys())
    else:
        draft.lose(line, row["name"], "numbers beyond any quantity", whole=False)
    sentinel = words.whole(row.get("none", ""))
    if sentinel is not None and sentinel < 1 << _size(str(keys.get("type") or "u16")):
        keys["none"] = sentinel
    keys["unit"] = words.known_unit(unit)


def _factor(line: int, row: dict[str, str], draft: Draft) -> Fraction | None:
    divisor = words.fraction(row.get("divisor", "").lstrip("/÷"))
    if divisor:
        return 1 / divisor
    told = row.get("scale", "") or row.get("multiplier", "")
    decimals = row.get("decimals", "")
    if not told:
        return Fraction(1, 10 ** int(decimals)) if re.fullmatch(r"[0-9]", decimals) else None
    if told[0] in "/÷":
        divisor = words.fraction(told[1:])
        return 1 / divisor if divisor else None
    number = told.lstrip("x×*X").strip()
    found = words.fraction(number) or words.fraction(re.sub(r"[^\d.,/eE+-].*$", "", number))
    if found is None:
        draft.lose(line, row["name"], f"scale {told!r} is no number", whole=False)
    elif number != told and found > 1:
        # «×10» may mean that the register holds ten times the value, or a tenth.
        draft.lose(line, row["name"], f"scale {told!r}: times or divided by?", whole=False)
        return None
    return found


def _access(line: int, row: dict[str, str], table: str, keys: dict[str, Any], draft: Draft) -> None:
    told = row.get("access", "").lower()
    if not re.search(r"w|写|schreib", told) or "readonly" in told:
        return
    if table in ("input", "discrete") or {"bits", "calc"} & set(keys):
        draft.lose(line, row["name"], "cannot be written where it stands", whole=False)
        return
    reads = re.search(r"r(?!ite)|读|les", told)
    keys["write"] = True if reads else "only"


def _size(kind: str) -> int:
    found = re.search(r"\d+", kind)
    return int(found.group()) if found else 1


def labelled(text: str) -> dict[int, str]:
    """Return {0: "off", 1: "on"} for a text such as 0=off; 1=on; {} if it is none."""
    found: dict[int, str] = {}
    for number, label in _PAIR.findall(text):
        value = words.whole(number)
        shown = one_line(label).strip(" .\"'")
        if value is None or value in found or not shown or not re.search(r"[^\W\d]", shown):
            return {}
        found[value] = shown[:60]
    return found if len(found) > 1 else {}
