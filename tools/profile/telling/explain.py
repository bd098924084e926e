"""`tidegate profile explain`: what a channel's bytes become, step by step; or what a word means."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.profile.compile_cpython import shipped
from drivers.profile.map import places as map_places
from gateway.core.errors import ConfigError
from gateway.core.reading import GOOD
from gateway.core.report_cpython import near
from tools.profile import given
from tools.profile.causes.diagnose import shown
from tools.profile.telling import facts, glossary, where
from tools.profile.telling.trace import traces

if TYPE_CHECKING:
    from typing import Any

    from drivers.profile.slot import Place
    from tools.profile.given import Given
    from tools.profile.telling.trace import Trace

OK, USAGE = 0, 2
_EXAMPLES = """\
examples:
  tidegate profile explain eastron/sdm630 voltage_l1   from the tests' bytes to the value
  tidegate profile explain probe.yaml                  one line for each channel
  tidegate profile explain type                        the types; likewise any key, such as order
  tidegate profile explain E063                        a problem; likewise a kind, a unit, an id
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EXAMPLES
    parser.add_argument("subject", metavar="FILE|WORD", help=f"{given.HELP}; or a word")
    parser.add_argument("channel", metavar="CHANNEL", nargs="?", help="all of them if absent")


def main(args: argparse.Namespace) -> int:
    """Print the explanation; return the exit code."""
    as_json = getattr(args, "json", False)
    if args.channel is None and not _is_profile(args.subject):
        return _word(args.subject, as_json)
    found = given.find(args.subject)
    places = _places(found)
    if args.channel is not None and args.channel not in places:
        hint = near(args.channel, places) or f"there are: {', '.join(places)}"
        raise ConfigError(f"{found.name} has no channel {args.channel!r}: {hint}")
    names = list(places) if args.channel is None else [args.channel]
    rows = [_row(found, name, places[name]) for name in names]
    if as_json:
        print(json.dumps(rows, ensure_ascii=False))
    elif args.channel is None:
        width = max(len(name) for name in names)
        print("\n".join(f"{row['channel']:<{width}}  {_line(row)}" for row in rows))
    else:
        print("\n".join(_lines(found, rows[0])))
    return OK


def _word(word: str, as_json: bool) -> int:
    lines = glossary.explain(word)
    if as_json:
        print(json.dumps({"word": word, "lines": lines}, ensure_ascii=False))
    elif lines:
        print("\n".join(lines))
    if lines:
        return OK
    hint = near(word, [*glossary.words(), *shipped()])
    raise ConfigError(
        f"{word!r} is no profile, key, type, code, kind, unit, id, category or grade"
        + (f": {hint}" if hint else "")
    )


def _is_profile(word: str) -> bool:
    path = Path(word)
    return path.is_file() or path.suffix in (".yaml", ".cbor") or word in shipped()


def _places(found: Given) -> dict[str, list[Place]]:
    by_id: dict[str, list[Place]] = {}
    for place in map_places(found.profile):
        by_id.setdefault(place.id, []).append(place)
    return by_id


def _row(found: Given, name: str, places: list[Place]) -> dict[str, Any]:
    checked, channel = found.checked, places[0].channel
    traced = traces(checked, found.profile, name) if checked else []
    every_ms = found.profile.every_ms if channel.every_ms is None else channel.every_ms
    return {
        "channel": name,
        "places": [_place(place, checked.base if checked else 0) for place in places],
        "unit": channel.unit,
        "kind": channel.kind,
        "every": facts.duration(every_ms),
        "hidden": channel.hidden,
        "tests": [_test(one) for one in traced],
        "writes": _writes(found, name),
    }


def _writes(found: Given, name: str) -> list[dict[str, Any]]:
    cases = found.checked.cases if found.checked else []
    return [
        {
            "line": case.node.line,
            "value": case.write[name].text,
            "frames": [data.hex() for _, data in case.sends],
        }
        for case in cases
        if name in case.write
    ]


def _place(place: Place, base: int) -> str:
    told = where.where(place, base)
    return told if place.address is None else f"{told}, {where.layout(place.channel)}"


def _test(trace: Trace) -> dict[str, Any]:
    return {
        "line": trace.case.node.line,
        "bytes": None if trace.data is None else trace.data.hex(),
        "steps": [{"step": step, "result": result} for step, result in trace.steps],
        "value": _told(trace.value),
        "sent": _told(trace.sent),
        "quality": trace.quality,
    }


def _told(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else shown(value)


def _line(row: dict[str, Any]) -> str:
    head = " or ".join(row["places"])
    told = [one for one in row["tests"] if one["quality"] == GOOD] or row["tests"]
    if not told:
        return f"{head}: no test has its bytes"
    one = told[0]
    data = "" if one["bytes"] is None else f"{bytes.fromhex(one['bytes']).hex(' ').upper()} → "
    return f"{head}: {data}{_result(row, one)}"


def _result(row: dict[str, Any], one: dict[str, Any]) -> str:
    if one["quality"] != GOOD:
        return f"no value ({one['quality']})"
    return f"{one['sent']} {row['unit']}".rstrip()


def _lines(found: Given, row: dict[str, Any]) -> list[str]:
    name = found.checked.report.name if found.checked else found.name
    told = [*row["places"][:1], *(f"or {one}" for one in row["places"][1:])]
    kind = f", kind {row['kind']}" if row["kind"] else ""
    hidden = ", hidden" if row["hidden"] else f", every {row['every']}"
    lines = [f"{row['channel']}: {'; '.join(told)}{kind}{hidden}"]
    if not row["tests"] and not row["writes"]:
        lines.append("no test has its bytes")
    for one in row["tests"]:
        lines.append(f"{name}:{one['line']}: {_result(row, one)}")
        width = max((len(step["step"]) for step in one["steps"]), default=0)
        width = min(width, 32)
        lines += [f"  {step['step']:<{width}}  {step['result']}" for step in one["steps"]]
        if one["sent"] is not None:
            lines.append(f"  {'sent as':<{width}}  {_result(row, one)}")
    for one in row["writes"]:
        frames = " and ".join(bytes.fromhex(data).hex(" ").upper() for data in one["frames"])
        lines.append(f"{name}:{one['line']}: {one['value']} is written as {frames}")
    return lines
