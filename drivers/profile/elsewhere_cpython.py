"""What other formats, manuals and languages call what a profile says: the "did you mean" of checks.

Knows words; knows no file. Every function returns a hint, or "" if it has none.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from drivers.profile import schema
from gateway.core.report_cpython import near

if TYPE_CHECKING:
    from gateway.core.source_cpython import Node

# Their word and ours; ours may be several, the first that may stand in the place counts.
_KEYS = """
    address=at adress=at addr=at register=at reg=at offset_address=at start_address=at byte=at
    pos=at column=at startingaddress=at
    function=in,with function_code=in,with register_type=in input_type=in primarytable=in table=in
    message=in
    datatype=type data_type=type value_type=type format=type
    byte_order=order word_order=order endianness=order endian=order swap=order
    factor=scale multiplier=scale divisor=scale gain=scale resolution=scale
    precision=round decimals=round accuracy_decimals=round
    enum=map values=map mapping=map lambda=calc formula=calc expression=calc
    sentinel=none invalid=none nan_value=none mask=bits bitmask=bits bit=bits
    interval=every poll_interval=every scan_interval=every update_interval=every period=every
    condition=if writable=write readonly=write rw=write readwrite=write
    manufacturer=maker vendor=maker brand=maker model=models manual=docs source=docs
    description=help comment=help label=title range=valid limits=valid min_value=min,valid
    max_value=max,valid minimum=min,valid maximum=max,valid
    baudrate=baud baud_rate=baud speed=baud stop_bits=stop stopbits=stop data_bits=data
    databits=data bytesize=data slave=unit slave_id=unit slave_address=unit unit_id=unit
    device_address=unit units=unit unit_of_measurement=unit
    request=sent,ask response=received answer=received expect=gives expected=gives result=gives
    header=start head=start prefix=start preamble=start footer=end tail=end suffix=end
    terminator=end delimiter=split,end separator=split checksum=check crc=check
    command=ask query=ask regex=match pattern=match
    company=manufacturer company_id=manufacturer service_uuid=service local_name=name
    characteristic=notify,read sensors=channels sensor=channels deviceresources=channels
    entities=channels registers=channels
    parameters=settings options=settings init=setup examples=tests
    rtu=modbus modbus_rtu=modbus modbus_tcp=modbus modbus_controller=modbus tcp=modbus uart=serial
    rs485=serial rs232=serial bluetooth=ble dl_t645=dlt645 m_bus=mbus obis=iec62056 p1=iec62056
"""
KEYS = {pair.split("=")[0]: pair.split("=")[1].split(",") for pair in _KEYS.split()}
_VALUES = """
    n=none e=even o=odd big=ABCD big_endian=ABCD little=DCBA little_endian=DCBA word_swap=CDAB
    byte_swap=BADC 4x=holding 3x=input 0x=coil 1x=discrete holding_registers=holding
    holding_register=holding input_registers=input input_register=input coils=coil read=input
    discrete_inputs=discrete discrete_input=discrete modbus=crc16 crc16-modbus=crc16
    crc-16=crc16 xor=xor8 sum=sum8 checksum=sum8 ccitt=crc16-ccitt bcc=xor8 lrc=neg8
"""
VALUES = {pair.split("=")[0]: pair.split("=")[1] for pair in _VALUES.split()}
_TYPES = """
    int8=s8 uint8=u8 byte=u8 int16=s16 short=s16 int=s16 sword=s16 uint16=u16 word=u16 ushort=u16
    uword=u16 uint=u16 int32=s32 long=s32 dint=s32 sdword=s32 uint32=u32 dword=u32 udword=u32
    ulong=u32 udint=u32 int64=s64 uint64=u64 qword=u64 uqword=u64 sqword=s64 float=f32 float32=f32
    float32ieee=f32 real=f32 single=f32 fp32=f32 double=f64 float64=f64 float64ieee=f64 lreal=f64
    half=f16 float16=f16 boolean=bool bit=bool bcd=bcd16 bcd2=bcd16 bcd4=bcd32
