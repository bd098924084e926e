"""The profile a person names: a file, its compiled form, maker/model, or REVISION:path in git.

Knows where each is found; what a profile says is the checker's business.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.profile import compile_cpython
from drivers.profile.check_cpython import check_source, check_text
from drivers.profile.model import load
from gateway.core import cbor
from gateway.core.errors import BadReply, ConfigError
from gateway.core.source_cpython import SIZE_MAX, NoInput, read_source, read_stream
from tools.profile.importing import foreign

if TYPE_CHECKING:
    from typing import Any

    from drivers.profile.check_cpython import Checked
    from drivers.profile.model import Profile
    from gateway.core.source_cpython import Source

HELP = "file, maker/model, compiled .cbor, or REVISION:path in git"
STDIN = "-"  # as everywhere
GIT_S = 30  # longest wait for git; a large repository on a slow card takes seconds


class Given:
    """A profile: as `profile`, as its compiled `document`, and as `checked` or None (.cbor)."""

    def __init__(self, name: str, data: bytes, checked: Checked | None) -> None:
        self.name = name
        self.checked = checked
        try:
            self.profile: Profile = load(data)
        except BadReply as error:
            raise ConfigError(f"{name}: {error}")
        self.document: dict[str, Any] = cbor.decode(data)


def find(word: str) -> Given:
    """Return the profile `word` stands for; NoInput if there is none, ConfigError if it errs."""
    path = Path(word)
    if path.suffix == ".cbor":
        return Given(word, foreign.read_bytes(path), None)
    if _is_file(path) and not path.exists() and ":" in word:
        return _compiled(word, check_text(_from_git(word), word))
    return _compiled(word, check_source(read_source(file_of(word))))


def source(word: str) -> Source:
    """Return the tree of what `word` stands for: a file, maker/model, or - for standard input."""
    if word == STDIN:
        return read_stream(sys.stdin.buffer, "standard input")
    return read_source(file_of(word))


def file_of(word: str) -> Path:
    """Return the file that `word`, a file or maker/model, stands for; NoInput if no profile."""
    path = Path(word)
    return path if _is_file(path) else compile_cpython.find(word)


def _is_file(path: Path) -> bool:
    return path.exists() or path.suffix in (".yaml", ".yml", ".cbor")


def _compiled(name: str, checked: Checked) -> Given:
    checked.report.require()
    return Given(name, cbor.encode(checked.document), checked)


def _from_git(word: str) -> str:
    command = ["git", "show", word]
    try:
        ran = subprocess.run(command, capture_output=True, timeout=GIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoInput(f"{word}: git does not run: {error}")
    if ran.returncode or len(ran.stdout) > SIZE_MAX:
        said = ran.stderr.decode(errors="replace").strip().partition("\n")[0]
        raise NoInput(f"{word}: {said or 'too large'}")
    return ran.stdout.decode(errors="replace")
