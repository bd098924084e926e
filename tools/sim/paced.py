"""A Modbus line as it is on RS-485: units that take their time, and all that is odd about some.

Sans-I/O: the master's bytes come in with the time at which they were handed over, what reaches the
master goes out with the time at which it does; microseconds on any clock. Knows no port and no
task. A frame ends with the silence that the standard asks for, in ASCII with its line end, and a
unit answers that long after it + its turnaround.
"""

from __future__ import annotations

import heapq
import math
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from drivers.protocol import ascii as ascii_frames
from drivers.protocol import pdu, rtu
from gateway.core.errors import ConfigError
from tools.sim.faults import Faults
from tools.sim.wire import FRAMING, PARITY, Character, Coding, Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import ModuleType
    from typing import Any

FRAMINGS: dict[str, ModuleType] = {"rtu": rtu, "ascii": ascii_frames}
HOST, MASTER, BABBLER = "host", "second master", "babbler"  # who talks, beside "unit 1", "twin 1"
FULL = 62  # bytes at which a USB adapter does not wait for its latency timer (FTDI AN232B-04 §3)
FIFO_US = 1000.0  # characters come to the host in groups of at most this, a frame's last in time
BABBLE_MAX = 12  # bytes a babbler says at once
_EARLY_US = 1.0  # a frame that begins so much before the silence is over is still one of its own
FRAME_MAX = ascii_frames.SIZE_MAX  # a frame that goes on for longer is none


@dataclass(frozen=True)
class Habits:
    """What is odd about a line and its units; nothing by default."""

    turnaround_us: float = 0.0  # before each reply, beyond the silence that ends the request
    jitter_us: float = 0.0  # up to this much more, even chances
    late_ms: dict[int, float] = field(default_factory=dict)  # unit → how much later it answers
    twins_ms: dict[int, float] = field(default_factory=dict)  # unit there twice → the second's lag
    babble_ms: float = 0.0  # somebody who listens to nobody talks about this often; 0: nobody does
    master_ms: float = 0.0  # a second master, who knows nothing of us, asks about this often
    echo: bool = False  # the adapter hears what it sends
    lump_ms: float = 0.0  # the adapter's latency timer
    checks: bool = False  # the port's INPCK: a character the UART finds wrong is read as 0


