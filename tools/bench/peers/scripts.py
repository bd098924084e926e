"""The peers that are small programs: Python beside this file, and the C loop that is the floor."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tools.bench.peers.peer import CACHE, Peer, Script, needs

if TYPE_CHECKING:
    from tools.bench.work import Work


class PymodbusTags(Script):
    """pymodbus and paho, a request for each tag."""

    name = "pymodbus-tags"
    topic = "pymodbus-tags/"
    file = "pymodbus_paho.py"
    packages = ("pymodbus",)


class PymodbusBlocks(PymodbusTags):
    """pymodbus and paho, reading blocks."""

    name = "pymodbus-blocks"
    topic = "pymodbus-blocks/"

    def argv(self, folder: Path, work: Work, slave: str, broker_port: int) -> list[str]:
        return [*super().argv(folder, work, slave, broker_port), "blocks"]


class Minimalmodbus(Script):
    """minimalmodbus and paho, reading blocks over a serial line."""

    name = "minimalmodbus"
    topic = "minimalmodbus/"
    file = "minimalmodbus_paho.py"
    packages = ("minimalmodbus",)
    serial = True


class Libmodbus(Peer):
    """A loop in C over libmodbus that only prints what it read."""

    name = "libmodbus"

    def absent(self) -> str:
        header = Path("/usr/include/modbus/modbus.h")
        return needs("gcc") or ("" if header.exists() else "libmodbus-dev not installed")

    def argv(self, folder: Path, work: Work, slave: str, broker_port: int) -> list[str]:
        del broker_port  # it prints
        self._lines = folder / f"{self.name}.out"
        self._points = work.points
        told = (work.devices, work.period_ms, *work.counts())
        return [str(compiled()), slave, *[str(number) for number in told]]

    def readings(self) -> int:
        return self._lines.read_bytes().count(b"\n") * self._points


def compiled() -> Path:
    """Return the C program, compiled now."""
    CACHE.mkdir(parents=True, exist_ok=True)
    source, made = Path(__file__).with_name("libmodbus.c"), CACHE / "libmodbus"
    flags = ["-O2", "-Wall", "-I/usr/include/modbus", "-lmodbus"]
    subprocess.run(["gcc", "-o", str(made), str(source), *flags], check=True)
    return made
