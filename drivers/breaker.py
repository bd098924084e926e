"""How long to wait for a device, and how often to ask one that is silent.

Knows outcomes and the time of each; knows no bus, no protocol and no clock.
"""

from __future__ import annotations

MISSES_MAX = 2  # polls in a row without a reply that open the breaker
STEP_MS = 500  # each probe without a reply puts the next one off by this much more
CAP_MS = 10_000  # a device that comes back is seen within this time, if its time-outs are short
SHARE = 50  # a silent device takes at most 1/50 of its bus, however long its time-out is

LATENCY_FIRST_MS = 25  # before anything is measured: most devices answer within it
LATENCY_FACTOR = 4  # replies up to four times slower than usual are waited for
TIMEOUT_MIN_MS = 100  # USB adapters hold bytes back for 16 ms, a busy host for a few times that
PATIENT_EVERY = 16  # misses in a row; within each so many …
PATIENT_AT = 3  # … the next try waits in full: the device may have become slower


class Breaker:
    """Whether a device may be asked now; open after `MISSES_MAX` polls without a reply.

    While open one probe is let through at a time, after 0, 500, 1000 … ms up to the cap.
    """

    def __init__(self, cap_ms: int = CAP_MS) -> None:
        self._cap_ms = cap_ms
        self._misses = 0
        self._next_ms = 0

    @property
    def open(self) -> bool:
        """True while the device counts as silent: probes only, and no retries."""
        return self._misses >= MISSES_MAX

    def allows(self, now_ms: int) -> bool:
        """Return whether the device may be asked at `now_ms`."""
        return not self.open or now_ms >= self._next_ms

    def missed(self, now_ms: int, cost_ms: int) -> None:
        """Note a poll that ended at `now_ms` without any reply and held the bus for `cost_ms`."""
        self._misses += 1
        if self.open:
            ceiling_ms = max(self._cap_ms, (SHARE - 1) * cost_ms)
            self._next_ms = now_ms + min((self._misses - MISSES_MAX) * STEP_MS, ceiling_ms)

    def answered(self) -> None:
        """Note any valid reply, a refusal included: the device lives."""
        self._misses = 0


class Patience:
    """The time-out for one device's replies, learned from how fast it answers.

    Latency is what an exchange took beyond its bytes' own time on the wire, so that long and
    short replies teach the same thing.
    """

    def __init__(self, timeout_max_ms: int, timeout_min_ms: int = TIMEOUT_MIN_MS) -> None:
        self._max_ms = timeout_max_ms
        self._min_ms = min(timeout_min_ms, timeout_max_ms)
        self._latency_ms = LATENCY_FIRST_MS
        self._misses = 0

    @property
    def latency_ms(self) -> int:
        """The upper edge of recent latencies: up at once, down slowly."""
        return self._latency_ms

    def timeout_ms(self) -> int:
        """Return how long to wait beyond the bytes' own time on the wire."""
        if self._misses % PATIENT_EVERY == PATIENT_AT:
            return self._max_ms
        return min(max(self._min_ms, LATENCY_FACTOR * self._latency_ms), self._max_ms)

    def heard(self, latency_ms: int) -> None:
        """Note a reply that took `latency_ms`."""
        self._misses = 0
        if latency_ms >= self._latency_ms:
            self._latency_ms = latency_ms
        else:
            self._latency_ms -= (self._latency_ms - latency_ms + 7) // 8

    def missed(self) -> None:
        """Note a wait that ended without a reply."""
        self._misses += 1
