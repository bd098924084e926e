"""The CPU time of other processes, as Linux tells it."""

from __future__ import annotations

import time

_SCHED = 2  # of the three clocks a process has: what /proc/PID/stat says, but in nanoseconds


def process_cpu_s(pid: int) -> float:
    """Return user and system time of a process so far, its threads included, seconds."""
    return time.clock_gettime((~pid << 3) | _SCHED)  # clock_getcpuclockid(3)
