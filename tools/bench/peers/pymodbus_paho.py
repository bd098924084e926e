"""What an engineer writes in an afternoon with pymodbus and paho, and the same in a week.

`python pymodbus_paho.py TAGS.json HOST:PORT BROKER_PORT [blocks]`. Without `blocks` it asks for
each tag by itself, as examples and forum answers do; with it for all that fits one request. Both
publish one JSON document a device and poll.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from pymodbus.client import ModbusTcpClient

if TYPE_CHECKING:
    from typing import Any

TYPES = {
    "u16": ModbusTcpClient.DATATYPE.UINT16,
    "s32": ModbusTcpClient.DATATYPE.INT32,
    "f32": ModbusTcpClient.DATATYPE.FLOAT32,
}
BLOCK_MAX = 125  # registers, as the protocol has it


def read_tags(client: ModbusTcpClient, unit: int, tags: list[dict[str, Any]]) -> dict[str, float]:
    """Return the values of one device, a request for each tag."""
    values = {}
    for tag in tags:
        reply = client.read_holding_registers(tag["address"], count=tag["words"], device_id=unit)
        if reply.isError():
            print("error", unit, tag["name"], reply, file=sys.stderr)
            continue
        value: Any = client.convert_from_registers(reply.registers, TYPES[tag["type"]])
        values[tag["name"]] = round(value * tag["scale"], 3)
    return values


def read_blocks(client: ModbusTcpClient, unit: int, tags: list[dict[str, Any]]) -> dict[str, float]:
    """Return the values of one device, read in as few requests as the protocol allows."""
    values = {}
    end = tags[-1]["address"] + tags[-1]["words"]
    registers: list[int] = []
    while len(registers) < end:
        count = min(BLOCK_MAX, end - len(registers))
        reply = client.read_holding_registers(len(registers), count=count, device_id=unit)
        if reply.isError():
            print("error", unit, reply, file=sys.stderr)
            return {}
        registers += reply.registers
    for tag in tags:
        words = registers[tag["address"] : tag["address"] + tag["words"]]
        value: Any = client.convert_from_registers(words, TYPES[tag["type"]])
        values[tag["name"]] = round(value * tag["scale"], 3)
    return values


def main() -> None:
    """Poll every device once a period, for ever."""
    site = json.loads(Path(sys.argv[1]).read_text())
    host, _, port = sys.argv[2].partition(":")
    blocks = sys.argv[4:] == ["blocks"]
    read, name = (read_blocks, "blocks") if blocks else (read_tags, "tags")
    broker = mqtt.Client(CallbackAPIVersion.VERSION2, f"pymodbus-{name}")
    broker.connect("127.0.0.1", int(sys.argv[3]))
    broker.loop_start()
    client = ModbusTcpClient(host, port=int(port), timeout=1)
    client.connect()  # type: ignore[no-untyped-call]
    due = time.monotonic()
    while True:
        for unit in range(1, site["devices"] + 1):
            values = read(client, unit, site["tags"])
            broker.publish(f"pymodbus-{name}/{unit}", json.dumps(values), qos=1)
        due = max(due + site["period_s"], time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    main()
