"""The names and the small payloads of the wire contract: topics, acknowledgement, birth, health.

Knows no broker; what is inside `up/…` is `pack`'s business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core import cbor
from gateway.core.errors import BadReply
from gateway.core.reading import RINGS
from gateway.core.record import Record

if TYPE_CHECKING:
    from typing import Any

ROOT = "sensing/1/"  # the number is the version of this contract
STATE, NOW, HEALTH, ACK = "state", "now", "health", "ack"
LIVE = "live"  # a NOW between two retained ones, of the readings that are new
GATEWAY_ID_MAX = 64
LOG_ID_SIZE = 8
ACK_BYTES_MAX = 256  # a real one has 47 at most
CONTENT_TYPE = "application/cbor"
OFFLINE = cbor.encode({"state": "offline"})

_ID_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._"


class Ack(Record):
    """The platform holds every number of `ring` (log `log_id`) up to and including `seq`.

    `dictionary`: the id of the preset dictionary it can inflate this gateway's packs with.
    """

    __slots__ = ("dictionary", "log_id", "ring", "seq")

    def __init__(self, ring: str, log_id: bytes, seq: int, dictionary: int | None = None) -> None:
        self.dictionary = dictionary
        self.ring = ring
        self.log_id = log_id
        self.seq = seq


def is_gateway_id(gw: str) -> bool:
    """Return whether `gw` fits into a topic level, a SenML name and a certificate's name."""
    return 0 < len(gw) <= GATEWAY_ID_MAX and all(letter in _ID_LETTERS for letter in gw)


def up(gw: str, ring: str) -> str:
    """Return the topic of a ring's packs."""
    return f"{ROOT}{gw}/up/{ring}"


def of(gw: str, kind: str) -> str:
    """Return the topic of STATE, NOW, HEALTH or ACK."""
    return f"{ROOT}{gw}/{kind}"


def split(topic: str) -> tuple[str, str, str]:
    """Return (gateway, kind, ring or ""); BadReply if it is none of the contract's topics."""
    levels = topic.split("/")
    if topic.startswith(ROOT) and is_gateway_id(levels[2]):
        if len(levels) == 4 and levels[3] in (STATE, NOW, HEALTH, ACK):
            return levels[2], levels[3], ""
        if len(levels) == 5 and levels[3] == "up" and levels[4] in RINGS:
            return levels[2], "up", levels[4]
    raise BadReply(f"no topic of ours: {topic!r}")


def encode_ack(ack: Ack) -> bytes:
    """Return the payload the platform publishes."""
    told = {"log": ack.log_id, "ring": ack.ring, "seq": ack.seq}
    if ack.dictionary is not None:
        told["dict"] = ack.dictionary
    return cbor.encode(told)


def decode_ack(data: bytes) -> Ack:
    """Return what the platform acknowledged; BadReply if it is malformed."""
    if len(data) > ACK_BYTES_MAX:
        raise BadReply(f"ack: {len(data)} bytes", data[:ACK_BYTES_MAX])
    found = cbor.decode(data, 1)
    if not isinstance(found, dict):
        raise BadReply("ack: not a map", data)
    wrong = found.get("ring") not in RINGS or not is_log_id(found.get("log"))
    if wrong or not is_count(found.get("seq")):
        raise BadReply("ack: ring, log or seq is missing or wrong", data)
    dictionary = found.get("dict")
    if dictionary is not None and not is_count(dictionary):
        raise BadReply("ack: dict is no id", data)
    return Ack(found["ring"], found["log"], found["seq"], dictionary)


def is_log_id(value: Any) -> bool:
    """Return whether `value` can name a formatted ring."""
    return isinstance(value, bytes) and len(value) == LOG_ID_SIZE


def is_count(value: Any) -> bool:
    """Return whether `value` is a whole number, 0 or more."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
