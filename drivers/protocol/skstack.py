"""Lines of a Wi-SUN module with the SK command set (B-route), and the talk that joins a meter.

`Lines` cuts what the module says; `Session` is the talk: identify, scan, join, send, join again
when the session ends. Bytes and times in, telegrams and bytes to send out: knows no port and no
clock. The module's firmware of one and of two radio sides differ by one field, told apart here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.protocol import echonet
from drivers.protocol.stream import Heard
from gateway.core.errors import BadReply, ConfigError, Refused
from gateway.core.record import Record

if TYPE_CHECKING:
    from collections.abc import Sequence

LINE_MAX = 2 * echonet.FRAME_MAX + 256  # characters: a whole UDP packet in hexadecimal digits
ANSWER_MS = 5000  # a module answers a command at once, but a meter may keep the radio busy
JOIN_MS = 60_000  # PANA takes seconds; a meter that forgets us, up to this
SCAN_FIRST, SCAN_LAST = 4, 7  # durations: a strong meter is found in 5 s, a weak one in 40 s
BACK_OFF_MS = (10_000, 30_000, 60_000, 300_000)  # between attempts: some meters bar who asks on
SENDS_MAX = 4  # frames that wait for the radio
REPLY_MS = 20_000  # a meter's answer; some need ten seconds

_CHANNELS = 28
_SYMBOL_MS = 10  # 9.6 ms a step of the duration
_IDENTIFIER_SIZE, _PASSWORD_SIZE = 32, 12
_HEX = "0123456789ABCDEFabcdef"
_NEXT = {  # the steps that end with OK, and what follows
    "reset": "echo",
    "echo": "version",
    "version": "password",
    "password": "identity",
    "identity": "scan",
    "channel": "pan",
    "pan": "address",
}


class Line(Record):
    """One thing the module says: its first word, the others, and the data of a UDP packet."""

    __slots__ = ("data", "word", "words")

    def __init__(self, word: str, words: list[str], data: bytes = b"") -> None:
        self.word = word
        self.words = words
        self.data = data


class Lines:
    """Cuts what a module says into lines; a UDP packet may be in hexadecimal digits or in bytes."""

    def __init__(self) -> None:
        self._got = b""
        self.skipped = 0

    def feed(self, data: bytes) -> list[Line]:
        """Return the lines that are whole by now; what is no line is counted in `skipped`."""
        got = self._got + data
        found: list[Line] = []
        while got:
            size, line = _next(got)
            if size == 0:
                break
            if line is None:
                self.skipped += size
            elif line.word:
                found.append(line)
            got = got[size:]
        self._got = got
        return found


class Session:
    """The talk with one module and its meter; `identifier` and `password` are the contract's."""

    def __init__(self, identifier: str, password: str) -> None:
        if len(identifier) != _IDENTIFIER_SIZE or _strange(identifier):
            raise ConfigError(f"a B-route identifier has {_IDENTIFIER_SIZE} hex digits")
        if len(password) != _PASSWORD_SIZE or _blank(password):
            raise ConfigError(f"a B-route password has {_PASSWORD_SIZE} letters or digits")
        self._identifier = identifier
        self._password = password
        self._lines = Lines()
        self._step = ""
        self._due_ms: int | None = None
        self._failures = 0
        self._duration = SCAN_FIRST
        self._side: list[str] = []  # ["0"] where the firmware has two radio sides
        self._found: dict[str, str] = {}
        self._address = ""
        self._sends: list[bytes] = []
        self._sending = False
        self._tid = 0
        self.meter = echonet.Meter()
        self.version = ""

    @property
    def joined(self) -> bool:
        """Whether the meter can be asked."""
        return self._step == "joined"

    def due_ms(self) -> int | None:
        """Return when `tick` has something to do."""
        return self._due_ms

    def start(self, now_ms: int) -> bytes:
        """Return what begins the talk, from wherever the module is."""
        self._found, self._sends, self._sending = {}, [], False
        return self._go("reset", now_ms)

    def request(self, properties: Sequence[str], now_ms: int) -> bytes:
        """Return what asks the meter for properties, after those it must tell first; see `lacks`.

        Nothing as long as the module is busy: it follows by itself. ConfigError if too many wait,
        or nobody joined.
        """
        if not self.joined or len(self._sends) >= SENDS_MAX:
            raise ConfigError("the meter has not joined" if not self.joined else "too many wait")
        self._tid = self._tid % 0xFFFF + 1
        self._sends.append(echonet.get(self._tid, self.meter.lacks() + list(properties)))
        return self._send_next(now_ms)

    def take(self, data: bytes, now_ms: int) -> Heard:
        """Return the meter's telegrams, what to send the module, and what went wrong."""
        heard = Heard()
        for line in self._lines.feed(data):
            if line.word == "ERXUDP":
                self._packet(line, heard)
            elif line.word == "EVENT":
                heard.send += self._event(line, now_ms, heard)
            else:
                heard.send += self._said(line, now_ms, heard)
        return heard

    def tick(self, now_ms: int) -> Heard:
        """Return what to send now: what was not answered is begun anew, after a while."""
        heard = Heard()
        if self._due_ms is None or now_ms < self._due_ms:
            return heard
        if self._step == "waiting":
            heard.send = self.start(now_ms)
        elif self._step == "joined":
            self._sending, self._due_ms = False, None  # its OK was lost
            heard.send = self._send_next(now_ms)
        else:
            self._fail(f"the module does not answer ({self._step})", now_ms, heard)
        return heard

    def _go(self, step: str, now_ms: int) -> bytes:
        """Enter a step; return its command."""
        self._step = step
        wait_ms = {"scan": self._scan_ms(), "join": JOIN_MS}.get(step, ANSWER_MS)
        self._due_ms = now_ms + wait_ms
        command = {
            "reset": "SKRESET",
            "echo": "SKSREG SFE 0",
            "version": "SKVER",
            "password": f"SKSETPWD {_PASSWORD_SIZE:X} {self._password}",
            "identity": f"SKSETRBID {self._identifier}",
            "scan": " ".join(["SKSCAN 2 FFFFFFFF", f"{self._duration:X}"] + self._side),
            "channel": f"SKSREG S2 {self._found.get('Channel', '')}",
            "pan": f"SKSREG S3 {self._found.get('Pan ID', '')}",
            "address": f"SKLL64 {self._found.get('Addr', '')}",
            "join": f"SKJOIN {self._address}",
        }[step]
        return command.encode() + b"\r\n"

    def _scan_ms(self) -> int:
        return _SYMBOL_MS * ((1 << self._duration) + 1) * _CHANNELS + ANSWER_MS

    def _said(self, line: Line, now_ms: int, heard: Heard) -> bytes:
        """Go on after a line that answers a command."""
        step = self._step
        if line.word == "FAIL":
            return self._refused(line, now_ms, heard)
        if line.word == "EVER":
            self.version = " ".join(line.words)
        elif ":" in line.word + "".join(line.words[:1]) and step == "scan":
            name, _, value = " ".join([line.word] + line.words).partition(":")
            self._found[name] = value.strip()
        elif step == "address" and len(line.word.split(":")) == 8 and not line.words:
            self._address = line.word
            return self._go("join", now_ms)
        elif line.word == "OK" and step == "joined":
            self._sending, self._due_ms = False, None
            return self._send_next(now_ms)
        elif line.word == "OK" and step in _NEXT:
            return self._go(_NEXT[step], now_ms)
        return b""

    def _refused(self, line: Line, now_ms: int, heard: Heard) -> bytes:
        code = " ".join(line.words)
        if self._step == "scan" and not self._side:  # the other firmware wants a side
            self._side = ["0"]
            return self._go("scan", now_ms)
        if self._step == "joined":
            heard.notes.append(f"the module does not send: {code}")
            self._sending, self._due_ms = False, None
            return self._send_next(now_ms)
        if self._step not in ("waiting", ""):
            self._fail(f"the module refuses ({self._step}): {code}", now_ms, heard)
        return b""

    def _event(self, line: Line, now_ms: int, heard: Heard) -> bytes:
        code = line.words[0] if line.words else ""
        if code == "22" and self._step == "scan":
            return self._scanned(now_ms, heard)
        if code == "24" and self._step == "join":
            self._fail("the meter did not let us join: identifier or password?", now_ms, heard)
        elif code == "25" and self._step == "join":
            self._step, self._due_ms, self._failures = "joined", None, 0
            return self._send_next(now_ms)
        elif code == "21" and line.words[-1] == "01" and len(line.words) > 2:
            heard.notes.append("a frame did not reach the meter")
        elif code == "32":
            heard.notes.append("the radio has sent its share of this hour: it waits")
        elif code in ("26", "27", "28", "29") and self._step == "joined":
            heard.notes.append("the session ended: joining again")
            self._sending = False
            return self._go("join", now_ms)
        return b""

    def _scanned(self, now_ms: int, heard: Heard) -> bytes:
        if not [True for name in ("Channel", "Pan ID", "Addr") if name not in self._found]:
            return self._go("channel", now_ms)
        if self._duration < SCAN_LAST:
            self._duration += 1
            return self._go("scan", now_ms)
        self._fail(
            "no meter answers the scan: is it in reach, is the identifier right?", now_ms, heard
        )
        return b""

    def _packet(self, line: Line, heard: Heard) -> None:
        """Take a UDP packet from the meter; those of other ports are the module's own affair."""
        if int(line.words[3], 16) != echonet.PORT or line.words[0] != (
            self._address or line.words[0]
        ):
            return
        try:
            heard.telegrams.append(self.meter.take(echonet.parse(line.data)))
        except (BadReply, Refused) as error:
            heard.notes.append(str(error))

    def _send_next(self, now_ms: int) -> bytes:
        if self._sending or not self._sends or not self.joined:
            return b""
        self._sending, self._due_ms = True, now_ms + REPLY_MS
        payload = self._sends.pop(0)
        head = ["SKSENDTO 1", self._address, f"{echonet.PORT:04X} 1"] + self._side
        return f"{' '.join(head)} {len(payload):04X} ".encode() + payload

    def _fail(self, said: str, now_ms: int, heard: Heard) -> None:
        heard.notes.append(said)
        self._duration = SCAN_FIRST
        self._due_ms = now_ms + BACK_OFF_MS[min(self._failures, len(BACK_OFF_MS) - 1)]
        self._failures += 1
        self._step = "waiting"


