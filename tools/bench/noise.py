"""Wrong values out of noise: 10⁸ bytes on a line that turns one bit of ten thousand.

The driver's own exchange (request, line, reader, decode) talks in virtual time to the paced line of
tools.sim, where noise strikes start, parity and stop bits too. Noise falls geometrically, so it is
known which exchanges it leaves alone: those are counted, byte by byte, but not played, except the
one after each that was struck. Every played exchange has values of its own, so that the reply to an
earlier one is a wrong value, too.

What the arithmetic lets through. The CRC's polynomial is x^16+x^15+x^2+1 = (x+1)(x^15+x+1), and
x^15+x+1 divides no x^k+1 with k < 32767. So in a frame of n bits (here at most 2104) the factor
x+1 catches every odd number of turned bits, the other every two. Patterns of four that are
multiples of both are counted one by one (`fours`): the polynomial itself is one, so in a frame of
five bytes they are 26 times as many as the one in 2^15 that holds for long frames and is taken for
6, 8, … bits. Expected of N frames: N · (fours(n) p^4 (1-p)^(n-4) + Σ C(n,w) p^w (1-p)^(n-w) /
2^15). A turned start or stop bit shifts all that follows: such a frame is no longer near the one
sent, and passes if its length is right with a chance of 2^-16, which is taken for each of them;
that is too much, as many become shorter.

ASCII has a sum of 8 bits: two turned bits pass if one adds to the sum what the other takes away and
both digits stay digits. Such pairs are counted in frames as they are sent. Times p².
"""

from __future__ import annotations

import math
import random
from collections import Counter
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from drivers.line import Line
from drivers.protocol import ascii as ascii_frames
from drivers.protocol import pdu, rtu
from gateway.core.errors import BadReply, NoReply, Refused
from tools.bench.rows import row
from tools.sim.paced import Habits, PacedLine
from tools.sim.paced_port import PacedTransport
from tools.sim.wire import Coding, Wire
from tools.simulate.loop import VirtualLoop

if TYPE_CHECKING:
    from typing import Any

RATE = 1e-4
BAUD = 115_200  # the same bits at any speed; a fast line has less to wait for
TIMEOUT_MS = 300
UNIT = 17
# registers a reply → bytes on the wire; together 10⁸
RTU_BYTES = {1: 20_000_000, 10: 30_000_000, 30: 30_000_000, 125: 20_000_000}
ASCII_BYTES = {10: 10_000_000}
PLANTED = 1_000_000  # frames with a right head and random bytes behind it
PLANTED_REGISTERS = 5
STREAM_BYTES = 4_000_000  # random bytes without any sense
_STREAM_CHUNK = 512
_HEX = b"0123456789ABCDEFabcdef"
_SAMPLES = 20  # ASCII frames in which pairs are counted
_SURE = 1e-3  # a count that chance exceeds less often than this is beyond the arithmetic


class Struck(NamedTuple):
    """What became of the exchanges of one trial."""

    bytes: int
    exchanges: int
    corrupted: int  # frames with a turned bit
    slipped: int  # of them, those with a turned start or stop bit
    refused: int  # exchanges that gave no value
    right: int  # exchanges with a corrupted frame that gave right values: parity or stop bits
    wrong: int
    for_nothing: int  # exchanges refused though none of their bits was turned
    expected: float  # wrong ones, by the arithmetic above


