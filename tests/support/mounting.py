"""Whether a test may mount: skipped with the reason where not."""

from __future__ import annotations

import functools
import os

import pytest

from gateway.core.errors import LinkError
from tests.support.missing import missing
from tools.powercut import media


def need_mounts() -> None:
    """Skip the test unless we are root and the kernel lets us record and mount a disk."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    program = media.missing_program()
    if program:
        missing(*program)
    why = _refusal()
    if why:
        pytest.skip(f"the kernel refuses: {why}")


@functools.cache
def _refusal() -> str:
    try:
        with media.workplace() as place:
            media.try_out(place)
    except LinkError as error:
        return str(error)
    return ""
