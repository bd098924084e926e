"""Completeness as a page of 100 columns, and as CSV for a department. Knows no database."""

from __future__ import annotations

import csv
import textwrap
import unicodedata
from typing import TYPE_CHECKING

from tools.fusion.export import cell
from tools.fusion.sums import CAUSES
from tools.fusion.text import BOLD, COLUMNS, buffer_left, duration, painted, stamp

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

    from tools.fusion.complete import Document

NAME_MIN = 12  # columns of a name that are always left
WHY_MIN = 22  # columns for the causes, which go on below when they need more
LIVES_MAX = 12  # named one by one, the newest
_HEADS = ("DUE", "DELIVERED", "%", "2 MIN %", "P95", "MISSING")

_CSV = (
    ["gateway", "point", "kind", "unit", "day", "every_ms", "due", "delivered", "complete"]
    + [*CAUSES, "extra", "synced", "fixed_up", "bounded"]
    + ["p50_ms", "p95_ms", "p99_ms", "max_ms", "prompt"]
)


def lines(document: Document, colour: bool = False) -> list[str]:
    """Return the report, line by line."""
    days = document["days"]
    span = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    found = [(BOLD, f"completeness of {span} ({document['tz']}): {_whole(document)}")]
    if document["pruned_ms"] > document["from_ms"]:
        found.append(("", f"not counted before {stamp(document['pruned_ms'])}: pruned"))
    for gateway in document["gateways"]:
        found += [("", ""), *_gateway(gateway, document)]
    if not document["gateways"]:
        found.append(("", "no gateway has been heard"))
    return painted(found, colour)


def write_csv(document: Document, out: TextIO) -> None:
    """Write a header and one line for each point and day."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_CSV)
    for gateway in document["gateways"]:
        for point in gateway["points"]:
            for day in point["days"]:
                late = day["latency"] or {}
                writer.writerow(
                    [gateway["gateway"], *map(cell, (point["point"], point["kind"], point["unit"]))]
                    + [day["day"], point["every_ms"], day["due"], day["delivered"]]
                    + [day["complete"], *(_count(day, cause) for cause in CAUSES), day["extra"]]
                    + list(day["clock"].values())
                    + [late.get(name) for name in _CSV[-5:]]
                )


def width(text: str) -> int:
    """Return how many columns of a terminal `text` takes."""
    wide = sum(unicodedata.east_asian_width(one) in "WF" for one in text)
    return len(text) + wide - sum(unicodedata.combining(one) > 0 for one in text)


def table(heads: Sequence[str], left: set[int], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as aligned columns; the last goes on below if the line is full."""
    cells = [list(row[:-1]) for row in (heads, *rows)]
    widths = [max(width(row[index]) for row in cells) for index in range(len(heads) - 1)]
    # Names give way to numbers.
    why = min(WHY_MIN, max(width(row[-1]) for row in (heads, *rows)))
    room = COLUMNS - 2 - why - sum(widths[1:]) - 2 * len(widths)
    widths[0] = min(widths[0], max(room, NAME_MIN))
    indent = sum(widths) + 2 * len(widths)
    found = []
    for (name, *numbers), last in zip(cells, (heads[-1], *(row[-1] for row in rows)), strict=True):
        padded = [
            cell + " " * (size - width(cell))
            if index in left
            else " " * (size - width(cell)) + cell
            for index, (cell, size) in enumerate(
                zip([_cut(name, widths[0]), *numbers], widths, strict=True)
            )
        ]
        more = textwrap.wrap(last, max(WHY_MIN, COLUMNS - 2 - indent)) or [""]
        found.append("  ".join([*padded, more[0]]).rstrip())
        found += [" " * indent + one for one in more[1:]]
    return found


def _gateway(gateway: Document, document: Document) -> list[tuple[str, str]]:
    head = [gateway["gateway"], gateway["state"]]
    if gateway["version"]:
        head.append(f"version {gateway['version']}, boot {gateway['boot']}")
    head.append(f"heard {duration(document['made_ms'] - gateway['seen_ms'])} ago")
    found = [(BOLD, "  ".join([*head, _whole(gateway)]))]
    found += [(style, f"  {line}") for style, line in _facts(gateway)]
    days = [[day["day"], *_numbers(day), _causes(day)] for day in gateway["days"] if day["due"]]
    if len(document["days"]) > 1 and days:
        found += [("", f"  {line}") for line in table(("DAY", *_HEADS), {0}, days)]
    points = [
        [point["point"], duration(point["every_ms"]) if point["every_ms"] else "-"]
        + [*_numbers(point), _causes(point)]
        for point in gateway["points"]
    ]
    if not points:
        return [*found, ("", "  nothing came in these days, and nothing was due")]
    return found + [("", f"  {line}") for line in table(("POINT", "EVERY", *_HEADS), {0}, points)]


def _facts(gateway: Document) -> list[tuple[str, str]]:
    down = [f"{duration(ms)} by {cause}" for cause, ms in gateway["down_ms"].items()]
    times = f"up {duration(gateway['up_ms'])}, down {', '.join(down) or '0 s'}"
    found = [("", f"{times}, without connection {duration(gateway['offline_ms'])}")]
    lives = gateway["lives"][-LIVES_MAX:]
    if lives:
        told = [f"{one['boot']} ({one['ended_before'] or 'not told'})" for one in lives]
        more = len(gateway["lives"]) - len(lives)
        line = f"boots, and how the life before ended: {', '.join(told)}"
        found.append(("", line + (f", and {more} before" if more else "")))
    late = gateway["latency"]
    if late:
        shares = ", ".join(f"{n} % {duration(late[f'p{n}_ms'])}" for n in (50, 95, 99))
        line = f"arrived after: {shares}, all {duration(late['max_ms'])}"
        found.append(("", f"{line}; within 2 min {late['prompt']:.3f} %"))
    clock = ", ".join(f"{word} {count}" for word, count in gateway["clock"].items())
    gaps = ", ".join(f"{reason} {count}" for reason, count in gateway["gaps"].items())
    line = f"clock: {clock}; duplicates removed {gateway['duplicates']}"
    found.append(("", line + (f"; gaps told: {gaps}" if gaps else "")))
    if gateway["health"]:
        found += buffer_left(gateway["health"])
    return found


def _whole(of: Document) -> str:
    if of["complete"] is None:
        return "nothing was due"
    return f"{of['delivered']} of {of['due']} delivered, {of['complete']:.3f} %"


def _numbers(of: Document) -> list[str]:
    late = of["latency"]
    return [
        "-" if of["due"] is None else str(of["due"]),
        str(of["delivered"]),
        "-" if of["complete"] is None else f"{of['complete']:.3f}",
        f"{late['prompt']:.2f}" if late else "-",
        duration(late["p95_ms"]) if late else "-",
    ]


def _causes(of: Document) -> str:
    return ", ".join(f"{cause} {_count(of, cause)}" for cause in of["missing"]) or "-"


def _count(of: Document, cause: str) -> int:
    return sum(of["missing"].get(cause, {}).values())


def _cut(cell: str, columns: int) -> str:
    if width(cell) <= columns:
        return cell
    while width(cell) >= columns:
        cell = cell[:-1]
    return f"{cell}…"
