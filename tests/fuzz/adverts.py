"""Fuzzes the listener to adverts with atheris, from published ones on.

    python -m tests.fuzz.adverts [-runs=20000] [-seed=1] [FOLDER]

takes what `python -m tests.fuzz` takes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

LENGTH_MAX = 255  # bytes of an input: an extended advert's payload

with atheris.instrument_imports(include=["drivers"]):
    from tests.fuzz import advert_target


def main() -> None:
    """Fuzz until -runs are done or something is found."""
    folders = [Path(one) for one in sys.argv[1:] if not one.startswith("-")]
    if folders and not any(folders[0].glob("*")):
        print(advert_target.write_seeds(folders[0]), "seeds in", folders[0], flush=True)
    options = [f"-max_len={LENGTH_MAX}", *(f"-artifact_prefix={one}/" for one in folders[:1])]
    atheris.Setup([sys.argv[0], *options, *sys.argv[1:]], advert_target.one_input)
    atheris.Fuzz()


main()
