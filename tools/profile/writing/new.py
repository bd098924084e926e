"""`tidegate profile new`: a draft from a register table or from questions, its tests begun."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.profile import schema
from drivers.profile.check_cpython import check_text
from drivers.profile.vocabulary_cpython import usual
from gateway.core.errors import ConfigError
from gateway.core.report_cpython import ERROR, near
from gateway.core.source_cpython import NoInput
from tools.profile.importing import foreign, kinds, table, write
from tools.profile.importing.draft import one_line
from tools.profile.plural import many
from tools.profile.proof import tester
from tools.profile.proof.grade import grade
from tools.profile.writing import first_test, questions
from tools.profile.writing.remarks import remarked

if TYPE_CHECKING:
    from typing import Any

    from tools.profile.importing.draft import Draft

OK, USAGE = 0, 2
_SETTABLE = ("models", "every", "identify")  # beside those that have an option of their own
_LOSSES_MAX = 8  # told one by one
_EXAMPLES = """\
examples:
  tidegate profile new acme/wl200.yaml --table wl200.csv
  tidegate profile new acme/wl200.yaml --table wl200.csv --kind water_level \\
      --frame "01 03 0000 0002 C40B" "01 03 04 04D2 00E1 DA7A"
  tidegate profile new acme/wl200.yaml                  asks, on a terminal
  tidegate profile new acme/wl200.yaml --answers a.txt  the same answers, a line each; - is stdin

A table is CSV as a spreadsheet writes it; its columns are found by their headings in English,
Chinese or German: address, name, type, factor, unit, access … What was guessed is said.
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EXAMPLES
    parser.add_argument("file", type=Path, metavar="MAKER/MODEL.yaml", help="the file to write")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--table", type=Path, metavar="CSV", help="register table")
    source.add_argument("--answers", metavar="FILE", help="answers to the questions, a line each")
    parser.add_argument(
        "--frame",
        nargs="+",
        action="append",
        default=[],
        metavar="HEX",
        help="request and answer as the manual prints them, or a frame alone",
    )
    for key in ("name", "maker", "docs", "kind"):
        purpose = next(purpose for name, _, purpose in schema.PROFILE if name == key)
        parser.add_argument(f"--{key}", help=purpose.replace(" (required)", ""))
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any other key of the profile or of its bus: every=10s, baud=4800, in=input",
    )
    parser.add_argument("--force", action="store_true", help="write over a file that is there")


def main(args: argparse.Namespace) -> int:
    """Write the draft; return the exit code."""
    if args.file.exists() and not args.force:
        raise ConfigError(f"{args.file}: is there already; --force writes over it")
    if any(len(frame) > 2 for frame in args.frame):
        raise ConfigError("--frame takes a request and its answer, each in quotes")
    answers = None if args.table else _answers(args.answers)
    draft = questions.asked(answers) if answers else _from_table(args.table)
    _complete(draft, args)
    guessed = _guess_kinds(draft)
    frames = [*_asked_frames(answers, draft, args.file), *args.frame]
    text = _text(draft, args.file, frames)
    args.file.parent.mkdir(parents=True, exist_ok=True)
    args.file.write_text(text, encoding="utf-8")
    told = _told(draft, args, text, guessed)
    if getattr(args, "json", False):
        print(json.dumps(told, ensure_ascii=False))
    else:
        print("\n".join(_lines(told)))
    return OK


def _from_table(path: Path) -> Draft:
    return table.read(foreign.read_bytes(path), path.name)


def _answers(file: str | None) -> questions.Answers:
    if file is None:
        if not sys.stdin.isatty():
            raise ConfigError("nobody to ask: give --table or --answers, or call it on a terminal")
        return questions.Answers(input, print)
    try:
        text = sys.stdin.read(foreign.SIZE_MAX) if file == "-" else foreign.read_text(Path(file))
    except UnicodeDecodeError as error:
        raise NoInput(f"standard input: byte {error.start} is not UTF-8")
    left = iter(text.splitlines())

    def ask(_prompt: str) -> str:
        try:
            return next(left)
        except StopIteration:
            raise EOFError

    return questions.Answers(ask, None)


