"""Decodes what test_catalogue.py wrote, under either Python, and says whether it is the same."""

import gc
import os
import sys

from drivers.profile.model import Image, load
from gateway.core import cbor


def replay(path: str) -> int:
    with open(path, "rb") as file:
        data, rows = cbor.decode(file.read())
    profile = load(data)
    for settings, chunks, failures, readings, known in rows:
        image = Image()
        for table, address, held in chunks:
            image.put(table, address, held)
        for table, address, count, quality in failures:
            image.fail(table, address, count, quality)
        found = {}
        got = [list(one) for one in profile.device(settings).decode(image, found)]
        if got != readings or found != known:
            print(profile.name, got, readings, found, known)
            sys.exit(1)
    return len(rows)


def main(folder: str) -> None:
    names = sorted(os.listdir(folder))
    tests = 0
    for name in names:
        tests += replay(f"{folder}/{name}")
        gc.collect()
    print(len(names), "profiles,", tests, "tests the same")


main(sys.argv[1])
