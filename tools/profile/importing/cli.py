"""`tidegate profile import`: drafts of profiles from what others wrote.

A draft says where it comes from and what could not be carried; it has no tests, and a profile
without tests is not used. The tests come from the maker's manual, never from a guess.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.core.errors import ConfigError
from tools.profile.importing import foreign, formats, sunspec
from tools.profile.importing.draft import identifier
from tools.profile.options import REPEAT_MAX, copies, output
from tools.profile.plural import many

if TYPE_CHECKING:
    from typing import Any

    from gateway.core.report_cpython import Problem
    from tools.profile.importing.draft import Draft

OK, FINDINGS = 0, 1
_EXAMPLES = """\
examples:
  tidegate profile import sunspec:1,103 -o acme/inverter.yaml    the models a device has
  tidegate profile import meter.yaml --set usage=grid            an evcc template, as one usage
  tidegate profile import node.yaml telegraf.conf -o drafts      ESPHome, Telegraf: known by content
  tidegate profile import registers.csv                          to standard output
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EXAMPLES
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="a file, a folder, or sunspec:N[,N…]: models of an installed pysunspec2, in the "
        "order in which the device has them",
    )
    parser.add_argument(
        "--format", choices=[*formats.FORMATS, "auto"], default="auto", help="auto if absent"
    )
    parser.add_argument(
        "-o", "--output", type=output, metavar="FILE|DIR", help="standard output if absent"
    )
    parser.add_argument("--force", action="store_true", help="write over files that are there")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="evcc: value of a parameter of the template",
    )
    parser.add_argument(
        "--base",
        type=_register,
        default=sunspec.BASE,
        metavar="REGISTER",
        help="SunSpec: where the mark SunS stands; 40000 if absent",
    )
    parser.add_argument(
        "--at",
        type=_register,
        metavar="REGISTER",
        help="SunSpec: where the ID of the first model stands, if not right behind its forerunners",
    )
    parser.add_argument(
        "--repeat",
        type=copies,
        default=sunspec.REPEAT,
        metavar=f"1..{REPEAT_MAX}",
        help="SunSpec: copies of a repeated block; 4 if absent",
    )


def main(args: argparse.Namespace) -> int:
    """Write the drafts; return 1 if one of them has an error besides its missing tests."""
    options = formats.Options(args.base, args.at, args.repeat, _chosen(args.set))
    drafts, refused = _drafts(args.sources, args.format, options)
    if not args.output and len(drafts) > 1 and not getattr(args, "json", False):
        names = ", ".join(draft.name for draft in drafts)
        raise ConfigError(f"{len(drafts)} devices ({names}): -o must name a folder")
    places = _places(drafts, args.output, args.force)
    found = []
    rows = []
    for draft, place in zip(drafts, places, strict=True):
        text, problems = formats.finished(draft)
        found += problems
        if place:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
        rows.append(_row(draft, place, text, problems))
        if not getattr(args, "json", False):
            _tell(draft, place, text, problems)
    if getattr(args, "json", False):
        print(json.dumps(rows, ensure_ascii=False))
    for reason in refused:
        print(reason, file=sys.stderr)
    return FINDINGS if found or refused else OK


def _drafts(
    sources: list[str], form: str, options: formats.Options
) -> tuple[list[Draft], list[str]]:
    """Return the drafts of all sources, and why files found in a folder gave none."""
    named = [one for one in sources if not Path(one).is_dir()]
    drafts = formats.read(named, form, options) if named else []
    refused = []
    for folder in [Path(one) for one in sources if one not in named]:
        for path in formats.files_below(folder):
            try:
                known = formats.detect(foreign.read_bytes(path), path.name)
                if known and form in (known, "auto"):
                    drafts += formats.read([str(path)], known, options)
            except ConfigError as error:
                refused.append(str(error))
    if not drafts:
        raise ConfigError("\n".join(refused) or f"{', '.join(sources)}: nothing to import")
    return drafts, refused


def _places(drafts: list[Draft], output: Path | None, force: bool) -> list[Path | None]:
    if output is None:
        return [None] * len(drafts)
    if len(drafts) == 1 and not output.is_dir() and output.suffix in (".yaml", ".yml"):
        places = [output]
    else:
        places = []
        for draft in drafts:
            stem = identifier(draft.name.lower()).replace("_", "-") or Path(draft.source).stem
            place, number = output / f"{stem}.yaml", 2
            while place in places:
                place, number = output / f"{stem}-{number}.yaml", number + 1
            places.append(place)
    there = [str(place) for place in places if place.exists() and not force]
    if there:
        raise ConfigError(f"{', '.join(there)}: is there already; --force writes over it")
    return list(places)


def _tell(draft: Draft, place: Path | None, text: str, problems: list[Problem]) -> None:
    if place is None:
        print(text, end="")
    for loss in sorted(draft.losses, key=lambda one: one.line):
        where = f"{loss.file}:{loss.line}" if loss.line else loss.file
        print(f"{where}: not carried: {loss.what}: {loss.reason}", file=sys.stderr)
    for one in problems:
        print(f"{place or draft.name}:{one.line}: {one.code}: {one.message}", file=sys.stderr)
    lost = sum(1 for loss in draft.losses if loss.whole)
    parts = len(draft.losses) - lost
    print(
        f"{place or draft.name}: {many(channels(draft), 'channel')}; {lost} not carried, "
        f"{parts} in part; the tests are missing: add the manual's frames, then profile check",
        file=sys.stderr,
    )


def channels(draft: Draft) -> int:
    """Return how many lines of channels a draft has, those of blocks included."""
    return sum(len(entry.inner) or 1 for entry in draft.channels)


def _row(draft: Draft, place: Path | None, text: str, problems: list[Problem]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "source": draft.source,
        "name": draft.name,
        "channels": channels(draft),
        "not_carried": [
            {
                "file": one.file,
                "line": one.line,
                "what": one.what,
                "reason": one.reason,
                "whole": one.whole,
            }
            for one in draft.losses
        ],
        "errors": [one.message for one in problems],
    }
    return row | ({"output": str(place)} if place else {"profile": text})


def _chosen(pairs: list[str]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise ConfigError(f"--set {pair}: write KEY=VALUE")
        found[key] = value
    return found


def _register(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise argparse.ArgumentTypeError(f"a register is wanted, such as 40000, not {text!r}")
