"""What a bus is asked for against what it can give: the arithmetic of a site, before it runs.

Knows the plans of devices and their cost; opens nothing and asks nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.record import Record
from gateway.feasible import WHOLE, Task, too_late

if TYPE_CHECKING:
    from drivers.modbus import ModbusDevice

WARN_US = WHOLE * 8 // 10  # a fuller bus has no room for tries, slow replies and commands
SHOWN_MAX = 4  # devices told of in a sentence: the rest are told of together

# Periods people choose; a longer one is a number of hours.
_ROUND_MS = [100, 200, 250, 500, 1000, 2000, 3000, 5000, 10_000, 15_000, 20_000, 30_000]
_ROUND_MS += [60_000, 120_000, 300_000, 600_000, 900_000, 1_800_000, 3_600_000]
_HOUR_MS = 3_600_000


class Share(Record):
    """What one device reads every `period_ms`: `requests`, taking `each_us` beside what is due too.

    `whole_us` is the longest poll it is part of, which nothing interrupts but a command.
    """

    __slots__ = ("deadline_ms", "device", "each_us", "period_ms", "requests", "whole_us")

    def __init__(
        self,
        device: str,
        period_ms: int,
        deadline_ms: int,
        requests: int,
        each_us: int,
        whole_us: int,
    ) -> None:
        self.device = device
        self.period_ms = period_ms
        self.deadline_ms = deadline_ms
        self.requests = requests
        self.each_us = each_us
        self.whole_us = whole_us

    @property
    def load_us(self) -> int:
        """Microseconds of each second."""
        return self.each_us * 1000 // self.period_ms


class Demand(Record):
    """What the devices of `bus` ask for: `shares`, on a bus that does `width` exchanges at once."""

    __slots__ = ("bus", "shares", "width")

    def __init__(self, bus: str, shares: list[Share], width: int = 1) -> None:
        self.bus = bus
        self.shares = shares
        self.width = width

    @property
    def load_us(self) -> int:
        """Microseconds of bus time each second."""
        return sum([share.load_us for share in self.shares], 0) // self.width

    def problem(self) -> str:
        """Return why this cannot work, with the arithmetic; "" if it can."""
        if self.load_us > WHOLE:
            return f"{self._sum()}: {self._remedy()}"
        for share in self.shares:
            if share.whole_us > 1000 * share.deadline_ms:
                took = f"one poll of it takes {_seconds(share.whole_us)}"
                return f"{share.device} cannot be polled each {_period(share.deadline_ms)}: {took}"
        for share, other in self._blocked():
            # Twice its poll and the other's must fit into two of its periods, however they lie.
            if other.whole_us + 2 * share.whole_us > 2000 * share.deadline_ms:
                return self._in_the_way(share.device, share.deadline_ms, other.device, "cannot")
        return ""

    def warning(self) -> str:
        """Return what will suffer if this runs; "" if nothing does."""
        if self.load_us > WARN_US:
            text = f"{self._sum()}, which leaves too little for tries and slow replies"
            return f"{text}: {self._remedy()}"
        late = too_late(self._tasks()) if self.width == 1 else None
        if late is not None:
            return self._in_the_way(late[0].name, late[0].deadline_us // 1000, late[1].name, "may")
        return ""

    def _tasks(self) -> list[Task]:
        return [
            Task(
                one.device,
                1000 * one.period_ms,
                one.each_us,
                1000 * one.deadline_ms,
                one.whole_us,
            )
            for one in self.shares
        ]

    def _blocked(self) -> list[tuple[Share, Share]]:
        """Return each share with the longest poll of another device it may have to wait for."""
        if self.width > 1:  # another exchange is possible meanwhile
            return []
        found = []
        for share in self.shares:
            others = [one for one in self.shares if one.device != share.device]
            if others:
                found.append((share, max(others, key=lambda one: one.whole_us)))
        return found

    def _in_the_way(self, name: str, deadline_ms: int, other: str, verb: str) -> str:
        held_us = max([one.whole_us for one in self.shares if one.device == other])
        own_us = max([one.whole_us for one in self.shares if one.device == name])
        lost = "be read in time every" if verb == "cannot" else "miss one of its"
        return (
            f"{name} {verb} {lost} {_period(deadline_ms)}: a poll of {other} holds the bus for"
            f" {_seconds(held_us)}, its own takes {_seconds(own_us)}:"
            f" poll {name} less often, or give {other} a bus of its own"
        )

    def _sum(self) -> str:
        """Say how much of each second goes where, the largest first."""
        devices: dict[str, list[Share]] = {}
        for share in self.shares:
            devices.setdefault(share.device, []).append(share)
        loads = {name: sum([one.load_us for one in devices[name]], 0) for name in devices}
        ordered = sorted(devices, key=lambda name: (-loads[name], name))
        parts = []
        for name in ordered[:SHOWN_MAX]:
            told = [
                f"{_requests(one.requests)} each {_period(one.period_ms)}"
                for one in devices[name]
                if one.each_us
            ]
            parts.append(f"{name} {_seconds(loads[name])} ({', '.join(told)})")
        rest = ordered[SHOWN_MAX:]
        if rest:
            rest_us = sum([loads[name] for name in rest], 0)
            parts.append(f"{len(rest)} others {_seconds(rest_us)}")
        by = f" / {self.width} at once" if self.width > 1 else ""
        return f"bus {self.bus} needs {_seconds(self.load_us)} per 1 s: {', '.join(parts)}{by}"

    def _remedy(self) -> str:
        """Return the one change that makes it fit well, if there is one."""
        excess_us = (self.load_us - WARN_US) * self.width
        for share in sorted(self.shares, key=lambda one: (-one.load_us, one.device)):
            if share.load_us > excess_us:
                period_ms = -(-share.period_ms * share.load_us // (share.load_us - excess_us))
                return f"poll {share.device} each {_period(_rounded(period_ms))} and it fits"
        times = -(-self.load_us // WARN_US)
        return f"poll all of them {times} times less often, or use more than one bus"


def of(bus: str, devices: list[ModbusDevice], width: int = 1) -> Demand:
    """Return what `devices` ask of their bus."""
    shares = []
    for device in devices:
        adds = iter(device.loads())
        plans = iter([one for one in device.plans() if one[0]])
        for chain in device.chains:
            each = [next(adds) for _ in chain.every]
            counts = [len(next(plans)[1]) for _ in chain.every]
            whole_us = sum([us for _, us in each], 0)
            for place, (period_ms, us) in enumerate(each):
                requests = counts[place] - (counts[place - 1] if place else 0)
                shares.append(Share(device.name, period_ms, chain.every[0], requests, us, whole_us))
    return Demand(bus, shares, width)


def _requests(count: int) -> str:
    return f"{count} request{'' if count == 1 else 's'}"


def _seconds(us: int) -> str:
    return f"{us / WHOLE:.2f} s" if us >= WHOLE // 100 else f"{us / 1000:.1f} ms"


def _period(ms: int) -> str:
    for size_ms, unit in ((_HOUR_MS, "h"), (60_000, "min"), (1000, "s")):
        if ms % size_ms == 0:
            return f"{ms // size_ms} {unit}"
    return f"{ms} ms"


def _rounded(period_ms: int) -> int:
    for one in _ROUND_MS:
        if one >= period_ms:
            return one
    return -(-period_ms // _HOUR_MS) * _HOUR_MS
