"""The report as plain text in 100 columns, for a terminal or a mail. Knows no database."""

from __future__ import annotations

import os
import sys
import textwrap
import time
from typing import TYPE_CHECKING

from tools.fusion.store import BEFORE, LOST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tools.fusion.report import Document

COLUMNS = 100
NAME_MAX = 30
RED, YELLOW, BOLD, _PLAIN = "\x1b[31;1m", "\x1b[33;1m", "\x1b[1m", "\x1b[0m"
HOURS_LOW, HOURS_LEAST = 72, 24  # of buffer left: below the one in yellow, the other in red
WHY_MIN = 18  # columns for the reasons, which go on below when they need more
_HEADS = ("POINT", "KIND", "EVERY", "DUE", "GOOD", "%", "LAST", "NOT GOOD")
_RIGHT = {2, 3, 4, 5}  # columns of numbers


def use_colour() -> bool:
    """Return whether standard output wants colours (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def lines(document: Document, colour: bool = False) -> list[str]:
    """Return the report, line by line."""
    found: list[tuple[str, str]] = []  # (style, line)
    for gateway in document["gateways"]:
        found += _gateway(gateway, document["made_ms"])
        found.append(("", ""))
    if not document["gateways"]:
        found.append(("", "no gateway has been heard"))
    for one in document["rejected"]:
        line = f"refused {stamp(one['came_ms'])} {one['topic'][:32]}: {one['reason']}"
        found.append(("", line[:COLUMNS]))
    if not found[-1][1]:
        found.pop()
    return painted(found, colour)


def _gateway(gateway: Document, now_ms: int) -> list[tuple[str, str]]:
    head = [gateway["gateway"], gateway["state"]]
    if gateway["version"]:
        head.append(f"version {gateway['version']}, boot {gateway['boot']}")
    head.append(f"heard {duration(now_ms - gateway['seen_ms'])} ago")
    if gateway["complete"] is not None:
        head.append(f"complete {gateway['complete']:.2f} %")
    if gateway["rejected"]:
        head.append(f"refused {gateway['rejected']}")
    rows = [_point(point, now_ms) for point in gateway["points"]]
    out = [(BOLD, "  ".join(head))]
    out += [("", f"  {line}") for line in _table([_HEADS, *rows])]
    out += [("", f"  {line}") for line in _account(gateway, now_ms)]
    out += [(style, f"  {line}") for style, line in buffer_left(gateway["health"] or {})]
    out += [
        (RED, f"  LOST:     {_numbers(hole)} of {_log(stream)} neither came nor were explained")
        for stream in gateway["streams"]
        for hole in stream["holes"]
        if hole["why"] == LOST
    ]
    return out


def _point(point: Document, now_ms: int) -> Sequence[str]:
    missing = ", ".join(f"{why} {count}" for why, count in point["missing"].items())
    if point["bounded"]:
        missing += f"{', ' if missing else ''}time bounded {point['bounded']}"
    return (
        point["point"],
        point["kind"] or "-",
        duration(point["every_ms"]) if point["every_ms"] else "-",
        "-" if point["expected"] is None else str(point["expected"]),
        str(point["good"]),
        "-" if point["complete"] is None else f"{point['complete']:.2f}",
        _last(point, now_ms),
        missing or "-",
    )


def _account(gateway: Document, now_ms: int) -> list[str]:
    account = gateway["account"]
    told = account["gateway"]
    out = []
    if told:
        out.append(
            f"gateway:  sampled {told['sampled']} = delivered {told['delivered']}"
            f" + gaps {told['gaps']} + buffered {told['buffered']}"
            f"  ({duration(now_ms - told['came_ms'])} ago)"
        )
    else:
        out.append("gateway:  has not told its account")
    out.append(
        f"platform: arrived {account['arrived']}, gaps {account['gaps']}, lost {account['lost']},"
        f" duplicates removed {account['duplicates']}"
        + (f", waiting for earlier ones {account['waiting']}" if account["waiting"] else "")
    )
    out += [
        f"gap:      {one['count']} readings of {_log(one)}: {one['reason']}"
        for one in gateway["gaps"]
        if one["count"]
    ]
    out += [
        f"before:   {_numbers(hole)} of {_log(stream)} were sent before this database knew it"
        for stream in gateway["streams"]
        for hole in stream["holes"]
        if hole["why"] == BEFORE
    ]
    return out


def buffer_left(health: Document) -> list[tuple[str, str]]:
    """Return lines on how long the gateway's buffer still lasts, as far as it has told."""
    found = []
    hours, fill = health.get("hours_left"), health.get("fill")
    if hours is not None:
        style = RED if hours < HOURS_LEAST else YELLOW if hours < HOURS_LOW else ""
        line = f"buffer:   {hours:g} hours left"
        least = health.get("hours_left_min")
        line += f" (least {least:g})" if least is not None and least < hours else ""
        if fill is not None:
            line += f", {fill * 100:.0f} % full of what is not confirmed"
        found.append((style, line))
    if health.get("durable") is False:
        found.append((RED, "NOT DURABLE: no card takes readings, a power cut loses what waits"))
    return found


