"""Fuzzes the reader of profiles with atheris, from our own profiles on.

    python -m tests.fuzz [-runs=20000] [-seed=1] [FOLDER]

takes libFuzzer's options; without -runs it goes on until Ctrl-C. An empty FOLDER is filled with
seeds, and keeps what led to new branches. An input that ends it is kept there as crash-…, or here.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

LENGTH_MAX = 8192  # bytes of an input; longer ones are slower, and no stranger

with atheris.instrument_imports(include=["drivers", "gateway", "tools"]):
    from tests.fuzz import profile_target


def main() -> None:
    """Fuzz until -runs are done or something is found."""
    folders = [Path(one) for one in sys.argv[1:] if not one.startswith("-")]
    if folders and not any(folders[0].glob("*")):
        print(profile_target.write_seeds(folders[0]), "seeds in", folders[0], flush=True)
    options = [f"-max_len={LENGTH_MAX}", *(f"-artifact_prefix={one}/" for one in folders[:1])]
    atheris.Setup([sys.argv[0], *options, *sys.argv[1:]], profile_target.one_input)
    atheris.Fuzz()


main()
