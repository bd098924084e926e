"""A wall clock of one process's own, which a test steps while it runs (libfaketime)."""

from __future__ import annotations

import glob
import time
from typing import TYPE_CHECKING

from tests.support.missing import missing

if TYPE_CHECKING:
    from pathlib import Path

_LIBRARY = "/usr/lib/*/faketime/libfaketimeMT.so.1"


class WallClock:
    """What processes started with `environment` take for the time of day; others are untouched."""

    def __init__(self, file: Path) -> None:
        found = glob.glob(_LIBRARY)
        if not found:
            missing("libfaketime", "apt-get install libfaketime")
        self._file = file
        self.step(0)
        self.environment = {
            "LD_PRELOAD": found[0],
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # as of a kernel, whose boot clock never steps
            "FAKETIME_CACHE_DURATION": "1",  # s between looks at the file: each costs a read
            "NO_FAKE_STAT": "1",
        }

    def step(self, offset_s: int) -> None:
        """Set the clock so far from the right time; it is noticed within a second."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{offset_s:+d}\n")
        new.replace(self._file)

    def unset(self) -> None:
        """Set it to the first seconds of 1970, as on a board without a battery."""
        self.step(-int(time.time()))
