"""Modbus requests and replies as bytes (Modbus Application Protocol V1.1b3), for both ends.

Knows each function's fields and limits; the one table of layouts serves client and server.
Knows no framing (see rtu, mbap, ascii), no port and no device.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from drivers.protocol.refusal import (
    ILLEGAL_ADDRESS,
    ILLEGAL_FUNCTION,
    ILLEGAL_VALUE,
    refused,
)
from gateway.core.errors import BadReply, ConfigError
from gateway.core.record import Record

if TYPE_CHECKING:
    from collections.abc import Sequence

READ_COILS = 1
READ_DISCRETE_INPUTS = 2
READ_HOLDING_REGISTERS = 3
READ_INPUT_REGISTERS = 4
WRITE_COIL = 5
WRITE_REGISTER = 6
WRITE_COILS = 15
WRITE_REGISTERS = 16
REPORT_SERVER_ID = 0x11
READ_WRITE_REGISTERS = 0x17
ENCAPSULATED = 0x2B
MEI_IDENTIFICATION = 0x0E  # the one encapsulated interface we speak: device identification, §6.21

SIZE_MAX = 253  # bytes of a PDU, §4.1: RS-485's 256 less unit and CRC

# Most coils or registers one request may name (§6): what keeps the longer PDU within SIZE_MAX.
LIMITS = {
    READ_COILS: 2000,
    READ_DISCRETE_INPUTS: 2000,
    READ_HOLDING_REGISTERS: 125,
    READ_INPUT_REGISTERS: 125,
    WRITE_COIL: 1,
    WRITE_REGISTER: 1,
    WRITE_COILS: 1968,
    WRITE_REGISTERS: 123,
    READ_WRITE_REGISTERS: 125,
}
READ_WRITE_WRITTEN_MAX = 121  # registers function 0x17 may write, §6.17

_BITS = (READ_COILS, READ_DISCRETE_INPUTS, WRITE_COILS)

# function → (fields of the request, fields of the reply), in the order they follow the function.
# `data` is one length byte and so many bytes; `objects` is one count byte and so many triples of
# id, length, bytes; the rest are numbers of the widths below.
_LAYOUTS: dict[int, tuple[tuple[str, ...], tuple[str, ...]]] = {
    READ_COILS: (("address", "count"), ("data",)),
    READ_DISCRETE_INPUTS: (("address", "count"), ("data",)),
    READ_HOLDING_REGISTERS: (("address", "count"), ("data",)),
    READ_INPUT_REGISTERS: (("address", "count"), ("data",)),
    WRITE_COIL: (("address", "value"), ("address", "value")),
    WRITE_REGISTER: (("address", "value"), ("address", "value")),
    WRITE_COILS: (("address", "count", "data"), ("address", "count")),
    WRITE_REGISTERS: (("address", "count", "data"), ("address", "count")),
    REPORT_SERVER_ID: ((), ("data",)),
    READ_WRITE_REGISTERS: (
        ("address", "count", "write_address", "write_count", "data"),
        ("data",),
    ),
    ENCAPSULATED: (
        ("mei", "code", "object_id"),
        ("mei", "code", "conformity", "more", "object_id", "objects"),
    ),
}
_WIDTHS = {"address": 2, "count": 2, "value": 2, "write_address": 2, "write_count": 2}
_WIDTHS.update({"mei": 1, "code": 1, "object_id": 1, "conformity": 1, "more": 1})
_KNOWN_FROM_REQUEST = ("address", "count", "value", "mei", "code")


class Request(Record):
    """What one Modbus request says; fields its function does not have stay 0 or empty.

    Clients make one with the functions below, which check ranges; servers with `Request.decode`.
    """

    __slots__ = (
        "address",
        "code",
        "count",
        "data",
        "function",
        "mei",
        "object_id",
        "value",
        "write_address",
        "write_count",
    )

    def __init__(self, function: int, address: int = 0, count: int = 0) -> None:
        self.function = function
        self.address = address
        self.count = count
        self.value = 0
        self.data = b""
        self.write_address = 0
        self.write_count = 0
        self.mei = 0
        self.code = 0
        self.object_id = 0

    def encode(self) -> bytes:
        """Return the request PDU."""
        return bytes((self.function,)) + _packed(_LAYOUTS[self.function][0], self)

    @staticmethod
    def decode(pdu: bytes) -> Request:
        """Return what a client asks; Refused(1, 2 or 3) for what a server must not carry out."""
        if request_size(pdu) != len(pdu):
            unknown = not pdu or pdu[0] not in _LAYOUTS
            raise refused(ILLEGAL_FUNCTION if unknown else ILLEGAL_VALUE, shown(pdu))
        request = Request(pdu[0])
        _unpack(_LAYOUTS[pdu[0]][0], pdu, request)
        code, _ = _fault(request)
        if code:
            raise refused(code, shown(pdu))
        return request

    def parse(self, reply: bytes) -> bytes:
        """Return the payload of a reply to this; Refused for an exception, BadReply if it is none.

        Payload: packed bits or registers of a read, server id, identification after `code`,
        nothing for a write.
        """
        expected = Expected(self)
        if len(reply) == 2 and reply[0] == self.function | 0x80:
            raise refused(reply[1], shown(self.encode()))
        if expected.size(reply) != len(reply):
            raise BadReply(f"not a reply to {shown(self.encode())}", reply)
        whole = _LAYOUTS[self.function][1] == ("data",)
        return reply[2:] if whole else reply[len(expected.prefix) :]

    def reply(self, data: bytes = b"") -> bytes:
        """Return the server's reply PDU carrying `data` (what `parse` gives back)."""
        head = Expected(self).prefix
        if _LAYOUTS[self.function][1] == ("data",):
            head = bytes((self.function, len(data)))
        return head + data


