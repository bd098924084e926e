"""The platform: commits what it receives, then acknowledges it, and sometimes forgets.

Acknowledges as the contract says: cumulatively, per log, only what it made durable. Knows no
connection. What it ever made durable is told to the ledger, and its own memory may be lost.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from gateway.core.reading import RINGS, Gap
from gateway.uplink import topics
from tools.fusion.stream import Stream

if TYPE_CHECKING:
    from random import Random

    from gateway.uplink.pack import Pack
    from tools.simulate.broker import Broker
    from tools.simulate.history import Faults
    from tools.simulate.ledger import Ledger

FLOOD = 1_500
LOGS = 8  # of which it may be: those of the last cards
COMMIT_S = 1.0  # at most so long after the first pack: the contract's acknowledgement a second


class Platform:
    def __init__(
        self, gw: str, broker: Broker, ledger: Ledger, faults: Faults, dice: Random
    ) -> None:
        self.streams: dict[tuple[str, bytes], Stream] = {}
        self.highs: dict[bytes, int] = {}  # the highest number ever acknowledged, by log
        self._rows: dict[bytes, set[int]] = {}
        self._gw = gw
        self._broker = broker
        self._ledger = ledger
        self._faults = faults
        self._dice = dice
        self._open: list[tuple[str, Pack]] = []
        self._due = False

    def receive(self, ring: str, pack: Pack) -> None:
        """Take a pack; it is durable, and acknowledged, a little later."""
        self._open.append((ring, pack))
        if not self._due:
            self._due = True
            self._broker.loop.call_later(self._dice.uniform(0.01, COMMIT_S), self.commit)

    def commit(self) -> None:
        """Make durable what was received, and acknowledge it."""
        for ring, log in self._keep():
            self._acknowledge(ring, log, self.streams[ring, log].high)

    def _keep(self) -> list[tuple[str, bytes]]:
        """Make durable what was received; return the rings and logs it was of."""
        self._due = False
        work, self._open = self._open, []
        touched: dict[tuple[str, bytes], None] = {}
        for ring, pack in work:
            self._ledger.store(pack.log_id, pack.seq, len(pack.items))
            stream = self._stream(ring, pack.log_id)
            stream.pass_to(pack.low)
            last = pack.seq + len(pack.items) - 1
            if stream.takes(pack.seq, last):
                self._insert(pack.log_id, [pack.seq + at for at in range(len(pack.items))], stream)
                stream.add(pack.seq, last)
            touched[ring, pack.log_id] = None
            for item in pack.items:
                if isinstance(item, Gap) and item.first:
                    other = self._stream(item.ring, item.log_id)
                    if other.takes(item.first, item.last):
                        other.add(item.first, item.last)
                        touched[item.ring, item.log_id] = None
        for ring, log in touched:
            self.highs[log] = max(self.highs.get(log, 0), self.streams[ring, log].high)
        return list(touched)

    def life_ended(self) -> None:
        """Timers of the loop that ended are gone; what was received is committed or lost."""
        if self._dice.random() < 0.5:
            self.crash()
        self._keep()

    def crash(self) -> None:
        """Lose what was not committed; the broker takes it for delivered."""
        self._open = []

    def forget(self) -> None:
        """Start again with an empty database."""
        self._open = []
        self.streams, self._rows = {}, {}

    def flood(self, dice: Random) -> None:
        """Acknowledge thousands of times what was never sent, or long ago."""
        logs = list(self.highs)[-LOGS:]
        for _ in range(FLOOD):
            log = dice.choice([*logs, dice.randbytes(8)])
            self._send(dice.choice(RINGS), log, dice.choice((1, 1 << 40)))

    def _insert(self, log: bytes, numbers: list[int], stream: Stream) -> None:
        rows = self._rows.setdefault(log, set())
        for seq in numbers:
            if not stream.has(seq, seq):
                if seq in rows:
                    self._broker.broken(f"{seq} is stored twice")
                rows.add(seq)

    def _stream(self, ring: str, log: bytes) -> Stream:
        return self.streams.setdefault((ring, log), Stream())

    def _acknowledge(self, ring: str, log: bytes, high: int) -> None:
        if high and not self._faults.strikes("ack-lost", 0.7):
            self._send(ring, log, high)
            if self._faults.strikes("ack-twice", 0.5):
                after_s = self._faults.dice("ack-twice").uniform(0, 30)
                self._broker.loop.call_later(after_s, self._send, ring, log, high)
        if self._faults.strikes("ack-forged", 0.5):
            dice = self._faults.dice("ack-forged")
            number = high + dice.choice((-5, 1, 10, 100, 1 << 40))
            name = log if number > 1 << 39 else dice.randbytes(8)
            # Late, so that it may name numbers that are on their way meanwhile.
            after_s = dice.uniform(0, 20)
            self._broker.loop.call_later(after_s, self._send, ring, name, max(number, 1))

    def _send(self, ring: str, log: bytes, seq: int) -> None:
        ack = _encoded(ring, log, seq, self._broker.dictionary_id)
        self._broker.tell(topics.of(self._gw, topics.ACK), ack)


@lru_cache(64)
def _encoded(ring: str, log: bytes, seq: int, dictionary: int | None) -> bytes:
    return topics.encode_ack(topics.Ack(ring, log, seq, dictionary))
