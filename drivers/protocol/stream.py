"""What devices that report by themselves send: a stream cut into frames, and what came of it.

Knows no protocol, no port and no clock: each protocol says where a frame begins and ends.
"""

from __future__ import annotations

from binascii import crc32
from typing import TYPE_CHECKING

from gateway.core.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivers.protocol.telegram import Telegram

MORE = -1  # what `size` answers where more bytes must tell
SENDERS_MAX = 1024  # whose repetitions are recognised: the stations of a city's larger server
MARKS_MAX = 16  # reports of each: a station repeats the last few
WORK = 8  # bytes that may be looked at in vain for each byte that comes, over the long run
WORK_AHEAD = 32 * 1024  # and at first, or after a while in peace: some of the longest frames


class Heard(Record):
    """What came of some bytes: telegrams, in order; what to send back now; what was wrong."""

    __slots__ = ("notes", "send", "telegrams")

    def __init__(self) -> None:
        self.telegrams: list[Telegram] = []
        self.send = b""
        self.notes: list[str] = []


class Seen:
    """What was told already: the latest marks of each sender.

    One of these for all connections of a server: a sender whose confirmation was lost with its
    connection repeats itself on the next.
    """

    def __init__(self, senders_max: int = SENDERS_MAX) -> None:
        self._senders_max = senders_max
        self._marks: dict[str, list[int]] = {}  # of each sender: its latest turn, then marks
        self._turn = 0

    def is_new(self, sender: str, content: bytes) -> bool:
        """Return whether a sender says this for the first time, as far as is remembered."""
        mark = crc32(content)
        self._turn += 1
        held = self._marks.get(sender)
        if held is None:
            if len(self._marks) >= self._senders_max:
                silent = min([(marks[0], other) for other, marks in self._marks.items()])
                del self._marks[silent[1]]
            held = self._marks[sender] = [0]
        held[0] = self._turn
        if mark in held[1:]:
            return False
        self._marks[sender] = [self._turn] + held[1:][1 - MARKS_MAX :] + [mark]
        return True


class Stream:
    """Cuts what comes in into frames; after garbage it goes on at the next frame.

    `size(got, at)` is the size of the frame at `got[at]`, 0 if there is none, MORE if it is not
    whole yet, and -n if n bytes had to be looked at to see that there is none. It never depends on
    what follows the frame, nor claims more than the protocol's longest frame, so what is kept is
    bounded. So is the work: a stream made of nothing but heads of long frames is searched for the
    next one behind them, no longer within them. `starts`: the bytes one of which begins a frame.
    `skipped` counts the bytes that belonged to no frame.
    """

    def __init__(self, starts: bytes, size: Callable[[bytes, int], int]) -> None:
        self._starts = starts
        self._size = size
        self._got = b""
        self._work = WORK_AHEAD
        self.skipped = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Return the frames that are whole by now."""
        return self._cut(self._got + data, False)

    def flush(self) -> list[bytes]:
        """Return the frames hidden behind one that was never finished: the line fell silent."""
        return self._cut(self._got, True)

    def _cut(self, got: bytes, last: bool) -> list[bytes]:
        found = []
        at = 0
        while at < len(got):
            size = self._size(got, at) if got[at] in self._starts else 0
            step = 1
            if size > 0:
                found.append(got[at : at + size])
                step = size
            elif size < MORE:
                self._work += size
                step = 1 if self._work > 0 else -size
            elif size == MORE and not last:
                break
            if size <= 0:
                self.skipped += step
            self._work = min(WORK_AHEAD, self._work + WORK * step)
            at += step
        self._got = got[at:]
        return found