class Expected:
    """The replies one request can have; a framing asks it for the size of what comes in."""

    def __init__(self, request: Request) -> None:
        prefix = bytes((request.function,))
        self._layout = _LAYOUTS[request.function][1]
        for name in self._layout:
            if name == "data" and request.count:
                prefix += bytes((_data_size(request.function, request.count),))
            elif name in _KNOWN_FROM_REQUEST:
                prefix += _packed((name,), request)
            else:
                break
        self.prefix = prefix

    def size(self, head: bytes) -> int | None:
        """Return the size of the reply PDU that begins with `head`; None if more is needed.

        0 means that no reply to this request begins like that.
        """
        if not head:
            return None
        if head[0] == self.prefix[0] | 0x80:
            return 2
        known = min(len(head), len(self.prefix))
        if head[:known] != self.prefix[:known]:
            return 0
        size = _size(self._layout, head)
        return 0 if size is not None and size > SIZE_MAX else size


def request_size(head: bytes) -> int | None:
    """Return the size of the request PDU that begins with `head`; None if more is needed.

    0 means that the function is unknown.
    """
    if not head:
        return None
    if head[0] not in _LAYOUTS:
        return 0
    return _size(_LAYOUTS[head[0]][0], head)


def read(function: int, address: int, count: int) -> Request:
    """Return a request of function 1, 2, 3 or 4; ConfigError out of range."""
    if function not in (1, 2, 3, 4):
        raise ConfigError(f"Modbus function {function} does not read; 1, 2, 3 and 4 do")
    return _checked(Request(function, address, count))


def write_coil(address: int, on: bool) -> Request:
    """Return a request of function 5; ConfigError out of range."""
    request = Request(WRITE_COIL, address)
    request.value = 0xFF00 if on else 0
    return _checked(request)


def write_register(address: int, value: int) -> Request:
    """Return a request of function 6, `value` 0..65535; ConfigError out of range."""
    request = Request(WRITE_REGISTER, address)
    request.value = value
    return _checked(request)


def write_coils(address: int, values: Sequence[int]) -> Request:
    """Return a request of function 15; ConfigError out of range."""
    request = Request(WRITE_COILS, address, len(values))
    request.data = from_bits(values)
    return _checked(request)


def write_registers(address: int, values: Sequence[int]) -> Request:
    """Return a request of function 16, `values` 0..65535 each; ConfigError out of range."""
    request = Request(WRITE_REGISTERS, address, len(values))
    request.data = from_words(values)
    return _checked(request)


def read_write_registers(
    address: int, count: int, write_address: int, values: Sequence[int]
) -> Request:
    """Return a request of function 0x17: write, then read; ConfigError out of range."""
    request = Request(READ_WRITE_REGISTERS, address, count)
    request.write_address = write_address
    request.write_count = len(values)
    request.data = from_words(values)
    return _checked(request)


def report_server_id() -> Request:
    """Return a request of function 0x11 (serial line only)."""
    return Request(REPORT_SERVER_ID)


def read_identification(code: int, object_id: int) -> Request:
    """Return a request of function 0x2B/0x0E; `identification` asks until all has come."""
    request = Request(ENCAPSULATED)
    request.mei = MEI_IDENTIFICATION
    request.code = code
    request.object_id = object_id
    return _checked(request)


def exception(function: int, code: int) -> bytes:
    """Return the reply PDU of a server that refuses with `code`."""
    return bytes((function | 0x80, code))


def shown(request: bytes) -> str:
    """Return a request PDU in words, for messages."""
    if len(request) < 5:
        return f"function {request[0]}" if request else "empty request"
    address, count = struct.unpack(">HH", request[1:5])
    what = "value" if request[0] in (WRITE_COIL, WRITE_REGISTER) else "count"
    return f"function {request[0]}, address {address}, {what} {count}"


