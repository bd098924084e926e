"""One way into all importers: finds out what a file is and reads it.

Knows the formats by what marks them; refuses what may not be used elsewhere.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.profile.check_cpython import check_text
from gateway.core.errors import ConfigError
from tools.profile.importing import esphome, evcc, foreign, sunspec, table, telegraf, write

if TYPE_CHECKING:
    from gateway.core.report_cpython import Problem
    from tools.profile.importing.draft import Draft

FORMATS = ("sunspec", "evcc", "esphome", "telegraf", "csv")
FILES_MAX = 5_000  # below one folder
_SUFFIXES = {".json", ".yaml", ".yml", ".toml", ".conf", ".csv", ".tsv", ".txt"}
_FOREIGN_LICENCE = (
    "a template of wb-mqtt-serial: its licence allows its use on Wiren Board controllers only. "
    "Write the profile from the maker's manual: tidegate profile new"
)


class Options:
    """What some formats need to be told."""

    def __init__(
        self,
        base: int = sunspec.BASE,
        at: int | None = None,
        repeat: int = sunspec.REPEAT,
        chosen: dict[str, str] | None = None,
    ) -> None:
        self.base = base
        self.at = at
        self.repeat = repeat
        self.chosen = chosen or {}


def read(sources: list[str], form: str, options: Options) -> list[Draft]:
    """Return the drafts of some sources; SunSpec models named together are one device."""
    models = [one for one in sources if form == "sunspec" or one.startswith("sunspec:")]
    if form == "auto":
        models += [one for one in sources if one not in models and _is_model(Path(one))]
    drafts = []
    if models:
        chain = [one for one in sources if one in models]
        drafts.append(sunspec.read(chain, options.base, options.at, options.repeat))
    for source in sources:
        if source not in models:
            drafts += _read(Path(source), form, options)
    for draft in drafts:
        if not draft.name:
            draft.name = Path(draft.source).stem
        if not draft.channels:
            first = draft.losses[0].reason if draft.losses else "it names no register"
            raise ConfigError(f"{draft.source}: no channel could be carried: {first}")
    return drafts


def files_below(folder: Path) -> list[Path]:
    """Return the files of a folder that an importer may read; ConfigError if they are too many."""
    found = sorted(one for one in folder.rglob("*") if one.suffix in _SUFFIXES and one.is_file())
    if len(found) > FILES_MAX:
        raise ConfigError(f"{folder}: more than {FILES_MAX} files")
    return found


def detect(data: bytes, name: str) -> str:
    """Return the format of a file, "" if it is of none."""
    text = data.decode("utf-8", "replace")
    if sunspec.looks_like(text):
        return "sunspec"
    if telegraf.looks_like(text):
        return "telegraf"
    if evcc.looks_like(text):
        return "evcc"
    if esphome.looks_like(text):
        return "esphome"
    listed = name.lower().endswith((".csv", ".tsv", ".txt"))
    return "csv" if listed and table.looks_like(data) else ""


def finished(draft: Draft) -> tuple[str, list[Problem]]:
    """Return the profile's text and every error in it but the missing tests, which is none."""
    text = write.text(draft)
    problems = check_text(text, draft.source).report.problems
    lines = text.splitlines()
    return text, [
        one
        for one in problems
        if one.severity == "error" and not lines[one.line - 1].startswith("tests:")
    ]


def _read(path: Path, form: str, options: Options) -> list[Draft]:
    data = foreign.read_bytes(path)
    text = data.decode("utf-8", "replace")
    _refuse(text, path)
    found = detect(data, path.name) if form == "auto" else form
    if found == "csv":
        return [table.read(data, str(path))]
    if found == "evcc":
        return evcc.read(foreign.read_text(path), str(path), options.chosen)
    if found == "esphome":
        return esphome.read(foreign.read_text(path), str(path))
    if found == "telegraf":
        return telegraf.read(foreign.read_text(path), str(path))
    raise ConfigError(f"{path}: none of {', '.join(FORMATS)}; --format says which it is")


def _is_model(path: Path) -> bool:
    if path.suffix != ".json" or not path.is_file():
        return False
    text = foreign.read_text(path)
    return sunspec.looks_like(text)


def _refuse(text: str, path: Path) -> None:
    if re.search(r'"device_type"\s*:', text) and re.search(r'"(reg_type|channels)"\s*:', text):
        raise ConfigError(f"{path}: {_FOREIGN_LICENCE}")
