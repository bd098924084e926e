"""Tells systemd that the service is ready, alive, and what it is doing (sd_notify(3))."""

from __future__ import annotations

import os
import socket


def notify(*lines: str) -> bool:
    """Send "READY=1", "WATCHDOG=1", "STATUS=…"; False when systemd is not listening."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    if address.startswith("@"):  # an abstract socket
        address = f"\0{address[1:]}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
        out.sendto("\n".join(lines).encode(), address)
    return True


def watchdog_ms() -> int | None:
    """Return how often the watchdog must hear from us at the least, None without one."""
    period_us = os.environ.get("WATCHDOG_USEC")
    mine = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return int(period_us) // 1000 if period_us and mine else None
