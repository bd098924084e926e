"""Fuzzes readers with atheris: that of profiles, from our own on, or those of reporting devices.

    python -m tests.fuzz [reports] [-runs=20000] [-seed=1] [FOLDER]

takes libFuzzer's options; without -runs it goes on until Ctrl-C. An empty FOLDER is filled with
seeds, and keeps what led to new branches. An input that ends it is kept there as crash-…, or here.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

LENGTH_MAX = 8192  # bytes of an input; longer ones are slower, and no stranger

REPORTS = sys.argv[1:2] == ["reports"]

with atheris.instrument_imports(include=["drivers", "gateway", "tools"]):
    if REPORTS:
        from tests.fuzz import report_target as target
    else:
        from tests.fuzz import profile_target as target


def main() -> None:
    """Fuzz until -runs are done or something is found."""
    given = sys.argv[2:] if REPORTS else sys.argv[1:]
    folders = [Path(one) for one in given if not one.startswith("-")]
    if folders and not any(folders[0].glob("*")):
        print(target.write_seeds(folders[0]), "seeds in", folders[0], flush=True)
    options = [f"-max_len={LENGTH_MAX}", *(f"-artifact_prefix={one}/" for one in folders[:1])]
    atheris.Setup([sys.argv[0], *options, *given], target.one_input)
    atheris.Fuzz()


main()
