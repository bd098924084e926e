"""kill -9 of a process that writes a real buffer, again and again."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.buffer.store import Settings
from gateway.buffer.writer_cpython import open_buffer
from gateway.core.reading import BULK, RINGS, Gap, Point, Reading

ROOT = Path(__file__).resolve().parent.parent.parent
KILLS = 15
SETTINGS = Settings(4 * 65_536, 64 * 65_536, 65_536, 50)
POINTS = [Point("writer/number", "", "", BULK, 0)]

# Prints "ring number value" for each item once it is durable, and nothing before.
WRITER = """
import asyncio, sys
from gateway.core import aio
from gateway.core.reading import BULK, CRIT, RINGS, Reading
from gateway.buffer.writer_cpython import open_buffer
from tests.system.test_buffer_kill import POINTS, SETTINGS

async def main(path, value):
    buffer = await open_buffer(path, SETTINGS, POINTS, "0")
    print("boot", buffer.boot, 0, flush=True)
    task = asyncio.create_task(buffer.run())
    sent = {ring: buffer.last(ring) for ring in RINGS}
    while True:
        for _ in range(7):
            value += 1
            ring = CRIT if value % 10 == 0 else BULK
            buffer.add(ring, [Reading("writer/number", value, aio.now_ms())])
        await aio.sleep_ms(2)
        for ring in RINGS:
            batch = await buffer.next_batch(ring, sent[ring], 64, 8192)
            if batch is None:
                continue
            for place, item in enumerate(batch.items):
                print(ring, batch.seq + place, getattr(item, "value", 0))
            sent[ring] = batch.seq + len(batch.items) - 1
            buffer.acked(ring, batch.log_id, sent[ring] - 3)
            sys.stdout.flush()

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


@pytest.mark.system
def test_kill_loses_nothing_durable_and_reuses_no_number(tmp_path: Path) -> None:
    path = str(tmp_path / "buffer")
    chance = random.Random(5)
    durable: dict[tuple[str, int], int] = {}
    boots = [0]
    value = 0
    for _ in range(KILLS):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, path, str(value)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert writer.stdout is not None
        lines = chance.randint(1, 600)
        for line in writer.stdout:
            value = note(line, durable, boots, value)
            lines -= 1
            if lines == 0:
                os.kill(writer.pid, signal.SIGKILL)
        assert writer.wait(10) == -signal.SIGKILL
        value += 100_000  # what the dead process had in RAM is not given again
    assert boots == sorted(set(boots))
    assert len(boots) == KILLS + 1
    assert len(durable) > 1000
    asyncio.run(compare(path, durable))


def note(line: str, durable: dict[tuple[str, int], int], boots: list[int], value: int) -> int:
    if not line.endswith("\n"):
        return value  # cut short by the kill
    ring, seq, said = line.split()
    if ring == "boot":
        boots.append(int(seq))
        return value
    assert durable.setdefault((ring, int(seq)), int(said)) == int(said), "a number was two things"
    return max(value, int(said))


async def compare(path: str, durable: dict[tuple[str, int], int]) -> None:
    buffer = await open_buffer(path, SETTINGS, POINTS, "0")
    counts = buffer.counts()
    assert counts["sampled"] == counts["delivered"] + counts["gaps"] + counts["buffered"]
    gaps = held = 0
    for ring in RINGS:
        after = buffer.cursor(ring)
        while (batch := await buffer.next_batch(ring, after, 64, 8192)) is not None:
            for place, item in enumerate(batch.items):
                if isinstance(item, Reading):
                    held += 1
                    known = durable.get((ring, batch.seq + place), item.value)
                    assert known == item.value
                else:
                    gaps += isinstance(item, Gap)
            missing = [seq for seq in range(after + 1, batch.seq) if (ring, seq) in durable]
            assert not missing, "durable and gone"
            after = batch.seq + len(batch.items) - 1
        assert after >= max([seq for name, seq in durable if name == ring], default=0)
    assert held == counts["buffered"]
    assert gaps == counts["gaps"] == 0, "kill -9 leaves the page cache: nothing is torn or lost"
    assert counts["delivered"] > 0
    await buffer.close()