def _next(got: bytes) -> tuple[int, Line | None]:
    """Return (bytes used, line); 0 if more must come, None for bytes that are no line."""
    packet = _udp(got)
    if packet is not None:
        return packet
    end = got.find(b"\r\n")
    if end < 0:
        return (len(got), None) if len(got) > LINE_MAX else (0, None)
    raw = got[:end]
    if [True for byte in raw if not 0x20 <= byte < 0x7F]:
        place = raw.rfind(b"ERXUDP ")  # a packet whose head survived what came before it
        return (place if place > 0 else end + 2), None
    words = raw.decode().split()
    if words and words[0] == "ERXUDP":
        return end + 2, None  # `_udp` made nothing of it
    return end + 2, Line(words[0] if words else "", words[1:])


def _udp(got: bytes) -> tuple[int, Line | None] | None:
    """Return what `_next` does for a UDP packet; None if these bytes are none."""
    if not got.startswith(b"ERXUDP ") and not b"ERXUDP ".startswith(got[:7]):
        return None
    words: list[str] = []
    at = 0
    while len(words) < 11:
        end = got.find(b" ", at)
        if end < 0:
            more = len(got) - at < 48 and b"\r" not in got[at:]
            return (0, None) if more else None
        raw = got[at:end]
        if [True for byte in raw if not 0x21 <= byte < 0x7F]:
            return None
        words.append(raw.decode())
        at = end + 1
        if len(words) > 7 and len(words[-1]) == 4 and not _strange(words[-1]):
            return _udp_data(got, at, words[1:], int(words[-1], 16))
    return None


def _udp_data(got: bytes, at: int, words: list[str], size: int) -> tuple[int, Line | None] | None:
    """Return the packet whose `size` bytes begin at `at`, in hexadecimal digits or as they are."""
    if size > echonet.FRAME_MAX or _strange(words[3]) or not words[3]:
        return None
    if at >= len(got):
        return 0, None
    written = not _strange(chr(got[at]))
    end = at + (2 * size if written else size)
    if len(got) < end + 2:
        return 0, None
    raw = got[at:end]
    if got[end : end + 2] != b"\r\n" or (
        written and [True for byte in raw if chr(byte) not in _HEX]
    ):
        return None
    return end + 2, Line("ERXUDP", words, bytes.fromhex(raw.decode()) if written else raw)


def _strange(text: str) -> bool:
    """Return whether this holds more than hexadecimal digits."""
    return bool([True for char in text if char not in _HEX])


def _blank(text: str) -> bool:
    return bool([True for char in text if not "!" <= char <= "~"])
