"""Whether a compiled profile's bus, messages and frames hold what a reader of frames relies on.

Beside sound.py. Knows forms and bounds; that a frame can fit at all is the protocol's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.profile.bus import (
    CHECKS,
    EVERY_MAX_MS,
    LENGTH_TYPES,
    LITERAL_MAX,
    MESSAGES_MAX,
    OFFSET_MAX,
    WAIT_MAX_MS,
)
from gateway.core.decimal import Decimal
from gateway.core.errors import ConfigError

if TYPE_CHECKING:
    from typing import Any

ITEMS_MAX = 16  # starts, fixed places, lengths, names
PARTS_MAX = 64  # literals and holes of what is sent; a hole may stand for 250 bytes
TEXT_MAX = 500  # characters
_BLE_TEXTS = ("service", "format")
_MESSAGE_TEXTS = ("id", "split", "notify", "read", "to")


def check_bus(document: dict[str, Any]) -> None:
    """Raise ConfigError unless everything about the bus and its messages is sound."""
    line = _map("line", document.get("line", {}))
    if "wake" in line:
        wake = _list("wake", line["wake"], 2)
        _bytes("wake", wake[0])
        _whole("wake", wake[1], 0, WAIT_MAX_MS)
    if "sleep" in line:
        _bytes("sleep", line["sleep"])
    seen: list[str] = []
    for row in _list("messages", document.get("messages", []), MESSAGES_MAX):
        _message(_map("a message", row))
        if row["id"] in seen:
            raise ConfigError(f"message {row['id']!r} stands twice")
        seen.append(row["id"])
    ble = _map("ble", document.get("ble", {}))
    _whole("manufacturer", ble.get("manufacturer", 0), -1, 0xFFFF)
    for name in _list("name", ble.get("name", []), ITEMS_MAX):
        _text("name", name)
    for key in _BLE_TEXTS:
        _text(key, ble.get(key, ""))
    driver = _map("driver", document.get("driver", {}))
    _text("use", driver.get("use", ""))
    keys = _map("keys", driver.get("keys", {}))
    for key in keys:
        if not isinstance(keys[key], (bool, int, str, Decimal, type(None))):
            raise ConfigError(f"a driver's {key} is {keys[key]!r}")


def check_parts(parts: Any) -> None:
    """Raise ConfigError unless this is bytes with holes, as in an `ask`, and not nothing."""
    if parts == []:
        raise ConfigError("nothing is sent")
    for part in _list("what is sent", parts, PARTS_MAX):
        if isinstance(part, str):
            if part[:1] != "'" or len(part) < 2:
                raise ConfigError(f"what is sent holds {part!r}")
        else:
            _bytes("what is sent", part)


def _message(row: dict[str, Any]) -> None:
    for key in _MESSAGE_TEXTS:
        _text(key, row["id"] if key == "id" else row.get(key, ""))
    if row.get("as", "text") != "text":
        raise ConfigError(f"a message is {row['as']!r}")
    if "ask" in row:
        check_parts(row["ask"])
    _whole("every", row.get("every", 0), -1, EVERY_MAX_MS)
    for start in _list("start", row.get("start", []), ITEMS_MAX):
        _bytes("start", start)
    for pair in _list("bytes", row.get("bytes", []), ITEMS_MAX):
        at, data = _list("bytes", pair, 2)
        _whole("bytes", at, -OFFSET_MAX - 1, OFFSET_MAX)
        _bytes("bytes", data)
    if "end" in row:
        _bytes("end", row["end"])
    length = row.get("length", [])
    if isinstance(length, dict):
        _length(length)
    else:
        for size in _list("length", length, ITEMS_MAX):
            _whole("length", size, 1, OFFSET_MAX + 1)
    if "check" in row:
        check = _map("check", row["check"])
        if check["is"] not in CHECKS:
            raise ConfigError(f"no check sum is {check['is']!r}")
        _whole("from", check.get("from", 0), 0, OFFSET_MAX)
        _whole("seed", check.get("seed", 0), 0, 0xFFFFFFFF)


def _length(row: dict[str, Any]) -> None:
    if "at" not in row:
        _whole("max", row["max"], _whole("min", row["min"], 1, OFFSET_MAX), OFFSET_MAX + 1)
        return
    _whole("at", row["at"], 0, OFFSET_MAX)
    _whole("plus", row.get("plus", 0), -OFFSET_MAX, OFFSET_MAX)
    if row.get("type", "u8") not in LENGTH_TYPES or row.get("order", "ABCD") not in _ORDERS:
        raise ConfigError(f"a length is {row!r}")


_ORDERS = ("ABCD", "DCBA")


def _map(key: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{key} is {value!r}")
    return value


def _list(key: str, value: Any, most: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > most:
        raise ConfigError(f"{key} is no list, or too long")
    return value


def _text(key: str, value: Any) -> None:
    if not isinstance(value, str) or len(value) > TEXT_MAX:
        raise ConfigError(f"{key} is no text, or too long")


def _bytes(key: str, value: Any) -> None:
    if not isinstance(value, bytes) or not 0 < len(value) <= LITERAL_MAX:
        raise ConfigError(f"{key} is no bytes, none or too many")


def _whole(key: str, value: Any, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ConfigError(f"{key} is {value!r}, not {low}..{high}")
    return value
