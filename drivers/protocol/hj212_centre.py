"""The centre's side of HJ 212-2017 §6.4: uploads are acknowledged, requests go in three steps.

A logger's upload is told once and acknowledged each time, if it asks for that (two steps). A
request waits for its acknowledgement (9011), the data, and the result (9012). Each packet of a
split upload stands by itself: one without a DataTime has that of the packet before. Bytes and
times in, telegrams and bytes to send out: knows no port and no clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.protocol import hj212
from drivers.protocol.stream import Heard, Seen
from gateway.core.errors import BadReply, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivers.protocol.hj212 import Group, Packet

TRIES = 3  # §6.4.2: a request is sent again twice, then given up
ANSWER_MS = 10_000  # the standard's own time for an acknowledgement
RESULT_MS = 60_000  # from then on, or from the latest data, until the result
LOGGERS_MAX = 64  # on one connection; a forwarder stands for a few
REQUESTS_MAX = 8  # that wait for one logger

_REFUSALS = {  # table 9, QnRtn
    "2": "refused",
    "3": "PW is wrong",
    "4": "MN is wrong",
    "5": "ST is wrong",
    "6": "Flag is wrong",
    "7": "QN is wrong",
    "8": "CN is wrong",
    "9": "the check sum is wrong",
    "100": "an unknown error",
}
_FAILURES = {  # table 10, ExeRtn
    "2": "failed for an unknown reason",
    "3": "the condition is wrong",
    "4": "timed out",
    "5": "busy",
    "6": "the system fails",
    "100": "there are no data",
}


class Centre:
    """One line or connection to loggers; `allows` says which of them (MN) may report.

    `crc`: the check sum that this side's loggers use. `seen`: shared by the connections of a
    server.
    """

    def __init__(
        self,
        allows: Callable[[str], bool] | None = None,
        crc: str = hj212.ANNEX_A,
        seen: Seen | None = None,
    ) -> None:
        self._seen = seen or Seen(LOGGERS_MAX)
        self._allows = allows
        self._crc = crc
        self._stream = hj212.stream(crc)
        self._loggers: dict[str, _Logger] = {}
        self._count = 0

    @property
    def skipped(self) -> int:
        """The bytes that belonged to no packet."""
        return self._stream.skipped

    def due_ms(self) -> int | None:
        """Return when `tick` has something to do, None if nothing is waited for."""
        dues = [one.due_ms for one in self._loggers.values() if one.due_ms is not None]
        return min(dues) if dues else None

    def take(self, data: bytes, now_ms: int, clock: str = "") -> Heard:
        """Return what came of some bytes; `clock` is the time to tell, as 2016-08-01T08:58:57."""
        heard = Heard()
        for raw in self._stream.feed(data):
            self._packet(raw, now_ms, clock, heard)
        return heard

    def tick(self, now_ms: int, clock: str = "") -> Heard:
        """Return what is to be sent, or given up, now."""
        heard = Heard()
        for logger in list(self._loggers.values()):
            if logger.due_ms is not None and now_ms >= logger.due_ms:
                logger.missed(heard)
            self._ask_next(logger, now_ms, clock, heard)
        return heard

    def ask(self, mn: str, cn: int, groups: list[Group] | None = None) -> None:
        """Send a request once the logger is heard; its data are telegrams, a refusal is a note.

        ConfigError if too many wait.
        """
        known = self._logger(mn, 0)
        if len(known.requests) >= REQUESTS_MAX:
            raise ConfigError(f"{REQUESTS_MAX} requests wait for logger {mn} already")
        known.requests.append((cn, groups or []))

    def set_clock(self, mn: str) -> None:
        """Tell a logger the time, as `ask`; a logger that asks for it (1013) is told, too."""
        self.ask(mn, hj212.SET_TIME)

    def _logger(self, mn: str, now_ms: int) -> _Logger:
        if mn not in self._loggers:
            if len(self._loggers) >= LOGGERS_MAX:
                oldest = min([(one.heard_ms, other) for other, one in self._loggers.items()])
                del self._loggers[oldest[1]]
            self._loggers[mn] = _Logger(mn, self._seen)
        found = self._loggers[mn]
        found.heard_ms = max(found.heard_ms, now_ms)
        return found

    def _packet(self, raw: bytes, now_ms: int, clock: str, heard: Heard) -> None:
        try:
            packet = hj212.parse(raw, self._crc)
        except BadReply as error:
            heard.notes.append(str(error))
            return
        if self._allows is not None and not self._allows(packet.mn):
            heard.notes.append(f"logger {packet.mn} is not allowed to report here")
            return
        logger = self._logger(packet.mn, now_ms)
        if packet.st != hj212.SYSTEM:
            logger.header = packet
        if packet.cn in (hj212.REQUEST_ACK, hj212.RESULT, hj212.NOTICE_ACK):
            logger.answered(packet, now_ms, heard)
        else:
            logger.hand_on(packet, raw, now_ms, heard)
            if packet.wants_answer:
                notice = packet.cn == hj212.ASK_TIME
                code = hj212.NOTICE_ACK if notice else hj212.DATA_ACK
                heard.send += hj212.build(hj212.answer(packet, code), self._crc)
            waits = [True for cn, _ in logger.requests if cn == hj212.SET_TIME]
            if packet.cn == hj212.ASK_TIME and not waits:
                logger.requests.insert(0, (hj212.SET_TIME, []))
        self._ask_next(logger, now_ms, clock, heard)

    def _ask_next(self, logger: _Logger, now_ms: int, clock: str, heard: Heard) -> None:
        header = logger.header
        if logger.asked is not None or header is None or not logger.requests:
            return
        cn, groups = logger.requests[0]
        if not clock:  # a request is numbered by its time
            return
        if cn == hj212.SET_TIME:
            groups = [[("SystemTime", _digits(clock))]]
        flag = header.version << 2 | hj212.ACKNOWLEDGE
        self._count = (self._count + 1) % 1000
        qn = f"{_digits(clock)}{self._count:03}"
        packet = hj212.Packet(header.st, cn, logger.mn, groups, qn, header.pw, flag)
        heard.send += hj212.build(packet, self._crc)
        logger.asked, logger.qn, logger.known = logger.requests.pop(0), qn, False
        logger.tries += 1
        logger.due_ms = now_ms + ANSWER_MS


class _Logger:
    """What is known of one logger."""

    def __init__(self, mn: str, seen: Seen) -> None:
        self.mn = mn
        self.header: Packet | None = None  # its latest packet: its ST, PW and edition
        self.heard_ms = 0
        self.requests: list[tuple[int, list[Group]]] = []
        self.asked: tuple[int, list[Group]] | None = None
        self.qn = ""
        self.known = False  # the request is acknowledged: it must not be sent again
        self.tries = 0
        self.due_ms: int | None = None
        self._seen = seen
        self._time: tuple[str, int, str] = ("", 0, "")  # DataTime of a split upload

    def hand_on(self, packet: Packet, raw: bytes, now_ms: int, heard: Heard) -> None:
        """Tell a packet that is new; one that repeats itself is told once."""
        if self.asked is not None and packet.qn == self.qn:
            self.known, self.due_ms = True, now_ms + RESULT_MS
        if not self._seen.is_new(self.mn, raw):
            return
        time = packet.value("DataTime")
        if not time and packet.pno > 1 and self._time[:2] == (packet.qn, packet.cn):
            packet.groups.insert(0, [("DataTime", self._time[2])])
        elif packet.pnum:
            self._time = (packet.qn, packet.cn, time)
        heard.telegrams.append(hj212.telegram(packet))

    def answered(self, packet: Packet, now_ms: int, heard: Heard) -> None:
        """Go one step on with the request that this answers."""
        if self.asked is None or packet.qn != self.qn:
            heard.notes.append(f"logger {self.mn} answers {packet.qn}, which was not asked")
            return
        cn = self.asked[0]
        if packet.cn == hj212.REQUEST_ACK:
            said = packet.value("QnRtn")
            if said in ("", "1"):
                self.known, self.due_ms = True, now_ms + RESULT_MS
                return
            heard.notes.append(f"logger {self.mn}: {cn}: {_REFUSALS.get(said, said)}")
        elif packet.cn == hj212.RESULT:
            said = packet.value("ExeRtn")
            if said not in ("", "1"):
                heard.notes.append(f"logger {self.mn}: {cn}: {_FAILURES.get(said, said)}")
        self._done()

    def missed(self, heard: Heard) -> None:
        """Ask again what was not acknowledged, or give it up."""
        if self.asked is not None and not self.known and self.tries < TRIES:
            self.requests.insert(0, self.asked)
            self.asked = self.due_ms = None
        elif self.asked is not None:
            what = "say how it ended" if self.known else "answer"
            heard.notes.append(f"logger {self.mn} does not {what}: {self.asked[0]}")
            self._done()

    def _done(self) -> None:
        self.asked = self.due_ms = None
        self.tries = 0


def _digits(text: str) -> str:
    return "".join([char for char in text if char.isdigit()])
