"""Does the bulk ring last for a long weekend? The arithmetic, and that it is said."""

from __future__ import annotations

import json
import os
from random import Random
from typing import TYPE_CHECKING

import pytest

from gateway.__main__ import main
from gateway.agent.load_cpython import Loaded
from gateway.buffer.buffer import Buffer
from gateway.buffer.room import capacity
from gateway.buffer.store import Settings, Store
from gateway.core.reading import BULK, Point, Reading
from tests.support import virtual
from tests.support.disk import SimDisk

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20
SITE = """\
gateway: 330482-0017
platform: mqtt://127.0.0.1:1883
buffer: {path: unused, crit: 12MiB, bulk: BULK}
buses:
  lan-1:
    port: tcp://10.0.0.7:502
    devices:
      meter-1: {profile: eastron/sdm630, unit: 1, every: EVERY}
"""


def written(folder: Path, bulk: str, every: str) -> Path:
    path = folder / "site.yaml"
    path.write_text(SITE.replace("BULK", bulk).replace("EVERY", every))
    return path


def test_capacity_of_the_default_ring_at_ten_readings_a_second_is_a_month() -> None:
    found = capacity(Settings(), [10_000] * 100)
    assert found.readings_per_day == 864_000
    assert found.bytes_per_day == 864_000 * 15 + 8640 * 40
    assert found.hours is not None
    assert 24 * 35 < found.hours < 24 * 41
    assert found.shortage == ""


def test_capacity_that_is_too_small_says_so_with_its_arithmetic() -> None:
    found = capacity(Settings(bulk_bytes=32 * MIB), [1000] * 100)
    assert found.hours == 5.4
    assert found.shortage == (
        "the bulk ring holds 5.4 h of readings, not 72: 8640000 a day of about 15.2 bytes"
        " make 124.9 MiB a day, it takes 28.0 MiB, and 72 h need 374.7 MiB"
    )


def test_capacity_of_points_that_are_asked_once_is_endless() -> None:
    found = capacity(Settings(), [0, 0])
    assert (found.hours, found.shortage) == (None, "")


@pytest.mark.parametrize("every_ms", [1000, 10_000, 60_000, 900_000])
@pytest.mark.parametrize("points", [1, 7, 100])
def test_capacity_agrees_with_what_a_ring_takes(points: int, every_ms: int) -> None:
    """Floats that need all their bits, for so long that a few hundred of each are stored."""

    async def story() -> None:
        room = Settings(12 * MIB, 64 * MIB)
        names = [Point(f"device/{place}", "", "V", BULK, every_ms) for place in range(points)]
        buffer = await Buffer.open(
            SimDisk(), room, names, kernel="k", version="0", random=Random(1).randbytes
        )
        assert isinstance(buffer._store, Store)
        ring = buffer._store.rings[BULK]
        started = ring.filled_bytes
        span_ms = 300 * every_ms
        for at_ms in range(0, span_ms, max(every_ms, 10_000)):
            for step in range(max(10_000 // every_ms, 1)):
                now_ms = at_ms + step * every_ms
                readings = [
                    Reading(point.name, 0.1 + now_ms, now_ms + 300 * place)
                    for place, point in enumerate(names)
                ]
                buffer.add(BULK, readings)
            await buffer.commit()
        per_day = (ring.filled_bytes - started) * 86_400_000 / span_ms
        assert capacity(room, [every_ms] * points).bytes_per_day == pytest.approx(per_day, rel=0.2)

    virtual.run(story())


def test_capacity_is_a_warning_of_check_at_the_ring(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, "16MiB", "1s")
    assert main(["check", "--site", str(path)]) == os.EX_OK
    told = capsys.readouterr().out
    assert f"{path}:3:" in told
    assert "warning W121: the bulk ring holds " in told
    assert "give bulk more room, or poll less often" in told
    assert main(["check", "--json", "--site", str(path)]) == os.EX_OK
    found = json.loads(capsys.readouterr().out)
    assert found["warnings"] == 1
    assert 0 < found["buffer"]["hours"] < 72
    assert found["buffer"]["room_bytes"] == 12 * MIB


def test_capacity_that_is_enough_is_no_warning(tmp_path: Path) -> None:
    loaded = Loaded(written(tmp_path, "512MiB", "10s"))
    assert loaded.report.warnings == 0
    assert loaded.capacity is not None
    assert loaded.capacity.hours is not None
    assert loaded.capacity.hours > 72
