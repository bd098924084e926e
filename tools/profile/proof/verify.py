"""`tidegate profile check` and `test`: what is wrong, and whether the tests hold."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from time import perf_counter

from drivers.profile.check_cpython import Checked, check_source
from drivers.profile.names_cpython import expand
from gateway.core import cbor
from gateway.core.report_cpython import Report
from gateway.core.source_cpython import SCALAR, Node, NoInput
from tools.profile import given
from tools.profile.plural import many
from tools.profile.proof import tester
from tools.profile.proof.grade import BRONZE, GOLD, NONE, SILVER, grade

OK, FINDINGS, NO_INPUT = 0, 1, 66
UNREADABLE = "E006"
_EXAMPLES = """\
examples:
  tidegate profile check probe.yaml            every problem, with its line and a way out
  tidegate profile check --strict profiles/    every file below a folder; warnings count
  tidegate profile check eastron/sdm630        one that is shipped
  tidegate profile check - < probe.yaml        standard input, as an editor pipes it
  tidegate profile check probe.yaml --json     an array with one object for each file
  tidegate profile test profiles/              only what the manuals' frames give

Leaves 0 if all is well, 1 if something was found, 66 if no file could be read.
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what both verbs take."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EXAMPLES
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="file, folder, maker/model, or - for standard input",
    )
    parser.add_argument("--strict", action="store_true", help="a warning is a finding too")


def main(args: argparse.Namespace) -> int:
    """Check the files, or only run their tests; return the exit code."""
    started = perf_counter()
    files = _files(args.files)
    if not files:
        print("tidegate profile: no profile there", file=sys.stderr)
        return NO_INPUT
    rows = [look(word) for word in files]
    no_input = all(_unreadable(checked) for checked, _ in rows)
    if no_input and not args.json:
        for checked, _ in rows:
            print(checked.report.text(), file=sys.stderr)
        return NO_INPUT
    strict = args.action == "check" and args.strict
    bad = sum(row.report.errors + (row.report.warnings if strict else 0) for row, _ in rows)
    if args.json:
        print(json.dumps([_row(*row) for row in rows]))
        return NO_INPUT if no_input else FINDINGS if bad else OK
    for word, (checked, outcome) in zip(files, rows, strict=True):
        _show(checked, outcome, args.action == "test")
        if args.action == "check" and word in args.files:
            print(f"{checked.report.name}: grade {grade(checked).text()}")
    channels = many(sum(_channels(checked) for checked, _ in rows), "channel")
    touched = f"{_touched([checked for checked, _ in rows])} % touched by tests"
    tests = sum(outcome.tests for _, outcome in rows)
    errors = sum(checked.report.errors for checked, _ in rows)
    warnings = sum(checked.report.warnings for checked, _ in rows)
    took_ms = (perf_counter() - started) * 1000
    counts = [many(len(files), "profile"), f"{channels} ({touched})", many(tests, "test")]
    found = [many(errors, "error"), many(warnings, "warning")]
    if args.action == "check":
        found.append(_grades(rows))
    print(f"{', '.join(counts)}: {', '.join(found)}, {took_ms:.0f} ms")
    return FINDINGS if bad else OK


def _files(words: list[str]) -> list[str]:
    found: list[str] = []
    for word in words:
        path = Path(word)
        found += map(str, sorted(path.rglob("*.yaml"))) if path.is_dir() else [word]
    return found


def look(word: str) -> tuple[Checked, tester.Outcome]:
    """Check the profile `word` stands for and run its tests; one that cannot be read is reported.

    `word` is a file, maker/model, or - for standard input.
    """
    try:
        checked = check_source(given.source(word))
    except NoInput as error:  # the other files are still worth a look
        checked = Checked(Report(word, ""), None)
        checked.report.add(UNREADABLE, Node(SCALAR, 1, 1, 1), str(error).removeprefix(f"{word}: "))
    return checked, tester.run(checked)


def _unreadable(checked: Checked) -> bool:
    return any(problem.code == UNREADABLE for problem in checked.report.problems)


def _show(checked: Checked, outcome: tester.Outcome, tests_only: bool) -> None:
    report = checked.report
    if report.errors or (report.warnings and not tests_only):
        print(report.text())
    elif tests_only:
        print(f"{report.name}: {many(outcome.tests, 'test')}, {outcome.compared} values compared")


def _channels(checked: Checked) -> int:
    """How many channels there are once arrays and groups are expanded."""
    found = {draft.folded: len(draft.groups) * len(draft.made.suffixes) for draft in checked.drafts}
    return sum(found.values())


def _touched(all_checked: list[Checked]) -> int:
    """How many of a hundred visible channels a test touches, arrays by any of their members."""
    visible = touched = 0
    for checked in all_checked:
        said = set[str]().union(*(case.channels for case in checked.cases))
        for draft in {draft.folded: draft for draft in checked.drafts}.values():
            if not draft.keys.get("hidden"):
                ids = expand(draft.folded, draft.groups, draft.made.suffixes)
                visible += len(ids)
                touched += len(ids) if said.intersection(ids) else 0
    return 100 * touched // visible if visible else 0


def _grades(rows: list[tuple[Checked, tester.Outcome]]) -> str:
    counted = Counter(grade(checked).name for checked, _ in rows)
    return " ".join(
        f"{counted[name]} {name}" for name in (GOLD, SILVER, BRONZE, NONE) if counted[name]
    )


def _row(checked: Checked, outcome: tester.Outcome) -> dict[str, object]:
    size = len(cbor.encode(checked.document)) if checked.document else 0
    reached = grade(checked)
    return {
        "file": checked.report.name,
        "errors": checked.report.errors,
        "warnings": checked.report.warnings,
        "grade": reached.name,
        "lacking": reached.lacking,
        "channels": _channels(checked),
        "tests": outcome.tests,
        "failed": outcome.failed,
        "compared": outcome.compared,
        "size_bytes": size,
        "problems": checked.report.rows(),
    }
