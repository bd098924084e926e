"""What the buses of profiles have in common, and where they differ.

Knows names, defaults and bounds; knows no protocol and no device.
"""

from __future__ import annotations

BUSES = ("modbus", "serial", "ble", "dlt645", "cjt188", "sdi12", "iec62056", "mbus", "driver")
MODBUS = "modbus"
DECLARED = ("serial", "ble", "driver")  # the profile itself says what their messages look like
TEXT = ("sdi12", "iec62056")  # answers in lists of texts, under the names their protocol has
LITTLE = ("ble", "dlt645", "cjt188", "mbus")  # numbers whose lowest byte comes first

WAIT_MAX_MS = 60_000  # of one pause or time-out: nobody else is asked meanwhile
EVERY_MAX_MS = 31 * 86_400_000
OFFSET_MAX = 1023  # of a byte in a message; a frame has at most 1024
COLUMN_MAX = 255  # of a text message
MESSAGES_MAX = 64  # of one profile
LITERAL_MAX = 2048  # bytes of one frame that a profile spells out; a P1 telegram has 1500

# What drivers.protocol.checksum can compute; a test holds both lists together.
_SUMS = ("sum8", "sum16", "neg8", "inv8", "xor8")
CHECKS = _SUMS + ("crc8", "crc16", "crc16-ccitt", "crc16-x25", "crc32")
LENGTH_TYPES = ("u8", "u16", "u24", "u32")  # of a length that stands in the frame
FORMATS = ("bthome", "mibeacon", "atc")  # of adverts that name each value themselves


def default_order(bus: str) -> str:
    """Return the order of bytes where a profile names none."""
    return "DCBA" if bus in LITTLE else "ABCD"


def named_by_protocol(bus: str, ble_format: str = "") -> bool:
    """Return whether the protocol names each value, so that `in` is its identifier."""
    return (bus != MODBUS and bus not in DECLARED) or ble_format != ""
