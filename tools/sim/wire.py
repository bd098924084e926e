"""What a UART hears on a two-wire line: characters bit by bit, with noise and colliding talkers.

Times are microseconds, and every one follows from a frame's start, so that nothing adds up. Knows
no protocol, no port and no clock.

Where one talker drives the line its level is his; where two disagree it is either, by chance. Noise
turns single bits, those of start, parity and stop among them. Then a UART listens: a falling edge
begins a character, each bit is looked at in its middle, and what comes next begins with the next
falling edge. So a turned start bit spoils what follows until the line rests, as it does in life.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_left, bisect_right
from collections import deque
from itertools import pairwise
from typing import NamedTuple

from gateway.core.errors import ConfigError

PARITIES = ("none", "even", "odd")
FAST_BAUD = 19_200  # above it the silence between frames is fixed (Modbus serial V1.02 §2.5.1.1)
FAST_SILENCE_US = 1750.0
PARITY, FRAMING = "parity", "framing"  # what a UART can find wrong with a character
RUNS_MAX = 6  # talkers in one jumble: listening to it anew costs as much as it is long
_DATA = 8  # Modbus RTU knows no others, and our ports open with no others
_SAME_US = 1e-3  # closer times are one: frames back to back do not collide by a rounding


class Coding:
    """How characters are sent: `baud`, `parity`, `stop` bits; 11 bits each unless said otherwise.

    `stop` 0 is what Modbus has: one stop bit with parity, two without.
    """

    def __init__(self, baud: int, parity: str = "none", stop: int = 0) -> None:
        if baud <= 0:
            raise ConfigError(f"{baud} baud is not a speed")
        if parity not in PARITIES:
            raise ConfigError(f"parity {parity!r} is none of {', '.join(PARITIES)}")
        if stop not in (0, 1, 2):
            raise ConfigError(f"{stop} stop bits: 1 or 2")
        self.baud = baud
        self.parity = parity
        self.has_parity = parity != "none"
        self.stop = stop or (1 if self.has_parity else 2)
        self.bits = 1 + _DATA + self.has_parity + self.stop
        self.bit_us = 1e6 / baud
        self.silence_us = FAST_SILENCE_US if baud > FAST_BAUD else self.time_us(1) * 3.5

    def time_us(self, count: int) -> float:
        """Return how long `count` characters take."""
        return count * self.bits * 1e6 / self.baud

    def levels(self, value: int) -> list[int]:
        """Return the levels of a character: start, data with the lowest bit first, parity, stop."""
        data = [value >> place & 1 for place in range(_DATA)]
        check = [(sum(data) + (self.parity == "odd")) & 1] if self.has_parity else []
        return [0, *data, *check, *[1] * self.stop]

    def read(self, levels: list[int]) -> tuple[int, str]:
        """Return (value, what is wrong with it) of what was seen after a falling edge."""
        data = levels[1 : 1 + _DATA]
        value = sum(bit << place for place, bit in enumerate(data))
        if not levels[1 + _DATA + self.has_parity]:
            return value, FRAMING
        odd = self.has_parity and (sum(data) + levels[1 + _DATA] + (self.parity == "odd")) & 1
        return value, PARITY if odd else ""


class Character(NamedTuple):
    """What a UART heard by `end_us` while `talkers` drove the line."""

    end_us: float
    value: int
    fault: str
    talkers: frozenset[str]


class _Run(NamedTuple):
    talker: str
    start_us: float
    end_us: float
    data: bytes
    flips: list[int]  # which of its bits the noise turned


class Wire:
    """One line on which anybody can `send` and everybody hears the same.

    `bit_errors` is the chance of each bit to be turned. `sent` and `flipped` count characters and
    bits, `spoilt` frames with a turned bit, `slipped` those with a turned start or stop bit,
    `collisions` frames that began while another was on the line. Nothing may be sent before what
    was already heard.
    """

    def __init__(self, coding: Coding, bit_errors: float = 0.0, seed: int = 0) -> None:
        if not 0 <= bit_errors < 1:
            raise ConfigError(f"a bit error rate is 0 … 1, not {bit_errors:g}")
        self.coding = coding
        self.busy_until_us = -math.inf
        self.sent = self.flipped = self.spoilt = self.slipped = self.collisions = 0
        self.pending: deque[Character] = deque()
        self._rate = bit_errors
        self._random = random.Random(seed)
        self._lots = 0  # which draws decide the collision that is going on
        self._runs: list[_Run] = []
        self.calm_bits = self._next_calm()

    def send(self, talker: str, data: bytes, start_us: float) -> float:
        """Put `data` on the line from `start_us` on; return when its last stop bit is over."""
        end_us = start_us + self.coding.time_us(len(data))
        flips = self._noise(len(data) * self.coding.bits)
        self.sent += len(data)
        self.flipped += len(flips)
        self.spoilt += bool(flips)
        self.slipped += any(self._frames(flip) for flip in flips)
        if start_us < self.busy_until_us - _SAME_US:
            self.collisions += 1
            while self.pending and self.pending[-1].end_us > start_us:
                self.pending.pop()
            if len(self._runs) >= RUNS_MAX:  # who is through is not listened to again
                self._runs = [run for run in self._runs if run.end_us > start_us]
        else:
            self._runs.clear()
            self._lots = self._random.getrandbits(32)
        run = _Run(talker, start_us, end_us, data, flips)
        self._runs.append(run)
        heard = self._clear(run) if len(self._runs) == 1 else None
        if heard is None:
            since_us = start_us if len(self._runs) > 1 else -math.inf
            heard = [one for one in self._listened() if one.end_us > since_us]
        self.pending.extend(heard)
        self.busy_until_us = max(self.busy_until_us, end_us)
        return end_us

    def heard(self, until_us: float) -> list[Character]:
        """Return, once, the characters that ended by `until_us`."""
        found = []
        while self.pending and self.pending[0].end_us <= until_us + _SAME_US:
            found.append(self.pending.popleft())
        return found

    def pass_over(self, characters: int) -> None:
        """Count characters that somebody else sees to be sent, within `calm_bits`."""
        bits = characters * self.coding.bits
        if bits > self.calm_bits:
            raise ValueError(f"noise strikes {self.calm_bits} bits from here, not after {bits}")
        self.sent += characters
        self.calm_bits -= bits

    def _next_calm(self) -> int:
        """Return how many bits come through until noise turns one: geometric, so one draw."""
        if not self._rate:
            return 1 << 62
        return int(math.log(1 - self._random.random()) / math.log1p(-self._rate))

    def _noise(self, bits: int) -> list[int]:
        flips: list[int] = []
        while self.calm_bits < bits - (flips[-1] + 1 if flips else 0):
            flips.append(self.calm_bits + (flips[-1] + 1 if flips else 0))
            self.calm_bits = self._next_calm()
        self.calm_bits -= bits - (flips[-1] + 1 if flips else 0)
        return flips

    def _frames(self, flip: int) -> bool:
        """Return whether that bit of a run is a start bit or a stop bit."""
        bit = flip % self.coding.bits
        return bit == 0 or bit >= self.coding.bits - self.coding.stop

    def _clear(self, run: _Run) -> list[Character] | None:
        """Return what is heard of a talker alone, None if a start or stop bit is turned."""
        values = list(run.data)
        faults: dict[int, str] = {}
        if any(self._frames(flip) for flip in run.flips):
            return None
        for place, bit in [divmod(flip, self.coding.bits) for flip in run.flips]:
            if bit <= _DATA:
                values[place] ^= 1 << bit - 1
            if self.coding.has_parity:
                faults[place] = "" if faults.get(place) else PARITY
        char_us, talkers = self.coding.time_us(1), frozenset((run.talker,))
        return [
            Character(run.start_us + (place + 1) * char_us, value, faults.get(place, ""), talkers)
            for place, value in enumerate(values)
        ]

    def _listened(self) -> list[Character]:
        """Return what a UART makes of the levels of all that overlaps."""
        edges, levels = self._levels()
        bit_us, window = self.coding.bit_us, 1 + _DATA + self.coding.has_parity + 1
        found = []

        def level(at_us: float) -> int:
            place = bisect_right(edges, at_us) - 1
            return levels[place] if 0 <= place < len(levels) else 1

        place = 0
        while place < len(levels):
            if levels[place] or (place and not levels[place - 1]):
                place += 1
                continue
            start_us = edges[place]
            seen = [level(start_us + (number + 0.5) * bit_us) for number in range(window)]
            if seen[0]:  # a spike, not a start bit
                place += 1
                continue
            end_us = start_us + self.coding.time_us(1)
            talkers = {
                run.talker
                for run in self._runs
                if run.start_us < end_us - _SAME_US and run.end_us > start_us + _SAME_US
            }
            value, fault = self.coding.read(seen)
            found.append(Character(end_us, value, fault, frozenset(talkers)))
            place = bisect_left(edges, start_us + (window - 0.5) * bit_us)
        return found

    def _levels(self) -> tuple[list[float], list[int]]:
        """Return (edges, the level after each of them but the last)."""
        lots = random.Random(self._lots)  # the same again when a third talker joins
        bit_us = self.coding.bit_us
        waves = []
        for run in self._runs:
            wave = [level for byte in run.data for level in self.coding.levels(byte)]
            for flip in run.flips:
                wave[flip] ^= 1
            waves.append((run.start_us, wave))
        times = sorted({start + n * bit_us for start, wave in waves for n in range(len(wave) + 1)})
        edges = [at for at, then in pairwise([*times, math.inf]) if then - at > _SAME_US]
        levels = []
        for at_us, then_us in pairwise(edges):
            middle_us = (at_us + then_us) / 2
            driven = set()
            for start_us, wave in waves:
                number = math.floor((middle_us - start_us) / bit_us)
                if 0 <= number < len(wave):
                    driven.add(wave[number])
            levels.append(lots.getrandbits(1) if len(driven) == 2 else min(driven, default=1))
        return edges, levels
