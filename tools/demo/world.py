"""The demonstration's processes: sensors, broker, platform and agent, each one to be broken."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tools.sim.broker import broker
from tools.sim.process import Process, Stage, free_port

if TYPE_CHECKING:
    from typing import Any, TypeAlias

    Devices: TypeAlias = tuple[tuple[str, str, int, str], ...]

GATEWAY = "330482-0017"
# What hangs on the serial line: device, profile, unit, period. And what answers on TCP.
SERIAL = (
    ("river-3", "geolux/lx-80", 1, "1s"),
    ("rain-1", "lambrecht/rain-e", 2, "2s"),
    ("meter-1", "eastron/sdm630", 3, "2s"),
)
NETWORK = (("inverter-1", "solaredge/se-three-phase", 1, "1s"),)
BAUD = 19_200
NOISE = "0.002"  # bytes damaged on the serial line while there is noise; a tenth of the frames

_SITE = """\
# The demonstration's site; `tidegate check --site` and `tidegate explain --site` read it too.
gateway: {gateway}
platform: {{url: "mqtt://127.0.0.1:{broker_port}", announce: 2s}}
clock: system
buffer: {{path: {directory}/buffer, crit: 4MiB, bulk: 16MiB, commit: 1s}}
buses:
  rs485-1:
    port: {directory}/rs485-1
    baud: {baud}
    parity: none
    devices:
{serial}
  lan-1:
    port: tcp://127.0.0.1:{modbus_port}
    devices:
{network}
"""


class World:
    """Everything of one performance, in `directory`. Start it, break it, close it."""

    def __init__(self, directory: Path, seed: int) -> None:
        self.directory = directory
        self.database = directory / "fusion.db"
        self.buffer = directory / "buffer"
        self.site = directory / "site.yaml"
        self.stage = Stage(directory)
        self.broken: set[str] = set()
        self._seed = seed
        self._broker_port = free_port()
        self._modbus_port = free_port()

    def start(self) -> None:
        """Start every process; the agent last, as on a gateway that boots into a running city."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.site.write_text(self._site())
        broker_process = self.stage.add(broker(self._broker_port, self.directory))
        broker_process.start()
        pty = ("--pty", str(self.directory / "rs485-1"), "--baud", str(BAUD))
        self._sensors("sensors-serial", SERIAL, *pty)
        self._sensors("sensors-network", NETWORK, "--tcp", f"127.0.0.1:{self._modbus_port}")
        broker_process.ready(self._broker_port)
        url = f"mqtt://127.0.0.1:{self._broker_port}"
        self._verb("fusion", "fusion", "run", "--broker", url, "--db", str(self.database))
        self._verb("agent", "run", "--site", str(self.site))

    def process(self, name: str) -> Process:
        """Return the process called `name`."""
        return self.stage.processes[name]

    def shake(self, name: str, down: bool) -> None:
        """Break (`down`) or mend "broker", "agent", "fusion" or "noise"."""
        (self.broken.add if down else self.broken.discard)(name)
        if name == "noise":
            self.process("sensors-serial").type(f"noise={NOISE}" if down else "none")
        elif down:
            self.process(name).kill()
        else:
            self.process(name).start()

    def restarts(self) -> dict[str, int]:
        """Return how often each process was started again."""
        return {name: one.starts - 1 for name, one in self.stage.processes.items()}

    def dead(self) -> list[Process]:
        """Return the processes that ended although nobody broke them."""
        return [
            one
            for name, one in self.stage.processes.items()
            if not one.alive and name not in self.broken
        ]

    def close(self) -> None:
        """End every process."""
        self.stage.close()

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _verb(self, name: str, *arguments: str) -> None:
        self.stage.python(name, "-m", "gateway", *arguments)

    def _sensors(self, name: str, devices: Devices, *where: str) -> None:
        arguments = ["-m", "gateway", "sim", "modbus", "--seed", str(self._seed), *where]
        for _, profile, unit, _ in devices:
            arguments += ["--profile", f"{unit}={profile}"]
        self.stage.python(name, *arguments)

    def _site(self) -> str:
        return _SITE.format(
            gateway=GATEWAY,
            broker_port=self._broker_port,
            modbus_port=self._modbus_port,
            directory=self.directory,
            baud=BAUD,
            serial=_devices(SERIAL),
            network=_devices(NETWORK),
        )


def _devices(devices: Devices) -> str:
    return "\n".join(
        f"      {name}: {{profile: {profile}, unit: {unit}, every: {every}}}"
        for name, profile, unit, every in devices
    )
