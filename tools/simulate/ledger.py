"""What was taken, made durable, handed out and stored by the platform; and whether that is right.

The laws of the house are here, each a sentence that `broken` is told. Knows no file, no socket
and no fault: it is told what happened, in order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.buffer.recover import VOID_JUMP
from gateway.core.reading import CRIT, RINGS, Gap, Reading

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.core.reading import Batch
    from gateway.uplink.pack import Pack, Sample

    Broken = Callable[[str], None]
    _Key = tuple[int, bool, int, str, int, str]  # card, durable, boot, point, at_ms, quality

CLOCK_MS = 1_500  # a wall time of quality "synced" or "fixed-up" is at most so wrong
ALARM_MS = 5_000  # from a sample to the broker, where nothing is wrong, whatever the backlog
SETTLE_MS = 300_000  # what is younger at the end may still be on its way


class Taken:
    """A reading as it went into the buffer on card `card`; `log` and `seq` once handed out."""

    __slots__ = (
        *("at_ms", "boot", "card", "durable", "index", "log", "point", "quality", "ring"),
        *("seq", "stored", "true_ms", "value"),
    )

    def __init__(
        self, index: int, card: int, boot: int, ring: str, one: Reading, true_ms: int
    ) -> None:
        self.index = index
        self.card = card
        self.boot = boot
        self.ring = ring
        self.point = one.point
        self.value = one.value
        self.quality = one.quality
        self.at_ms = one.at_ms
        self.true_ms = true_ms
        self.durable = False
        self.log = b""
        self.seq = 0
        self.stored = False

    def __str__(self) -> str:
        return f"{self.ring} {self.point}={self.value!r} ({self.quality}) at {self.true_ms} ms"


class Ledger:
    """Knows every reading of a world; `card` counts the cards, `volatile` are logs in RAM."""

    def __init__(self, broken: Broken) -> None:
        self.card = 0
        self.taken: dict[str, list[Taken]] = {ring: [] for ring in RINGS}
        self.logs: dict[tuple[int, str], bytes] = {}
        self.volatile: set[bytes] = set()
        self.handed: dict[tuple[bytes, int], Taken | Gap] = {}
        self.stored: dict[bytes, dict[int, Taken | Gap]] = {}
        # Two losses without numbers may look alike: those are told apart by where they stand.
        self.gaps: dict[bytes, set[tuple[int, Gap]]] = {}
        self.synced: set[tuple[int, int]] = set()  # (card, boot) that somebody told the time
        self.wrong_clocks: set[int] = set()  # cards on which a wrong clock bounds readings
        self.unread: set[int] = set()  # cards of which something could not be read
        self._broken = broken
        self._known: dict[_Key, list[Taken]] = {}
        self._arrived: dict[bytes, set[int]] = {}
        self._highest: dict[bytes, int] = {}
        self._began_durable = True
        self._boot = 0  # of this life
        self._boots: set[tuple[int, int]] = set()
        self._done = dict.fromkeys(RINGS, 0)

    def began(self, boot: int, durable: bool) -> None:
        """A buffer was opened; on a card that works, with a boot count never used before."""
        if durable and (self.card, boot) in self._boots:
            self._broken(f"boot count {boot} was used before")
        if durable:
            self._boots.add((self.card, boot))
        # Without a card nothing counts boots: such a life has logs, and readings, of its own.
        self._began_durable, self._boot = durable, boot
        if not durable:
            self._known = {key: one for key, one in self._known.items() if key[1]}

    def opened(self, ring: str, log: bytes) -> None:
        """The log of `ring` on the card must be the one it always had."""
        known = self.logs.setdefault((self.card, ring), log)
        if known != log:
            self._broken(f"{ring}: the log {known.hex()} was given up for {log.hex()}")

    def ended(self) -> None:
        """A life ended: what was only in RAM is gone."""
        for ring in RINGS:
            self._done[ring] = len(self.taken[ring])

    def reflashed(self) -> None:
        """The card is gone with all that was not delivered."""
        self.ended()
        for ring in RINGS:
            for one in self.taken[ring]:
                if one.card == self.card and not one.stored:
                    one.durable = False
        self.card += 1

    def took(self, boot: int, ring: str, one: Reading, true_ms: int) -> None:
        """The buffer was given a reading."""
        key = self.card, self._began_durable, boot, one.point, one.at_ms, one.quality
        found = Taken(len(self.taken[ring]), self.card, boot, ring, one, true_ms)
        twins = self._known.setdefault(key, [])
        # A silent device, asked at the end of one period and at once in the next, says nothing
        # twice within a millisecond.
        if twins and one.value is not None:
            self._broken(f"counted twice: {found}")
        twins.append(found)
        self.taken[ring].append(found)

    def marks(self) -> dict[str, int]:
        """Return how many readings of each ring were taken so far."""
        return {ring: len(self.taken[ring]) for ring in RINGS}

    def committed(self, ring: str, upto: int) -> list[Taken]:
        """The buffer said that the first `upto` readings of `ring` are durable; return the new."""
        fresh = self.taken[ring][self._done[ring] : upto]
        for one in fresh:
            one.durable = True
        self._done[ring] = max(self._done[ring], upto)
        return fresh

    def oldest_in_ram(self, ring: str) -> Taken | None:
        """Return the oldest reading of this life that is not durable."""
        taken, done = self.taken[ring], self._done[ring]
        return taken[done] if done < len(taken) else None

    def handed_out(self, batch: Batch) -> None:
        """The buffer gave items to be sent."""
        for seq, item in enumerate(batch.items, batch.seq):
            known = self.handed.get((batch.log_id, seq))
            if isinstance(item, Gap):
                if isinstance(known, Gap) and known != item:
                    self._broken(f"{batch.ring} {seq} was {known}, is {item}")
                # A reading that was rejected becomes a gap under its own number.
                self.handed[batch.log_id, seq] = item
                continue
            taken = item.point, item.at_ms, item.quality
            key = self.card, self._began_durable, batch.boot, *taken
            found = _meant(self._known.get(key, []), batch.log_id, seq)
            if found is None or found.value != item.value:
                self._broken(f"{batch.ring} {seq}: nobody ever sampled {item!r}")
                return
            if found.ring != batch.ring:
                self._broken(f"{found} was handed out as {batch.ring}")
            if known is not None and known is not found:
                self._broken(f"{batch.ring} {seq} was {known}, is {found}: a number used twice")
            self._name(found, batch.log_id, seq)
            self.handed[batch.log_id, seq] = found

    def _name(self, found: Taken, log: bytes, seq: int) -> None:
        if found.seq and (found.log, found.seq) != (log, seq):
            if not {found.log, log} & self.volatile:
                self._broken(f"{found} is {found.seq} and {seq}: one reading, two numbers")
        found.log, found.seq = log, seq

    def arrived(
        self, ring: str, pack: Pack, now_ms: int, calm_ms: int, alarm_ms: int = ALARM_MS
    ) -> None:
        """A pack reached the broker: it must be what was handed out, at the time it was.

        What was sampled after `calm_ms`, since when nothing was wrong, must come in `alarm_ms`.
        """
        for seq, item in enumerate(pack.items, pack.seq):
            known = self.handed.get((pack.log_id, seq))
            self._check_order(ring, pack.log_id, seq)
            if isinstance(item, Gap):
                if known != item:
                    self._broken(f"{ring} {seq} was handed out as {known}, arrived as {item}")
            elif not isinstance(known, Taken):
                self._broken(f"{ring} {seq} arrived and was never handed out: {item!r}")
            elif (known.point, known.value, known.quality) != (
                *(item.point, item.value, item.quality),
            ):
                self._broken(f"{ring} {seq} was handed out as {known}, arrived as {item!r}")
            else:
                self._check_time(known, item)
                late = ring == CRIT and known.true_ms + alarm_ms < now_ms
                if late and known.true_ms > calm_ms:
                    self._broken(f"{known} waited until {now_ms}")

    def _check_order(self, ring: str, log: bytes, seq: int) -> None:
        seen = self._arrived.setdefault(log, set())
        if seq not in seen and seq < self._highest.get(log, 0):
            self._broken(f"{ring} {seq} comes for the first time, after {self._highest[log]}")
        self._highest[log] = max(self._highest.get(log, 0), seq)
        seen.add(seq)

    def _check_time(self, known: Taken, item: Sample) -> None:
        low_ms, high_ms = item.low_ms, item.high_ms
        if item.uptime_ms is None:  # synced or fixed up: one moment, and it must be right
            low_ms, high_ms = low_ms - CLOCK_MS, low_ms + CLOCK_MS
            if (known.card, known.boot) not in self.synced:
                self._broken(f"{known} has a time of {low_ms} that nobody vouched for")
        elif item.uptime_ms != known.at_ms:
            self._broken(f"{known} says it came {item.uptime_ms} ms after boot: {known.at_ms}")
        elif known.card in self.wrong_clocks:
            # Only a clock that was right before, in this life, knows better than a wrong one.
            if (known.card, known.boot) not in self.synced or known.boot != self._boot:
                return
        if not low_ms <= known.true_ms <= high_ms:
            self._broken(f"{known} is told to be of {low_ms}..{high_ms}")

    def store(self, log: bytes, first: int, items: int) -> None:
        """The platform made numbers `first` … of `log` durable."""
        kept = self.stored.setdefault(log, {})
        for seq in range(first, first + items):
            one = self.handed.get((log, seq))
            if isinstance(one, Gap):
                self.gaps.setdefault(one.log_id, set()).add((0 if one.first else seq, one))
            elif one is not None:
                one.stored = True
            if one is not None:
                kept.setdefault(seq, one)

    def settle(self, now_ms: int) -> None:
        """At the end, on a gateway that could deliver for long: is anything missing?"""
        for (card, ring), log in sorted(self.logs.items()):
            mine = [one for one in self.taken[ring] if one.card == card]
            young = [one for one in mine if one.true_ms > now_ms - SETTLE_MS]
            upto = young[0].index if card == self.card and young else len(self.taken[ring])
            self._settle_log(ring, log, [one for one in mine if one.index < upto], card)

    def _settle_log(self, ring: str, log: bytes, mine: list[Taken], card: int) -> None:
        kept = self.stored.get(log, {})
        gaps = [gap for _, gap in self.gaps.get(log, set())]
        dropped = sum(gap.count for gap in gaps if gap.first == 0)
        numbered = sorted((gap.first, gap.last, gap.count) for gap in gaps if gap.first)
        before, highest = 0, -1
        for seq in sorted(kept):
            one = kept[seq]
            if card == self.card and seq > before + 1:
                self._check_hole(ring, before + 1, seq - 1, numbered)
            before = seq
            if isinstance(one, Taken):
                if one.index <= highest:
                    self._broken(f"{one} came out of order: number {seq}")
                highest = one.index
        # Between two readings that arrived, what is missing must have been told as a gap.
        missing: list[Taken] = []
        low = 0
        for one in mine:
            if one.log == log and one.stored:
                dropped -= self._untold(missing, low, one.seq, numbered, dropped)
                missing, low = [], one.seq
            elif one.durable and not one.stored:
                missing.append(one)
        self._untold(missing, low, 1 << 62, numbered, dropped)

    def _untold(
        self,
        missing: list[Taken],
        low: int,
        high: int,
        numbered: list[tuple[int, int, int]],
        dropped: int,
    ) -> int:
        """Return how many of `missing` must be among the `dropped`, which have no number."""
        told = 0
        for first, last, count in numbered:
            if first < high and last > low:
                # Where the end of a log could not be read, nobody knows how many went with it.
                unknown = (
                    missing and missing[0].card in self.unread and last - first + 1 >= VOID_JUMP
                )
                told += len(missing) if unknown else count
        left = max(0, len(missing) - told)
        if left > dropped:
            self._broken(f"durable and lost without a word, {left} like {missing[0]}")
        return left

    def _check_hole(
        self, ring: str, first: int, last: int, numbered: list[tuple[int, int, int]]
    ) -> None:
        for start, end, _ in numbered:
            if start <= first <= end:
                first = end + 1
        if first <= last:
            self._broken(f"{ring} {first}..{last}: numbers that nobody explained")

    def accounts(self) -> dict[str, int]:
        """Return what a person wants to know of a world."""
        every = [one for ring in RINGS for one in self.taken[ring]]
        gaps = [gap for told in self.gaps.values() for _, gap in told]
        return {
            "sampled": len(every),
            "durable": sum(one.durable for one in every),
            "stored": sum(one.stored for one in every),
            "gaps": sum(gap.count for gap in gaps),
            "alarms": len(self.taken[CRIT]),
        }


def _meant(twins: list[Taken], log: bytes, seq: int) -> Taken | None:
    """Return the one of `twins` that has this number, else the first that has none."""
    for one in twins:
        if (one.log, one.seq) == (log, seq):
            return one
    unnamed = [one for one in twins if not one.seq] or twins
    return unnamed[0] if unnamed else None
