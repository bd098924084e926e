"""One world: a gateway's lives, one after the other, and all that happens to it, from one seed.

The agent is the real one, from its poll loops to its session; the rest is in this folder.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import random
from collections import deque
from contextlib import redirect_stderr
from typing import TYPE_CHECKING, NamedTuple

from gateway.agent import plan as plans
from gateway.agent.agent import Agent
from gateway.agent.plan import TCP
from gateway.buffer.store import Settings
from gateway.core import buggify
from gateway.core.errors import LinkError
from gateway.core.reading import GOOD, RINGS
from gateway.site import Platform as Delivery
from gateway.site import Site, Storage
from tools.simulate import bus
from tools.simulate.broker import Broker
from tools.simulate.disk import SimDisk
from tools.simulate.history import (
    EPOCH_MS,
    LIFE_ENDS,
    LONG_H,
    Act,
    Faults,
    chance,
    operations,
    plan,
)
from tools.simulate.laws import Laws
from tools.simulate.leaves import Leaves
from tools.simulate.ledger import ALARM_MS, Ledger
from tools.simulate.loop import VirtualLoop
from tools.simulate.medium import Medium
from tools.simulate.platform import Platform
from tools.simulate.rare import SLOWING, Rare

if TYPE_CHECKING:
    from gateway.buffer.buffer import Buffer
    from gateway.core.reading import Reading
    from gateway.uplink.pack import Pack

GW = "330482-0017"
LINES_KEPT = 40  # of what happened last
DOWN_S = (2, 90)  # between two lives
CALM_S = 240  # after trouble: the longest back-off, hold or time-out, twice
SLOW_ALARM_MS = 60_000  # where rare ways delay alarms, one after the other
PULSES_EACH = 8  # in worlds of days, one that looks at all bounds: two minutes
VOLATILE_MS = 900_000  # a medium that failed is only used again after a restart


class Ended(BaseException):
    """The life is over: nothing the agent does matters any more."""


class Outcome(NamedTuple):
    """`broken` is the first law that was, or ""; `digest` names all that happened."""

    seed: int
    broken: str
    digest: str
    hours: float
    lives: int
    accounts: dict[str, int]
    last: list[str]


class World:
    """Decided by `seed` and its `acts`; `run` it once, and no longer than `until_h`."""

    def __init__(
        self, seed: int, hours: float, acts: list[Act] | None = None, until_h: float = 1e9
    ) -> None:
        self.now_base_ms = 0  # true time, since the world began, when the loop stood at 0
        self.loop: VirtualLoop
        self.settings = Settings()
        self.disk = SimDisk()
        self.learned: dict[str, object] = {}
        self.faults = Faults(lambda: self.now_ms / 1000)
        self.ledger = Ledger(self.broken)
        self.laws = Laws(self)
        self.rare = Rare(seed)
        self._seed = seed
        self._hours = hours
        self._until_ms = until_h * 3_600_000
        self._acts = plan(seed, hours) if acts is None else acts
        self._next = 0
        self._dice = chance(seed, "world")
        self._broken = ""
        self._over = False  # the life
        self._end = ""  # how it ended
        self._medium = Medium(self.faults, self._ends_at)
        self._end_then = ""
        self._began_s = 0.0  # when the life did
        self._volatile_ms = 0  # when the medium was last seen to work
        self._lives = 0
        self._digest = hashlib.sha256()
        self._last: deque[str] = deque(maxlen=LINES_KEPT)
        dice = chance(seed, "site")
        self._build(dice)
        self.broker = Broker(
            self.faults,
            chance(seed, "broker"),
            lambda: self.now_ms / 1000,
            self.broken,
            self._arrived,
        )
        self.platform = Platform(GW, self.broker, self.ledger, self.faults, chance(seed, "rows"))
        self.broker.platform = self.platform
        self._leaves: Leaves
        self._buffer: Buffer | None = None

    @property
    def now_ms(self) -> int:
        """True time since the world began."""
        return self.now_base_ms + int(self.loop.time() * 1000)

    def _build(self, dice: random.Random) -> None:
        segment = dice.choice((8192, 16_384))
        crit, bulk = segment * dice.randint(4, 8), segment * dice.randint(4, 24)
        long = self._hours > LONG_H
        commit_ms = dice.choice((10_000, 60_000) if long else (1_000, 10_000))
        # Half of the cards are filled behind running commits, as large ones are.
        at_once = segment * (self._seed % 2) * 24
        self.settings = Settings(crit, bulk, segment, commit_ms, at_once)
        storage = Storage("unused", crit, bulk, commit_ms)
        lot = dice.random()
        deflate = "auto" if lot < 0.3 else "true" if lot < 0.5 else "false"
        delivery = Delivery("mqtt://broker", deflate=deflate)
        if long:
            delivery.announce_ms = 600_000
            self.laws.pulses_each = PULSES_EACH
        self._profile = bus.profile()
        buses = bus.buses(dice, long)
        self.site = Site(GW, delivery, storage, "ntp", [], buses)
        self.gauges = {one.name: bus.Gauges(one) for one in buses}
        self.echoes = {one.name: one.framing != TCP and dice.random() < 0.3 for one in buses}

    # What happens.

    def note(self, *what: object) -> None:
        """Write down what happened: it becomes part of the digest."""
        line = f"{self.now_ms / 1000:.3f} " + " ".join([str(one) for one in what])
        self._digest.update(line.encode())
        self._last.append(line)

    def broken(self, law: str) -> None:
        """A law is broken: the first one counts, and ends the world."""
        if not self._broken and not self._over:
            self.note("BROKEN", law)
            self._broken = law
        self._stop("broken")
        raise Ended

    def sampled(self, one: Reading) -> None:
        """The agent believes that a device said this."""
        if one.quality != GOOD:
            return
        device, _, channel = one.point.partition("/")
        name, _, unit = device.rpartition("-")
        given = self.gauges[name].given[int(unit)]
        if channel == bus.COUNTER and not 0 < int(str(one.value)) <= given:
            self.broken(f"{one.point} never said {one.value!r}, it is at {given}")

    def opened(self, buffer: Buffer) -> None:
        """A life has its buffer."""
        self._buffer = buffer
        self.note("opened", buffer.boot, buffer.durable, buffer.counts()["buffered"])
        self.ledger.began(buffer.boot, buffer.durable)
        self.laws.opened()
        if buffer.durable:
            for ring in RINGS:
                self.ledger.opened(ring, buffer.log_id(ring))

    def _is_rare(self, name: str) -> bool:
        return not self._over and self.rare(name)

    def _arrived(self, ring: str, pack: Pack) -> None:
        self.note("arrived", ring, pack.seq, len(pack.items))
        calm_s = max(self.faults.last_s, self._began_s, self.broker.online_s) + CALM_S
        calm_ms = EPOCH_MS + int(1000 * calm_s)
        alarm_ms = SLOW_ALARM_MS if SLOWING & set(self.rare.shares) else ALARM_MS
        self.ledger.arrived(ring, pack, EPOCH_MS + self.now_ms, calm_ms, alarm_ms)

    # Lives.

    def run(self) -> Outcome:
        """Live all lives of the world."""
        state = random.getstate()
        random.seed(self._seed)  # drivers.line throws these dice when it opens a port again
        buggify.arm(self._is_rare if self.rare.shares else None)
        with redirect_stderr(io.StringIO()):
            try:
                self._run()
            except Ended:
                pass
            finally:
                random.setstate(state)
                buggify.arm(None)
                asyncio.set_event_loop(None)
        hours = min(self.now_ms / 3_600_000, self._hours)
        accounts = self.ledger.accounts() | {"rare": sum(self.rare.taken.values())}
        digest = self._digest.hexdigest()
        return Outcome(
            self._seed, self._broken, digest, hours, self._lives, accounts, list(self._last)
        )

    def _run(self) -> None:
        start_s, kernel = 0.0, 1
        while not self._broken:
            self._live(start_s, f"kernel-{kernel}")
            if self._end in ("", "broken"):
                return
            now_ms = self.now_ms + 1000 * self._dice.randint(*DOWN_S)
            if self._end == "kill":
                start_s = (now_ms - self.now_base_ms) / 1000
                self.disk.close()
                continue
            kernel += 1
            self.now_base_ms, start_s = now_ms, 1.0
            if self._end == "reflash":
                self.ledger.reflashed()
                self.disk, self.learned = SimDisk(), {}
            else:
                self.disk = self.disk.after_power_cut(self._dice)
                self.disk.spoil(self._medium.shorn, self._dice)

    def _live(self, start_s: float, kernel: str) -> None:
        self._lives += 1
        self._over, self._end = False, ""
        self._medium.begin()
        loop = self.loop = VirtualLoop(start_s)
        loop.spun, loop.fell = self._spun, self._callback_fell
        asyncio.set_event_loop(loop)
        self.disk.hook = self._operation
        self.broker.begin(loop)
        self._buffer = None
        dice = chance(self._seed, f"life {self._lives}")
        self.note("life", self._lives, kernel)
        self._leaves = Leaves(self, EPOCH_MS + self.now_base_ms, kernel, dice)
        self._leaves.fed_ms = self.now_ms
        self._began_s = self.now_ms / 1000
        plan_ = plans.make(self.site, lambda _: bus.profile())
        agent = Agent(self.site, plan_, self._leaves)
        self.laws.begin(agent)
        loop.create_task(agent.run(), name="0 agent").add_done_callback(self._fell)
        loop.create_task(self._happen(), name="1 happen")
        loop.run_forever()
        self._over = True
        if self.broker.link:
            self.broker.link.alive = False
        loop.end()
        self.broker.link = None
        self.ledger.ended()
        self.platform.life_ended()

    def _stop(self, end: str) -> None:
        if not self._over:
            self._over, self._end = True, end
            self.loop.stop()

    def _fell(self, task: asyncio.Task[None]) -> None:
        if self._over or task.cancelled():
            return
        error = task.exception()
        try:
            self.broken(f"the agent fell: {error!r}")
        except Ended:
            pass

    def _callback_fell(self, error: Exception) -> None:
        try:
            self.broken(f"a callback fell: {error!r}")
        except Ended:
            pass

    def _operation(self, operation: str, path: str) -> None:
        if self._over:
            raise Ended
        try:
            self._medium.operation(operation, path)
        except LinkError:
            if operation == "read":
                self.ledger.unread.add(self.ledger.card)
            raise

    def _ends_at(self, operation: str, path: str) -> None:
        self.note("ends at", operation, path)
        self._stop(self._end_then)
        raise Ended

    # Time.

    async def _happen(self) -> None:
        """Let acts happen when they are due, until the world or the life ends."""
        end_s = self._hours * 3600
        while not self._over:
            act = self._acts[self._next] if self._next < len(self._acts) else None
            due_s = min(act.at_s if act else end_s, end_s)
            wait_s = due_s - self.now_ms / 1000
            if wait_s > 0:
                await asyncio.sleep(min(wait_s, 30.0))
                self._look()
            elif act is None or due_s >= end_s:
                self._settle()
            else:
                self._next += 1
                self._begin(act)

    def _look(self) -> None:
        if self.now_ms > self._until_ms:
            self._stop("")
        if self._buffer and not self._buffer.durable:
            if self.now_ms > self._volatile_ms + VOLATILE_MS:
                self._stop("power")  # somebody came
        else:
            self._volatile_ms = self.now_ms
        self.laws.look()
        if self._leaves.watch():
            if self.now_ms / 1000 > self.faults.last_s + CALM_S:
                self.broken("the watchdog bites, and nothing is wrong")
            self.note("watchdog")
            self._stop("kill")

    def _settle(self) -> None:
        if self._buffer is None or not self._buffer.durable:
            self._hours += 0.5
            self._stop("power")
            return
        try:
            self.note("settled", sorted(self._buffer.counts().items()))
            self.ledger.settle(EPOCH_MS + self.now_ms)
        finally:
            self._stop("")

    def _begin(self, act: Act) -> None:
        self.note(act)
        self.faults.begin(act)
        kind, dice = act.kind, random.Random(act.number)
        if kind in LIFE_ENDS:
            by_disk, count = operations(act)
            self._end_then = kind
            if kind == "shorn":
                self._medium.shearing = True
            elif by_disk:
                self._medium.left = count
            else:
                self.loop.strike = self._struck
                self.loop.strike_at = self.loop.turns + count
        elif kind in ("sync-eio", "write-eio"):
            self._medium.fail(kind.partition("-")[0], dice)
        elif kind in ("babble", "hang"):
            self._leaves.begin(kind)
        elif kind == "broker-gone":
            self.broker.cut("broker gone")
        elif kind == "cut":
            self.broker.cut("connection reset")
        elif kind == "half-open" or (kind == "stall" and act.for_s > dice.randint(16, 40)):
            self.broker.half_open(dice.uniform(10, 40))
        elif kind == "restart":
            self.broker.restart()
        elif kind == "platform-crash":
            self.platform.crash()
        elif kind == "platform-empty":
            self.platform.forget()
        elif kind == "ack-flood":
            self.platform.flood(dice)

    def _spun(self) -> None:
        try:
            self.broken("the agent is busy without end, at one moment")
        except Ended:
            pass

    def _struck(self) -> None:
        self.note("ends at turn", self.loop.turns)
        self._stop(self._end_then)