def words(data: bytes) -> list[int]:
    """Return the registers in `data`, each 0..65535."""
    return list(struct.unpack(f">{len(data) // 2}H", data))


def from_words(values: Sequence[int]) -> bytes:
    """Return registers as bytes; ConfigError if one is not 0..65535."""
    for value in values:
        if not 0 <= value <= 0xFFFF:
            raise ConfigError(f"{value} does not fit a register, which holds 0..65535")
    return struct.pack(f">{len(values)}H", *values)


def bits(data: bytes, count: int) -> list[bool]:
    """Return the first `count` bits in `data`, lowest bit of the first byte first."""
    return [bool(data[place >> 3] >> (place & 7) & 1) for place in range(count)]


def from_bits(values: Sequence[int]) -> bytes:
    """Return bits as bytes, lowest bit of the first byte first, the rest of the last byte 0."""
    data = bytearray((len(values) + 7) // 8)
    for place in range(len(values)):
        if values[place]:
            data[place >> 3] |= 1 << (place & 7)
    return bytes(data)


def _checked(request: Request) -> Request:
    code, why = _fault(request)
    if code:
        raise ConfigError(f"Modbus function {request.function}: {why}")
    return request


def _fault(request: Request) -> tuple[int, str]:
    """Return (exception code, reason) of the first rule of §6 that `request` breaks, or (0, "")."""
    for code, what, value, low, high in _rules(request):
        if not low <= value <= high:
            return code, f"{what} is {value}, must be {low}..{high}"
    if request.function == WRITE_COIL and request.value not in (0, 0xFF00):
        return ILLEGAL_VALUE, f"a coil is written 0 or 65280, not {request.value}"
    return 0, ""


def _rules(request: Request) -> list[tuple[int, str, int, int, int]]:
    function = request.function
    rules = [
        (ILLEGAL_ADDRESS, "address", request.address, 0, 0xFFFF),
        (ILLEGAL_VALUE, "value", request.value, 0, 0xFFFF),
        (ILLEGAL_VALUE, "object", request.object_id, 0, 0xFF),
    ]
    if "count" in _LAYOUTS[function][0]:
        last = request.address + request.count - 1
        rules.append((ILLEGAL_VALUE, "count", request.count, 1, LIMITS[function]))
        rules.append((ILLEGAL_ADDRESS, "last address", last, 0, 0xFFFF))
    if function == READ_WRITE_REGISTERS:
        last, count = request.write_address + request.write_count - 1, request.write_count
        rules.append((ILLEGAL_VALUE, "count to write", count, 1, READ_WRITE_WRITTEN_MAX))
        rules.append((ILLEGAL_ADDRESS, "address to write", request.write_address, 0, 0xFFFF))
        rules.append((ILLEGAL_ADDRESS, "last address to write", last, 0, 0xFFFF))
    if "data" in _LAYOUTS[function][0]:
        size = _data_size(function, request.write_count or request.count)
        rules.append((ILLEGAL_VALUE, "bytes of data", len(request.data), size, size))
    if function == ENCAPSULATED:
        kind = MEI_IDENTIFICATION
        rules.append((ILLEGAL_FUNCTION, "interface", request.mei, kind, kind))
        rules.append((ILLEGAL_VALUE, "identification code", request.code, 1, 4))
    return rules


def _data_size(function: int, count: int) -> int:
    return (count + 7) // 8 if function in _BITS else 2 * count


def _size(layout: tuple[str, ...], head: bytes) -> int | None:
    """Return the size of the PDU of `layout` that begins with `head`; None if more is needed."""
    at = 1
    for name in layout:
        if name in _WIDTHS:
            at += _WIDTHS[name]
        elif at >= len(head):
            return None
        elif name == "data":
            at += 1 + head[at]
        else:
            left = head[at]
            at += 1
            for _ in range(left):
                if at + 1 >= len(head):
                    return None
                at += 2 + head[at + 1]
    return at


def _packed(layout: tuple[str, ...], request: Request) -> bytes:
    out = b""
    for name in layout:
        if name == "data":
            out += bytes((len(request.data),)) + request.data
        else:
            out += getattr(request, name).to_bytes(_WIDTHS[name], "big")
    return out


def _unpack(layout: tuple[str, ...], pdu: bytes, request: Request) -> None:
    at = 1
    for name in layout:
        if name == "data":
            request.data = pdu[at + 1 :]
        else:
            setattr(request, name, int.from_bytes(pdu[at : at + _WIDTHS[name]], "big"))
            at += _WIDTHS[name]
