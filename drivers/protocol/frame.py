"""Frames of devices whose profile says how to know them: start, fixed bytes, length, check, end.

Cuts a stream of bytes into whole frames and says what is wrong with a frame that does not fit.
Knows no port, no clock, and not what a frame means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.protocol import checksum
from gateway.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

FRAME_MAX = 1024  # bytes; the longest answer of a common sensor is a third of it
END_MAX = 8  # bytes of an end mark
WORK_MAX = 16 * FRAME_MAX  # bytes that may be summed at one place of a stream, of all shapes
_MORE = -1  # more bytes must tell
_BLANK = "\x02\x03\t\r\n "  # around the columns of a text
_WIDTHS = {"u8": 1, "u16": 2, "u24": 3, "u32": 4}


class Shape:
    """What frames of one message look like, from its row in the compiled profile.

    In text messages the check is two hex digits a byte, and a `*` or ETX before it is not covered
    (NMEA 0183, wind sensors); a text without end and length is a line.
    """

    def __init__(self, row: dict[str, Any]) -> None:
        self.text = row.get("as") == "text"
        self._split: str = row.get("split", "")
        self._starts: list[bytes] = row.get("start", [])
        self._marks: list[list[Any]] = row.get("bytes", [])
        length = row.get("length", [])
        self._end: bytes = row.get("end", b"\n" if self.text and not length else b"")
        self._check = Check(row["check"], self.text) if "check" in row else None
        self._field = _Field(length) if "at" in length else None
        self._sizes: list[int] = [] if isinstance(length, dict) else sorted(length)
        span = length if isinstance(length, dict) and not self._field else {}
        self._least: int = max(span.get("min", 0), self._bare())
        self._most: int = span.get("max", FRAME_MAX)
        self._demand_sense()

    def _bare(self) -> int:
        """Return the size of the shortest frame that has room for all its parts."""
        tail = len(self._end) + (self._check.size if self._check else 0)
        sizes = [tail + (self._check.start if self._check else 1)]
        sizes += [min([len(start) for start in self._starts])] if self._starts else []
        sizes += [at + len(part) if at >= 0 else -at for at, part in self._marks]
        sizes += [self._field.stop] if self._field else []
        return max(sizes)

    def _demand_sense(self) -> None:
        """ConfigError where no frame could ever fit, or the parts contradict each other."""
        if len(self._end) > END_MAX:
            raise ConfigError(f"the end of a frame has more than {END_MAX} bytes")
        if b"" in self._starts or (self._split and not self.text):
            raise ConfigError("an empty start, or a split in a message that is no text")
        if self.text and not _readable(self._end):
            raise ConfigError(f"a text cannot end with {_hex(self._end)}")
        for at, part in self._marks:
            if not part or at < 0 < at + len(part):
                raise ConfigError(f"fixed bytes at {at} are empty or reach beyond the frame")
        if self._sizes and self._sizes[0] < self._least:
            raise ConfigError(f"a length of {self._sizes[0]} has no room for the parts of a frame")
        if max([self._least] + self._sizes) > self._most or self._most > FRAME_MAX:
            raise ConfigError(f"no frame fits, or one of more than {FRAME_MAX} bytes would")

    @property
    def work(self) -> int:
        """The most bytes that are looked at to say whether a frame begins at a place."""
        return sum(self._sizes) or self._most

    @property
    def bounded(self) -> bool:
        """True if a frame's end can be seen in a stream: by length, field or end mark."""
        return bool(self._sizes or self._field or self._end)

    def may_begin(self, got: bytes, at: int) -> bool:
        """Return whether a frame may begin at `got[at]`, in the middle of a stream.

        A line that nothing but its end tells from noise begins only where another one ends.
        """
        if not self.text or self._starts or self._check or self._sizes:
            return True
        return got[max(0, at - len(self._end)) : at] == self._end

    def refusal(self, frame: bytes) -> str:
        """Return why these bytes are not exactly one such frame, in words; "" if they are."""
        size = len(frame)
        if self._starts and not [True for start in self._starts if frame.startswith(start)]:
            return f"it begins with {_hex(frame[: len(self._starts[0])])}, not " + " or ".join(
                [_hex(start) for start in self._starts]
            )
        wrong = self._size_refusal(frame)
        if wrong:
            return wrong
        for at, part in self._marks:
            place = at if at >= 0 else size + at
            got = frame[place : place + len(part)]
            if got != part:
                return f"at {at} stands {_hex(got)}, not {_hex(part)}"
        if not frame.endswith(self._end):
            return f"it ends with {_hex(frame[-len(self._end) :])}, not {_hex(self._end)}"
        if self.text and not _readable(frame):
            return "it holds bytes that are no text"
        body = frame[: size - len(self._end)]
        return self._check.refusal(body) if self._check else ""

    def parts(self, frame: bytes) -> list[str] | bytes:
        """Return the columns of a text message (one if it is not split); else the frame."""
        if not self.text:
            return frame
        body = frame[: len(frame) - len(self._end)]
        if self._check:
            body = self._check.covered(body[: len(body) - self._check.size])
        # An empty column at either end is one, too: what parts columns is not stripped.
        text = body.decode().strip(_BLANK.replace(self._split, "") if self._split else _BLANK)
        if not self._split:
            return [text]
        columns = text.split(self._split) if self._split.strip(" ") else text.split()
        return [column.strip() for column in columns]

    def size(self, got: bytes, at: int) -> int:
        """Return the size of the frame that begins at `got[at]`; 0: none does, -1: more must tell.

        The answer never depends on how many bytes follow the frame.
        """
        room = len(got) - at
        if self._starts and not [
            True for start in self._starts if got[at : at + len(start)] == start[:room]
        ]:
            return 0
        for place, part in self._marks:
            if place >= 0:
                there = got[at + place : at + place + len(part)]
                if there != part[: len(there)]:
                    return 0
        for size in self._candidates(got, at):
            if size <= 0:
                return size
            if size > room:
                return _MORE
            if not self.refusal(got[at : at + size]):
                return size
        return 0

    def _candidates(self, got: bytes, at: int) -> Sequence[int]:
        """Return the sizes a frame at `at` may have, shortest first; -1 or 0 as in `size`."""
        if self._field:
            if len(got) - at < self._field.stop:
                return (_MORE,)
            size = self._field.size(got, at)
            return (size if self._least <= size <= FRAME_MAX else 0,)
        if self._sizes:
            return self._sizes
        end = got.find(self._end, at + self._least - len(self._end), at + self._most)
        if end < 0:
            return (_MORE if len(got) - at < self._most else 0,)
        return (end + len(self._end) - at,)

    def _size_refusal(self, frame: bytes) -> str:
        size = len(frame)
        if self._sizes and size not in self._sizes:
            return f"it has {size} bytes, not {' or '.join([str(each) for each in self._sizes])}"
        if size < self._least or size > self._most:
            return f"it has {size} bytes, not {self._least} to {self._most}"
        if self._field and self._field.size(frame, 0) != size:
            return f"it has {size} bytes and says it has {self._field.size(frame, 0)}"
        if self.text and self._end and not self._sizes and not self._field:
            end = frame.find(self._end, self._least - len(self._end))
            if 0 <= end < size - len(self._end):
                return f"it ends after {end + len(self._end)} bytes, and more follows"
        return ""


