"""What a device refuses, learned by a real agent: kept over a kill, forgotten with the profile."""

from __future__ import annotations

import socketserver
import threading
import time
from math import ceil, log2
from typing import TYPE_CHECKING

import pytest

from drivers.protocol import mbap
from gateway.core import cbor
from tools.sim.modbus import Slave
from tools.sim.process import Stage, free_port

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.system

REGISTERS, MISSING = 30, (7, 19)
AROUND = [(0, 7), (8, 11), (20, 10)]  # what is read once that is known
LEARNING_MAX = 1 + 2 * len(MISSING) * ceil(log2(REGISTERS))
PULSE_S = 10  # how often what was learned is kept
SITE = """\
gateway: 330482-0017
platform: mqtt://127.0.0.1:{broker}
clock: system
profiles: [.]
buffer: {{path: {folder}/buffer, crit: 1MiB, bulk: 4MiB, commit: 200ms}}
buses:
  lan-1: {{port: "tcp://127.0.0.1:{modbus}", devices: {{dev-1: {{profile: acme/bank, unit: 1}}}}}}
"""
PROFILE = """\
name: Bank
every: 100ms
modbus: {{}}
channels: {{"r[0..29]": {{at: 0, unit: {unit}}}}}
tests: [{{holding: {{0: "0001"}}, gives: {{r0: 1}}}}]
"""


class Station(socketserver.ThreadingTCPServer):
    """A Modbus TCP device that notes what it is asked: (address, count)."""

    allow_reuse_address = daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Connection)
        known = {one: 1000 + one for one in range(REGISTERS) if one not in MISSING}
        self.slave = Slave({1: {"holding": known}})
        self.asked: list[tuple[int, int]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Connection(socketserver.BaseRequestHandler):
    server: Station

    def handle(self) -> None:
        reader = mbap.RequestReader()
        while data := self.request.recv(300):
            while found := reader.feed(data):
                data = b""
                unit, message = found
                self.server.asked.append(
                    (int.from_bytes(message[1:3], "big"), int.from_bytes(message[3:5], "big"))
                )
                answer = self.server.slave.answer(unit, message) or b""
                self.request.sendall(mbap.frame(unit, answer, reader.number))


def until(met: Callable[[], bool], seconds: float = 20) -> None:
    end_s = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end_s
        time.sleep(0.05)


def test_learned_splits_survive_a_kill_and_end_with_the_profile(tmp_path: Path) -> None:
    learned = tmp_path / "learned.cbor"

    def names() -> list[str]:
        return sorted(cbor.decode(learned.read_bytes())) if learned.exists() else []

    def profile(unit: str) -> None:
        (tmp_path / "acme").mkdir(exist_ok=True)
        (tmp_path / "acme/bank.yaml").write_text(PROFILE.format(unit=unit))

    with Stage(tmp_path) as stage, Station() as station:
        port = station.server_address[1]
        text = SITE.format(broker=free_port(), folder=tmp_path, modbus=port)
        (tmp_path / "site.yaml").write_text(text)
        profile("V")
        agent = stage.python("agent", "-m", "gateway", "run", "--site", str(tmp_path / "site.yaml"))
        until(lambda: station.asked[-3:] == AROUND)
        first = station.asked.index((0, REGISTERS))
        assert station.asked.index((8, 11), first) - first <= LEARNING_MAX
        until(lambda: bool(names()), 2 * PULSE_S)
        (before,) = names()
        assert before.startswith("dev-1 ")
        assert cbor.decode(learned.read_bytes()) == {
            before: [["holding", one, 1] for one in MISSING]
        }

        agent.kill()
        station.asked.clear()
        agent.start()
        until(lambda: len(station.asked) >= 12)
        assert set(station.asked) == set(AROUND)  # from the first poll on

        agent.kill()
        profile("A")
        station.slave.tables[1]["holding"] = dict.fromkeys(range(REGISTERS), 1)
        station.asked.clear()
        agent.start()
        until(lambda: len(station.asked) >= 5)
        assert set(station.asked) == {(0, REGISTERS)}  # another profile, another device
        until(lambda: before not in names(), 2 * PULSE_S)
        assert names() == []
