"""`tidegate profile diff OLD NEW`: what the platform will see of a change, and its version."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from gateway.core.decimal import Decimal
from tools.profile import given
from tools.profile.telling.compare import MEANING, NONE, compare

if TYPE_CHECKING:
    from typing import Any

    from tools.profile.given import Given
    from tools.profile.telling.compare import Comparison

SAME, DIFFERENT = 0, 1
_NAMED_MAX = 6  # channels on one line; an array of forty changes as one
_REASONS_MAX = 3

_EXAMPLES = """\
examples:
  tidegate profile diff HEAD:profiles/acme/wl200.yaml profiles/acme/wl200.yaml
  tidegate profile diff acme/wl200 new.yaml          the shipped one, and a file
  tidegate profile diff old.cbor new.cbor --json     what two gateways hold

Leaves 0 if the platform sees no difference, 1 if it does, like diff(1). The verdict follows
semantic versioning, the readers of the data being the users:
  major   who reads the data, or runs a site, must change something
  minor   something is new, or a number may differ from what was sent before
  patch   the same points with the same numbers
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EXAMPLES
    parser.add_argument("old", metavar="OLD", help=given.HELP)
    parser.add_argument("new", metavar="NEW", help="the same")


def main(args: argparse.Namespace) -> int:
    """Print what differs; return the exit code."""
    old, new = given.find(args.old), given.find(args.new)
    found = compare(old, new)
    if getattr(args, "json", False):
        print(json.dumps(_row(old, new, found), default=_plain, ensure_ascii=False))
    else:
        print("\n".join(_lines(found)))
    return SAME if found.verdict == NONE else DIFFERENT


def _lines(found: Comparison) -> list[str]:
    lines = [f"+ {name}" for name in found.added]
    lines += [f"- {name}" for name in found.removed]
    lines += [f"? {old} is perhaps {new} now" for old, new in found.renamed]
    alike: dict[str, list[str]] = {}
    for one in found.changes:
        alike.setdefault(one.text, []).append(one.subject)
    lines += [f"~ {_names(subjects)}{text}" for text, subjects in alike.items()]
    more = len(found.reasons) - _REASONS_MAX
    why = "; ".join(found.reasons[:_REASONS_MAX]) + (f"; and {more} more" if more > 0 else "")
    lines.append(f"{found.verdict}: {MEANING[found.verdict]}" + (f" ({why})" if why else ""))
    return lines


def _names(subjects: list[str]) -> str:
    if subjects == [""]:
        return ""
    more = len(subjects) - _NAMED_MAX
    return ", ".join(subjects[:_NAMED_MAX]) + (f" and {more} more" if more > 0 else "") + ": "


def _row(old: Given, new: Given, found: Comparison) -> dict[str, Any]:
    return {
        "schema": "tidegate.profile.diff/1",
        "old": {"name": old.name, "digest": old.profile.digest.hex()},
        "new": {"name": new.name, "digest": new.profile.digest.hex()},
        "verdict": found.verdict,
        "reasons": found.reasons,
        "added": found.added,
        "removed": found.removed,
        "renamed": found.renamed,
        "changed": [
            {
                "subject": one.subject,
                "what": one.what,
                "old": one.old,
                "new": one.new,
                "level": one.level,
            }
            for one in found.changes
        ],
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return value.hex() if isinstance(value, bytes) else str(value)
