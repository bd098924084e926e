"""Brokers that cities run: mosquitto, NATS server and RabbitMQ's MQTT plugin, each to be broken.

Each is one process on a free port of loopback with its own directory, so that kill -9 hits the
broker and nothing else. Knows how each is started; what each promises is in docs/brokers.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gateway.core.errors import ConfigError
from tools.sim.process import Process, free_port, program

if TYPE_CHECKING:
    from tools.sim.process import Stage

MOSQUITTO, NATS, RABBITMQ = "mosquitto", "nats", "rabbitmq"
KINDS = (MOSQUITTO, NATS, RABBITMQ)
# Neither Debian's NATS 2.9 nor RabbitMQ 3.10 speaks MQTT 5.
PROTOCOLS = {MOSQUITTO: "5", NATS: "3.1.1", RABBITMQ: "3.1.1"}
READY_S = {MOSQUITTO: 10.0, NATS: 10.0, RABBITMQ: 60.0}  # RabbitMQ: 11 s on two idle cores
NAME = "broker"

_PROGRAMS = {
    MOSQUITTO: (MOSQUITTO,),
    NATS: ("nats-server",),
    RABBITMQ: ("/usr/lib/rabbitmq/bin/rabbitmq-server", "epmd"),
}
_PACKAGES = {MOSQUITTO: MOSQUITTO, NATS: "nats-server", RABBITMQ: "rabbitmq-server"}
_PLUGINS = Path("/usr/lib/rabbitmq/lib")
OPEN = ("allow_anonymous true", "persistence false")

_NATS = """\
listen: "127.0.0.1:{client_port}"
server_name: storm
jetstream {{ store_dir: "{directory}/jetstream" }}
mqtt {{ listen: "127.0.0.1:{port}" }}
"""
_RABBITMQ = """\
listeners.tcp = none
mqtt.listeners.tcp.1 = 127.0.0.1:{port}
mqtt.allow_anonymous = true
log.console = false
log.file.level = warning
"""


def missing_program(kind: str) -> tuple[str, str] | None:
    """Return what `kind` lacks here and what brings it, or None."""
    lacking = [name for name in _PROGRAMS[kind] if program(name) is None]
    if kind == RABBITMQ and not any(_PLUGINS.glob("*/plugins/rabbitmq_mqtt-*")):
        lacking.append("rabbitmq_mqtt")
    return (lacking[0], f"apt-get install {_PACKAGES[kind]}") if lacking else None


def start(kind: str, stage: Stage, *lines: str) -> tuple[Process, int]:
    """Start a broker on `stage`; return it and its port once it answers.

    `lines` replace mosquitto's settings (`OPEN`). ConfigError if it cannot run here.
    """
    lacking = missing_program(kind)
    if lacking:
        raise ConfigError(f"{lacking[0]} is missing: {lacking[1]}")
    directory = stage.directory / kind
    directory.mkdir(parents=True, exist_ok=True)
    port = free_port()
    if kind == MOSQUITTO:
        argv = mosquitto(directory, port, *(lines or OPEN))
    elif kind == NATS:
        argv = _nats(directory, port)
    else:
        argv = _rabbitmq(directory, port, stage)
    process = stage.add(Process(NAME, argv, directory))
    process.start()
    process.ready(port, READY_S[kind])
    return process, port


def mosquitto(directory: Path, port: int, *lines: str) -> list[str]:
    """Write `lines` of configuration below those of a listener; return how to start on them."""
    path = directory / "mosquitto.conf"
    # As root it would become another user, who may not write where we may.
    common = [f"listener {port} 127.0.0.1", f"persistence_location {directory}/", "user root"]
    path.write_text("\n".join([*common, *lines]) + "\n")
    return [str(program(MOSQUITTO)), "-c", str(path)]


def _nats(directory: Path, port: int) -> list[str]:
    path = directory / "nats.conf"
    path.write_text(_NATS.format(client_port=free_port(), directory=directory, port=port))
    return [str(program("nats-server")), "-c", str(path)]


def _rabbitmq(directory: Path, port: int, stage: Stage) -> list[str]:
    """Return how to start a node of its own, whose name no other node's registry knows."""
    names_port = free_port()
    names = [str(program("epmd")), "-port", str(names_port), "-address", "127.0.0.1"]
    stage.add(Process("epmd", names, directory)).start()
    (directory / "rabbitmq.conf").write_text(_RABBITMQ.format(port=port))
    (directory / "enabled_plugins").write_text("[rabbitmq_mqtt].\n")
    settings = {
        "ERL_EPMD_PORT": names_port,
        "HOME": directory,  # of the Erlang cookie
        "RABBITMQ_ALLOW_INPUT": 1,  # then the script becomes the broker instead of its parent
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_CONFIG_FILE": directory / "rabbitmq",
        "RABBITMQ_DIST_PORT": free_port(),
        "RABBITMQ_ENABLED_PLUGINS_FILE": directory / "enabled_plugins",
        "RABBITMQ_LOG_BASE": directory / "log",
        "RABBITMQ_MNESIA_BASE": directory / "mnesia",
        "RABBITMQ_NODENAME": f"storm-{port}@localhost",
        "RABBITMQ_PID_FILE": directory / "pid",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
    }
    script = str(program(_PROGRAMS[RABBITMQ][0]))
    return ["env", *(f"{name}={value}" for name, value in settings.items()), script, "-noinput"]
