"""What a machine lacks: the test is skipped and says so, or fails where nothing may be skipped."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tools.sim import brokers

if TYPE_CHECKING:
    from typing import NoReturn


def missing(what: str, remedy: str) -> NoReturn:
    """End the test because `what` is not here; `remedy` is the command that brings it."""
    why = f"{what} is missing: {remedy}"
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


def need_broker(kind: str) -> None:
    """End the test unless a broker of this kind can run here."""
    lacking = brokers.missing_program(kind)
    if lacking:
        missing(*lacking)
