"""What `tidegate watch` says of a buffer, sound or damaged, and that it never touches it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from gateway.__main__ import main
from gateway.buffer.store import Settings
from gateway.buffer.writer_cpython import open_buffer
from gateway.core.clock import Anchor
from gateway.core.decimal import decimal
from gateway.core.reading import BULK, CRIT, Point, Reading
from tools.watch import View

SETTINGS = Settings(3 * 65_536, 4 * 65_536, 65_536)
POINTS = [Point("river/level", "", "m", BULK, 1000), Point("river/pump", "", "", CRIT, 0)]
WALL_MS = 1_767_225_600_000


def write(folder: Path, count: int) -> None:
    async def story() -> None:
        buffer = await open_buffer(str(folder), SETTINGS, POINTS, "0.1")
        buffer.anchor(Anchor(buffer.boot, 0, WALL_MS, 1, "ntp"))
        for number in range(count):
            buffer.add(BULK, [Reading("river/level", decimal(200 + number, -2), 1000 * number)])
        buffer.add(CRIT, [Reading("river/pump", None, 500, "no-reply")])
        await buffer.commit()
        await buffer.reject(BULK, 2, "rejected")
        buffer.acked(BULK, buffer.log_id(BULK), 1)
        await buffer.close()

    asyncio.run(story())


def send(folder: Path) -> None:
    """Read what waits, which finds damage and notes it in crit."""

    async def story() -> None:
        buffer = await open_buffer(str(folder), SETTINGS, POINTS, "0.1")
        await buffer.next_batch(BULK, 0)
        await buffer.commit()
        await buffer.close()

    asyncio.run(story())


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_watch_says_what_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, 5)
    before = contents(tmp_path)
    assert main(["watch", str(tmp_path), "-n", "2"]) == 0
    said = capsys.readouterr().out.splitlines()
    log_ids = [line.split()[2] for line in said if " log " in line]
    assert said == [
        f"buffer {tmp_path}",
        "",
        f"crit: log {log_ids[0]} boots 1..1, numbers 1..2, confirmed to 0, waiting 2,"
        " 1 segments and 2 spare",
        "  river/pump                       -                    "
        "2026-01-01 00:00:00.500Z  no-reply",
        "  gap   bulk 2..2: 1 rejected",
        "           1 river/pump                       -                    "
        "2026-01-01 00:00:00.500Z  no-reply",
        "           2 gap bulk 2..2: 1 rejected",
        "",
        f"bulk: log {log_ids[1]} boots 1..1, numbers 1..5, confirmed to 0, waiting 5,"
        " 1 segments and 3 spare",
        "  river/level                      2.04 m               2026-01-01 00:00:04.000Z",
        "           4 river/level                      2.03 m               "
        "2026-01-01 00:00:03.000Z",
        "           5 river/level                      2.04 m               "
        "2026-01-01 00:00:04.000Z",
    ]
    assert contents(tmp_path) == before


def test_watch_json_is_one_object_with_a_schema(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, 3)
    assert main(["watch", str(tmp_path), "--json", "--ring", "bulk", "-n", "1"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["schema"] == "tidegate.watch/1"
    assert list(said["rings"]) == ["bulk"]
    ring = said["rings"]["bulk"]
    assert (ring["first"], ring["last"], ring["items"], ring["boots"]) == (1, 3, 3, [1])
    level = {
        "seq": 3,
        "boot": 1,
        "at_ms": 2000,
        "point": "river/level",
        "value": "2.02",
        "unit": "m",
        "quality": "good",
        "wall_ms": WALL_MS + 2000,
    }
    assert ring["records"] == [level]
    assert ring["points"] == {"river/level": level}


def test_watch_follows_what_is_written(tmp_path: Path) -> None:
    write(tmp_path, 3)
    view = View(tmp_path / "bulk", "bulk")
    view.read(0)
    assert list(view.new()) == []
    write(tmp_path, 2)
    assert [item[0] for item in view.new()] == [4, 5]
    assert view.boots == [1, 2]


def test_watch_reports_damage_and_shows_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        write(tmp_path, 5)
    path = tmp_path / "bulk" / "s-00000001.sgl"
    data = bytearray(path.read_bytes())
    data[4] ^= 1  # the version, so the header's CRC
    data[data.index(b"\xc4\x82\x21") + 3] ^= 1  # the first reading's mantissa
    path.write_bytes(data)
    (tmp_path / "crit" / "cursor").write_bytes(b"")
    assert main(["watch", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "damaged: bulk/s-00000001.sgl: damaged header, 32 bytes" in said
    assert "damaged: crit/cursor: no valid slot" in said
    assert "missing 1..5: not noted yet" in said
    assert "numbers 1..10" in said
    assert "2.04 m" in said


def test_watch_names_what_is_not_a_buffer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["watch", str(tmp_path)]) == 66
    assert "is not a buffer" in capsys.readouterr().err


def test_watch_takes_no_negative_count(tmp_path: Path) -> None:
    write(tmp_path, 1)
    with pytest.raises(SystemExit) as ended:
        main(["watch", str(tmp_path), "-n", "-3"])
    assert ended.value.code == 2


def test_watch_of_one_ring_knows_what_the_other_one_notes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        write(tmp_path, 5)
    path = tmp_path / "bulk" / "s-00000001.sgl"
    data = bytearray(path.read_bytes())
    data[data.index(b"\xc4\x82\x21") + 3] ^= 1  # the first reading's mantissa
    path.write_bytes(data)
    assert main(["watch", str(tmp_path), "--ring", "bulk"]) == 1
    send(tmp_path)
    assert main(["watch", str(tmp_path), "--ring", "bulk"]) == 0
    said = capsys.readouterr().out
    assert "noted as corrupt" in said
    assert "\ncrit:" not in said
