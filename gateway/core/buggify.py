"""Places where the code may do what is allowed and hardly ever happens: only in a simulation.

`if buggify("short-batch")` is False on every gateway: nothing there arms it. A simulator does, with
dice of its own, so that rare ways are walked often. What is behind a point must keep every promise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_dice: Callable[[str], bool] | None = None


def buggify(name: str) -> bool:
    """Return whether the rare way at the point `name` is taken this time."""
    return _dice is not None and _dice(name)


def arm(dice: Callable[[str], bool] | None) -> None:
    """Let `dice` decide from now on; None: never again."""
    global _dice
    _dice = dice
