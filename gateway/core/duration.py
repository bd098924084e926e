"""A length of time as people write it: 500ms, 10s, 5m (or 5min), 1h, 7d."""

from __future__ import annotations

UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
DIGITS_MAX = 9  # of a number of milliseconds: eleven days


def milliseconds(text: str) -> int:
    """Return the milliseconds `text` means; ValueError if it is no length of time."""
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = text[len(number) :]
    number = number.rstrip()
    if unit not in UNITS_MS or not number.isdigit() or len(number) > DIGITS_MAX:
        raise ValueError(f"{text!r} is no length of time: write 500ms, 10s, 5m, 1h or 7d")
    return int(number) * UNITS_MS[unit]
