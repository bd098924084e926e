"""What passes between a bus driver and a profile: registers read, fields to read, steps to write.

Knows tables and addresses as on the wire (counted from 0); knows no meaning of any value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.record import Record

if TYPE_CHECKING:
    from typing import TypeAlias

    Chunk: TypeAlias = "tuple[int, bytes]"

HOLDING = "holding"
INPUT = "input"
COIL = "coil"
DISCRETE = "discrete"
TABLES = (HOLDING, INPUT, COIL, DISCRETE)
BIT_TABLES = (COIL, DISCRETE)


class Field(Record):
    """`count` registers (or bits) of `table` from `address` on, read whole, feeding `channels`."""

    __slots__ = ("address", "channels", "count", "table")

    def __init__(self, table: str, address: int, count: int, channels: tuple[str, ...]) -> None:
        self.table = table
        self.address = address
        self.count = count
        self.channels = channels


class Step(Record):
    """One write: Modbus `function` 5, 6, 15 or 16, `values` (0/1 bits, or words), then a pause.

    `read_back` says that the same place can be read, and must then hold `values`.
    """

    __slots__ = ("address", "function", "read_back", "table", "values", "wait_ms")

    def __init__(
        self,
        table: str,
        function: int,
        address: int,
        values: tuple[int, ...],
        wait_ms: int,
        read_back: bool,
    ) -> None:
        self.table = table
        self.function = function
        self.address = address
        self.values = values
        self.wait_ms = wait_ms
        self.read_back = read_back


class Image:
    """What one poll brought: registers (two bytes each, as on the wire), bits (a byte each)."""

    def __init__(self) -> None:
        self._chunks: dict[str, list[Chunk]] = {}
        self._failed: list[tuple[str, int, int, str]] = []

    def put(self, table: str, address: int, data: bytes) -> None:
        """Store what was read at `address`; neighbours put in order of address join."""
        chunks = self._chunks.setdefault(table, [])
        if chunks:
            start, before = chunks[-1]
            if start + len(before) // width(table) == address:
                chunks[-1] = (start, before + data)
                return
        chunks.append((address, data))

    def fail(self, table: str, address: int, count: int, quality: str) -> None:
        """Note that a read was tried in vain: what lies there has no value, and `quality` why."""
        self._failed.append((table, address, count, quality))

    def take(self, table: str, address: int, count: int) -> bytes | None:
        """Return the bytes of `count` registers or bits, None if not all of them were read."""
        size = width(table)
        for start, data in self._chunks.get(table, ()):
            at = (address - start) * size
            if 0 <= at <= len(data) - count * size:
                return data[at : at + count * size]
        return None

    def why(self, table: str, address: int, count: int) -> str | None:
        """Return the quality noted for a place that failed, None if it was never asked for."""
        for failed, start, size, quality in self._failed:
            if failed == table and start < address + count and address < start + size:
                return quality
        return None


def width(table: str) -> int:
    """Return how many bytes an Image holds per address of `table`."""
    return 1 if table in BIT_TABLES else 2
