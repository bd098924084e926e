"""Device identification (Modbus Application Protocol V1.1b3 §6.21, function 0x2B/0x0E).

A long answer comes in parts: the reader asks on until the device says that nothing follows.
Knows no framing and no port.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.protocol import pdu
from gateway.core.errors import BadReply

if TYPE_CHECKING:
    from collections.abc import Mapping

BASIC = 1  # vendor, product code, revision: every device that knows the function has these
REGULAR = 2  # and name, address of the vendor, model …
EXTENDED = 3  # and what the vendor likes
ONE = 4

NAMES = ("vendor", "product code", "revision", "vendor url", "product name", "model", "application")

_HEAD_SIZE = 4  # conformity, more follows, next object, number of objects
_ROOM = pdu.SIZE_MAX - 3 - _HEAD_SIZE


class Identification:
    """Collects the objects of one device: send `request`, give `take` what its `parse` gave."""

    def __init__(self, code: int = BASIC, object_id: int = 0) -> None:
        self._code = code
        self.request: pdu.Request | None = pdu.read_identification(code, object_id)
        self.objects: dict[int, bytes] = {}

    def take(self, payload: bytes) -> None:
        """Add the objects of one reply; `request` becomes the next one, or None when all came."""
        if len(payload) < _HEAD_SIZE or self.request is None:
            raise BadReply("not a device identification", payload)
        at = _HEAD_SIZE
        for _ in range(payload[3]):
            end = at + 2 + (payload[at + 1] if at + 1 < len(payload) else 0)
            if end > len(payload):
                raise BadReply("identification cut short", payload)
            self.objects[payload[at]] = payload[at + 2 : end]
            at = end
        last, following = self.request.object_id, payload[2]
        if payload[1] == 0 or self._code == ONE:
            self.request = None
        elif following <= last:  # asking it again would never end
            raise BadReply(f"identification goes on at object {following} after {last}", payload)
        else:
            self.request = pdu.read_identification(self._code, following)


def answer(request: pdu.Request, objects: Mapping[int, bytes]) -> bytes | None:
    """Return a server's payload with the objects asked for; None if there is no such object."""
    if request.code == ONE:
        wanted = [request.object_id]
    else:
        last = {BASIC: 0x02, REGULAR: 0x7F, EXTENDED: 0xFF}[request.code]
        known = sorted([number for number in objects if number <= last])
        # §6.21: an unknown first object means to start over
        first = request.object_id if request.object_id in known else 0
        wanted = [number for number in known if number >= first]
    body, count, following = b"", 0, 0
    for number in wanted:
        if number not in objects:
            return None
        value = objects[number][: _ROOM - 2]
        if len(body) + 2 + len(value) > _ROOM:
            following = number
            break
        body += bytes((number, len(value))) + value
        count += 1
    highest = max(objects)
    conformity = BASIC if highest <= 0x02 else REGULAR if highest <= 0x7F else EXTENDED
    head = (0x80 | conformity, 0xFF if following else 0, following, count)  # 0x80: one by one, too
    return bytes(head) + body