def _numbers(hole: Document) -> str:
    first, last = hole["first"], hole["last"]
    return f"number {first}" if first == last else f"{last - first + 1} numbers {first}..{last}"


def _log(of: Document) -> str:
    return f"{of['ring']} log {of['log']}"


def _last(point: Document, now_ms: int) -> str:
    last = point["last"]
    if last is None:
        return "-"
    value = last["exact"] if last["exact"] is not None else last["value"]
    when = stamp(last["at_ms"])
    if stamp(now_ms)[:10] == when[:10]:
        when = when[11:]
    return f"{str(value)[:20]} {point['unit']}".strip() + f" at {when}"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as aligned columns; the last column goes on below if the line is full."""
    cut = [[_cut(cell) for cell in row[:2]] + list(row[2:]) for row in rows]
    widths = [max(len(row[index]) for row in cut) for index in range(len(_HEADS) - 1)]
    if sum(widths) + 2 * len(widths) + WHY_MIN > COLUMNS:
        widths[1] = 0  # kinds can be looked up; numbers cannot
    indent = sum(width + 2 for width in widths if width)
    out = []
    for row in cut:
        cells = [
            f"{cell:>{width}}" if index in _RIGHT else f"{cell:<{width}}"
            for index, (cell, width) in enumerate(zip(row, widths, strict=False))
            if width
        ]
        why = textwrap.wrap(row[-1], max(WHY_MIN, COLUMNS - 2 - indent))
        out.append("  ".join([*cells, why[0]]))
        out += [" " * indent + more for more in why[1:]]
    return out


def _cut(cell: str) -> str:
    return cell if len(cell) <= NAME_MAX else cell[: NAME_MAX - 1] + "…"


def painted(lines: Sequence[tuple[str, str]], colour: bool) -> list[str]:
    """Return (style, line) as lines of a terminal; what is too long goes on below."""
    return [
        _paint(style if colour else "", part)
        for style, line in lines
        for part in textwrap.wrap(line, COLUMNS, subsequent_indent="    ") or [""]
    ]


def _paint(style: str, line: str) -> str:
    """Return the line in a style, without anything that would move the cursor."""
    return f"{style}{clean(line)}{_PLAIN}" if style else clean(line)


def clean(text: str) -> str:
    """Return a stranger's text (a unit, kind or topic) without control characters."""
    return "".join([letter if letter.isprintable() else "·" for letter in text])


def duration(ms: int) -> str:
    """Return a time span in the largest unit that says it: "250 ms", "10 s", "3 h"."""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000)):
        if ms == size or ms >= 2 * size:
            whole = ms % size == 0 or ms >= 10 * size
            return f"{ms // size} {unit}" if whole else f"{ms / size:.1f} {unit}"
    return f"{ms} ms"


def stamp(unix_ms: int) -> str:
    """Return a moment in UTC to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(unix_ms // 1000))
