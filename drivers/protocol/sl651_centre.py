"""The centre's side of SL 651-2014 §6.3: who is answered what, in which mode, and what is asked.

M1 and M2: a report is confirmed, once for each time it comes, and handed on once. M3: packets are
joined, a missing one is asked for, the whole is confirmed. M4: questions and commands go one at a
time to a station that was heard. Bytes and times in, telegrams and bytes to send out: knows no port
and no clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.protocol import sl651
from drivers.protocol.stream import Heard, Seen
from gateway.core.errors import BadReply, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivers.protocol.sl651 import Frame

TRIES = 3  # §6.3.2.3: sent again twice, then given up
ANSWER_MS = (
    10_000  # a station's answer over a mobile network; the standard leaves it to the channel
)
PACKET_MS = 10_000  # silence after which the rest of the packets is missed
JOIN_MAX = 256 * 1024  # bytes of a joined report: a picture of a station has some ten thousand
STATIONS_MAX = 64  # stations on one line or connection; a relay stands for a few
COMMANDS_MAX = 8  # that wait for one station


class Centre:
    """One line or connection to stations; `allows` says which of them may report.

    `online`: stations are told to stay on the line (ESC) instead of hanging up (EOT).
    `answers`: False where the channel goes one way (M1). `seen`: shared by the connections of a
    server.
    """

    def __init__(
        self,
        allows: Callable[[str], bool] | None = None,
        online: bool = False,
        answers: bool = True,
        join_max: int = JOIN_MAX,
        seen: Seen | None = None,
    ) -> None:
        self._seen = seen or Seen(STATIONS_MAX)
        self._allows = allows
        self._online = online
        self._answers = answers
        self._join_max = join_max
        self._stream = sl651.stream()
        self._stations: dict[str, _Station] = {}

    @property
    def skipped(self) -> int:
        """The bytes that belonged to no frame."""
        return self._stream.skipped

    def due_ms(self) -> int | None:
        """Return when `tick` has something to do, None if nothing is waited for."""
        dues = [one.due_ms for one in self._stations.values() if one.due_ms is not None]
        return min(dues) if dues else None

    def take(self, data: bytes, now_ms: int, clock: str = "") -> Heard:
        """Return what came of some bytes; `clock` is the time to tell, as 2014-12-05T11:00:02.

        Without one, stations are told their own time back, and no clock is set.
        """
        heard = Heard()
        for raw in self._stream.feed(data):
            self._frame(raw, now_ms, clock, heard)
        return heard

    def tick(self, now_ms: int, clock: str = "") -> Heard:
        """Return what is to be sent, or given up, now."""
        heard = Heard()
        for station in list(self._stations.values()):
            if station.due_ms is not None and now_ms >= station.due_ms:
                if station.join is not None:
                    self._packets_end(station, station.join, now_ms, clock, heard)
                else:
                    station.missed(heard)
            self._ask_next(station, now_ms, clock, heard)
        return heard

    def ask(self, station: str, function: int, body: bytes = b"") -> None:
        """Send a question or command once the station is heard; its answer is a telegram.

        ConfigError if too many wait.
        """
        known = self._station(station, 0)
        if len(known.commands) >= COMMANDS_MAX:
            raise ConfigError(f"{COMMANDS_MAX} commands wait for station {station} already")
        known.commands.append((function, body))

    def set_clock(self, station: str) -> None:
        """Tell a station the time, as `ask`; the confirmation of its answer tells it again."""
        self.ask(station, sl651.SET_CLOCK)

    def _station(self, name: str, now_ms: int) -> _Station:
        if name not in self._stations:
            if len(self._stations) >= STATIONS_MAX:
                oldest = min([(one.heard_ms, other) for other, one in self._stations.items()])
                del self._stations[oldest[1]]
            self._stations[name] = _Station(name, self._seen)
        found = self._stations[name]
        found.heard_ms = max(found.heard_ms, now_ms)
        return found

    def _frame(self, raw: bytes, now_ms: int, clock: str, heard: Heard) -> None:
        try:
            frame = sl651.parse(raw)
        except BadReply as error:
            heard.notes.append(str(error))
            return
        if not frame.up:
            heard.notes.append("a centre's frame: the line gives back what was sent")
            return
        if self._allows is not None and not self._allows(frame.station):
            heard.notes.append(f"station {frame.station} is not allowed to report here")
            return
        station = self._station(frame.station, now_ms)
        if frame.packets:
            self._packet(station, frame, now_ms, clock, heard)
        else:
            self._report(station, frame, clock, heard)
        self._ask_next(station, now_ms, clock, heard)

    def _report(self, station: _Station, frame: Frame, clock: str, heard: Heard) -> None:
        station.header = frame
        station.hand_on(frame, heard)
        if frame.function != sl651.HEARTBEAT:
            end = sl651.ACK if frame.end == sl651.ETB else self._farewell(station)
            self._send(frame, end, clock, heard)

    def _packet(
        self, station: _Station, frame: Frame, now_ms: int, clock: str, heard: Heard
    ) -> None:
        station.header = frame
        if station.joined is not None and station.joined.repeats(frame):
            if frame.end == sl651.ETX:  # the confirmation was lost
                self._confirm(station, station.joined, clock, heard)
            return
        join = station.add(frame, self._join_max)
        if join is None:
            said = f"a report of more than {self._join_max} bytes is not joined"
            heard.notes.append(f"station {station.name}: {said}")
            return
        station.due_ms = now_ms + PACKET_MS
        if frame.end == sl651.ETX or not join.missing():
            self._packets_end(station, join, now_ms, clock, heard)

    def _packets_end(
        self, station: _Station, join: _Join, now_ms: int, clock: str, heard: Heard
    ) -> None:
        """Hand on and confirm what is whole, or ask for the first packet that is missing."""
        missing = join.missing()
        if not missing:
            station.join, station.joined, station.due_ms = None, join, None
            station.hand_on(join.whole(), heard)
            self._confirm(station, join, clock, heard)
        elif join.given_up(missing):
            said = f"packet {missing} of {join.packets} never came"
            heard.notes.append(f"station {station.name}: {said}")
            station.join = None
            station.due_ms = now_ms if station.asked is not None else None
        else:
            station.due_ms = now_ms + PACKET_MS
            self._send(join.about(missing), sl651.NAK, clock, heard)

    def _confirm(self, station: _Station, join: _Join, clock: str, heard: Heard) -> None:
        """Confirm all packets at once, by the number of the last."""
        self._send(join.about(join.packets), self._farewell(station), clock, heard)

    def _farewell(self, station: _Station) -> int:
        """Return what ends a confirmation: stay on the line, or hang up."""
        return sl651.ESC if self._online or station.commands else sl651.EOT

    def _send(self, frame: Frame, end: int, clock: str, heard: Heard) -> None:
        """Answer `frame`, with the serial number of its report."""
        if self._answers:
            serial = _like(frame, frame.body, frame.end, True).serial
            heard.send += sl651.build(_down(frame, end, _head(frame, serial, clock)))

    def _ask_next(self, station: _Station, now_ms: int, clock: str, heard: Heard) -> None:
        header = station.header
        if station.asked is not None or station.join is not None or header is None:
            return
        if not station.commands or not self._answers:
            return
        function, body = station.commands[0]
        if function == sl651.SET_CLOCK and not clock:
            return
        whole = _like(header, b"" if header.packet > 1 else header.body, sl651.ENQ, False)
        question = _down(whole, sl651.ENQ, _head(whole, 0, clock) + body)
        question.function = function
        heard.send += sl651.build(question)
        station.tries += 1
        station.asked = station.commands.pop(0)
        station.due_ms = now_ms + ANSWER_MS


class _Station:
    """What is known of one station."""

    def __init__(self, name: str, seen: Seen) -> None:
        self.name = name
        self.header: Frame | None = None  # its latest frame: how it is to be answered
        self.heard_ms = 0
        self.commands: list[tuple[int, bytes]] = []
        self.asked: tuple[int, bytes] | None = None
        self.tries = 0
        self.due_ms: int | None = None
        self.join: _Join | None = None
        self.joined: _Join | None = None
        self._seen = seen

    def hand_on(self, frame: Frame, heard: Heard) -> None:
        """Tell a whole report that is new, or an answer; what repeats itself is told once."""
        answer = self.asked is not None and self.asked[0] == frame.function
        if answer:
            self.asked = self.due_ms = None
            self.tries = 0
        start = 16 if frame.text else 8  # behind the time of sending, which may differ
        content = f"{frame.function} {frame.serial} ".encode() + frame.body[start:]
        repeated = frame.function != sl651.HEARTBEAT and not self._seen.is_new(self.name, content)
        if repeated and not answer:
            return
        try:
            heard.telegrams.append(sl651.telegram(frame))
        except BadReply as error:  # a repetition would be no better: it is confirmed all the same
            heard.notes.append(f"station {self.name}: {error}")

    def missed(self, heard: Heard) -> None:
        """Ask again what was not answered, or give it up."""
        if self.asked is not None and self.tries < TRIES:
            self.commands.insert(0, self.asked)
        elif self.asked is not None:
            heard.notes.append(f"station {self.name} does not answer {self.asked[0]:02X}")
            self.tries = 0
        self.asked = self.due_ms = None

    def add(self, frame: Frame, join_max: int) -> _Join | None:
        """Add a packet to those it belongs to; None if they become too many bytes."""
        if self.join is None or not self.join.takes(frame):
            self.join = _Join(frame)
        self.join.parts[frame.packet] = frame.body
        if sum([len(part) for part in self.join.parts.values()]) > join_max:
            self.join = self.due_ms = None
        return self.join


class _Join:
    """Packets of one report."""

    def __init__(self, frame: Frame) -> None:
        self.packets = frame.packets
        self.parts: dict[int, bytes] = {}
        self._frame = frame
        self._asked: dict[int, int] = {}

    def takes(self, frame: Frame) -> bool:
        """Return whether a packet may be one of these: another text of one begins anew."""
        return self._like(frame) and self.parts.get(frame.packet) in (None, frame.body)

    def repeats(self, frame: Frame) -> bool:
        """Return whether a packet is one of these, word for word."""
        return self._like(frame) and self.parts.get(frame.packet) == frame.body

    def _like(self, frame: Frame) -> bool:
        same = (self._frame.function, self._frame.packets, self._frame.text)
        return same == (frame.function, frame.packets, frame.text)

    def missing(self) -> int:
        """Return the number of the first packet that did not come, 0 if all did."""
        for number in range(1, self.packets + 1):
            if number not in self.parts:
                return number
        return 0

    def given_up(self, number: int) -> bool:
        """Count that a packet is asked for; return True if it was often enough already."""
        self._asked[number] = self._asked.get(number, 0) + 1
        return self._asked[number] >= TRIES

    def whole(self) -> Frame:
        """Return the report the packets make."""
        body = b"".join([self.parts[number] for number in range(1, self.packets + 1)])
        return _like(self._frame, body, sl651.ETX, True)

    def about(self, number: int) -> Frame:
        """Return the head of a frame about one packet: with the serial number, if it came."""
        made = _like(self._frame, self.parts.get(1, b""), sl651.ETX, True)
        made.packets, made.packet = self.packets, number
        return made


def _like(frame: Frame, body: bytes, end: int, up: bool) -> Frame:
    """Return a frame with the addresses, function and form of another."""
    return sl651.Frame(
        frame.station, frame.function, body, end, frame.centre, frame.password, up, text=frame.text
    )


def _down(frame: Frame, end: int, body: bytes) -> Frame:
    """Return a centre's frame about one of a station's."""
    made = _like(frame, body, end, False)
    made.packets, made.packet = frame.packets, frame.packet
    return made


def _head(frame: Frame, serial: int, clock: str) -> bytes:
    """Return how the body of an answer begins; without a clock it tells the station's own time."""
    if clock:
        return sl651.head(serial, clock, frame.text)
    size = 16 if frame.text else 8
    number = sl651.head(serial, "2000-00-00T00:00:00", frame.text)
    return number[: size // 4] + (frame.body[size // 4 : size] or number[size // 4 :])
