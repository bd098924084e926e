"""Whether a bus can keep what is asked of it: the arithmetic of polls that nothing interrupts.

Knows periods and how long polls take; knows no device. What it lets pass, `poll.Schedule`
carries out without missing a deadline.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from gateway.core.record import Record

if TYPE_CHECKING:
    from collections.abc import Sequence

WHOLE = 1_000_000  # microseconds of each second; also the unit of a load
POINTS_MAX = 20_000  # deadlines looked at; a bus that needs more is as good as full


class Task(Record):
    """What takes `cost_us` every `period_us`, to be over after `deadline_us`; `name` says whose.

    The deadline is a period unless given. `whole_us` is how long the bus is held at most by the
    poll it is part of: its own cost unless given.
    """

    __slots__ = ("cost_us", "deadline_us", "name", "period_us", "whole_us")

    def __init__(
        self, name: str, period_us: int, cost_us: int, deadline_us: int = 0, whole_us: int = 0
    ) -> None:
        self.name = name
        self.period_us = period_us
        self.cost_us = cost_us
        self.deadline_us = deadline_us or period_us
        self.whole_us = whole_us or cost_us


def load_us(tasks: Sequence[Task]) -> int:
    """Return the microseconds of each second that `tasks` need, rounded up."""
    return sum([-(-task.cost_us * WHOLE // task.period_us) for task in tasks])


def too_late(tasks: Sequence[Task]) -> tuple[Task, Task] | None:
    """Return (who may miss a deadline, the longest poll it may have to wait for); None: nobody.

    Earliest deadline first without interruption, whatever the phases (Jeffay, Stanat and Martel,
    RTSS 1991; George, Rivierre and Spuri, INRIA RR-2966, 1996): for every time, what is due by
    then and the longest poll with a later deadline, which may just have begun, must fit into it.
    """
    coming = [(task.deadline_us, place) for place, task in enumerate(tasks)]
    heapq.heapify(coming)
    by_deadline = sorted(tasks, key=lambda task: (task.deadline_us, task.whole_us))
    longest: list[Task] = []  # at each place of by_deadline: the longest poll from there on
    for task in reversed(by_deadline):
        longest.append(longest[-1] if longest and longest[-1].whole_us > task.whole_us else task)
    longest.reverse()
    load = load_us(tasks)
    # Of a task whose deadline comes before its period is over, up to a cost more can be due.
    ahead_us = sum([task.cost_us for task in tasks if task.deadline_us < task.period_us], 0)
    due_us = later = 0
    for _ in range(POINTS_MAX if coming else 0):
        at_us, place = coming[0]
        while later < len(by_deadline) and by_deadline[later].deadline_us <= at_us:
            later += 1
        held_us = longest[later].whole_us if later < len(by_deadline) else 0
        if not held_us and not ahead_us and load <= WHOLE:
            return None  # deadlines are periods, and the load fits
        if load < WHOLE and at_us * (WHOLE - load) >= (held_us + ahead_us) * WHOLE:
            return None  # from here on the load alone leaves room for any of them
        due_us += tasks[place].cost_us
        if due_us + held_us > at_us:
            return tasks[place], longest[min(later, len(by_deadline) - 1)]
        heapq.heapreplace(coming, (at_us + tasks[place].period_us, place))
    return (tasks[coming[0][1]], longest[-1]) if coming else None
