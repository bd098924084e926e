"""An MQTT broker in a process of its own, to be killed, frozen and restarted.

Two kinds: `iotcore` (PyPI; rumqttd, in memory only) and `mosquitto` (the system's). Both are
started so that nothing survives them: what must survive, the gateway's buffer holds.
Knows no topic and no payload. `python -m tools.sim.broker --port 1883` runs one in front.
"""

from __future__ import annotations

import argparse
import importlib.util
import logging
import os
import sys
import tempfile
from typing import TYPE_CHECKING

from gateway.core.errors import ConfigError
from tools.sim.process import Process, program

if TYPE_CHECKING:
    from pathlib import Path

IOTCORE = "iotcore"
MOSQUITTO = "mosquitto"
KINDS = (IOTCORE, MOSQUITTO)  # in order of preference: the first needs no system package

PAYLOAD_BYTES_MAX = 128 * 1024  # two of our largest packs; more is not from a gateway
INFLIGHT_MAX = 100  # five windows of 20 packs towards one subscriber
SEGMENT_BYTES = 10 * 1024 * 1024  # rumqttd keeps this much per topic filter, times two, in memory
SEGMENTS = 2

_IOTCORE_TOML = f"""\
id = 0
[router]
id = 0
max_connections = 1000
max_outgoing_packet_count = 200
max_segment_size = {SEGMENT_BYTES}
max_segment_count = {SEGMENTS}
"""

_IOTCORE_LISTENER = f"""\
[{{version}}.1]
name = "{{version}}"
listen = "127.0.0.1:{{port}}"
next_connection_delay_ms = 1
[{{version}}.1.connections]
connection_timeout_ms = 60000
max_payload_size = {PAYLOAD_BYTES_MAX}
max_inflight_count = {INFLIGHT_MAX}
dynamic_filters = true
"""

_MOSQUITTO_CONF = f"""\
allow_anonymous true
persistence false
max_queued_messages 0
max_packet_size {PAYLOAD_BYTES_MAX}
listener {{port}} 127.0.0.1
"""


def available() -> list[str]:
    """Return the kinds of broker this machine can run, the preferred one first."""
    found = {
        IOTCORE: importlib.util.find_spec("iotcore") is not None,
        MOSQUITTO: program(MOSQUITTO) is not None,
    }
    return [kind for kind in KINDS if found[kind]]


def broker(port: int, directory: Path, kind: str = "", mqtt311_port: int = 0) -> Process:
    """Return a broker not yet started: MQTT 5 on `port`, 3.1.1 on `mqtt311_port` if given.

    mosquitto speaks both on either; rumqttd wants a port for each. ConfigError if there is none.
    """
    argv = [sys.executable, "-m", "tools.sim.broker", "--kind", _choose(kind)]
    argv += ["--port", str(port), "--mqtt311-port", str(mqtt311_port)]
    return Process("broker", argv, directory)


def start_broker(port: int, directory: Path, kind: str = "", mqtt311_port: int = 0) -> Process:
    """Start a broker and return it when it answers; LinkError if it does not."""
    process = broker(port, directory, kind, mqtt311_port)
    process.start()
    process.ready(port)
    return process


def main(argv: list[str] | None = None) -> int:
    """Be a broker until killed."""
    parser = argparse.ArgumentParser(prog="python -m tools.sim.broker", description=__doc__)
    parser.add_argument("--port", type=int, default=1883)
    parser.add_argument("--mqtt311-port", type=int, default=0, help="a second port, for MQTT 3.1.1")
    parser.add_argument("--kind", choices=KINDS, default="")
    args = parser.parse_args(argv)
    if _choose(args.kind) == MOSQUITTO:
        _become_mosquitto(args.port, args.mqtt311_port)
    _serve_iotcore(args.port, args.mqtt311_port)
    return 0


def _choose(kind: str) -> str:
    kinds = available()
    if not kinds or (kind and kind not in kinds):
        raise ConfigError(f"no MQTT broker {kind or 'here'}: pip install iotcore, or mosquitto")
    return kind or kinds[0]


def _serve_iotcore(port: int, mqtt311_port: int) -> None:
    from iotcore.iotcore import IotCoreBroker

    listeners = _IOTCORE_LISTENER.format(version="v5", port=port)
    if mqtt311_port:
        listeners += _IOTCORE_LISTENER.format(version="v4", port=mqtt311_port)
    # rumqttd reports each packet through Python's logging as an error unless told not to.
    logging.getLogger("rumqttd").setLevel(logging.CRITICAL + 1)
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:  # it insists on the suffix
        file.write(_IOTCORE_TOML + listeners)
        file.flush()
        server = IotCoreBroker(config_path=file.name)
    server.run_forever()


def _become_mosquitto(port: int, mqtt311_port: int) -> None:
    text = _MOSQUITTO_CONF.format(port=port)
    if mqtt311_port:
        text += f"listener {mqtt311_port} 127.0.0.1\n"
    if os.geteuid() == 0:
        text += "user root\n"  # changing user would undo its dying with its parent
    path = program(MOSQUITTO) or MOSQUITTO
    file = os.memfd_create("broker.conf", 0)  # not closed by exec: mosquitto reads it
    os.write(file, text.encode())
    os.execv(path, [path, "-c", f"/proc/self/fd/{file}"])  # noqa: S606


if __name__ == "__main__":
    sys.exit(main())
