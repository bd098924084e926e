"""`tidegate run` as a service: readiness, watchdog, stopping, and what a person must mend."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from gateway.core import cbor
from tools.sim.broker import start_broker
from tools.sim.process import Process, Stage, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.system

CONFIG = 78
SITE = """\
gateway: 330482-0017
platform: mqtt://127.0.0.1:{broker}
clock: system
buffer: {{path: {folder}/buffer, crit: 1MiB, bulk: 4MiB, commit: 200ms}}
buses:
  lan-1:
    port: tcp://127.0.0.1:{modbus}
    devices:
      noise-1: {{profile: sonbest/sm7901b, unit: 1, every: 200ms}}
"""


class Scene:
    """A broker, a simulated device and a site file for an agent."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self.stage = stage
        self.folder = folder
        self.broker_port, modbus_port = free_port(), free_port()
        self.broker = stage.add(start_broker(self.broker_port, folder))
        place = ("--tcp", f"127.0.0.1:{modbus_port}", "--profile", "1=sonbest/sm7901b")
        stage.python("sensor", "-m", "gateway", "sim", "modbus", *place).ready(modbus_port)
        self.site = folder / "site.yaml"
        text = SITE.format(broker=self.broker_port, folder=folder, modbus=modbus_port)
        self.site.write_text(text)

    def agent(self, name: str = "agent") -> Process:
        return self.stage.python(name, "-m", "gateway", "run", "--site", str(self.site))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with Stage(tmp_path) as stage:
        yield Scene(stage, tmp_path)


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        listener.settimeout(60)  # what the unit file grants
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        yield listener


def states(broker_port: int, seconds: float, key: str = "state") -> list[object]:
    """Return what `key` was in the states published within `seconds`, the retained one first."""
    seen: list[object] = []
    client = paho.Client(CallbackAPIVersion.VERSION2, "watcher", protocol=paho.MQTTv5)
    client.on_message = lambda *given: seen.append(cbor.decode(given[2].payload).get(key))
    client.connect("127.0.0.1", broker_port)
    client.subscribe("sensing/1/330482-0017/state", 1)
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        client.loop(0.1)
    client.disconnect()
    return seen


def test_run_tells_systemd_that_it_is_ready_and_alive(scene: Scene, systemd: socket.socket) -> None:
    scene.agent()
    first = systemd.recv(4096).decode().splitlines()
    assert first[1:] == ["READY=1", "WATCHDOG=1"]
    assert first[0].startswith("STATUS=sampled ")
    assert systemd.recv(4096).decode().splitlines()[1:] == ["WATCHDOG=1"]


def test_run_stopped_says_offline_and_ends_well(scene: Scene) -> None:
    agent = scene.agent()
    assert states(scene.broker_port, 4) == ["online"]
    os.kill(agent.pid, signal.SIGTERM)
    assert agent.wait(5) == 0
    assert states(scene.broker_port, 1) == ["offline"]


def test_run_says_at_birth_how_the_last_life_ended(scene: Scene) -> None:
    agent = scene.agent()
    assert states(scene.broker_port, 4, "ended") == ["first"]
    os.kill(agent.pid, signal.SIGTERM)
    assert agent.wait(5) == 0
    agent = scene.agent("second")
    assert states(scene.broker_port, 4, "ended")[-1] == "stopped"
    agent.kill()
    scene.agent("third")
    assert states(scene.broker_port, 4, "ended")[-1] == "crashed"


def test_run_killed_is_said_offline_by_its_will(scene: Scene) -> None:
    agent = scene.agent()
    assert states(scene.broker_port, 4) == ["online"]
    agent.kill()
    assert states(scene.broker_port, 2)[-1] == "offline"


def test_run_second_agent_on_the_same_buffer_is_refused(scene: Scene) -> None:
    scene.agent()
    assert states(scene.broker_port, 3) == ["online"]
    second = scene.agent("second")
    assert second.wait(10) == CONFIG
    assert "in use by another process" in second.last_words()


def test_run_broken_site_file_names_every_mistake(scene: Scene) -> None:
    text = scene.site.read_text()
    scene.site.write_text(text.replace("every: 200ms", "evry: 200ms").replace("system", "gps"))
    agent = scene.agent()
    assert agent.wait(10) == CONFIG
    words = agent.last_words()
    assert "unknown key 'evry'" in words
    assert "expected ntp or system, not 'gps'" in words


def test_run_opens_no_listening_port(scene: Scene) -> None:
    agent = scene.agent()
    assert states(scene.broker_port, 3) == ["online"]
    mine = {
        os.readlink(f"/proc/{agent.pid}/fd/{number}")
        for number in os.listdir(f"/proc/{agent.pid}/fd")
    }
    listening = []
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for row in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = row.split()
            unconnected = fields[3] == ("0A" if table.startswith("tcp") else "07")
            if unconnected and f"socket:[{fields[9]}]" in mine:
                listening.append(row)
    assert not listening
