"""A gateway's storage side, living on the disk that is recorded: a process of its own.

`python -m tools.powercut.writer BUFFER BOOK LOG SEED FIRST TURNS [MUTANT]` opens the buffer, adds,
commits, sends, confirms, rejects, and ends as a killed process does: mostly in the middle of its
work, before a write, a sync or a rename. In BOOK it notes what it may rely on, each with the length
of the recorder's LOG at that moment.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import gateway.buffer.buffer as buffer_module
from gateway.buffer.files_cpython import DiskFile, DiskFiles
from gateway.buffer.writer_cpython import open_buffer
from gateway.core.clock import Anchor
from gateway.core.reading import BULK, CRIT, RINGS, Gap
from tools.powercut.ledger import POINTS, SETTINGS, Ledger, entered, gap_line, reading

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TextIO

    from gateway.buffer.buffer import Buffer

CURSOR_MS = 20  # between writes of a cursor, instead of 10 s: a life is over in seconds
OPERATIONS = {DiskFile: ("write", "sync"), DiskFiles: ("rename", "remove", "sync_folder")}
OPERATIONS_MAX = 500  # about what a life does
# What a mutant leaves undone.
MUTANTS = {"no-sync": (DiskFile, "sync"), "no-folder-sync": (DiskFiles, "sync_folder")}


class Writer:
    """One life."""

    def __init__(self, book: TextIO, log: Path, chance: Random, value: int) -> None:
        self._book = book
        self._log = log
        self._chance = chance
        self._value = value
        self._sent = dict.fromkeys(RINGS, 0)
        # In some lives there is no platform, and the ring overflows.
        self._confirms = chance.random() < 0.6

    async def live(self, path: str, turns: int) -> None:
        """Do `turns` things a running gateway does."""
        buffer = await open_buffer(path, SETTINGS, POINTS, "0")
        self._note("boot", buffer.boot, {ring: buffer.log_id(ring).hex() for ring in RINGS})
        self._sent = {ring: buffer.cursor(ring) for ring in RINGS}
        for _ in range(turns):
            self._add(buffer)
            await buffer.commit(telemetry=self._chance.random() < 0.8)
            await self._send(buffer)

    def _add(self, buffer: Buffer) -> None:
        self._note("given", self._value + 64)
        for _ in range(self._chance.randint(1, 64)):
            self._value += 1
            buffer.add(BULK if self._value % 10 else CRIT, [reading(self._value)])
        if self._chance.random() < 0.05:
            buffer.anchor(Anchor(buffer.boot, self._value, self._value, 1, "ntp"))

    async def _send(self, buffer: Buffer) -> None:
        for ring in RINGS:
            log = buffer.log_id(ring).hex()
            while (batch := await buffer.next_batch(ring, self._sent[ring])) is not None:
                values = []
                for item in batch.items:
                    values.append(entered(item, Ledger()))
                    if isinstance(item, Gap):
                        self._note("gap", *gap_line(item))
                self._note("held", ring, log, batch.seq, values)
                self._sent[ring] = batch.seq + len(values) - 1
            cursor, sent = buffer.cursor(ring), self._sent[ring]
            if self._confirms and sent > cursor and self._chance.random() < 0.3:
                seq = self._chance.randint(cursor + 1, sent)
                self._note("confirmed", ring, log, seq)
                buffer.acked(ring, buffer.log_id(ring), seq)
            elif sent > cursor and self._chance.random() < 0.03:
                await buffer.reject(ring, self._chance.randint(cursor + 1, sent), "too large")

    def _note(self, *what: Any) -> None:
        print(json.dumps([self._log.stat().st_size, *what]), file=self._book, flush=True)


def _die_at(operation: int) -> None:
    """End the process before its file operation of this number."""
    left = [operation]

    def mortal(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                os._exit(0)
            return real(*given)

        return call

    for owner, names in OPERATIONS.items():
        for name in names:
            setattr(owner, name, mortal(getattr(owner, name)))


def main(argv: list[str]) -> None:
    """Live, then end as if killed."""
    path, book, log, seed, first, turns = argv[:6]
    for mutant in argv[6:]:
        setattr(*MUTANTS[mutant], lambda *_: None)
    buffer_module.CURSOR_MS = CURSOR_MS
    chance = Random(int(seed))
    _die_at(chance.randint(1, OPERATIONS_MAX))
    with Path(book).open("a") as file:
        writer = Writer(file, Path(log), chance, int(first))
        asyncio.run(writer.live(path, int(turns)))
        os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
