"""What a profile may say: every key, the form of its value, and what it is for.

One table for the checker, the reference page and the editor's schema. A form is a word, maybe
with arguments; the words are the functions of values_cpython. Knows no file and no device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.profile.decode import ORDERS
from drivers.profile.image import TABLES

if TYPE_CHECKING:
    from typing import TypeAlias

    Table: TypeAlias = "tuple[tuple[str, str, str], ...]"  # key, form, purpose

BUSES = ("modbus", "serial", "ble", "dlt645", "cjt188", "sdi12", "iec62056", "mbus", "driver")
BUSES_SUPPORTED = ("modbus",)

PROFILE: Table = (
    ("name", "text", "what people call the device (required)"),
    ("maker", "text", "who makes it"),
    ("models", "texts", "model numbers this profile fits"),
    ("docs", "text", "where the manual is"),
    ("kind", "word", "device category, such as electricity_meter"),
    ("every", "every", "how often to poll: 500ms, 10s, 5m, 1h, 1d, once or never; 1m if absent"),
    ("verified", "one manual captured none", "what the tests come from"),
    ("modbus", "node", "the bus, and defaults for all channels (exactly one bus; required)"),
    ("identify", "expr", "true if this is the device; a scan reads only the channels named"),
    ("settings", "node", "what a technician chooses"),
    ("setup", "node", "what is written when the device comes up"),
    ("channels", "node", "what the device measures and obeys (required)"),
    ("tests", "node", "the manual's own frames and what they mean (required)"),
)
REQUIRED = ("name", "channels", "tests")

LINE: Table = (
    ("baud", "int 300 1000000", "line speed; 9600 if absent"),
    ("parity", "one none even odd", "none if absent"),
    ("data", "one 7 8", "data bits; 8 if absent"),
    ("stop", "one 1 2", "stop bits; 1 if absent"),
    ("timeout", "time 1m", "longest wait for an answer, at most 1m"),
    ("pause", "time 1m", "silence the device needs before each request, at most 1m"),
)

MODBUS: Table = LINE + (
    ("unit", "int 0 255", "factory address; 1 if absent"),
    ("in", "one " + " ".join(TABLES), "table; holding if absent"),
    ("type", "type", "u16 if absent, bool in coil and discrete"),
    ("order", "one " + " ".join(ORDERS), "where the bytes of 0x0A0B0C0D stand; ABCD if absent"),
    ("scale", "number", "value of one step"),
    ("every", "every", "poll period of channels that name none"),
    (
        "base",
        "one 0 1 40001",
        "number of the first register; 40001: reference numbers; 0 if absent",
    ),
    ("max", "int 1 2000", "most registers in one request; 1 is one channel per request"),
    ("gap", "int 0 124", "unused registers that may be read along; 0 if absent"),
)

CHANNEL: Table = (
    ("at", "int 0 105536", "register, or bit in coil and discrete"),
    ("in", "one " + " ".join(TABLES), "table"),
    ("type", "type", "bool u8 u16 u24 u32 u48 u64 s… sm8 sm16 f16 f32 f64 bcd8…64 sbcd… strN hexN"),
    ("order", "one " + " ".join(ORDERS), "byte order"),
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
    ("title", "text", "name for people"),
    ("help", "text", "remark for people"),
)
GROUP = ("at", "step", "channels", "title", "help")

WRITE: Table = (
    ("min", "number", "lowest value allowed, in the channel's unit"),
    ("max", "number", "highest value allowed"),
    ("only", "yes", "cannot be read back"),
    ("with", "one 5 6 15 16", "Modbus function; 5 or 6 for one place, 16 for more if absent"),
    (
        "repeat",
        "time",
        "write again this often, or the device falls back (kept for commands, which are to come)",
    ),
    ("steps", "node", "sequence of writes"),
)

STEP: Table = (
    ("at", "int 0 105536", "register"),
    ("in", "one holding coil", "table"),
    ("type", "type", "u16 if absent"),
    ("order", "one " + " ".join(ORDERS), "byte order"),
    ("value", "expr", "number, or expression; in a step x is the raw value to write"),
    ("if", "expr", "write only if this holds (setup only)"),
    ("with", "one 5 6 15 16", "Modbus function"),
    ("wait", "time 1m", "pause after it, at most 1m: nothing else on the line is read"),
)

SETTING: Table = (
    ("default", "scalar", "value if the site names none; without one the site must choose"),
    ("min", "number", "lowest value allowed"),
    ("max", "number", "highest value allowed"),
    ("map", "map", "number to word: the site may write the word, expressions see the number"),
    ("secret", "yes", "kept out of every file and log"),
    ("at", "int 0 105536", "register it is written to when it differs"),
    ("in", "one holding coil", "table; holding if absent"),
    ("type", "type", "u16 if absent"),
    ("order", "one " + " ".join(ORDERS), "byte order"),
    ("scale", "number", "value of one step"),
    ("offset", "number", "added after scale"),
    ("with", "one 5 6 15 16", "Modbus function"),
    ("unit", "text", "unit"),
    ("title", "text", "name for people"),
    ("help", "text", "remark for people"),
)

TEST: Table = (
    ("sent", "hexes", "request as on the wire, CRC included"),
    ("received", "hexes", "answer as on the wire, CRC included"),
    ("holding", "image", "register image {address: words}, addresses counted as in the channels"),
    ("input", "image", "the same for input registers"),
    ("coil", "image", 'bits {address: "10000001"}'),
    ("discrete", "image", "the same for discrete inputs"),
    ("settings", "node", "settings to try"),
    ("gives", "node", "channel to value, null for none; or the word nothing"),
    ("write", "node", "channel to value, to be written"),
    ("sends", "hexes", "the request or requests that the write makes"),
    ("note", "text", "where the bytes come from"),
)

# Other formats' words for our keys, for the "did you mean" of a newcomer.
ELSEWHERE = {
    "address": "at",
    "adress": "at",
    "register": "at",
    "offset_address": "at",
    "function": "in",
    "register_type": "in",
    "datatype": "type",
    "data_type": "type",
    "byte_order": "order",
    "endianness": "order",
    "factor": "scale",
    "multiplier": "scale",
    "divisor": "scale",
    "precision": "round",
    "enum": "map",
    "sentinel": "none",
    "invalid": "none",
    "mask": "bits",
    "formula": "calc",
    "interval": "every",
    "poll_interval": "every",
    "condition": "if",
    "writable": "write",
    "readonly": "write",
    "manufacturer": "maker",
    "vendor": "maker",
    "model": "models",
    "baudrate": "baud",
    "baud_rate": "baud",
    "stop_bits": "stop",
    "data_bits": "data",
    "slave": "unit",
    "unit_id": "unit",
    "request": "sent",
    "response": "received",
    "expect": "gives",
    "units": "unit",
    "unit_of_measurement": "unit",
    "min_value": "min",
    "max_value": "max",
}

# Every problem a check can find. E… is an error: the profile is not used. W… is a warning.
CODES = {
    "E001": "the file is too large",
    "E002": "the file is not YAML",
    "E003": "YAML that is not allowed: anchors, tags, merge keys, more documents, too deep",
    "E004": "a key stands twice",
    "E005": "a number that is none, or beyond any quantity",
    "E010": "unknown key",
    "E011": "another kind of node is wanted: a map, a list",
    "E012": "the value does not fit the key",
    "E013": "something required is missing",
    "E014": "the profile names no bus, several, or one this version does not support",
    "E020": "unknown type",
    "E021": "no legal channel id, or too many channels",
    "E022": "an id stands twice",
    "E023": "keys that do not go together",
    "E024": "an address outside the table, or more registers than one request holds",
    "E025": "none, bits, map or flags that do not fit the type",
    "E030": "unknown kind",
    "E031": "the unit does not fit the kind",
    "E040": "not an expression, or beyond its bounds",
    "E041": "an expression uses an unknown name",
    "E042": "expressions that need each other in a circle",
    "E043": "a comparison with a word the channel never has",
    "E050": "something that cannot be written this way",
    "E060": "a test that is not complete",
    "E061": "a test names a channel or setting that does not exist",
    "E062": "a frame with a wrong CRC",
    "E063": "a test does not hold",
    "E064": "a frame that is no request, or no answer to it",
    "W030": "an address that looks like a reference number (40001)",
    "W031": "a unit that is not in the registry",
    "W032": "a device category that is not known",
    "W033": "channels that share part of a register",
    "W060": "a channel no test touches",
}

CATEGORIES = (
    "air_quality",
    "battery",
    "charger",
    "electricity_meter",
    "flow_meter",
    "gas_meter",
    "gate",
    "gateway",
    "heat_meter",
    "heat_pump",
    "input_output",
    "leak_detector",
    "light",
    "lightning",
    "noise_meter",
    "parking",
    "pump_drive",
    "pv_inverter",
    "radiation",
    "rain_gauge",
    "relay",
    "smoke_detector",
    "soil_probe",
    "thermostat",
    "tilt",
    "traffic_counter",
    "valve",
    "waste_bin",
    "water_level",
    "water_meter",
    "water_quality",
    "weather_station",
)
