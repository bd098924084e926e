"""What a profile may say: every key, the form of its value, and what it is for.

One table for the checker, the reference page and the editor's schema. A form is a word, maybe
with arguments; the words are the functions of form_cpython. Knows no file and no device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.profile import schema_bus
from drivers.profile.bus import BUSES
from drivers.profile.decode import ORDERS
from drivers.profile.schema_bus import CHECK, FRAME, LENGTH, LINE, MODBUS, SECTIONS, WAKE
from drivers.profile.schema_codes import CATEGORIES, CODES

if TYPE_CHECKING:
    from typing import TypeAlias

    Table: TypeAlias = schema_bus.Table

__all__ = ["BUSES", "CATEGORIES", "CHECK", "CODES", "FRAME", "LENGTH", "LINE", "MODBUS", "SECTIONS"]
__all__ += ["WAKE"]

PROFILE: Table = (
    ("name", "text", "what people call the device (required)"),
    ("maker", "text", "who makes it"),
    ("models", "texts", "model numbers this profile fits"),
    ("docs", "text", "where the manual is"),
    ("kind", "word", "device category, such as electricity_meter"),
    ("every", "every", "how often to poll: 500ms, 10s, 5m, 1h, 1d, once or never; 1m if absent"),
    ("verified", "one manual captured none", "what the map was checked against"),
)
PROFILE += schema_bus.PURPOSES
PROFILE += (
    ("identify", "expr", "true if this is the device; a scan reads only the channels named"),
    ("settings", "node", "what a technician chooses"),
    ("setup", "node", "what is written when the device comes up"),
    ("channels", "node", "what the device measures and obeys (required)"),
    ("tests", "node", "the manual's own frames and what they mean (required)"),
)
REQUIRED = ("name", "channels", "tests")

CHANNEL: Table = (
    ("at", "int -1023 105536", "register, bit, byte or column; -1 is the last of a message"),
    ("in", "place", "table, message, or identifier: whatever has the value"),
    ("type", "type", "bool u8 u16 u24 u32 u48 u64 s… sm8 sm16 f16 f32 f64 bcd8…64 sbcd… strN hexN"),
    ("order", "one " + " ".join(ORDERS), "byte order"),
    ("match", "regex", "of a text, what the parentheses hold"),
    ("bits", "bits", "3 is one bit (true or false), 4..7 a number in those bits"),
    ("none", "raws", "raw value, or list of them, that means: no value"),
    ("map", "map", "raw number to word or number: {0: closed, 1: open}"),
    ("flags", "flags", "bit to name: {0: over_voltage, 3: door}"),
    ("scale", "number", "value of one step"),
    ("offset", "number", "added after scale"),
    ("calc", "expr", "expression; x is this channel's number; without at the channel is derived"),
    ("round", "int 0 12", "decimals"),
    ("valid", "range", "lo..hi; outside there is no value"),
    ("if", "expr", "the channel exists only if this holds"),
    ("every", "every", "poll period of its own"),
    ("unit", "text", "unit of the value as people write it"),
    ("kind", "text", "entry of the kind registry, which fixes the unit sent"),
    ("hidden", "yes", "only for expressions, makes no readings"),
    ("write", "node", "true, only, or {min, max, only, with, repeat, steps}"),
    ("step", "int 0 65535", "address step of an array or group; the type's size if absent"),
    ("channels", "node", "makes this a group, repeated with step"),
    ("title", "title", "name for people: text, or {en, zh, ja}"),
    ("help", "text", "remark for people"),
)
GROUP = ("at", "step", "channels", "title", "help")

WRITE: Table = (
    ("min", "number", "lowest value allowed, in the channel's unit"),
    ("max", "number", "highest value allowed"),
    ("only", "yes", "cannot be read back"),
    ("with", "one 5 6 15 16", "Modbus function; 5 or 6 for one place, 16 for more if absent"),
    ("repeat", "time", "write again this often, or the device falls back"),
    ("steps", "node", "sequence of writes"),
)

STEP: Table = (
    ("at", "int 0 105536", "register"),
    ("in", "one holding coil", "table"),
    ("send", "ask hex", "bytes or text; may hold {addr}, {check}, {setting} and {value}"),
    ("type", "type", "u16 if absent, u8 of a {value}"),
    ("order", "one " + " ".join(ORDERS), "byte order"),
    ("value", "expr", "number, or expression; in a step x is the raw value to write"),
    ("if", "expr", "write only if this holds (setup only)"),
    ("with", "one 5 6 15 16", "Modbus function"),
    ("wait", "time 1m", "pause after it, at most 1m: the device is asked nothing meanwhile"),
)

SETTING: Table = (
    ("default", "scalar", "value if the site names none; without one the site must choose"),
    ("min", "number", "lowest value allowed"),
    ("max", "number", "highest value allowed"),
    ("map", "map", "number to word: the site may write the word, expressions see the number"),
    ("secret", "yes", "kept out of every file and log"),
    ("at", "int 0 105536", "register it is written to when it differs"),
    ("in", "one holding coil", "table; holding if absent"),
    ("type", "type", "u16 if absent; u8 in bytes sent"),
    ("order", "one " + " ".join(ORDERS), "byte order"),
    ("scale", "number", "value of one step"),
    ("offset", "number", "added after scale"),
    ("with", "one 5 6 15 16", "Modbus function"),
    ("unit", "text", "unit"),
    ("title", "title", "name for people: text, or {en, zh, ja}"),
    ("help", "text", "remark for people"),
)

TEST: Table = (
    ("sent", "hexes hex", "request as on the wire, CRC included"),
    ("received", "hexes hex", "answer, frame, advert or line as on the wire, CRC included"),
    ("in", "place", "message it is, where it cannot be told from the bytes"),
    ("holding", "image", "register image {address: words}, addresses counted as in the channels"),
    ("input", "image", "the same for input registers"),
    ("coil", "image", 'bits {address: "10000001"}'),
    ("discrete", "image", "the same for discrete inputs"),
    ("settings", "node", "settings to try"),
    ("gives", "node", "channel to value, null for none; or the word nothing"),
    ("write", "node", "channel to value, to be written"),
    ("sends", "hexes hex", "the request or requests that the write makes"),
    ("note", "text", "where the bytes come from"),
)

TITLE: Table = (
    ("en", "text", "in English"),
    ("zh", "text", "in Chinese"),
    ("ja", "text", "in Japanese"),
)

# Forms whose value may be a map of its own instead, and what that map must hold.
MAPS: dict[str, tuple[Table, tuple[str, ...]]] = {
    "wake": (WAKE, ("send",)),
    "length": (LENGTH, ("at",)),
    "check": (CHECK, ("is",)),
    "title": (TITLE, ()),
}
