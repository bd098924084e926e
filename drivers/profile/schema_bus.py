"""The bus sections of a profile: every key, the form of its value, and what it is for.

Beside the tables of schema.py, and of the same kind. A form ends in `hex` where bytes are
written; in a text message the same bytes are written as text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.profile.bus import CHECKS, FORMATS, LENGTH_TYPES
from drivers.profile.decode import ORDERS
from drivers.profile.image import TABLES

if TYPE_CHECKING:
    from typing import TypeAlias

    Table: TypeAlias = "tuple[tuple[str, str, str], ...]"  # key, form, purpose

LINE: Table = (
    ("baud", "int 300 1000000", "line speed; 9600 if absent"),
    ("parity", "one none even odd", "none if absent"),
    ("data", "one 7 8", "data bits; 8 if absent"),
    ("stop", "one 1 2", "stop bits; 1 if absent"),
    ("timeout", "time 1m", "longest wait for an answer, at most 1m"),
    ("pause", "time 1m", "silence the device needs before each request, at most 1m"),
    ("wake", "wake hex", "what wakes the device before it is asked: bytes, or {send, wait}"),
    ("sleep", "mark hex", "what sends it back to sleep"),
)
WAKE: Table = (
    ("send", "mark hex", "what wakes the device"),
    ("wait", "time 1m", "how long it needs until it can be asked, at most 1m"),
)
_ORDER = "one " + " ".join(ORDERS)


def _defaults(names: str, types: str, order: str) -> Table:
    return (
        ("in", names, "default of the channels"),
        ("type", "type", f"default of the channels; {types}"),
        ("order", _ORDER, f"default of the channels; {order} if absent"),
        ("scale", "number", "default of the channels: value of one step"),
        ("every", "every", "poll period of channels that name none"),
    )


MODBUS: Table = LINE + (
    ("unit", "int 1 255", "factory address; 1 if absent"),
    ("in", "one " + " ".join(TABLES), "table; holding if absent"),
    ("type", "type", "u16 if absent, bool in coil and discrete"),
    ("order", _ORDER, "where the bytes of 0x0A0B0C0D stand; ABCD if absent"),
    ("scale", "number", "value of one step"),
    ("every", "every", "poll period of channels that name none"),
    (
        "base",
        "one 0 1 40001",
        "number of the first register; 40001: reference numbers; 0 if absent",
    ),
    ("max", "int 1 2000", "most registers in one request; 1 is one channel per request"),
    ("retries", "int 0 5", "how often it is asked again after silence or damage; 1 if absent"),
    ("gap", "int 0 124", "unused registers that may be read along; 0 if absent"),
    ("window", "int 1 16", "requests it takes at a time over Modbus TCP; 1 if absent"),
)

FRAME: Table = (
    ("start", "marks hex", "how a frame begins: bytes, or a list of alternatives"),
    ("bytes", "fixed hex", "bytes that stand fixed: {3: 01 90}; -1 is the last byte"),
    ("length", "length", "bytes of a whole frame: 10, [10, 32], 8..40, or {at, type, plus, order}"),
    ("end", "mark hex", "how it ends; of a text, if nothing else says so, a line feed"),
    ("check", "check", "check sum before the end: a name, or {is, from, seed}"),
)
LENGTH: Table = (
    ("at", "int 0 255", "where the length stands in the frame"),
    ("type", "one " + " ".join(LENGTH_TYPES), "u8 if absent"),
    ("plus", "int -255 255", "bytes of the frame that it does not count"),
    ("order", "one ABCD DCBA", "of its bytes; ABCD if absent"),
)
CHECK: Table = (
    ("is", "one " + " ".join(CHECKS), "the name of the sum"),
    ("from", "int 0 255", "first byte it covers; 0 if absent"),
    ("seed", "int 0 4294967295", "added to a sum, XORed into the start of a CRC; 0 if absent"),
)
TALK: Table = (
    ("as", "one text", "the message is a line of text; absent for bytes"),
    ("ask", "ask hex", "what asks for it; may hold {addr}, {check} and {setting}"),
    ("split", "text", "what separates the columns of a text"),
)
GATT: Table = (
    ("notify", "uuid", "characteristic that tells by itself"),
    ("read", "uuid", "characteristic to read"),
    ("to", "uuid", "characteristic that `ask` is written to first"),
)
_EVERY: Table = (("every", "every", "poll period of this message"),)
MESSAGE: Table = TALK + FRAME + _EVERY
MESSAGE_BLE: Table = TALK + GATT + FRAME + _EVERY
_MESSAGES = "several messages, each by its name: {pack: {ask: …, start: …}}"

SERIAL: Table = (
    LINE
    + (("unit", "int 0 255", "factory address, which {addr} stands for"),)
    + _defaults("place", "u8 if absent, a decimal number in texts", "ABCD")
    + TALK
    + FRAME
    + (("messages", "node", _MESSAGES),)
)
BLE: Table = (
    (
        ("manufacturer", "company", "company id of its adverts; any: the payload starts with it"),
        ("service", "uuid", "service whose data the adverts carry"),
        ("name", "patterns", "its name, or several; * is any text"),
        ("format", "one " + " ".join(FORMATS), "adverts that name each value; `in` is the name"),
    )
    + _defaults("place", "u8 if absent", "DCBA")
    + TALK
    + GATT
    + FRAME
    + (("messages", "node", _MESSAGES),)
)
DLT645: Table = LINE + _defaults("place", "required", "DCBA")
CJT188: Table = LINE + _defaults("place", "required", "DCBA")
SDI12: Table = LINE + _defaults("place", "a decimal number if absent", "ABCD")
IEC62056: Table = LINE + _defaults("place", "a decimal number if absent", "ABCD")
MBUS: Table = LINE + _defaults("place", "required", "DCBA")
DRIVER: Table = (
    (("use", "module", "the Python module that brings the messages (required)"),)
    + _defaults("place", "u8 if absent", "ABCD")
    + (("messages", "node", "what the driver brings: {pack: {}, log: {as: text}}"),)
)

# The section of each bus; what stands in a driver's beside this is the driver's own.
SECTIONS: dict[str, Table] = {
    "modbus": MODBUS,
    "serial": SERIAL,
    "ble": BLE,
    "dlt645": DLT645,
    "cjt188": CJT188,
    "sdi12": SDI12,
    "iec62056": IEC62056,
    "mbus": MBUS,
    "driver": DRIVER,
}
PURPOSES: Table = (
    ("modbus", "node", "Modbus RTU, ASCII or TCP: registers and bits"),
    ("serial", "node", "a serial line with frames or lines of the device's own"),
    ("ble", "node", "Bluetooth Low Energy: adverts, notifications, reads"),
    ("dlt645", "node", "electricity meters after DL/T 645"),
    ("cjt188", "node", "water, gas and heat meters after CJ/T 188"),
    ("sdi12", "node", "sensors on an SDI-12 bus"),
    ("iec62056", "node", "meters after IEC 62056-21, and those with a P1 port"),
    ("mbus", "node", "meters on a wired M-Bus"),
    ("driver", "node", "whatever else a Python module brings, by the name of its messages"),
)
MESSAGES: dict[str, Table] = {"serial": MESSAGE, "ble": MESSAGE_BLE, "driver": MESSAGE}
