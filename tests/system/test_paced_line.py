"""The paced line in real time: its pace on a pty, an adapter pulled out, what odd lines cost."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from drivers.line import Line, silence_us
from drivers.protocol import pdu, rtu
from drivers.transport.serial_cpython import open_serial
from gateway.core.errors import ConfigError, LinkError, NoReply
from tools.bench.bus import SLOW_BAUD, Arm, together
from tools.sim import paced
from tools.sim.modbus import Slave
from tools.sim.paced_port import Plug, serve_paced
from tools.sim.ports import precise_loop
from tools.sim.wire import Coding

pytestmark = pytest.mark.system

READ = pdu.read(3, 0, 10)


def slave() -> Slave:
    return Slave({1: {"holding": {at: 100 + at for at in range(10)}}})


async def ask(line: Line) -> None:
    frame = rtu.frame(1, READ.encode())
    reply = await line.exchange(frame, rtu.ReplyReader(1, READ), 1000)
    assert pdu.words(READ.parse(reply)) == [*range(100, 110)]


@pytest.mark.parametrize("baud", [9600, 115200])
def test_on_a_pty_an_exchange_takes_its_bits_and_little_more(tmp_path: Path, baud: int) -> None:
    path = tmp_path / "bus"
    head = [sys.executable, "-m", "gateway", "sim", "modbus", "--json", "--trace"]
    tables = ["--unit", "1", "--holding", "0=100,101,102,103,104,105,106,107,108,109"]
    line_options = ["--pty", str(path), "--baud", str(baud)]
    with subprocess.Popen([*head, *line_options, *tables], stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.readline()
        times_s = asyncio.run(_timed(str(path), baud, 40))
        running.terminate()
        events = [json.loads(line) for line in running.communicate(timeout=10)[0].splitlines()]
    coding = Coding(baud)
    exact_s = (coding.time_us(33) + coding.silence_us) / 1e6
    assert exact_s <= min(times_s) + 0.001
    assert statistics.median(times_s) < 2 * exact_s + 0.02  # a busy machine; bench says how well
    frames = [event for event in events if event["event"] == "frame"]
    assert len(frames) == 80
    asked, answered = frames[::2], frames[1::2]
    after_us = coding.time_us(8) + coding.silence_us  # in the line's own time: no drift, no delay
    gaps = [b["start_us"] - a["start_us"] for a, b in zip(asked, answered, strict=True)]
    assert all(abs(gap - after_us) <= 1 for gap in gaps)
    assert events[-1]["event"] == "end"
    assert events[-1]["bytes"] == 40 * 33
    assert 0 < events[-1]["late-us-median"] < 20_000


async def _timed(path: str, baud: int, count: int) -> list[float]:
    line = Line(lambda: open_serial(path, baud), silence_us(baud))
    times_s = []
    for _ in range(count):
        await asyncio.sleep(0.01)  # the silence is over
        start_s = time.monotonic()
        await ask(line)
        times_s.append(time.monotonic() - start_s)
    line.close()
    return times_s


def test_an_adapter_that_is_pulled_out_comes_back_under_its_name(tmp_path: Path) -> None:
    async def story() -> tuple[list[str], list[str]]:
        path, events = tmp_path / "adapter", list[str]()
        one = paced.line(slave().answer, 115200)
        serving = asyncio.create_task(
            serve_paced(
                one, path, None, Plug(1.0, 0.5), lambda event: events.append(event["event"])
            )
        )
        await asyncio.sleep(0.05)
        line = Line(lambda: open_serial(str(path), 115200), silence_us(115200))
        told: list[str] = []
        end_s = time.monotonic() + 20
        while time.monotonic() < end_s and told[-2:] != ["LinkError", "good"]:
            try:
                await ask(line)
                outcome = "good"
            except (LinkError, NoReply) as error:
                outcome = type(error).__name__
            if told[-1:] != [outcome]:
                told.append(outcome)
            await asyncio.sleep(0.02)
        line.close()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        assert not path.is_symlink()
        return told, events

    with asyncio.Runner(loop_factory=precise_loop) as runner:
        told, events = runner.run(story())
    assert [word for word in told if word != "NoReply"][-3:] == ["good", "LinkError", "good"]
    assert events == ["unplugged", "plugged", "end"]


def test_a_pty_at_another_speed_is_not_understood(tmp_path: Path) -> None:
    async def story() -> list[dict[str, object]]:
        path, events = tmp_path / "adapter", list[dict[str, object]]()
        one = paced.line(slave().answer, 9600)
        serving = asyncio.create_task(serve_paced(one, path, None, None, events.append))
        await asyncio.sleep(0.05)
        line = Line(lambda: open_serial(str(path), 19200), silence_us(19200))
        frame = rtu.frame(1, READ.encode())
        with pytest.raises(NoReply):
            await line.exchange(frame, rtu.ReplyReader(1, READ), 200)
        line.close()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        return events

    events = asyncio.run(story())
    assert events[0] == {"event": "speed", "baud": 19200}
    assert events[-1]["requests"] == 0


def test_who_babbles_and_an_echo_cost_little_and_change_nothing(tmp_path: Path) -> None:
    calm = Arm(SLOW_BAUD, 2, odd="--seed 1")
    odd = [Arm(SLOW_BAUD, 2, odd=text) for text in ("--babble 1000", "--echo", "--lump-ms 16")]
    together([calm, *odd], tmp_path, seconds=8)
    assert min(calm.good.values()) > 30, "the line is far too slow to say anything"
    assert [arm.wrong for arm in (calm, *odd)] == [0, 0, 0, 0]
    babble, echo, lumps = [sum(arm.good.values()) / sum(calm.good.values()) for arm in odd]
    assert 0.7 < babble < 0.99  # he does disturb
    assert echo > 0.85
    assert lumps > 0.5


def test_what_needs_a_paced_line_is_refused_without_one(tmp_path: Path) -> None:
    from gateway.__main__ import main

    given = ["sim", "modbus", "--unit", "1", "--pty", str(tmp_path / "bus")]
    assert main([*given, "--echo"]) == 78
    assert main([*given, "--baud", "9600", "--late", "2:50"]) == 78
    with pytest.raises(ConfigError):
        paced.line(slave().answer, 9600, bit_errors=-1)
