"""The same with minimalmodbus, which knows serial lines only, and reads blocks.

`python minimalmodbus_paho.py TAGS.json PORT BROKER_PORT`
"""

from __future__ import annotations

import json
import struct
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import minimalmodbus
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

if TYPE_CHECKING:
    from typing import Any

BAUD = 115_200
BLOCK_MAX = 125
FORMS = {"u16": ">H", "s32": ">i", "f32": ">f"}


def read(device: Any, tags: list[dict[str, Any]]) -> dict[str, float]:
    """Return the values of one device."""
    end = tags[-1]["address"] + tags[-1]["words"]
    registers: list[int] = []
    while len(registers) < end:
        count = min(BLOCK_MAX, end - len(registers))
        registers += device.read_registers(len(registers), count)
    values = {}
    for tag in tags:
        words = registers[tag["address"] : tag["address"] + tag["words"]]
        raw = b"".join(word.to_bytes(2, "big") for word in words)
        value = struct.unpack(FORMS[tag["type"]], raw)[0]
        values[tag["name"]] = round(value * tag["scale"], 3)
    return values


def main() -> None:
    """Poll every device once a period, for ever."""
    site = json.loads(Path(sys.argv[1]).read_text())
    broker = mqtt.Client(CallbackAPIVersion.VERSION2, "minimalmodbus")
    broker.connect("127.0.0.1", int(sys.argv[3]))
    broker.loop_start()
    devices = []
    for unit in range(1, site["devices"] + 1):
        device = minimalmodbus.Instrument(sys.argv[2], unit)
        device.serial.baudrate = BAUD
        device.serial.timeout = 1
        devices.append(device)
    due = time.monotonic()
    while True:
        for unit, device in enumerate(devices, 1):
            try:
                values = read(device, site["tags"])
            except OSError as error:  # its own errors are of this kind
                print("error", unit, error, file=sys.stderr)
                continue
            broker.publish(f"minimalmodbus/{unit}", json.dumps(values), qos=1)
        due = max(due + site["period_s"], time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    main()
