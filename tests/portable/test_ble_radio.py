"""A radio that fails or goes silent is scanned with again, ever less often; nothing else waits."""

from __future__ import annotations

from drivers.ble_radio import QUIET_MAX_MS, QUIET_MS, RETRY_MAX_MS, Radio
from gateway.core.errors import LinkError


class Air:
    """A listener that only counts, and opens what `plan` says: adverts, or nothing to open."""

    def __init__(self, plan):
        self.adverts = 0
        self.plan = plan
        self.closed = 0
        self.hear = None

    async def open(self, hear):
        what = self.plan.pop(0) if self.plan else None
        if what is None:
            raise LinkError("no adapter")
        for _ in range(what):
            hear("A", -60, None, {}, {}, [], None)
        return self

    async def close(self):
        self.closed += 1

    def heard(self, advert, now_ms):
        self.adverts += 1
        return [(advert.address, now_ms)]

    def tick(self, now_ms):
        return []

    def facts(self):
        return {"adverts": self.adverts}


class End(Exception):
    """Enough was listened."""


class Clock:
    """Time that only passes when somebody sleeps; ends what runs after `end_ms`."""

    def __init__(self, end_ms):
        self.now = 0
        self.end_ms = end_ms
        self.slept = []

    def now_ms(self):
        return self.now

    async def sleep_ms(self, ms):
        if ms != 1000 or len(self.slept) < 8:
            self.slept.append(ms)
        self.now += ms
        if self.now >= self.end_ms:
            raise End


def listen(plan, end_ms):
    """Return (radio, air, clock) after `end_ms` of listening."""
    import drivers.ble_radio as module

    air, clock, readings = Air(plan), Clock(end_ms), []
    radio = Radio("air", air, air.open, readings.extend)
    module.aio, before = clock, module.aio
    try:
        work = radio._listen()
        try:
            work.send(None)
        except End:
            pass
    finally:
        module.aio = before
    return radio, air, clock


def test_radio_begins_anew_after_silence_and_waits_longer_where_there_is_nothing():
    waits = [QUIET_MS << turn for turn in range(5)] + [QUIET_MAX_MS]
    assert waits[4] == QUIET_MAX_MS
    radio, air, _ = listen([0] * 9, sum(waits))
    assert (radio.scans, radio.silences, air.closed) == (6, 5, 6)
    assert radio.facts() == {"adverts": 0, "scans": 6, "failures": 0, "silences": 5}


def test_radio_that_was_heard_is_given_up_after_the_short_time():
    radio, air, _ = listen([5, 5, 5], 3 * QUIET_MS)
    assert (radio.scans, radio.silences, air.adverts) == (3, 2, 15)


def test_radio_that_does_not_open_is_tried_ever_less_often():
    radio, _, clock = listen([], 10 * RETRY_MAX_MS)
    assert clock.slept[:8] == [1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000]
    assert 12 < radio.failures < 18
