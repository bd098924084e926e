"""Decodes what test_catalogue.py wrote, under either Python, and says whether it is the same."""

import gc
import os
import sys

import drivers.profile.sound_bus
import drivers.profile.text  # noqa: F401 - compiled while the heap is still in one piece
from drivers.profile.model import Image, load
from gateway.core import cbor


def replay(path: str) -> int:
    with open(path, "rb") as file:
        data, rows = cbor.decode(file.read())
    profile = load(data)
    for row in rows:  # each decoded when its turn comes: a board's memory is small
        settings, chunks, columns, failures, readings, known = cbor.decode(row)
        image = Image()
        for table, address, held in chunks:
            image.put(table, address, held)
        image._columns = columns
        for table, address, count, quality in failures:
            image.fail(table, address, count, quality)
        gc.collect()  # or what was thrown away leaves no hole that a large table fits into
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
