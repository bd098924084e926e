"""Values of options that several verbs have: `-o`, `--baud`, `--unit`, `--timeout`, `--repeat`.

Each function is the `type` of an option: it takes the text and says what is wrong with it.
"""

from __future__ import annotations

from argparse import ArgumentTypeError
from pathlib import Path

STDOUT = "-"  # as everywhere
BAUD_MAX = 4_000_000  # the fastest that Linux has a name for (B4000000)
UNIT_MAX = 255  # the unit identifier of Modbus TCP is a byte
TIMEOUT_MAX_S = 60  # as `timeout` in a profile

REPEAT_MAX = 32  # copies of a block; of 16 channels each, they fill a profile


def output(text: str) -> Path | None:
    """Return the file or folder that `-o` names, None if it is standard output."""
    return None if text == STDOUT else Path(text)


def baud(text: str) -> int:
    """Return the speed of a line."""
    return _whole(text, 1, BAUD_MAX)


def unit(text: str) -> int:
    """Return the number of a Modbus unit; 0 would be all of them."""
    return _whole(text, 1, UNIT_MAX)


def seconds(text: str) -> float:
    """Return how long to wait for an answer."""
    try:
        found = float(text)
    except ValueError:
        found = 0
    if not 0 < found <= TIMEOUT_MAX_S:  # nor is it NaN
        raise ArgumentTypeError(f"{text!r} is no time of 0.1 s, say, to {TIMEOUT_MAX_S} s")
    return found


def copies(text: str) -> int:
    """Return how many copies of a repeated block are meant."""
    return _whole(text, 1, REPEAT_MAX)


def _whole(text: str, low: int, high: int) -> int:
    if not text.isdecimal() or not low <= int(text[:20]) <= high:
        raise ArgumentTypeError(f"a whole number {low}..{high} is wanted, not {text!r}")
    return int(text)
