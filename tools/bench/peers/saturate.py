"""How fast a library polls a serial line when nothing else is to be done: no broker, no decoding.

`python saturate.py pymodbus|minimalmodbus PORT BAUD UNITS REGISTERS` prints a line a good reply.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

TIMEOUT_S = 1.0


def pymodbus(port: str, baud: int) -> Callable[[int, int], bool]:
    """Return what reads (unit, registers) and says whether it could."""
    from pymodbus.client import ModbusSerialClient

    client = ModbusSerialClient(port, baudrate=baud, timeout=TIMEOUT_S)
    client.connect()

    def read(unit: int, registers: int) -> bool:
        return not client.read_holding_registers(0, count=registers, device_id=unit).isError()

    return read


def minimalmodbus(port: str, baud: int) -> Callable[[int, int], bool]:
    """Return what reads (unit, registers) and says whether it could."""
    import minimalmodbus as library

    devices: dict[int, library.Instrument] = {}

    def read(unit: int, registers: int) -> bool:
        if unit not in devices:
            devices[unit] = library.Instrument(port, unit)
            devices[unit].serial.baudrate = baud
            devices[unit].serial.timeout = TIMEOUT_S
        try:
            return len(devices[unit].read_registers(0, registers)) == registers
        except OSError:  # its own errors are of this kind
            return False

    return read


def main() -> None:
    """Poll one unit after the other, for ever."""
    library, port, *numbers = sys.argv[1:]
    baud, units, registers = (int(number) for number in numbers)
    read = {"pymodbus": pymodbus, "minimalmodbus": minimalmodbus}[library](port, baud)
    while True:
        for unit in range(1, units + 1):
            if read(unit, registers):
                print(unit, flush=True)


if __name__ == "__main__":
    main()
