"""What a page says of the bus of a device: its line, how it is recognised, its messages.

Knows the compiled document; knows no channel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.profile.bus import MODBUS
from tools.profile.telling import facts
from tools.profile.telling.formula import infix
from tools.profile.telling.markup import code

if TYPE_CHECKING:
    from typing import Any

    from tools.profile.telling.markup import Inline, Piece

_NAMES = {
    "modbus": "Modbus",
    "serial": "Serial line",
    "ble": "Bluetooth Low Energy",
    "dlt645": "DL/T 645",
    "cjt188": "CJ/T 188",
    "sdi12": "SDI-12",
    "iec62056": "IEC 62056-21",
    "mbus": "M-Bus",
    "driver": "Driver",
}
_OWN_LINES = ("modbus", "serial")  # whose speed is the device's choice
MESSAGES = ("message", "asked by", "begins", "length", "ends", "check", "every")


def bus_name(bus: str) -> str:
    """Return what people call a bus."""
    return _NAMES.get(bus, bus)


def line(document: dict[str, Any]) -> str:
    """Return the bus and its line: "Modbus, 9600 8N1, factory address 1"."""
    told, bus = document.get("line", {}), document["bus"]
    parts = [bus_name(bus)]
    if bus in _OWN_LINES:
        letter = told.get("parity", "none")[0].upper()
        parts.append(f"{told.get('baud', 9600)} {told.get('data', 8)}{letter}{told.get('stop', 1)}")
    else:  # the standard says what the profile does not
        parts += [f"{told['baud']} baud"] if "baud" in told else []
        parts += [f"{told['parity']} parity".replace("none", "no")] if "parity" in told else []
    if bus == MODBUS or "unit" in document:
        parts.append(f"factory address {document.get('unit', 1)}")
    for key, words in (("max", "at most {} registers a request"), ("gap", "gaps of {} readable")):
        if document.get(key):
            parts.append(words.format(document[key]))
    for key, words in (("timeout_ms", "waits {}"), ("pause_ms", "pauses {}")):
        if told.get(key):
            parts.append(words.format(facts.duration(told[key])))
    for key, words in (("wake", "woken by {}"), ("sleep", "sent to sleep by {}")):
        if key in told:
            parts.append(words.format(_woken(told[key])))
    if bus == "driver":
        parts.append(document.get("driver", {}).get("use", ""))
    return ", ".join(parts)


def recognised(document: dict[str, Any]) -> Inline:
    """Return how one knows that it is this device."""
    if "identify" in document:
        return code(infix(document["identify"]))
    ble = document.get("ble", {})
    parts = []
    if "manufacturer" in ble:
        company = ble["manufacturer"]
        parts.append("any company id" if company < 0 else f"company id 0x{company:04X}")
    if "service" in ble:
        parts.append(f"service {ble['service']}")
    if "name" in ble:
        parts.append(f"name {' or '.join(ble['name'])}")
    if "format" in ble:
        parts.append(f"format {ble['format']}")
    return ", ".join(parts)


def messages(document: dict[str, Any]) -> list[list[Inline]]:
    """Return a row for each message that the profile declares."""
    return [_message(row) for row in document.get("messages", [])]


def _message(row: dict[str, Any]) -> list[Inline]:
    text = "as" in row
    ask = " ".join(_spelt(one, text) for one in row.get("ask", []))
    told = [f"{key} {row[key]}" for key in ("to", "read", "notify") if key in row]
    asked: list[str | Piece] = [code(ask)] if ask else []
    asked += [f" {one}" for one in told]
    check = row.get("check", {})
    starts = [_spelt(one, text) for one in row.get("start", [])]
    starts += [f"{_spelt(fixed, text)} at {at}" for at, fixed in row.get("bytes", [])]
    sums = f"{check['is']} from byte {check['from']}" if check.get("from") else check.get("is", "")
    return [
        code(row["id"]) if row["id"] else "",
        asked or "",
        code(" or ".join(starts)) if starts else "",
        _length(row.get("length")),
        code(_spelt(row["end"], text)) if "end" in row else "",
        sums,
        facts.duration(row["every"]) if "every" in row else "",
    ]


def _length(length: Any) -> str:
    if isinstance(length, list):
        return " or ".join(map(str, length))
    if not length:
        return ""
    if "at" in length:
        plus = f", plus {length['plus']}" if length.get("plus") else ""
        return f"at byte {length['at']}, {length.get('type', 'u8')}{plus}"
    return f"{length.get('min', 0)}..{length.get('max', '')}"


def _woken(wake: Any) -> str:
    if not isinstance(wake, list):
        return _spelt(wake, False)
    data, wait_ms = wake
    return _spelt(data, False) + (f", then {facts.duration(wait_ms)}" if wait_ms else "")


def _spelt(item: Any, text: bool) -> str:
    if isinstance(item, str):
        return f"{{{item[1:]}}}"
    if text:
        told: str = item.decode("ascii", "replace")
        return told.replace("\r", "\\r").replace("\n", "\\n")
    return str(item.hex(" ").upper())
