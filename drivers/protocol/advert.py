"""What a Bluetooth LE device advertises: AD structures (Core Specification Supplement, part A).

Knows where each part stands; knows no radio, no device and not what a payload means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.errors import BadReply
from gateway.core.record import Record

if TYPE_CHECKING:
    from typing import Any

LENGTH_MAX = 1650  # bytes of all fragments of one extended advert (Core 5.4, vol 6 part B §2.3.4.9)
_BASE = "-0000-1000-8000-00805f9b34fb"  # of UUIDs that are said in 2 or 4 bytes

_FLAGS, _TX_POWER, _MANUFACTURER = 0x01, 0x0A, 0xFF
_SHORT_NAME, _NAME = 0x08, 0x09
_UUIDS = {0x02: 2, 0x03: 2, 0x04: 4, 0x05: 4, 0x06: 16, 0x07: 16}  # type → bytes of each
_SERVICES = {0x16: 2, 0x20: 4, 0x21: 16}


class Advert(Record):
    """One advert. `address` as AA:BB:CC:DD:EE:FF; `companies` company id → data after the id.

    `services` UUID → its data, `uuids` those listed: four digits, or all of them. `rssi` and
    `tx_power` in dBm, None where not told; `name` "" if it has none.
    """

    __slots__ = ("address", "companies", "flags", "name", "rssi", "services", "tx_power", "uuids")

    def __init__(
        self,
        address: str,
        rssi: int | None = None,
        name: str = "",
        companies: dict[int, bytes] | None = None,
        services: dict[str, bytes] | None = None,
        uuids: list[str] | None = None,
        tx_power: int | None = None,
        flags: int | None = None,
    ) -> None:
        self.address = address
        self.rssi = rssi
        self.name = name
        self.companies = {} if companies is None else companies
        self.services = {} if services is None else services
        self.uuids = [] if uuids is None else uuids
        self.tx_power = tx_power
        self.flags = flags


def parse(data: bytes, address: str = "", rssi: int | None = None) -> Advert:
    """Return what an advert, or its scan response, says; of two parts of one kind the later counts.

    BadReply if a structure is cut short, too short for its type, or follows the end.
    """
    if len(data) > LENGTH_MAX:
        raise BadReply(f"an advert has at most {LENGTH_MAX} bytes", data[:32])
    found = Advert(address, rssi)
    at = 0
    while at < len(data):
        end = at + 1 + data[at]
        if end == at + 1:  # early end: the rest is filled with zeros
            if [True for byte in data[at:] if byte]:
                raise BadReply("something follows the end of the advert", data)
            break
        if end > len(data):
            raise BadReply(f"a structure of {data[at]} bytes is cut short", data)
        if not _put(found, data[at + 1], data[at + 2 : end]):
            raise BadReply(f"a structure of type {data[at + 1]:02X} has {data[at]} bytes", data)
        at = end
    return found


def short(uuid: str) -> str:
    """Return a UUID in the form that adverts have here: four digits if it is an assigned one."""
    uuid = uuid.lower()
    return uuid[4:8] if uuid[:4] == "0000" and uuid[8:] == _BASE else uuid


def _put(found: Advert, kind: int, data: bytes) -> bool:
    """Add one structure; return whether it is long enough for what it is."""
    size = len(data)
    if kind == _MANUFACTURER:
        if size < 2:
            return False
        found.companies[data[0] | data[1] << 8] = data[2:]
    elif kind in _SERVICES:
        width = _SERVICES[kind]
        if size < width:
            return False
        found.services[_uuid(data[:width])] = data[width:]
    elif kind in _UUIDS:
        width = _UUIDS[kind]
        if size % width:
            return False
        found.uuids += [_uuid(data[at : at + width]) for at in range(0, size, width)]
    elif kind == _NAME or (kind == _SHORT_NAME and not found.name):
        found.name = _text(data)
    elif kind == _TX_POWER:
        if size != 1:
            return False
        found.tx_power = data[0] - (data[0] >> 7 << 8)
    elif kind == _FLAGS:
        if not size:
            return False
        found.flags = data[0]
    return True


def _uuid(data: bytes) -> str:
    digits = bytes(reversed(data)).hex()
    if len(data) == 16:
        parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
        return short("-".join(parts))
    return digits if len(data) == 2 else short(digits + _BASE)


def _text(data: bytes) -> str:
    """Return a name as far as it is text: one that is cut within a character loses that one."""
    for end in range(len(data), max(len(data) - 4, -1), -1):
        try:
            return str(data[:end], "utf-8")
        except (UnicodeError, ValueError):
            continue
    return ""


def address(value: Any) -> str:
    """Return an address as AA:BB:CC:DD:EE:FF, "" if it is none; twelve digits, marks do not matter.

    Six bytes are as in an advert, the lowest first.
    """
    if isinstance(value, bytes):
        value = bytes(reversed(value)).hex()
    digits = "".join([one for one in str(value).upper() if one not in ":- "])
    if len(digits) != 12 or [True for one in digits if one not in "0123456789ABCDEF"]:
        return ""
    return ":".join([digits[at : at + 2] for at in range(0, 12, 2)])


def told(
    address: str,
    rssi: int | None,
    name: str | None,
    companies: dict[int, bytes],
    services: dict[str, bytes],
    uuids: list[str],
    tx_power: int | None,
) -> Advert:
    """Return the advert that a host's Bluetooth stack has parsed; its UUIDs may have all digits."""
    if services:
        services = {short(uuid): services[uuid] for uuid in services}
    if uuids:
        uuids = [short(uuid) for uuid in uuids]
    return Advert(address, rssi, name or "", companies, services, uuids, tx_power)
