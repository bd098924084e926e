"""The wall clock of a Linux gateway, and whether anything vouches for it."""

from __future__ import annotations

import ctypes
import time

from gateway.core.clock import FLOOR_MS, NTP, RTC, SYSTEM

# adjtimex(2): TIME_ERROR is the return value while the kernel knows of no synchronisation.
_TIME_ERROR = 5
_TIMEX_LONGS = 64
_MAXERROR_AT = 3  # struct timex, in longs: modes (padded), offset, freq, maxerror [us]
_RTC_ERROR_MS = 60_000  # a battery clock that nobody set for a year drifts about a minute


def wall_ms() -> int:
    """Return the Unix time in ms as the system believes it."""
    return time.time_ns() // 1_000_000


def observe(trust_system: bool) -> tuple[int, int, str] | None:
    """Return (wall_ms, error_ms, source of clock.py), or None when the clock was never set."""
    now_ms = wall_ms()
    if now_ms < FLOOR_MS:
        return None
    error_ms = _kernel_error_ms()
    if error_ms is not None:
        return now_ms, error_ms, NTP
    return (now_ms, 0, SYSTEM) if trust_system else (now_ms, _RTC_ERROR_MS, RTC)


def _kernel_error_ms() -> int | None:
    """Return the kernel's estimate of its clock's error, None while it is not synchronised."""
    timex = (ctypes.c_long * _TIMEX_LONGS)()
    if ctypes.CDLL(None).adjtimex(ctypes.byref(timex)) in (-1, _TIME_ERROR):
        return None
    return int(timex[_MAXERROR_AT]) // 1000
