"""Whether the rows of a compiled profile hold what the reader of a device may rely on.

A profile is untrusted: what passes here ends neither a poll nor the memory of a board.
Knows keys, forms and bounds; knows no meaning of any value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.profile import expr
from drivers.profile.bus import EVERY_MAX_MS, MODBUS, OFFSET_MAX, WAIT_MAX_MS
from drivers.profile.folded import CHANNELS_MAX
from gateway.core.decimal import Decimal
from gateway.core.errors import ConfigError

if TYPE_CHECKING:
    from typing import Any

ADDRESS_MAX = 65_535
NAME_MAX = 96  # characters of an id before its array is expanded, and of a suffix
_BIT_MAX = 63

# Whole numbers of a row, each with its bounds; other rows have other ones by the same name.
_PROFILE = {"every": (-1, EVERY_MAX_MS), "unit": (0, 255), "max": (0, 2000), "gap": (0, 124)}
_LINE = {"baud": (300, 1_000_000), "data": (7, 8), "stop": (1, 2), "window": (1, 16)}
_LINE.update({"timeout_ms": (0, WAIT_MAX_MS), "pause_ms": (0, WAIT_MAX_MS)})
_GROUP = {"step": (0, ADDRESS_MAX)}
_CHANNEL = {
    "at": (-OFFSET_MAX - 1, ADDRESS_MAX),
    "step": (0, ADDRESS_MAX),
    "group": (-1, CHANNELS_MAX),
}
_CHANNEL.update({"every": (-1, EVERY_MAX_MS), "round": (0, 12)})
_WRITE = {"with": (0, 16), "repeat": (0, EVERY_MAX_MS)}
_STEP = {"at": (0, ADDRESS_MAX), "with": (0, 16), "wait": (0, WAIT_MAX_MS)}
_TEXTS = ("id", "in", "type", "order", "kind", "parity", "name", "maker")
_OF_SUFFIXES = "abcdefghijklmnopqrstuvwxyz0123456789_"
_NUMBERS = ("scale", "offset", "min", "max")


def check_profile(document: dict[str, Any]) -> None:
    """Raise ConfigError unless all but the channels and settings are sound."""
    _row(document, _PROFILE)
    _row(document.get("line", {}), _LINE)
    line = document.get("line", {})
    of_frames = [key for key in ("messages", "ble", "driver") if key in document]
    if of_frames or "wake" in line or "sleep" in line:
        from drivers.profile import sound_bus  # boards are small: loaded where it is needed

        sound_bus.check_bus(document)
    for group in document.get("groups", []):
        _row(group, _GROUP)
        _array(group["of"])
    for step in document.get("setup", []):
        _check_step(step, document["bus"])
    if "identify" in document:
        _expression(document["identify"])


def check_channel(row: dict[str, Any], bus: str) -> None:
    """Raise ConfigError unless the row of a channel is sound on `bus`."""
    _row(row, _CHANNEL)
    _folded(row["id"])
    _array(row.get("of"))
    _wanted("unit", row.get("unit", ""), str)
    for key in ("calc", "if"):
        if key in row:
            _expression(row[key])
    bits = row.get("bits", [0, 0])
    if not _wholes(bits) or len(bits) != 2 or not 0 <= bits[0] <= bits[1] <= _BIT_MAX:
        raise ConfigError(f"bits are {bits!r}")
    if "match" in row:
        from drivers.profile import regex

        regex.check(row["match"])
    for unit in row.get("says", []):
        _wanted("says", unit, str)
    _wanted("none", row.get("none", []), list)
    for key in ("map", "flags"):
        if key in row:
            _labels(key, row[key])
    for bit in row.get("flags", ()):
        if not 0 <= bit <= _BIT_MAX or not isinstance(row["flags"][bit], str):
            raise ConfigError(f"flags hold {bit!r}")
    for key, size in (("valid", 2), ("to", 3)):
        items = row.get(key, [0] * size)
        if not isinstance(items, list) or len(items) != size:
            raise ConfigError(f"{key} is {items!r}")
        for item in items:
            if item is not None or key == "to":
                _number(key, item)
    if 0 in row.get("to", [0, 1, 1])[1:]:
        raise ConfigError("to multiplies or divides by 0")
    if "write" in row:
        _row(row["write"], _WRITE)
        if "steps" not in row["write"] and (bus != MODBUS or "at" not in row):
            raise ConfigError("nothing says what a write sends")
        for step in row["write"].get("steps", []):
            _check_step(step, bus)


def check_setting(row: dict[str, Any], bus: str) -> None:
    """Raise ConfigError unless the row of a setting is sound on `bus`."""
    if bus != MODBUS and "at" in row:
        raise ConfigError(f"{bus} has no registers for settings")
    _row(row, _STEP)
    if "map" in row:
        _labels("map", row["map"])
    _wanted("default", row.get("default", 0), (bool, int, str, Decimal))


def _check_step(row: dict[str, Any], bus: str) -> None:
    _row(row, _STEP)
    if bus != MODBUS:
        from drivers.profile import sound_bus

        sound_bus.check_parts(row["send"])
    elif "send" in row or "at" not in row:
        raise ConfigError("a step of Modbus writes a register")
    if bus == MODBUS or "value" in row:
        _expression(row["value"])
    if "if" in row:
        _expression(row["if"])


def _row(row: Any, wholes: dict[str, tuple[int, int]]) -> None:
    _wanted("a row", row, dict)
    for key in row:
        if key in wholes:
            low, high = wholes[key]
            if not _wholes([row[key]]) or not low <= row[key] <= high:
                raise ConfigError(f"{key} is {row[key]!r}, not {low}..{high}")
        elif key in _TEXTS:
            _wanted(key, row[key], str)
        elif key in _NUMBERS:
            _number(key, row[key])


def _array(of: Any) -> None:
    if of is None:
        return
    texts = [item for item in of if isinstance(item, str)] if isinstance(of, list) else []
    if not of or (len(texts) != len(of) and not (_wholes(of) and len(of) == 2)):
        raise ConfigError(f"an array is {of!r}")
    for text in texts:
        if not 0 < len(text) <= NAME_MAX or [char for char in text if char not in _OF_SUFFIXES]:
            raise ConfigError(f"a suffix is {text!r}")


def _folded(name: str) -> None:
    # Expanded, a name grows by one group and one suffix, and not by their product.
    if len(name) > NAME_MAX or name.count("#") > 1 or name.count("%") > 1:
        raise ConfigError(f"a name is {name[:NAME_MAX]!r}")


def _expression(code: Any) -> None:
    expr.check(code)
    for name in expr.operands(code):
        _folded(name)


def _labels(key: str, labels: Any) -> None:
    _wanted(key, labels, dict)
    for code in labels:
        _wanted(key, code, int)
        _wanted(key, labels[code], (bool, int, str, Decimal))


def _number(key: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise ConfigError(f"{key} is {value!r}")


def _wanted(key: str, value: Any, form: Any) -> None:
    if not isinstance(value, form):
        raise ConfigError(f"{key} is {value!r}")


def _wholes(items: Any) -> bool:
    if not isinstance(items, list):
        return False
    return not [one for one in items if isinstance(one, bool) or not isinstance(one, int)]