class Splitter:
    """Cuts what comes in into frames; after garbage it goes on at the next frame.

    Where a frame fits at a place, the shortest shape wins, so that neither the size of the lumps
    nor what follows changes the outcome. `midway`: the stream ran before anyone listened, and a
    first line that only its end marks may be cut. ConfigError for shapes no stream can be cut by.
    """

    def __init__(self, shapes: Sequence[Shape], midway: bool = False) -> None:
        for shape in shapes:
            if not shape.bounded:
                raise ConfigError("nothing says where a frame ends: length or end is needed")
        if sum([shape.work for shape in shapes]) > WORK_MAX:
            raise ConfigError("so many messages of such lengths take too long to tell apart")
        self._shapes = shapes
        self._got = b""
        self._at = 0  # what lies before is decided; END_MAX bytes of it are kept
        self._fresh = -1 if midway else 0  # a line may begin here

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Return (number of the shape, frame) of every frame that is whole by now."""
        return self._cut(data, False)

    def flush(self) -> list[tuple[int, bytes]]:
        """Return the frames hidden behind one that was never finished: the line fell silent."""
        return self._cut(b"", True)

    def _cut(self, data: bytes, last: bool) -> list[tuple[int, bytes]]:
        got, at = self._got + data, self._at
        found = []
        while at < len(got):
            number, size = self._frame(got, at)
            if size > 0:
                found.append((number, got[at : at + size]))
                at += size
                self._fresh = at
            elif size == 0 or last:
                at += 1
            else:
                break
        drop = max(0, at - END_MAX)
        self._got, self._at, self._fresh = got[drop:], at - drop, self._fresh - drop
        return found

    def _frame(self, got: bytes, at: int) -> tuple[int, int]:
        """Return (number of the shape, size) of the shortest frame at `at`; size as in Shape."""
        number, least, more = 0, 0, False
        for candidate, shape in enumerate(self._shapes):
            if at == self._fresh or shape.may_begin(got, at):
                size = shape.size(got, at)
                more = more or size == _MORE
                if size > 0 and (least == 0 or size < least):
                    number, least = candidate, size
        return number, least or (_MORE if more else 0)


class Check:
    """A check sum at the end of a frame or request; covers all from `start` to itself.

    `size` bytes on the wire. ConfigError if there is no such check sum.
    """

    def __init__(self, row: dict[str, Any], text: bool) -> None:
        self._name: str = row["is"]
        self._seed: int = row.get("seed", 0)
        self._text = text
        self.start: int = row.get("from", 0)
        if self._name not in checksum.SIZES or self.start < 0:
            raise ConfigError(f"no check sum is {self._name!r} from {self.start}")
        self.size = checksum.SIZES[self._name] * (2 if text else 1)

    def covered(self, before: bytes) -> bytes:
        """Return what belongs to the message of all that stands before the check."""
        return before[:-1] if self._text and before[-1:] in (b"*", b"\x03") else before

    def after(self, before: bytes) -> bytes:
        """Return the check that must follow `before`, as sent."""
        right = checksum.compute(self._name, self.covered(before)[self.start :], self._seed)
        return right.hex().upper().encode() if self._text else right

    def refusal(self, body: bytes) -> str:
        """Return what is wrong with the check at the end of `body`, and the right one; or ""."""
        place = len(body) - self.size
        stands, right = body[place:], self.after(body[:place])
        if (stands.upper() if self._text else stands) == right:
            return ""
        return f"the check sum is {self._shown(stands)}, these bytes have {self._shown(right)}"

    def _shown(self, check: bytes) -> str:
        """Return a check as people write it."""
        return repr(check)[2:-1] if self._text else _hex(check)


class _Field:
    """A number inside the frame that gives its size."""

    def __init__(self, row: dict[str, Any]) -> None:
        kind, order = row.get("type", "u8"), row.get("order", "ABCD")
        self._at: int = row["at"]
        self._plus: int = row.get("plus", 0)
        if kind not in _WIDTHS or order not in ("ABCD", "DCBA") or self._at < 0:
            raise ConfigError(f"a frame's length at {self._at} cannot be {kind} in order {order}")
        self._little = order == "DCBA"
        self.stop = self._at + _WIDTHS[kind]

    def size(self, got: bytes, at: int) -> int:
        """Return the size of the frame at `got[at]`, which reaches to the field's end at least."""
        field = got[at + self._at : at + self.stop]
        return int.from_bytes(field, "little" if self._little else "big") + self._plus


def _readable(frame: bytes) -> bool:
    """Return True for UTF-8 without control characters but STX, ETX, tab, CR and LF."""
    for byte in frame:
        if (byte < 0x20 and byte not in b"\x02\x03\t\r\n") or byte == 0x7F:
            return False
    try:
        frame.decode()
    except ValueError:
        return False
    return True


def _hex(data: bytes) -> str:
    return data.hex().upper() or "nothing"
