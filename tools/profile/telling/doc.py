"""`tidegate profile doc`: a page for a profile, or for all of them with their index."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.profile import units_cpython
from drivers.profile.vocabulary_cpython import LANGUAGES
from gateway.core.errors import ConfigError
from gateway.core.report_cpython import near
from tools.profile import given
from tools.profile.importing import foreign
from tools.profile.options import output
from tools.profile.telling import catalogue
from tools.profile.telling.page import Subject, page

if TYPE_CHECKING:
    from collections.abc import Sequence

OK, FINDINGS = 0, 1
ROOT = units_cpython.PROFILES.parent
_EXAMPLES = """\
examples:
  tidegate profile doc eastron/sdm630                   the page as Markdown
  tidegate profile doc probe.yaml --html -o probe.html  one file, to print or to send
  tidegate profile doc probe.yaml --lang zh             titles in Chinese only
  tidegate profile doc --all                            docs/devices, and the table of README.md
  tidegate profile doc --all --check                    leave 1 if a page is missing or stale
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EXAMPLES
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("file", metavar="FILE", nargs="?", help="file, or maker/model")
    what.add_argument("--all", action="store_true", help="every profile shipped")
    parser.add_argument("--html", action="store_true", help="one HTML file, of one profile")
    parser.add_argument(
        "--lang", type=_languages, default=LANGUAGES, metavar="LANG,…", help="en, zh, ja; all"
    )
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    parser.add_argument("-o", "--output", type=output, metavar="OUT", help="file; folder of --all")


def main(args: argparse.Namespace) -> int:
    """Write the page or pages, or compare them; return the exit code."""
    if args.all:
        if args.html:
            raise ConfigError("--html is for one profile: --all writes Markdown")
        return _all(args.output, args.lang, args.check, getattr(args, "json", False))
    if args.check:
        raise ConfigError("--check compares the pages of --all, not the page of one profile")
    path = given.file_of(args.file)
    if path.suffix == ".cbor":
        raise ConfigError(f"{path}: the compiled form, without titles and tests: name the YAML")
    subject = _subject(path)
    shown = page(subject, args.lang, path.name)
    made = shown.html(args.lang[0]) if args.html else shown.markdown()
    if getattr(args, "json", False):
        reached = subject.grade
        row = {"profile": subject.name, "grade": reached.name, "lacking": reached.lacking}
        made = json.dumps({**row, "page": made}, ensure_ascii=False) + "\n"
    if args.output:
        args.output.write_text(made, encoding="utf-8")
        made = f"{args.output}: {len(made.encode())} bytes\n"
    sys.stdout.write(made)
    return OK


def expected(found: Sequence[Subject], languages: Sequence[str] = LANGUAGES) -> dict[Path, str]:
    """Return every file that `doc --all` writes about these profiles, with its text."""
    made = {
        Path("docs/devices") / name: text
        for name, text in catalogue.pages(found, languages).items()
    }
    readme = ROOT / "README.md"
    if readme.is_file():
        made[Path("README.md")] = _in_readme(
            readme.read_text(encoding="utf-8"), catalogue.summary(found)
        )
    return made


def _subject(path: Path) -> Subject:
    name = f"{path.resolve().parent.name}/{path.stem}"
    return Subject(name, foreign.read_text(path), str(path))


def _all(folder: Path | None, languages: Sequence[str], check: bool, as_json: bool) -> int:
    root = folder or ROOT
    wanted = expected(catalogue.subjects(), languages)
    missing = [path for path in wanted if not (root / path).is_file()]
    stale = [path for path in wanted if path not in missing and _differs(root / path, wanted[path])]
    known = {root / path for path in wanted}
    extra = [path for path in sorted((root / "docs/devices").rglob("*.md")) if path not in known]
    if not check:
        _write(root, {path: wanted[path] for path in (*missing, *stale)}, extra)
    if as_json:
        rows = {
            "missing": missing,
            "stale": stale,
            "extra": [one.relative_to(root) for one in extra],
        }
        print(json.dumps({key: [str(one) for one in paths] for key, paths in rows.items()}))
    else:
        words = ("is missing", "is stale", "is of no profile")
        for paths, word in zip((missing, stale, extra), words, strict=True):
            for path in paths if check else ():
                print(f"{path}: {word}")
        changed = len(missing) + len(stale)
        done = "to write" if check else "written"
        print(f"{len(wanted)} pages: {changed} {done}, {len(extra)} too many")
    return FINDINGS if check and (missing or stale or extra) else OK


def _write(root: Path, pages: dict[Path, str], extra: Sequence[Path]) -> None:
    for path, text in pages.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    for path in extra:
        path.unlink()


def _differs(path: Path, text: str) -> bool:
    return path.read_text(encoding="utf-8") != text


def _in_readme(text: str, table: str) -> str:
    before, begin, rest = text.partition(catalogue.BEGIN)
    _, end, after = rest.partition(catalogue.END)
    return f"{before}{begin}{table}{end}{after}" if end else text


def _languages(text: str) -> tuple[str, ...]:
    chosen = tuple(word.strip() for word in text.split(","))
    for word in chosen:
        if word not in LANGUAGES:
            hint = near(word, LANGUAGES) or f"there are: {', '.join(LANGUAGES)}"
            raise argparse.ArgumentTypeError(f"no titles in {word!r}: {hint}")
    return chosen
