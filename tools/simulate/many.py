"""Worlds by the hundred, in several processes; what broke a law comes back with a short history.

Outcomes come in the order of their seeds, whoever was done first. Knows no terminal.
"""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from tools.simulate.history import Act, plan, shrink
from tools.simulate.world import World

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Future

    from tools.simulate.world import Outcome

AHEAD = 4  # worlds each process may be in front of the one whose turn it is
SHRINK_TRIES = 100  # worlds to try on the way to a shorter history
AFTER_H = 1.0  # a law that a shorter history breaks so much later may be another one


class Found(NamedTuple):
    """What one world came to; if it broke a law, `acts` are only the places of those needed."""

    outcome: Outcome
    planned: int
    acts: list[int]
    cpu_s: float


def worlds(seeds: Iterable[int], hours: float, jobs: int, until_s: float = 0) -> Iterator[Found]:
    """Live the worlds of `seeds`; none that would begin after `until_s` (monotonic, 0: never)."""
    if jobs == 1:
        for seed in seeds:
            found = live(seed, hours, until_s)
            if found is None:
                return
            yield found
        return
    before = multiprocessing.active_children()
    # Forked, so that what a test changed in the code is changed in every process.
    context = multiprocessing.get_context("fork")
    pool = ProcessPoolExecutor(jobs, context, _begin)
    left = iter(seeds)
    waiting: deque[Future[Found | None]] = deque()
    try:
        while True:
            for seed in islice(left, AHEAD * jobs - len(waiting)):
                waiting.append(pool.submit(live, seed, hours, until_s))
            found = waiting.popleft().result() if waiting else None
            if found is None:
                return
            yield found
    except BaseException:  # also when whoever asked has seen enough, or pressed Ctrl-C
        for child in multiprocessing.active_children():
            if child not in before:
                child.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def live(seed: int, hours: float, until_s: float = 0) -> Found | None:
    """Live one world, and make its history short if it broke a law; None: it is too late."""
    if until_s and time.monotonic() >= until_s:
        return None
    began_s = time.process_time()
    acts = plan(seed, hours)
    places: list[int] = []
    try:
        outcome = World(seed, hours).run()
        if outcome.broken:
            needed = shortest(outcome, acts, hours)
            again = World(seed, hours, needed).run()
            if again.broken:
                outcome = again
            else:  # it was broken all the same
                needed = acts
            places = [place for place, act in enumerate(acts) if act in needed]
    except Exception as error:
        error.add_note(f"while simulating seed {seed} for {hours:g} hours")
        raise
    return Found(outcome, len(acts), places, time.process_time() - began_s)


def shortest(outcome: Outcome, acts: list[Act], hours: float) -> list[Act]:
    """Return the shortest history found in which a law is broken not much later."""

    def fails(fewer: list[Act]) -> bool:
        tried = World(outcome.seed, hours, fewer, outcome.hours + AFTER_H).run()
        return bool(tried.broken)

    # What came after the law was broken had no part in it.
    before = [act for act in acts if act.at_s <= outcome.hours * 3600]
    return shrink(before, fails, SHRINK_TRIES)


def _begin() -> None:
    # Ctrl-C reaches the whole group; the parent ends us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
