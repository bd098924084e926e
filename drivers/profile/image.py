"""What passes between a bus driver and a profile: what was read, what to read, what to write.

Knows tables and addresses as on the wire (counted from 0), messages with their bytes or columns;
knows no meaning of any value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.record import Record

if TYPE_CHECKING:
    from typing import Any, TypeAlias

    Chunk: TypeAlias = "tuple[int, bytes]"

HOLDING = "holding"
INPUT = "input"
COIL = "coil"
DISCRETE = "discrete"
TABLES = (HOLDING, INPUT, COIL, DISCRETE)
BIT_TABLES = (COIL, DISCRETE)
LATEST = ""  # the only message, or whichever came last


class Field(Record):
    """`count` registers, bits, bytes or columns of `table` from `address` on, feeding `channels`.

    A table is one of Modbus, or else a message or identifier: LATEST is whichever came last.
    """

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


class Send(Record):
    """One write on a bus of frames: `parts` are bytes, and "'addr" or "'check" for the driver."""

    __slots__ = ("parts", "wait_ms")

    def __init__(self, parts: list[Any], wait_ms: int) -> None:
        self.parts = parts
        self.wait_ms = wait_ms


class Image:
    """What one poll brought: registers (two bytes each, as on the wire), bits (a byte each).

    Or messages: bytes, or the columns of a text.
    """

    def __init__(self) -> None:
        self._chunks: dict[str, list[Chunk]] = {}
        self._columns: dict[str, list[str]] = {}
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

    def put_message(self, name: str, data: bytes) -> None:
        """Store a whole message, which is then the latest, too."""
        self._chunks[name] = self._chunks[LATEST] = [(0, data)]
        self._columns.pop(LATEST, None)

    def put_items(self, name: str, items: list[bytes]) -> None:
        """Store the values that a protocol gave one name; no field reaches from one to the next."""
        self._chunks[name] = []
        at = 0
        for data in items:
            self._chunks[name].append((at, data))
            at += len(data)

    def put_text(self, name: str, columns: list[str]) -> None:
        """Store the columns of a text, which is then the latest message, too."""
        self._columns[name] = self._columns[LATEST] = columns
        self._chunks.pop(LATEST, None)

    def column(self, name: str, at: int) -> str | None:
        """Return one column of a text, -1 is the last; None if it has none there."""
        columns = self._columns.get(name, ())
        return columns[at] if -len(columns) <= at < len(columns) else None

    def fail(self, table: str, address: int, count: int, quality: str) -> None:
        """Note that a read was tried in vain: what lies there has no value, and `quality` why.

        Of a message nothing came, whatever the address.
        """
        self._failed.append((table, address, count, quality))

    def take(self, table: str, address: int, count: int) -> bytes | None:
        """Return the bytes of `count` registers, bits or bytes, None if not all of them came.

        A negative address counts from the end of a message.
        """
        size = width(table)
        chunks = self._chunks.get(table, ())
        if address < 0 and chunks:
            address += chunks[-1][0] + len(chunks[-1][1])
        for start, data in chunks:
            at = (address - start) * size
            if 0 <= at <= len(data) - count * size:
                return data[at : at + count * size]
        return None

    def why(self, table: str, address: int, count: int) -> str | None:
        """Return the quality noted for a place that failed, None if it was never asked for."""
        for failed, start, size, quality in self._failed:
            inside = start < address + count and address < start + size
            if failed == table and (inside or table not in TABLES):
                return quality
        return None


def width(table: str) -> int:
    """Return how many bytes an Image holds per address of `table`."""
    return 2 if table in (HOLDING, INPUT) else 1
