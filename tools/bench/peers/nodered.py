"""Node-RED with node-red-contrib-modbus: a flow as its own examples have it, reading blocks.

Installed beforehand by npm into CACHE / "node-red". Its fork of modbus-serial is not on npm: the
original stands in for it, by `"overrides": {"@openp4nr/modbus-serial": "npm:modbus-serial@^8"}` in
the package.json there.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tools.bench.peers.peer import CACHE, Peer, needs

if TYPE_CHECKING:
    from pathlib import Path

    from tools.bench.work import Work

PLACE = CACHE / "node-red"
BLOCK_MAX = 125

_ASK = """const out = [];
for (let unit = 1; unit <= %d; unit++)
  for (let at = 0; at < %d; at += %d)
    out.push({payload: {fc: 3, unitid: unit, address: at, quantity: Math.min(%d, %d - at)},
              unit: unit, first: at});
return [out];"""
_DECODE = """const tags = %s, words = msg.payload, found = {};
for (const tag of tags) {
  const at = tag.address - msg.first;
  if (at < 0 || at + tag.words > words.length) continue;
  const raw = Buffer.alloc(4);
  raw.writeUInt16BE(words[at], 0);
  if (tag.words > 1) raw.writeUInt16BE(words[at + 1], 2);
  const value = tag.type === "u16" ? raw.readUInt16BE(0)
              : tag.type === "s32" ? raw.readInt32BE(0) : raw.readFloatBE(0);
  found[tag.name] = Math.round(value * tag.scale * 1000) / 1000;
}
return {topic: "nodered/" + msg.unit, payload: JSON.stringify(found)};"""


class NodeRed(Peer):
    """Node-RED, reading blocks."""

    name = "node-red"
    topic = "nodered/"

    def absent(self) -> str:
        if needs("node"):
            return needs("node")
        modules = PLACE / "node_modules"
        found = (modules / "node-red-contrib-modbus").exists() and (modules / "node-red").exists()
        return "" if found else f"npm install node-red and node-red-contrib-modbus in {PLACE}"

    def argv(self, folder: Path, work: Work, slave: str, broker_port: int) -> list[str]:
        (folder / "flows.json").write_text(json.dumps(_flow(work, slave, broker_port)))
        (folder / "settings.js").write_text(
            "module.exports = {uiHost: '127.0.0.1', uiPort: 0, httpAdminRoot: false,"
            f" httpNodeRoot: false, nodesDir: '{PLACE}/node_modules/node-red-contrib-modbus',"
            " logging: {console: {level: 'warn'}}};"
        )
        red = str(PLACE / "node_modules" / "node-red" / "red.js")
        settings = str(folder / "settings.js")
        return ["node", red, "-u", str(folder), "-s", settings, str(folder / "flows.json")]


def _flow(work: Work, slave: str, broker_port: int) -> list[dict[str, Any]]:
    host, _, port = slave.partition(":")
    size = (work.devices, work.registers, BLOCK_MAX, BLOCK_MAX, work.registers)
    period_s = work.period_ms / 1000
    client: dict[str, Any] = {
        "id": "c",
        "type": "modbus-client",
        "name": "slave",
        "clienttype": "tcp",
    }
    client |= {"tcpHost": host, "tcpPort": port, "tcpType": "DEFAULT", "unit_id": 1}
    client |= {"bufferCommands": True, "queueLogEnabled": False, "commandDelay": 1}
    client |= {"clientTimeout": 1000, "reconnectOnTimeout": True, "reconnectTimeout": 2000}
    client |= {"parallelUnitIdsAllowed": True, "stateLogEnabled": False}
    broker: dict[str, Any] = {
        "id": "b",
        "type": "mqtt-broker",
        "broker": "127.0.0.1",
        "port": str(broker_port),
    }
    inject: dict[str, Any] = {
        "id": "i",
        "type": "inject",
        "z": "t",
        "repeat": str(period_s),
        "once": True,
    }
    inject |= {"props": [{"p": "payload"}], "payloadType": "date", "wires": [["f"]]}
    ask: dict[str, Any] = {
        "id": "f",
        "type": "function",
        "z": "t",
        "func": _ASK % size,
        "outputs": 1,
    }
    getter: dict[str, Any] = {"id": "g", "type": "modbus-flex-getter", "z": "t", "server": "c"}
    getter |= {"keepMsgProperties": True, "wires": [["d"], []]}
    decode: dict[str, Any] = {
        "id": "d",
        "type": "function",
        "z": "t",
        "func": _DECODE % json.dumps(work.tags()),
    }
    out: dict[str, Any] = {
        "id": "m",
        "type": "mqtt out",
        "z": "t",
        "topic": "",
        "qos": "1",
        "broker": "b",
    }
    tab: dict[str, Any] = {"id": "t", "type": "tab", "label": "bench"}
    ask["wires"], decode["wires"] = [["g"]], [["m"]]
    return [tab, client, broker, inject, ask, getter, {**decode, "outputs": 1}, out | {"wires": []}]
