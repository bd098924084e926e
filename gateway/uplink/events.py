"""What a session is told and what it asks for: the words between `session` and its driver.

Values only; what they lead to is `session`'s business, how they are carried out `uplink`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.record import Record

if TYPE_CHECKING:
    from gateway.uplink.lane import Lane


class Event(Record):
    """Something happened outside the session."""

    __slots__ = ()


class Tick(Event):
    """Time passed; also the first event of all."""

    __slots__ = ()


class Connected(Event):
    """The broker accepted us; its limits: unacknowledged publishes, bytes of one packet."""

    __slots__ = ("packet_max", "receive_max")

    def __init__(self, receive_max: int, packet_max: int) -> None:
        self.receive_max = receive_max
        self.packet_max = packet_max


class Failed(Event):
    """The connection asked for did not come about."""

    __slots__ = ()


class Lost(Event):
    """The connection ended; `code` is the broker's reason (MQTT 5 §3.14.2.1), 0 if it gave none."""

    __slots__ = ("code",)

    def __init__(self, code: int = 0) -> None:
        self.code = code


class PubAck(Event):
    """The broker took or refused the publish `token` (MQTT 5 §3.4.2.1; 0 under MQTT 3.1.1)."""

    __slots__ = ("code", "token")

    def __init__(self, token: int, code: int) -> None:
        self.token = token
        self.code = code


class Acked(Event):
    """The platform says that it holds `ring` of `log_id` up to `seq`."""

    __slots__ = ("log_id", "ring", "seq")

    def __init__(self, ring: str, log_id: bytes, seq: int) -> None:
        self.ring = ring
        self.log_id = log_id
        self.seq = seq


class Loaded(Event):
    """Answers Load: the durable items `first`..`last`, packed."""

    __slots__ = ("first", "last", "payload", "ring")

    def __init__(self, ring: str, first: int, last: int, payload: bytes) -> None:
        self.ring = ring
        self.first = first
        self.last = last
        self.payload = payload


class Unfit(Event):
    """Answers Load: among the items `first`..`last` is one that cannot be packed."""

    __slots__ = ("first", "last", "ring")

    def __init__(self, ring: str, first: int, last: int) -> None:
        self.ring = ring
        self.first = first
        self.last = last


class Empty(Event):
    """Answers Load: nothing durable is left to send."""

    __slots__ = ("ring",)

    def __init__(self, ring: str) -> None:
        self.ring = ring


class Renumbered(Event):
    """A ring goes on under another log, as `lane` says: what was sent of the old one is void."""

    __slots__ = ("lane",)

    def __init__(self, lane: Lane) -> None:
        self.lane = lane


class Changed(Event):
    """Something became durable."""

    __slots__ = ()


class Blocked(Event):
    """The connection takes no more bytes for now …"""

    __slots__ = ()


class Clear(Event):
    """… and now it does again."""

    __slots__ = ()


class Action(Record):
    """Something the driver of a session must do, in the order given."""

    __slots__ = ()


class Connect(Action):
    """Open a connection; answer with Connected or Failed."""

    __slots__ = ()


class Load(Action):
    """Read and pack what follows `after`; answer at once with Loaded, Unfit or Empty.

    `probing`: nothing shows that the platform is there, or that it can read what we send.
    """

    __slots__ = ("after", "bytes_max", "items_max", "probing", "ring")

    def __init__(
        self, ring: str, after: int, items_max: int, bytes_max: int, *, probing: bool
    ) -> None:
        self.probing = probing
        self.ring = ring
        self.after = after
        self.items_max = items_max
        self.bytes_max = bytes_max


class Publish(Action):
    """Publish a pack of `ring`; its PubAck must carry `token`."""

    __slots__ = ("payload", "ring", "token")

    def __init__(self, token: int, ring: str, payload: bytes) -> None:
        self.token = token
        self.ring = ring
        self.payload = payload


class Advance(Action):
    """The platform holds `ring` up to `seq`, and we believe it: tell the buffer."""

    __slots__ = ("log_id", "ring", "seq")

    def __init__(self, ring: str, log_id: bytes, seq: int) -> None:
        self.ring = ring
        self.log_id = log_id
        self.seq = seq


class Announce(Action):
    """Publish the gateway's STATE, NOW or HEALTH as it is at this moment, retained; or LIVE.

    Answer with PubAck if there is nothing to publish.
    """

    __slots__ = ("kind", "token")

    def __init__(self, token: int, kind: str) -> None:
        self.token = token
        self.kind = kind


class Reject(Action):
    """Give up the item `seq` of `ring`: it becomes a Gap, and a copy is kept."""

    __slots__ = ("ring", "seq")

    def __init__(self, ring: str, seq: int) -> None:
        self.ring = ring
        self.seq = seq


class Report(Action):
    """Tell people that delivery is in trouble (`why`), or that it works again (`why` = "")."""

    __slots__ = ("why",)

    def __init__(self, why: str) -> None:
        self.why = why