def _complete(draft: Draft, args: argparse.Namespace) -> None:
    """Fill in what the command line says, and what the name of the file does."""
    maker = args.file.resolve().parent.name
    draft.maker = args.maker or draft.maker or maker.capitalize()
    draft.name = args.name or draft.name or f"{draft.maker} {args.file.stem.upper()}"
    draft.docs = args.docs or draft.docs
    draft.kind = args.kind or draft.kind
    section = {key: form for key, form, _ in schema.SECTIONS[draft.section]}
    profile = {key: form for key, form, _ in schema.PROFILE if key in _SETTABLE}
    for pair in args.set:
        key, equals, answer = pair.partition("=")
        form = profile.get(key) or section.get(key, "node")
        if not equals or form == "node":
            hint = near(key, [*section, *profile]) or f"keys: {', '.join(section)}"
            raise ConfigError(f"--set {pair}: KEY=VALUE is wanted; {hint}")
        value = questions.checked(key, form, answer)
        if key in profile:
            setattr(draft, key, value)
        else:
            draft.bus[key] = value


def _guess_kinds(draft: Draft) -> dict[str, str]:
    """Give well-known ids the kind they usually have; return all that were guessed."""
    for one in draft.channels:
        kind, keys = usual(one.id).get("kind", ""), one.keys
        plain = not {"kind", "map", "flags", "hidden"} & set(keys)
        if plain and not str(keys.get("type", "")).startswith(("str", "hex")):
            if kinds.fits(kind, keys.get("unit", "")):
                keys["kind"] = kind
    return {one.id: one.keys["kind"] for one in draft.channels if "kind" in one.keys}


def _text(draft: Draft, file: Path, frames: list[list[str]]) -> str:
    """The draft with a remark for each key, the tests begun, and where it comes from on top."""
    head = _head(draft)
    if frames:
        head = head.replace("\nverified: none\n", "\nverified: manual\n")
    tests = first_test.lines(head, str(file), frames)
    return remarked(head + "\n".join(tests) + "\n")


def _asked_frames(answers: questions.Answers | None, draft: Draft, file: Path) -> list[list[str]]:
    """Ask for frames, of which each must fit the draft."""
    if answers is None:
        return []
    head = _head(draft)
    first_test.require(head, str(file))  # what is wrong with the draft is not said of each frame
    return questions.frames(answers, lambda frame: first_test.objection(head, str(file), frame))


def _head(draft: Draft) -> str:
    kept = [
        line
        for line in write.text(draft).rstrip("\n").split("\n")
        if not line.startswith(("# Source:", "# Licence:", "# Draft:", "tests:"))
    ]
    source = f"register list {one_line(draft.source)}" if draft.columns else "typed in"
    kept.insert(2, f"# Source: {source}; name the manual here once it was compared.")
    return "\n".join(kept) + "\n"


def _told(
    draft: Draft, args: argparse.Namespace, text: str, guessed: dict[str, str]
) -> dict[str, Any]:
    checked = check_text(text, str(args.file))
    tester.run(checked)
    reached = grade(checked)
    return {
        "schema": "tidegate.profile.new/1",
        "file": str(args.file),
        "lines": text.count("\n"),
        "channels": [one.folded for one in checked.drafts],
        "columns": draft.columns,
        "kinds": guessed,
        "losses": [
            {"line": one.line, "what": one.what, "reason": one.reason} for one in draft.losses
        ],
        "grade": reached.name,
        "lacking": reached.lacking,
        "problems": checked.report.rows(),
    }


def _lines(told: dict[str, Any]) -> list[str]:
    file = told["file"]
    lines = [f"{file}: {many(told['lines'], 'line')}, {many(len(told['channels']), 'channel')}"]
    if told["columns"]:
        taken = (f"{heading} = {role}" for heading, role in told["columns"].items())
        lines.append(f"columns taken for: {', '.join(taken)}")
    if told["kinds"]:
        guessed = (f"{name} = {kind}" for name, kind in told["kinds"].items())
        lines.append(f"kinds guessed: {', '.join(guessed)}")
    losses = told["losses"]
    lines += [f"line {one['line']}, {one['what']}: {one['reason']}" for one in losses[:_LOSSES_MAX]]
    if len(losses) > _LOSSES_MAX:
        lines.append(f"and {len(losses) - _LOSSES_MAX} more, told in the file")
    errors = [one for one in told["problems"] if one["severity"] == ERROR]
    to_do = [f"line {one['line']}: {one['message']}" for one in errors]
    to_do += told["lacking"][1 if errors else 0 :]  # the first only counts the errors
    if to_do:
        lines.append(f"still to do: {'; '.join(to_do)}")
    if not Path(file).resolve().parent.parent.joinpath("schema.json").exists():
        beside = Path(file).parent.parent / "schema.json"
        lines.append(f"for your editor: tidegate profile schema -o {beside}")
    return [*lines, f"next: tidegate profile check {file}"]
