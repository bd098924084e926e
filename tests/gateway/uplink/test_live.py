"""Live values while history drains, and what is deflated for whom, in virtual time."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING

from gateway.core import aio, cbor
from gateway.core.reading import BULK, CRIT, Reading
from gateway.uplink import pack, topics
from gateway.uplink.deflate_cpython import deflate, inflate, is_deflated
from gateway.uplink.dial_cpython import UNSENT_BYTES
from gateway.uplink.dictionary import dictionary, identity, wanted
from gateway.uplink.uplink import LIVE_POINTS_MAX, LIVE_SHARE
from tests.gateway.uplink.fakes import GW, LOGS, POINT, WALL_MS, FakeAbout, FakeSource, everything
from tests.gateway.uplink.test_uplink import FakeLink, World, play

if TYPE_CHECKING:
    from typing import Any

    from gateway.uplink.uplink import Ear

POINTS = [[POINT, "level", "m", BULK, 1_000]]
BIRTH = {"state": "online", "gw": GW, "logs": LOGS, "points": POINTS}


class Sent:
    """One publish."""

    def __init__(self, kind: str, ring: str, payload: bytes, retain: bool) -> None:
        self.at_ms = aio.now_ms()
        self.kind = kind
        self.ring = ring
        self.payload = payload
        self.retain = retain


class Line(World):
    """A world whose link takes `bytes_per_s`, and which notes every publish."""

    def __init__(self, source: FakeSource, bytes_per_s: int, **options: Any) -> None:
        super().__init__(source, **options)
        self.bytes_per_s = bytes_per_s
        self.sent: list[Sent] = []
        self.alarm_ms: list[int] = []
        self.about = FakeAbout()
        self.about.birth = lambda: BIRTH  # type: ignore[method-assign]
        self.uplink._about = self.about

    async def open_link(self, ear: Ear) -> FakeLink:
        link = await super().open_link(ear)
        publish, loop = link.publish, asyncio.get_running_loop()
        free_s = 0.0

        def take(token: int, topic: str, payload: bytes, kind: str, *, retain: bool) -> None:
            nonlocal free_s
            _, word, ring = topics.split(topic)
            self.sent.append(Sent(word, ring, payload, retain))
            free_s = max(free_s, loop.time()) + len(payload) / self.bytes_per_s
            link.blocked = (free_s - loop.time()) * self.bytes_per_s > UNSENT_BYTES
            if link.blocked:
                loop.call_at(free_s - UNSENT_BYTES / self.bytes_per_s + 0.001, clear)
            loop.call_at(free_s, lambda: publish(token, topic, payload, kind, retain=retain))

        def clear() -> None:
            if link.blocked and (free_s - loop.time()) * self.bytes_per_s <= UNSENT_BYTES:
                link.blocked = False
                ear.clear()

        link.publish = take  # type: ignore[method-assign]
        return link

    def bytes_of(self, kind: str) -> int:
        return sum(len(one.payload) for one in self.sent if one.kind == kind and not one.retain)


def measure(line: Line, points: int) -> asyncio.Task[None]:
    """Give every one of `points` a new reading each second."""
    latest: list[Reading] = []
    line.about.latest = lambda: list(latest)  # type: ignore[method-assign]

    async def on() -> None:
        while True:
            at_ms = aio.now_ms()
            latest[:] = [Reading(f"river-3/level-{one}", at_ms, at_ms) for one in range(points)]
            await aio.sleep_ms(1_000)

    return asyncio.ensure_future(on())


def test_live_values_are_at_most_two_seconds_old_while_history_drains() -> None:
    line = Line(FakeSource(bulk=20_000), 20_000)
    seen: dict[str, int] = {}

    async def scene() -> None:
        task = measure(line, 10)
        await line.until(lambda: everything(line.source, line.platform))
        task.cancel()

    play(line, scene)
    lives = [one for one in line.sent if one.kind == "now" and not one.retain]
    ages = []
    for one in lives:
        samples, partial = pack.read_snapshot(one.payload)
        assert partial
        for sample in samples:
            assert seen.get(sample.point) != sample.low_ms, "told twice"
            seen[sample.point] = sample.low_ms
            ages.append(one.at_ms + WALL_MS - sample.low_ms)
    assert len(lives) >= 20
    assert max(ages) <= 1_000
    assert max(b.at_ms - a.at_ms for a, b in pairwise(lives)) <= 1_100


def test_live_values_take_a_tenth_of_a_slow_link_and_alarms_pass_them() -> None:
    line = Line(FakeSource(bulk=4_000), 1_200)  # 9.6 kbit/s
    waits: list[int] = []

    async def scene() -> None:
        task = measure(line, 40)
        await aio.sleep_ms(20_000)
        for _ in range(8):
            line.source.add(CRIT)
            began_ms, count = aio.now_ms(), line.source.durable[CRIT]
            await line.until(lambda count=count: line.source.cursors[CRIT] == count)
            waits.append(aio.now_ms() - began_ms)
            await aio.sleep_ms(5_000)
        await line.until(lambda: everything(line.source, line.platform))
        task.cancel()

    play(line, scene)
    lives, packs = line.bytes_of("now"), line.bytes_of("up")
    assert 0 < lives <= packs / LIVE_SHARE + 2_000  # and the one that began it
    # Before an alarm lies what the line holds already, a pack and one picture of the moment.
    held = UNSENT_BYTES + max(len(one.payload) for one in line.sent if one.ring == BULK)
    picture = max(len(one.payload) for one in line.sent if one.kind == "now")
    assert max(waits) <= 1_000 * (held + picture) // line.bytes_per_s + 500


def test_live_values_of_thousands_of_points_are_told_in_turn() -> None:
    line = Line(FakeSource(bulk=1), 20_000)
    told: list[str] = []
    latest: list[Reading] = []
    line.about.latest = lambda: latest  # type: ignore[method-assign]

    async def scene() -> None:
        for second in range(7):
            at_ms = 1_000 * second
            latest[:] = [Reading(f"river-3/level-{one}", at_ms, at_ms) for one in range(2_000)]
            line.uplink._live_room = 0
            before = dict(line.uplink._shown)
            line.uplink._announce_live(second)
            now = line.uplink._shown
            told.extend(one for one in now if now[one] != before.get(one))

    play(line, scene)
    assert len(told) == len(set(told)) == 7 * LIVE_POINTS_MAX


def test_packs_are_plain_until_the_platform_names_the_dictionary_and_again_in_doubt() -> None:
    known = dictionary(BIRTH)
    line = Line(FakeSource(bulk=1_000), 1 << 20, deflate=deflate, deflate_early=False)
    naming = True
    answer = line.platform._answer
    hear = line.platform.message

    def named(gw: str, data: bytes) -> None:
        ack = topics.decode_ack(data)
        number = identity(known) if naming else None
        answer(gw, topics.encode_ack(topics.Ack(ack.ring, ack.log_id, ack.seq, number)))

    def inflating(topic: str, payload: bytes) -> None:
        if wanted(payload) is not None:
            payload = inflate(payload, 65_536, known)
        hear(topic, payload)

    line.platform._answer = named  # type: ignore[method-assign]
    line.platform.message = inflating  # type: ignore[method-assign]

    def forms() -> list[bool]:
        found = [wanted(one.payload) is not None for one in line.sent if one.kind == "up"]
        assert not any(
            is_deflated(one.payload) and wanted(one.payload) is None for one in line.sent
        )
        line.sent.clear()
        return found

    async def scene() -> None:
        nonlocal naming
        await line.until(lambda: everything(line.source, line.platform))
        first = forms()
        assert (first[0], first[-1]) == (False, True)
        naming = False  # another platform, perhaps: it does not know what the one before knew
        line.source.add(BULK, 200)
        await line.until(lambda: everything(line.source, line.platform))
        line.source.add(BULK, 200)
        await line.until(lambda: everything(line.source, line.platform))
        assert forms()[-1] is False
        naming = True
        line.source.add(BULK, 200)
        await line.until(lambda: everything(line.source, line.platform))
        line.source.add(BULK, 200)
        await line.until(lambda: everything(line.source, line.platform))
        assert forms()[-1] is True
        line.platform.silent = True
        line.source.add(BULK, 200)
        await aio.sleep_ms(100_000)
        assert forms()[-3:] == 3 * [False]  # asks that anyone can read

    play(line, scene)
    assert cbor.decode(line.platform.retained["state"]) == BIRTH
