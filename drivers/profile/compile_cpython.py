"""Profiles from files: found by name, compiled to CBOR, kept in a cache.

Knows folders and the cache; what a profile may say is the checker's business.
"""

from __future__ import annotations

import hashlib
import os
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.profile import model, units_cpython
from gateway.core import cbor
from gateway.core.errors import BadReply, ConfigError
from gateway.core.report_cpython import near
from gateway.core.source_cpython import SIZE_MAX, NoInput

if TYPE_CHECKING:
    from collections.abc import Sequence

_HERE = Path(__file__).resolve().parent
_DIGEST_BYTES = 32
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*/[a-z0-9][a-z0-9_.-]*")


def find(name: str, folders: Sequence[Path] = ()) -> Path:
    """Return the file of profile `name` ("maker/model"): in `folders` first, then as shipped.

    NoInput if there is none.
    """
    searched = [*folders, units_cpython.PROFILES]
    if not _NAME.fullmatch(name):  # a name is no path: it must not lead out of the folder
        raise NoInput(f"{name!r} is no profile name: maker/model is wanted")
    for folder in searched:
        path = folder / f"{name}.yaml"
        if path.is_file():
            return path
    known = [one for folder in searched for one in shipped(folder)]
    hint = near(name, known)
    raise NoInput(f"there is no profile {name!r}" + (f": {hint}" if hint else ""))


def shipped(folder: Path = units_cpython.PROFILES) -> list[str]:
    """Return the names of the profiles in a folder, sorted."""
    return sorted(f"{path.parent.name}/{path.stem}" for path in folder.glob("*/*.yaml"))


def compile_text(text: str, name: str) -> bytes:
    """Return a profile's compiled form; ConfigError with every problem if it has an error."""
    from drivers.profile.check_cpython import check_text  # loads the YAML reader

    checked = check_text(text, name)
    checked.report.require()
    return cbor.encode(checked.document)


def compiled(path: Path) -> bytes:
    """Return the compiled form of the file `path`, from the cache if it holds it."""
    try:
        with path.open("rb") as file:
            source = file.read(SIZE_MAX + 1)
        text = source.decode()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: byte {error.start} is not UTF-8")
    key = hashlib.sha256(_compiler_digest() + source).hexdigest()
    found = _cached(key)
    if found is None:
        found = compile_text(text, str(path))
        _keep(key, found)
    return found


def load_file(path: Path) -> model.Profile:
    """Return the profile in a YAML file; ConfigError with every problem."""
    return model.load(compiled(path))


def cache_folder() -> Path:
    """Return where compiled profiles are kept (XDG Base Directory Specification).

    OSError for a user without a home, as in many a container.
    """
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "tidegate"
    except RuntimeError as error:
        raise OSError(str(error))


@cache
def _compiler_digest() -> bytes:
    # What turned the text into bytes is part of the key: an update never meets its elder's output.
    digest = hashlib.sha256()
    registries = sorted(units_cpython.PROFILES.glob("*.jsonl"))
    for path in sorted(_HERE.glob("*.py")) + registries:
        digest.update(path.read_bytes())
    return digest.digest()


def _cached(key: str) -> bytes | None:
    try:
        held = (cache_folder() / f"{key}.cbor").read_bytes()
    except OSError:
        return None
    digest, data = held[:_DIGEST_BYTES], held[_DIGEST_BYTES:]
    if hashlib.sha256(data).digest() != digest:
        return None  # torn or meddled with: compiled again, and written over
    try:
        model.load(data)
    except BadReply:
        return None
    return data


def _keep(key: str, data: bytes) -> None:
    try:
        folder = cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
        # One name, so that a full disk gathers no leftovers; two writers at once spoil the digest.
        new = folder / f"{key}.new"
        new.write_bytes(hashlib.sha256(data).digest() + data)
        os.replace(new, folder / f"{key}.cbor")
    except OSError:
        # Without a cache we only compile again next time: a full or read-only disk stops nothing.
        return
