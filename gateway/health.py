"""Is everything moving, and does every reading account for itself? Pure: time is an argument."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

POLL_LIMIT_MS = 60_000  # three times the longest wait of a bus loop
STORE_LIMIT_MS = 30_000  # a card may stall for seconds; longer and it is gone
UPLINK_LIMIT_MS = 60_000  # its loop turns every twenty seconds, connected or not


class Beats:
    """The parts of the agent that must keep moving, each within its limit."""

    def __init__(self) -> None:
        self._limits: dict[str, int] = {}
        self._last: dict[str, int] = {}

    def expect(self, part: str, limit_ms: int, now_ms: int) -> None:
        """From now on `part` must beat at least every `limit_ms`."""
        self._limits[part] = limit_ms
        self._last[part] = now_ms

    def beat(self, part: str, now_ms: int) -> None:
        """`part` has moved."""
        self._last[part] = now_ms

    def late(self, now_ms: int) -> list[str]:
        """Return the parts that have not moved within their limits, by name."""
        return sorted(
            [part for part in self._limits if now_ms - self._last[part] > self._limits[part]]
        )


def unaccounted(counts: dict[str, Any]) -> int:
    """Return sampled - (delivered + gaps + buffered): anything but 0 is a reading lost."""
    known = int(counts["delivered"]) + int(counts["gaps"]) + int(counts["buffered"])
    return int(counts["sampled"]) - known


def summary(counts: dict[str, Any]) -> str:
    """Return the accounting identity as one line."""
    return (
        f"sampled {counts['sampled']} = delivered {counts['delivered']}"
        f" + gaps {counts['gaps']} + buffered {counts['buffered']}"
    )
