"""What goes wrong between the agent and its card: operations that fail, and the last one of a life.

Every disk operation passes here before it is done. Knows no bytes: those are the disk's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.buffer.ring import SEGMENT, SPARE
from gateway.core.errors import LinkError

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tools.simulate.history import Faults

EIO_SHARE = 0.05  # of the reads, while reading fails


class Medium:
    """`end` is called when the life ends with an operation; it raises."""

    def __init__(self, faults: Faults, end: Callable[[str, str], None]) -> None:
        self.left = 0  # operations this life still has; 0: nobody counts
        self.shearing = False  # the life ends with the first record of the next segment
        self.shorn = ""  # that segment
        self._faults = faults
        self._end = end
        self._begun = ""  # the ring in which a spare file became a segment just now
        self._failing: list[str] = []  # operations that fail once each

    def begin(self) -> None:
        """A life begins."""
        self.left, self.shearing, self.shorn, self._begun = 0, False, "", ""

    def fail(self, operation: str, dice: Random) -> None:
        """Let the next few of `operation` fail."""
        self._failing = [operation] * dice.choice((1, 1, 1, 2, 3))

    def operation(self, operation: str, path: str) -> None:
        """Raise LinkError if it fails, or let the life end."""
        if self.left:
            self.left -= 1
            if not self.left:
                self._end(operation, path)
        if self.shearing:
            self._shear(operation, path)
        faults = self._faults
        if operation == "read":
            if faults.strikes("read-eio", EIO_SHARE):
                raise LinkError(f"{path}: Input/output error")
            return
        if faults.on("read-only"):
            raise LinkError(f"{path}: Read-only file system")
        if operation == "create" and faults.on("disk-full"):
            raise LinkError(f"{path}: No space left on device")
        if operation in self._failing:
            self._failing.remove(operation)
            raise LinkError(f"{path}: Input/output error")

    def _shear(self, operation: str, path: str) -> None:
        ring, _, name = path.partition("/")
        if operation == "rename" and name.startswith(SPARE):
            self._begun = ring
        elif operation == "sync" and ring == self._begun and name.startswith(SEGMENT):
            self.shorn = path
            self._end(operation, path)