class Trial:
    """Reads `registers` over a noisy line; `reader` finds the replies, the driver's own if None."""

    def __init__(
        self, framing: str, registers: int, seed: int = 1, rate: float = RATE, reader: Any = None
    ) -> None:
        frames: Any = {"rtu": rtu, "ascii": ascii_frames}[framing]
        self._framing = framing
        self._registers = registers
        self._rate = rate
        self._reader = reader or frames.ReplyReader
        self._random = random.Random(seed)
        self._wire = Wire(Coding(BAUD, "even"), rate, seed)
        self._read = pdu.read(3, 0, registers)
        self._request: bytes = frames.frame(UNIT, self._read.encode())
        self._values = b""
        self._sizes = (len(self._request), len(frames.frame(UNIT, self._reply(0))))
        line = PacedLine(self._answer, self._wire, framing, Habits(lump_ms=16.0), seed=seed)
        self._line = Line(PacedTransport(line).open, round(self._wire.coding.silence_us))
        self._pairs = self._cancelling(frames) if framing == "ascii" else 0.0

    def run(self, size: int) -> Struck:
        """Play until `size` bytes were sent; return what became of them."""
        loop = VirtualLoop(0.0)
        loop.fell = _raise
        try:
            return loop.run_until_complete(self._run(size))
        finally:
            loop.end()

    async def _run(self, size: int) -> Struck:
        wire, both = self._wire, sum(self._sizes)
        bits = both * wire.coding.bits
        counts = dict.fromkeys(("refused", "right", "wrong", "nothing"), 0)
        exchanges = 0
        while wire.sent < size:
            calm = min(wire.calm_bits // bits, (size - wire.sent) // both)
            wire.pass_over(calm * both)
            exchanges += calm
            before = wire.spoilt
            struck = True
            while struck:  # and the one after it, as noise may leave something behind
                outcome = await self._exchange()
                struck = wire.spoilt > before
                if struck:
                    counts[outcome] += 1
                elif outcome != "right":
                    counts["wrong" if outcome == "wrong" else "nothing"] += 1
                before = wire.spoilt
                exchanges += 1
        refused, right, wrong, nothing = counts.values()
        slipped, expected = wire.slipped, self._expected(exchanges)
        done = (wire.sent, exchanges, wire.spoilt, slipped, refused, right, wrong, nothing)
        return Struck(*done, expected + (slipped / 2**16 if self._framing == "rtu" else 0.0))

    async def _exchange(self) -> str:
        self._values = self._random.randbytes(2 * self._registers)
        reader = self._reader(UNIT, self._read)
        try:
            reply = await self._line.exchange(self._request, reader, TIMEOUT_MS)
            words = self._read.parse(reply)
        except (NoReply, BadReply, Refused):
            return "refused"
        return "right" if words == self._values else "wrong"

    def _answer(self, unit: int, message: bytes) -> bytes | None:
        if unit != UNIT:
            return None
        return self._reply(0 if message == self._read.encode() else 1)

    def _reply(self, offset: int) -> bytes:
        """Return the reply PDU; what was not asked for has other values."""
        data = self._values or bytes(2 * self._registers)
        values = bytes((value + offset) & 0xFF for value in data) if offset else data
        return bytes((3, len(values))) + values

    def _expected(self, exchanges: int) -> float:
        if self._framing == "ascii":
            rest = (1 - self._rate) ** (self._wire.coding.bits * sum(self._sizes))
            return exchanges * self._pairs * self._rate**2 * rest
        return exchanges * sum(undetected(8 * size, self._rate) for size in self._sizes)

    def _cancelling(self, frames: Any) -> float:
        """Return how many pairs of bits pass the sum and change a value, in request and reply."""
        found = float(cancelling(self._request, 4, 8))
        for _ in range(_SAMPLES):
            self._values = self._random.randbytes(2 * self._registers)
            frame = frames.frame(UNIT, self._reply(0))
            found += cancelling(frame, 6, len(frame)) / _SAMPLES
        return found


def undetected(bits: int, rate: float) -> float:
    """Return the chance that a frame of `bits` is changed and its CRC does not tell."""
    four = fours(bits) * rate**4 * (1 - rate) ** (bits - 4)
    return four + sum(_binomial(bits, weight, rate) for weight in range(6, 21, 2)) / 2**15


def fours(bits: int) -> int:
    """Return how many patterns of four turned bits the CRC of a frame of `bits` does not tell."""
    marks = syndromes(bits)
    pairs = Counter(one ^ other for one, other in combinations(marks, 2))
    # Two pairs with one sum are four bits, and four bits are three such pairs of pairs.
    return sum(count * (count - 1) // 2 for count in pairs.values()) // 3


def syndromes(bits: int) -> list[int]:
    """Return what each turned bit of a frame of `bits` adds to the CRC over all of it."""
    found, rest = [], 1  # a bit turned in the last place shifts through nothing
    for _ in range(bits):
        rest = rest >> 1 ^ (0xA001 if rest & 1 else 0)
        found.append(rest)
    return found


def cancelling(frame: bytes, first: int, last: int) -> int:
    """Return how many pairs of turned bits leave an ASCII frame's sum as it is, changing a value.

    Of its digits only those from `first` to `last`, and those of the sum, may change: with another
    unit, function or count it is no reply to what was asked.
    """
    digits = frame[1:-2]
    changes: list[list[int]] = []
    for place, digit in enumerate(digits):
        weight = 1 if place % 2 else 16
        turned = [digit ^ 1 << bit for bit in range(8)]
        may = first <= place < last or place >= len(digits) - 2
        steps = [
            (int(chr(one), 16) - int(chr(digit), 16)) * weight for one in turned if one in _HEX
        ]
        changes.append([step for step in steps if step] if may else [])
    found = 0
    for one, other in combinations(changes, 2):
        found += sum(1 for a in one for b in other if (a + b) & 0xFF == 0)
    return found


def planted(frames: int, seed: int = 1, reader: Any = rtu.ReplyReader) -> int:
    """Return how many of so many replies with a right head and random bytes behind it passed."""
    lots = random.Random(seed)
    request = pdu.read(3, 0, PLANTED_REGISTERS)
    head = bytes((UNIT, 3, 2 * PLANTED_REGISTERS))
    passed = 0
    for _ in range(frames):
        frame = head + lots.randbytes(2 * PLANTED_REGISTERS + 2)
        passed += reader(UNIT, request).feed(frame) is not None
    return passed


def stream(size: int, seed: int = 1, reader: Any = rtu.ReplyReader) -> int:
    """Return how many values came out of so many random bytes."""
    lots = random.Random(seed)
    request = pdu.read(3, 0, 1)
    return sum(
        reader(UNIT, request).feed(lots.randbytes(_STREAM_CHUNK)) is not None
        for _ in range(size // _STREAM_CHUNK)
    )


def most(expected: float) -> int:
    """Return the count that chance exceeds in less than one of a thousand runs (Poisson)."""
    count, term = 0, math.exp(-expected)
    below = term
    while 1 - below > _SURE:
        count += 1
        term *= expected / count
        below += term
    return count


def run(seed: int = 1, share: float = 1.0) -> list[dict[str, Any]]:
    """Measure, `share` of all of it; return the figures with their budgets."""
    rows = []
    for framing, sizes in (("rtu", RTU_BYTES), ("ascii", ASCII_BYTES)):
        trials = [
            Trial(framing, registers, seed).run(int(size * share))
            for registers, size in sizes.items()
        ]
        rows += _told(
            framing.upper(), Struck(*[sum(column) for column in zip(*trials, strict=True)])
        )
    frames = int(PLANTED * share)
    passed, expected = planted(frames, seed), frames / 2**16
    rows += [
        row("replies with a right head and random bytes", frames, ""),
        row("of them passed the CRC", passed, "", most(expected)),
        row("of them should pass: one of 65 536", expected, ""),
        row("random bytes", int(STREAM_BYTES * share), ""),
        row("values out of them", stream(int(STREAM_BYTES * share), seed), "", 0),
    ]
    return rows


def _told(name: str, all_: Struck) -> list[dict[str, Any]]:
    return [
        row(f"{name}: bytes on the wire", all_.bytes, ""),
        row(f"{name}: exchanges", all_.exchanges, ""),
        row(f"{name}: frames corrupted", all_.corrupted, ""),
        row(f"{name}: … with a turned start or stop bit", all_.slipped, ""),
        row(f"{name}: exchanges refused", all_.refused, ""),
        row(f"{name}: … though nothing was turned in them", all_.for_nothing, ""),
        row(f"{name}: corrupted, and the right values", all_.right, ""),
        row(f"{name}: wrong values", all_.wrong, "", most(all_.expected)),
        row(f"{name}: wrong values by arithmetic", all_.expected, ""),
    ]


def _raise(error: Exception) -> None:
    raise error


def _binomial(bits: int, weight: int, rate: float) -> float:
    chance: float = math.comb(bits, weight) * rate**weight * (1 - rate) ** (bits - weight)
    return chance
