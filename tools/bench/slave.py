"""The slave all programs of a measurement poll: values that change, and when it was asked.

`python -m tools.bench.slave --tcp PORT|--pty PATH --devices N --stamps FILE` until killed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import struct
import time
from typing import TYPE_CHECKING

from tools.sim.modbus import Slave, serve_pty, serve_tcp
from tools.sim.ports import precise_loop

if TYPE_CHECKING:
    from pathlib import Path

_STAMP = struct.Struct("<BHd")  # unit, first register, when (seconds)
_REAL = 0x4366  # the upper half of a float around 230; of whole numbers it is the upper half too


class Meters(Slave):
    """`devices` units whose registers move by one a second; `stamps` takes each request."""

    def __init__(self, devices: int, stamps: int) -> None:
        super().__init__({unit: {"holding": _value} for unit in range(1, devices + 1)})
        self._stamps = stamps

    def answer(self, unit: int, message: bytes) -> bytes | None:
        """Answer, and note when that was."""
        first = int.from_bytes(message[1:3], "big")
        os.write(self._stamps, _STAMP.pack(unit, first, time.monotonic()))
        return super().answer(unit, message)


def stamps(path: Path) -> dict[tuple[int, int], list[float]]:
    """Return when each (unit, first register) was asked for, seconds."""
    found: dict[tuple[int, int], list[float]] = {}
    data = path.read_bytes()
    for unit, first, at_s in _STAMP.iter_unpack(data[: len(data) // _STAMP.size * _STAMP.size]):
        found.setdefault((unit, first), []).append(at_s)
    return found


def _value(address: int) -> int:
    # Every other register is a float's upper half wherever a float may begin: all read as numbers.
    return _REAL if address % 2 == 0 else (int(time.monotonic()) + 37 * address) & 0xFFFF


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tcp", type=int)
    parser.add_argument("--pty")
    parser.add_argument("--baud", type=int, default=0)
    parser.add_argument("--devices", type=int, required=True)
    parser.add_argument("--stamps", required=True)
    args = parser.parse_args()
    file = os.open(args.stamps, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    slave = Meters(args.devices, file)
    with asyncio.Runner(loop_factory=precise_loop) as runner:
        if args.pty:
            runner.run(serve_pty(slave, args.pty, args.baud))
        else:
            runner.run(serve_tcp(slave, "127.0.0.1", args.tcp))


if __name__ == "__main__":
    main()
