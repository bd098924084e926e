"""How much of what others wrote the importers carry: share of files and channels, and why not.

Measures folders that the user names; knows no corpus of its own.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.core.errors import ConfigError
from tools.bench.rows import row
from tools.profile.importing import foreign, formats
from tools.profile.importing.cli import channels

if TYPE_CHECKING:
    from typing import Any

REASONS_SHOWN = 6


def run(places: list[Path]) -> list[dict[str, Any]]:
    """Return rows for each format found below `places`; ConfigError if there is none."""
    tallies: dict[str, _Tally] = {}
    for place in places:
        for path in formats.files_below(place) if place.is_dir() else [place]:
            form = formats.detect(foreign.read_bytes(path), path.name)
            if form:
                tallies.setdefault(form, _Tally()).take(path, form)
    if not tallies:
        raise ConfigError("bench import: name folders with files that an importer knows")
    rows = []
    for form in sorted(tallies):
        rows += tallies[form].rows(form)
    return rows


class _Tally:
    """What became of the files of one format."""

    def __init__(self) -> None:
        self.files = 0
        self.read = 0
        self.drafts = 0
        self.broken = 0
        self.channels = 0
        self.lost = 0
        self.in_part = 0
        self.why: Counter[str] = Counter()

    def take(self, path: Path, form: str) -> None:
        self.files += 1
        try:
            drafts = formats.read([str(path)], form, formats.Options())
        except ConfigError as error:
            self.why[f"file: {str(error).rpartition(': ')[2]}"] += 1
            return
        self.read += 1
        for draft in drafts:
            _, problems = formats.finished(draft)
            self.drafts += 1
            self.broken += bool(problems)
            self.channels += channels(draft)
            self.lost += sum(1 for loss in draft.losses if loss.whole)
            self.in_part += sum(1 for loss in draft.losses if not loss.whole)
            self.why.update(loss.reason for loss in draft.losses)

    def rows(self, form: str) -> list[dict[str, Any]]:
        """Return this format's figures, the commonest reasons last."""
        told = self.channels + self.lost
        rows: list[dict[str, Any]] = [
            row(f"{form}: files imported, of {self.files}", _share(self.read, self.files), "%"),
            row(f"{form}: channels imported, of {told}", _share(self.channels, told), "%"),
            row(f"{form}: notes on what a channel lacks", self.in_part, ""),
            row(f"{form}: drafts with an error besides their missing tests", self.broken, ""),
        ]
        rows[-1]["budget"] = 0
        for reason, number in self.why.most_common(REASONS_SHOWN):
            rows.append(row(f"{form}: {reason}"[:90], number, "×"))
        return rows


def _share(part: int, whole: int) -> float:
    return round(100 * part / whole, 1) if whole else 0.0
