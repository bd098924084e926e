"""Arrays as a profile holds them: folded, so that forty channels take the room of one.

An array is [first, last], whose suffixes are those numbers, or a list of texts, or None.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.errors import ConfigError

if TYPE_CHECKING:
    from typing import Any

CHANNELS_MAX = 512  # of one profile, after arrays are expanded


def length(of: Any) -> int:
    """Return how many members an array has; ConfigError if that is none or too many."""
    if of is None:
        return 1
    count: int = len(of) if isinstance(of[0], str) else of[1] - of[0] + 1
    if not 0 < count <= CHANNELS_MAX:
        raise ConfigError(f"an array of {count}")
    return count


def suffix(of: Any, index: int) -> str:
    """Return the suffix of an array's member number `index`."""
    if of is None:
        return ""
    return str(of[index] if isinstance(of[0], str) else of[0] + index)
