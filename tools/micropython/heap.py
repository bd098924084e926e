"""Run by MicroPython: prints what each compiled profile of a folder takes of a board's heap.

One line a profile: its file, the bytes of the profile loaded, the bytes of one device with it.
"""

import gc
import os
import sys

from drivers.profile.model import load

_allocated = getattr(gc, "mem_alloc", None)  # CPython has none


def _now() -> int:
    gc.collect()
    return int(_allocated()) if _allocated else 0


def main(folder: str) -> None:
    """Measure every file of `folder`, which holds compiled profiles."""
    load_all = sorted(os.listdir(folder))
    for name in load_all:
        with open(f"{folder}/{name}", "rb") as file:  # once before: what is loaded stays
            load(file.read()).device()
    for name in load_all:
        with open(f"{folder}/{name}", "rb") as file:
            data = file.read()
        before = _now()
        profile = load(data)
        loaded = _now()
        device = profile.device()
        print(name, loaded - before, _now() - before)
        del device, profile


main(sys.argv[1])