"""
TYPES = {pair.split("=")[0]: pair.split("=")[1] for pair in _TYPES.split()}
_LINE = re.compile(r"([78])-?([neo])-?([12])", re.IGNORECASE)
_PARITY = {"n": "none", "e": "even", "o": "odd"}
_TIMES = re.compile(r"([0-9]+) *(ms|[mM]illi|s|[mM]in|m|h|d)[a-z]*\.?")
_SHORT = {"milli": "ms", "min": "m"}
_PLACES = (
    ("the bus section", schema.LINE),
    ("a channel", schema.CHANNEL),
    ("'write'", schema.WRITE),
    ("a test", schema.TEST),
    ("a setting", schema.SETTING),
    ("the profile itself", schema.PROFILE),
)
_OURS = {key for _, table in _PLACES for key, _, _ in table}


def key_hint(word: str, known: dict[str, str]) -> str:
    """Return what a key that none of `known` is may have meant, or where it belongs."""
    if word.isdigit():
        return "decimals have a point, not a comma"
    for ours in KEYS.get(_bare(word), ()):
        if ours in known:
            return f"did you mean '{ours}'?"
    for place, table in _PLACES:
        if word in [key for key, _, _ in table]:
            return f"'{word}' belongs to {place}"
    return near(word.lower(), known) or f"here may stand: {', '.join(sorted(known))}"


def meant(node: Node, ours: str) -> Node | None:
    """Return the key of a map that is another word for `ours`, or a slip of the pen."""
    for key, _ in node.pairs:
        slip = key.text not in _OURS and near(key.text, [ours])
        if slip or ours in KEYS.get(_bare(key.text), ()):
            return key
    return None


def value_hint(text: str, words: list[str]) -> str:
    """Return which of `words` a value may have meant."""
    line = _LINE.fullmatch(text)
    if line and "even" in words:
        data, parity, stop = line.groups()
        return f"write data: {data}, parity: {_PARITY[parity.lower()]}, stop: {stop}"
    ours = VALUES.get(text.strip().lower().replace(" ", "_"), "")
    if ours in words:
        return f"did you mean '{ours}'?"
    return near(text, words) or near(text.upper(), words) or near(text.lower(), words)


def type_hint(text: str, known: list[str]) -> str:
    """Return which type may be meant."""
    bare = "".join(char for char in text.lower() if char.isalnum())
    if bare in ("string", "str", "char", "text", "ascii"):
        return "write str and the number of bytes: str8"
    ours = TYPES.get(bare)
    return f"did you mean '{ours}'?" if ours else near(text.lower(), known)


def time_hint(text: str) -> str:
    """Return a time as we write it."""
    if text.isdigit():
        return f"a time names its unit: {text}s, {text}ms"
    found = _TIMES.fullmatch(text)
    if not found:
        return ""
    number, unit = found.groups()
    return f"did you mean '{number}{_SHORT.get(unit.lower(), unit)}'?"


def number_hint(text: str) -> str:
    """Return the number that may be meant by a text."""
    if text.isdigit():
        return "without quotes"
    if re.fullmatch(r"-?[0-9]+,[0-9]+", text):
        return f"write {text.replace(',', '.')}"
    found = re.match(r"-?[0-9.]+", text) or re.fullmatch(r"[A-Za-z]{1,3}([0-9]+)", text)
    return f"write {found.group(found.lastindex or 0)}" if found else ""


def range_hint(text: str) -> str:
    """Return the range that may be meant by 0-100, 0 to 100 or [0, 100]."""
    found = re.fullmatch(r"\[?(-?[0-9.]+) *(?:-|–|~|,|:|to|\.\.\.) *(-?[0-9.]+)\]?", text)
    return f"write {found.group(1)}..{found.group(2)}" if found else ""


def _bare(word: str) -> str:
    return word.lower().replace("-", "_")
