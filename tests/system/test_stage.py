"""Processes that are killed, frozen and restarted, and the brokers among them."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from gateway.core.errors import ConfigError, LinkError
from tests.support.missing import missing
from tools.sim import broker as brokers
from tools.sim.process import Process, Stage, answers, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.system

SLEEPER = "import time; time.sleep(60)"
SERVER = """
import socket, sys, time
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("up", file=sys.stderr, flush=True)
time.sleep(60)
"""


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        yield stage


def wait(met: Callable[[], bool], seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while not met() and time.monotonic() < deadline:
        time.sleep(0.01)
    return met()


def test_stage_process_is_killed_and_restarted_on_the_same_port(stage: Stage) -> None:
    port = free_port()
    server = stage.python("server", "-c", SERVER, str(port))
    server.ready(port)
    first = server.pid
    server.kill()
    assert (server.returncode, answers(port)) == (-signal.SIGKILL, False)
    server.start()
    server.ready(port)
    assert server.pid != first
    assert server.starts == 2
    assert server.last_words() == "up\nup"


def test_stage_start_of_a_living_process_changes_nothing(stage: Stage) -> None:
    sleeper = stage.python("sleeper", "-c", SLEEPER)
    first = sleeper.pid
    sleeper.start()
    assert (sleeper.pid, sleeper.starts) == (first, 1)


def test_stage_says_what_a_process_that_ended_early_said_last(stage: Stage) -> None:
    broken = stage.python("broken", "-c", "import sys; sys.exit('no such bus')")
    with pytest.raises(LinkError, match="broken ended with 1: no such bus"):
        broken.ready(free_port())


def test_stage_ends_every_process_even_frozen_ones(tmp_path: Path) -> None:
    with Stage(tmp_path) as stage:
        pids = [stage.python(f"sleeper-{n}", "-c", SLEEPER).pid for n in range(3)]
        stage.processes["sleeper-1"].pause()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_stage_processes_die_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import time; from pathlib import Path; from tools.sim.process import Stage\n"
        f"stage = Stage(Path({str(tmp_path)!r}))\n"
        f"print(stage.python('sleeper', '-c', {SLEEPER!r}).pid, flush=True)\n"
        "time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    # Whoever inherits an orphan reaps it in its own time: a zombie is dead enough.
    assert wait(lambda: _state(child) in ("", "Z"))


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def test_stage_never_started_is_a_link_error(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="never started"):
        _ = Process("ghost", ["true"], tmp_path).pid


class Client:
    """A plain MQTT client that remembers what it got."""

    def __init__(self, port: int, name: str, version: int = 5, will: str = "") -> None:
        self.got: list[tuple[str, bytes, bool]] = []
        protocol = mqtt.MQTTv5 if version == 5 else mqtt.MQTTv311
        self.mqtt = mqtt.Client(CallbackAPIVersion.VERSION2, name, protocol=protocol)
        self.mqtt.on_message = lambda _, __, m: self.got.append((m.topic, m.payload, m.retain))
        if will:
            self.mqtt.will_set(will, b"gone", 1, True)
        self.mqtt.connect("127.0.0.1", port)
        self.mqtt.loop_start()
        assert wait(self.mqtt.is_connected)

    def subscribe(self, topic: str) -> None:
        done: list[bool] = []
        self.mqtt.on_subscribe = lambda *_: done.append(True)
        self.mqtt.subscribe(topic, 1)
        assert wait(lambda: bool(done))

    def close(self) -> None:
        self.mqtt.disconnect()
        self.mqtt.loop_stop()


@pytest.fixture(params=brokers.KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    if request.param not in brokers.available():
        missing(request.param, "pip install iotcore, apt-get install mosquitto")
    return request.param


def test_broker_delivers_between_both_versions_of_mqtt(stage: Stage, kind: str) -> None:
    port, old_port = free_port(), free_port()
    stage.add(brokers.start_broker(port, stage.directory, kind, old_port))
    new, old = Client(port, "new"), Client(old_port, "old", version=4)
    new.subscribe("sensing/1/+/up/+")
    old.subscribe("sensing/1/+/ack")
    old.mqtt.publish("sensing/1/a/up/bulk", b"x" * 65_536, 1)
    new.mqtt.publish("sensing/1/a/ack", b"y", 1)
    assert wait(lambda: len(new.got) == 1 and len(old.got) == 1)
    assert new.got == [("sensing/1/a/up/bulk", b"x" * 65_536, False)]
    assert old.got == [("sensing/1/a/ack", b"y", False)]
    new.close()
    old.close()


def test_broker_keeps_retained_messages_and_sends_wills(stage: Stage, kind: str) -> None:
    port = free_port()
    stage.add(brokers.start_broker(port, stage.directory, kind))
    program = (
        "import time, sys; from tests.system.test_stage import Client\n"
        f"client = Client({port}, 'dying', will='sensing/1/a/state')\n"
        "client.mqtt.publish('sensing/1/a/state', b'here', 1, True)\n"
        "time.sleep(60)"
    )
    dying = stage.python("dying", "-c", program)
    watcher = Client(port, "watcher")
    watcher.subscribe("sensing/1/+/state")
    assert wait(lambda: len(watcher.got) == 1), dying.last_words()
    dying.kill()
    assert wait(lambda: len(watcher.got) == 2)
    assert [payload for _, payload, _ in watcher.got] == [b"here", b"gone"]
    late = Client(port, "late")
    late.subscribe("sensing/1/+/state")
    assert wait(lambda: late.got == [("sensing/1/a/state", b"gone", True)])
    watcher.close()
    late.close()


def test_broker_comes_back_on_its_port_without_memory(stage: Stage, kind: str) -> None:
    port = free_port()
    broker = stage.add(brokers.start_broker(port, stage.directory, kind))
    client = Client(port, "client")
    client.mqtt.publish("sensing/1/a/state", b"here", 1, True).wait_for_publish(5)
    broker.kill()
    assert not answers(port)
    broker.start()
    broker.ready(port)
    late = Client(port, "late")
    late.subscribe("sensing/1/+/state")
    assert not late.got
    client.close()
    late.close()


def test_broker_refuses_a_message_beyond_its_limit(stage: Stage, kind: str) -> None:
    port = free_port()
    stage.add(brokers.start_broker(port, stage.directory, kind))
    watcher, client = Client(port, "watcher"), Client(port, "client")
    watcher.subscribe("#")
    lost: list[bool] = []
    client.mqtt.on_disconnect = lambda *_: lost.append(True)
    client.mqtt.publish("big", bytes(brokers.PAYLOAD_BYTES_MAX + 1_000), 1)
    assert wait(lambda: bool(lost))
    assert not watcher.got
    client.close()
    watcher.close()


def test_broker_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(brokers, "available", list)
    with pytest.raises(ConfigError, match="pip install iotcore"):
        brokers.broker(1883, tmp_path)
