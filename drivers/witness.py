"""Who else is heard on a Modbus RTU line: a second unit of one address, another master.

Looks at bytes that answered nothing we asked. Knows frames (Modbus over Serial Line V1.02 §2.5.1)
and who was asked when; knows no profile and no clock.
"""

from __future__ import annotations

from drivers.protocol import pdu, rtu

QUIET_AFTER = 3  # exchanges of a unit without a second reply after which it counts as alone again
OWED_MS = 5_000  # so long after a time-out a reply may still be its own, late
TOLD_MIN = 2  # frames of a stranger before it is spoken of: one may be noise with a lucky CRC
FRAMES_MAX = 32  # looked at in one exchange; more is a babbler, and says nothing new

_REQUEST_BYTES = 8  # of functions 1 to 6
_EXCEPTION_BYTES = 5
_WRITES = (pdu.WRITE_COILS, pdu.WRITE_REGISTERS)


class Frame:
    """One frame heard: from or to `unit`, a request or a reply; None: it could be both."""

    __slots__ = ("data", "is_request")

    def __init__(self, data: bytes, is_request: bool | None) -> None:
        self.data = data
        self.is_request = is_request

    @property
    def unit(self) -> int:
        """Its address."""
        return self.data[0]

    @property
    def function(self) -> int:
        """Its function, also of an exception."""
        return self.data[1] & 0x7F


class Witness:
    """What was heard on one line beside what was asked for.

    `doubles` counts second replies by unit, `strangers` frames of another master, of which
    `last` is one.
    """

    def __init__(self) -> None:
        self.doubles: dict[int, int] = {}
        self.strangers = 0
        self.last: Frame | None = None
        self._clean: dict[int, int] = {}  # unit in doubt → exchanges since without a second reply
        self._owed: dict[int, int] = {}  # unit → until then a late reply of it may come
        self._answered: dict[tuple[int, int], int] = {}  # unit, function → when it did last

    def in_doubt(self, unit: int) -> bool:
        """Return whether two devices answer as `unit`, as far as is known."""
        return unit in self._clean

    def pass_by(self, request: bytes, now_ms: int) -> str:
        """Take in an exchange that brought the reply and nothing else; return as `look` does."""
        unit = request[0]
        self._answered[unit, request[1] & 0x7F] = now_ms
        self._clear(unit)
        return self._doubt(unit)

    def look(self, request: bytes, stale: bytes, heard: bytes, ok: bool, now_ms: int) -> str:
        """Take in one exchange; return why its reply cannot be trusted, or "".

        `stale` came before the `request` was sent, `heard` after it; `ok`: a reply was found.
        """
        unit, function = request[0], request[1] & 0x7F
        doubted = ""
        for frame in frames(stale):
            self._judge(frame, now_ms)
            doubted = "asked" if _asks(frame, unit) else ""  # its reply may be the one we took
        replied = False
        for frame in frames(heard):
            if frame.data == request and not replied:
                continue  # an echo, or what a write is answered with
            if frame.is_request is not True and not replied and frame.unit == unit:
                replied = True
                continue
            if _asks(frame, unit) and not replied:
                doubted = "asked"
            self._judge(frame, now_ms)
        if ok:
            self._answered[unit, function] = now_ms
            self._clear(unit)
        else:
            self._owed[unit] = now_ms + OWED_MS
        if doubted:
            return f"another master asked unit {unit} at the same time: whose reply came is unknown"
        return self._doubt(unit) if ok else ""

    def told(self, unit: int) -> str:
        """Return for a technician what is wrong with `unit`, or ""."""
        if not self.in_doubt(unit):
            return ""
        seen = f"two devices answer as unit {unit}: a second reply came {self.doubles[unit]} times"
        return f"{seen}; unplug one of them, and give it another address"

    def told_of_strangers(self) -> str:
        """Return for a technician that there is another master, or ""."""
        if self.strangers < TOLD_MIN or self.last is None:
            return ""
        frame = self.last
        did = f"asked unit {frame.unit} (function {frame.function})"
        if frame.is_request and len(frame.data) >= 4:
            address = frame.data[2] << 8 | frame.data[3]
            did = f"asked unit {frame.unit} (function {frame.function}, address {address})"
        seen = (
            f"another master is on this line: it {did}; {self.strangers} of its frames were heard"
        )
        return f"{seen}; a line bears one master: unplug it, or give it a line of its own"

    def _judge(self, frame: Frame, now_ms: int) -> None:
        """Note what `frame` shows that came when nothing of the kind was due any more."""
        reply = frame.is_request is not True
        if reply and self._owed.get(frame.unit, 0) > now_ms:
            return
        answered_ms = self._answered.get((frame.unit, frame.function), now_ms - OWED_MS)
        # Where another master talks, what looks like a second reply is the reply to it.
        if reply and answered_ms > now_ms - OWED_MS and self.strangers < TOLD_MIN:
            self.doubles[frame.unit] = self.doubles.get(frame.unit, 0) + 1
            self._clean[frame.unit] = -1  # the exchange that shows it does not count
        elif frame.is_request is not None:
            self.strangers += 1
            if frame.is_request or self.last is None:
                self.last = frame

    def _doubt(self, unit: int) -> str:
        return f"two devices answer as unit {unit}" if self.in_doubt(unit) else ""

    def _clear(self, unit: int) -> None:
        if unit in self._clean:
            self._clean[unit] += 1
            if self._clean[unit] > QUIET_AFTER:
                del self._clean[unit]


def frames(data: bytes) -> list[Frame]:
    """Return the frames with a right CRC in `data`, in order; what lies between is left out."""
    found: list[Frame] = []
    at = 0
    while at + _EXCEPTION_BYTES <= len(data) and len(found) < FRAMES_MAX:
        frame = _frame(data[at : at + rtu.SIZE_MAX])
        if frame is None:
            at += 1
        else:
            found.append(frame)
            at += len(frame.data)
    return found


def _frame(data: bytes) -> Frame | None:
    function = data[1]
    sizes: list[tuple[int, bool | None]] = []
    if function & 0x80:
        sizes = [(_EXCEPTION_BYTES, False)]
    elif pdu.READ_COILS <= function <= pdu.READ_INPUT_REGISTERS:
        reply_bytes = _EXCEPTION_BYTES + data[2]
        # Three bytes of coils look like a request; nobody can tell.
        sizes = [(_REQUEST_BYTES, None if reply_bytes == _REQUEST_BYTES else True)]
        sizes.append((reply_bytes, False))
    elif function in (pdu.WRITE_COIL, pdu.WRITE_REGISTER):
        sizes = [(_REQUEST_BYTES, None)]  # the reply repeats the request
    elif function in _WRITES:
        sizes = [(_REQUEST_BYTES, False)]
        if len(data) > 6:
            sizes.append((9 + data[6], True))
    for size, is_request in sizes:
        if size <= len(data) and rtu.crc(data[: size - 2]) == data[size - 2 : size]:
            return Frame(data[:size], is_request)
    return None


def _asks(frame: Frame, unit: int) -> bool:
    return frame.is_request is True and frame.unit == unit
