"""Where a verb writes: what `-o` says, `-` being standard output as everywhere."""

from __future__ import annotations

from pathlib import Path

STDOUT = "-"


def output(text: str) -> Path | None:
    """Return the file or folder that `-o` names, None if it is standard output."""
    return None if text == STDOUT else Path(text)