class PacedLine:
    """One line: `answer(unit, request PDU)` gives reply PDUs, a `twin` those of second units.

    The host calls `write`, and `take` at `next_us()`. `counts` says what was on the line and what
    the adapter's UART found wrong; `told(event)` hears every frame.
    """

    def __init__(
        self,
        answer: Callable[[int, bytes], bytes | None],
        wire: Wire,
        framing: str = "rtu",
        habits: Habits | None = None,
        faults: Faults | None = None,
        twin: Callable[[int, bytes], bytes | None] | None = None,
        seed: int = 0,
        told: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        if framing not in FRAMINGS:
            raise ConfigError(f"framing {framing!r} is none of {', '.join(FRAMINGS)}")
        if habits and min(habits.babble_ms or 1, habits.master_ms or 1) < 1:
            raise ConfigError("nobody talks unasked more often than each millisecond")
        self.wire = wire
        self.habits = habits or Habits()
        self.counts = {PARITY: 0, FRAMING: 0, "requests": 0, "replies": 0}
        self._answer = answer
        self._twin = twin or answer
        self._frames = FRAMINGS[framing]
        self._rest_us = 0.0 if framing == "ascii" else wire.coding.silence_us
        self._is_ascii = framing == "ascii"
        self.told = told
        self._faults = faults or Faults()
        self._random = random.Random(seed)
        self._due: list[tuple[float, int, Callable[[float], None]]] = []  # a heap
        self._order = 0
        self._now_us = -math.inf
        self._sent_until_us = -math.inf  # when the host's last byte has left
        self._audible = False  # whether the host hears who talks now
        self._echoes = False
        self._frame: list[Character] = []  # since the last silence
        self._lump = bytearray()
        self._lump_at_us = math.inf
        self._out: list[tuple[float, bytes]] = []
        self._awake = False

    def write(self, data: bytes, now_us: float) -> None:
        """Take over what the host sends at `now_us`; it leaves when what it sent before has."""
        self._advance(now_us)
        self._awaken(now_us)
        start_us = max(self._now_us, self._sent_until_us)
        self._sent_until_us = start_us + self.wire.coding.time_us(len(data))
        self._echoes = self.habits.echo or self._faults.strikes("echo")
        self._at(start_us, lambda at: self._say(HOST, data, at))

    def take(self, now_us: float) -> list[tuple[float, bytes]]:
        """Return what has reached the host by `now_us`: (when, bytes)."""
        self._advance(now_us)
        self._awaken(now_us)
        out, self._out = self._out, []
        return out

    def next_us(self) -> float:
        """Return when something may reach the host, or must be decided; inf: not without it."""
        times = [self._lump_at_us]
        if self._out:
            return self._out[0][0]
        if self._due:
            times.append(self._due[0][0])
        pending = self.wire.pending
        if pending and self._audible:
            group_us = max(0.0, FIFO_US - self.wire.coding.time_us(1))
            times.append(min(pending[-1].end_us, pending[0].end_us + group_us))
        return min(times)

    # The clock of the line: what is due happens in order, and in between there is listening.

    def _at(self, at_us: float, act: Callable[[float], None]) -> None:
        self._order += 1
        heapq.heappush(self._due, (at_us, self._order, act))

    def _advance(self, now_us: float) -> None:
        while self._due and self._due[0][0] <= now_us:
            at_us, _, act = heapq.heappop(self._due)
            self._listen(at_us)
            self._now_us = max(self._now_us, at_us)
            act(at_us)
        self._listen(now_us)
        self._now_us = max(self._now_us, now_us)

    def _awaken(self, now_us: float) -> None:
        """Start those who talk by themselves: their time begins with the line's first moment."""
        if not self._awake:
            self._awake = True
            if self.habits.babble_ms:
                self._at(now_us + self._about(self.habits.babble_ms), self._babble)
            if self.habits.master_ms:
                self._at(now_us + self._about(self.habits.master_ms), self._ask)

    def _talk(self, talker: str, data: bytes, at_us: float) -> float:
        """Let `talker` begin; return when he ends."""
        if not data:
            return at_us
        self._silent(at_us)
        if not self.wire.pending:
            self._audible = False
        self._audible |= talker != HOST or self._echoes
        end_us = self.wire.send(talker, data, at_us)
        self._at(end_us + self._rest_us, self._silent)
        if self.told:
            place = {"start_us": round(at_us), "end_us": round(end_us), "hex": data.hex()}
            self.told({"event": "frame", "from": talker, **place})
        return end_us

    def _say(self, talker: str, data: bytes, at_us: float) -> None:
        self._talk(talker, data, at_us)

    # What the host hears, through its adapter.

    def _listen(self, until_us: float) -> None:
        self._hear(until_us)
        if self._lump_at_us <= until_us:
            self._flush(self._lump_at_us)

    def _hear(self, until_us: float) -> None:
        found = self.wire.heard(until_us)
        if not found:
            return
        self._frame = (self._frame + found)[-FRAME_MAX:]
        mine = [one for one in found if self._echoes or HOST not in one.talkers]
        lump_us = self.habits.lump_ms * 1000
        for one in mine:
            if one.end_us > self._lump_at_us:
                self._flush(self._lump_at_us)
            if one.fault:
                self.counts[one.fault] += 1
            self._lump.append(0 if one.fault and self.habits.checks else one.value)
            if lump_us and len(self._lump) >= FULL:
                self._flush(one.end_us)
            elif lump_us and self._lump_at_us == math.inf:
                self._lump_at_us = (math.floor(one.end_us / lump_us) + 1) * lump_us
        if mine and not lump_us:
            self._flush(mine[-1].end_us)

    def _flush(self, at_us: float) -> None:
        if self._lump:
            self._out.append((at_us, bytes(self._lump)))
        self._lump.clear()
        self._lump_at_us = math.inf

    # What the units hear, and do.

    def _silent(self, at_us: float) -> None:
        """Carry out what was heard if the silence after it is over: who talked may have gone on."""
        if at_us - self.wire.busy_until_us < self._rest_us - _EARLY_US or not self._frame:
            return
        heard, self._frame = self._frame, []
        data = bytes([one.value for one in heard])
        if self._is_ascii:
            begin = max(0, data.rfind(b":"))
            heard, data = heard[begin:], data[begin:]
            if not data.endswith(b"\n"):
                self._frame = heard  # the rest may come at any time
                return
        found = self._understood(data)
        if found is None:
            return
        talkers = frozenset[str]().union(*[one.talkers for one in heard])
        self.counts["requests"] += 1
        unit = found[0]
        late_us = 1000 * self.habits.late_ms.get(unit, 0.0)
        self._reply(f"unit {unit}", self._answer, found, talkers, at_us + late_us)
        if unit in self.habits.twins_ms:
            late_us += 1000 * self.habits.twins_ms[unit]
            self._reply(f"twin {unit}", self._twin, found, talkers, at_us + late_us)

    def _understood(self, heard: bytes) -> tuple[int, bytes] | None:
        """Return (unit, PDU) of what is one whole request."""
        if self._is_ascii:
            found = ascii_frames.RequestReader().feed(heard)
        elif len(heard) >= 4 and rtu.crc(heard[:-2]) == heard[-2:]:
            found = heard[0], heard[1:-2]
        else:
            found = None
        whole = found and pdu.request_size(found[1]) in (0, len(found[1]))
        return found if whole else None

    def _reply(
        self,
        talker: str,
        answer: Callable[[int, bytes], bytes | None],
        request: tuple[int, bytes],
        talkers: Iterable[str],
        at_us: float,
    ) -> None:
        message = None if talker in talkers else answer(*request)
        if message is None:
            return
        if self._faults.exception:
            message = pdu.exception(request[1][0], self._faults.exception)
        self.counts["replies"] += 1
        data = self._faults.spoil(self._frames.frame(request[0], message))
        at_us += self.habits.turnaround_us + 1e6 * self._faults.delay_s
        at_us += self._random.random() * self.habits.jitter_us
        self._at(at_us, lambda at: self._say(talker, data, at))

    # Those who talk unasked.

    def _about(self, ms: float) -> float:
        return 1000 * ms * self._random.uniform(0.75, 1.25)

    def _babble(self, at_us: float) -> None:
        said = self._random.randbytes(self._random.randint(3, BABBLE_MAX))
        end_us = self._talk(BABBLER, said, at_us)
        self._at(max(end_us, at_us + self._about(self.habits.babble_ms)), self._babble)

    def _ask(self, at_us: float) -> None:
        request = pdu.read(pdu.READ_HOLDING_REGISTERS, 0, 1).encode()
        asked = self._frames.frame(self._random.randint(1, 3), request)
        end_us = self._talk(MASTER, asked, at_us)
        self._at(max(end_us, at_us + self._about(self.habits.master_ms)), self._ask)


def line(
    answer: Callable[[int, bytes], bytes | None],
    baud: int,
    bit_errors: float = 0.0,
    seed: int = 0,
    **more: Any,
) -> PacedLine:
    """Return a line of `baud` and 11-bit characters; `more` is what PacedLine takes."""
    return PacedLine(answer, Wire(Coding(baud), bit_errors, seed), seed=seed, **more)
