"""Whether a test may mount: skipped with the reason where not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support.missing import missing
from tools.powercut import media

if TYPE_CHECKING:
    from pathlib import Path


def need_mounts() -> None:
    """Skip the test unless we are root and the kernel lets us record and mount a disk."""
    lacking = media.missing_program()
    if lacking:
        missing(*lacking)
    why = media.refusal()
    if why:
        pytest.skip(why)


def fill(point: Path) -> None:
    """Take every byte that is left, root's reserve included."""
    with (point / "others").open("wb", buffering=0) as file:
        size = 1 << 16
        while size:
            try:
                file.write(bytes(size))
            except OSError:
                size //= 2
        os.fsync(file.fileno())
    assert os.statvfs(point).f_bavail == 0
