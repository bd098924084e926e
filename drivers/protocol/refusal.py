"""Why a Modbus server says no (Modbus Application Protocol V1.1b3 §7): codes, names, meanings."""

from __future__ import annotations

from gateway.core.errors import Refused

ILLEGAL_FUNCTION = 1
ILLEGAL_ADDRESS = 2
ILLEGAL_VALUE = 3
DEVICE_FAILURE = 4
ACKNOWLEDGE = 5
BUSY = 6

# code → (name, what it means, whether the same request may succeed later)
EXCEPTIONS = {
    ILLEGAL_FUNCTION: ("illegal function", "the device does not know this function", False),
    ILLEGAL_ADDRESS: ("illegal data address", "the device has nothing there", False),
    ILLEGAL_VALUE: ("illegal data value", "the count or value is not allowed", False),
    DEVICE_FAILURE: ("server device failure", "the device failed while doing it", False),
    ACKNOWLEDGE: ("acknowledge", "the device has begun something long; ask again later", True),
    BUSY: ("server device busy", "the device is doing something long; ask again later", True),
    7: ("negative acknowledge", "the device cannot do it now (older Modbus)", False),
    8: ("memory parity error", "the device's own memory is damaged", False),
    10: ("gateway path unavailable", "the Modbus gateway has no way to that line", True),
    11: ("gateway target did not respond", "the device behind the Modbus gateway is silent", True),
}


def may_succeed_later(code: int) -> bool:
    """Say whether the same request may succeed later, although it was refused with `code`."""
    return code in EXCEPTIONS and EXCEPTIONS[code][2]


def refused(code: int, request: str) -> Refused:
    """Return the error for exception `code` to `request` (in words)."""
    name, meaning, _ = EXCEPTIONS.get(code, ("unknown", "the device's manual may tell", False))
    return Refused(f"exception {code}, {name}: {meaning} ({request})", code)
