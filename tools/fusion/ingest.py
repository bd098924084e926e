"""Messages in, rows and acknowledgements out: `receive` many, `commit` once, publish what it says.

Whatever a stranger publishes is either understood or kept as rejected; nothing raises for it.
Only the database may fail, and then the process ends. Knows no broker; time is an argument.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gateway.core import cbor
from gateway.core.clock import FIXED_UP
from gateway.core.errors import BadReply, Refused
from gateway.core.reading import RINGS, Gap
from gateway.uplink import pack as packs
from gateway.uplink import senml, topics
from gateway.uplink.bases import URN
from gateway.uplink.topics import Ack
from tools.fusion.dictionaries import Dictionaries
from tools.fusion.lives import ENDS, Lives
from tools.fusion.store import HEALTH_MINUTES, LOST, MINUTE_MS, POINTS_MAX, Store, columns, row
from tools.fusion.stream import NUMBER_MAX
from tools.fusion.tally import Tally

if TYPE_CHECKING:
    import sqlite3
    from typing import Any

    from gateway.uplink.pack import Pack, Sample

BIRTH_BYTES_MAX = 256 * 1024  # POINTS_MAX points of 60 bytes
HEALTH_BYTES_MAX = 8 * 1024
DEVICES_MAX = 512
DIGEST_MAX = 32  # bytes; the contract's is the first eight of a SHA-256
TEXT_MAX = 255  # characters of a name, unit, kind, version or reason
TIME_MS_MAX = 253_402_300_799_999  # the end of 9999, the last date people can read


class Ingest:
    """One writer of the database."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self.store = Store(database)
        self.lives = Lives(database)
        self.tally = Tally(database)
        self.dictionaries = Dictionaries(database)
        self.pending = 0  # messages received since the last commit
        self._heard: dict[str, int] = {}  # gateway → when, since the last commit
        self._handlers = {
            "up": self._pack,
            topics.STATE: self._state,
            topics.HEALTH: self._health,
            topics.NOW: self._now,
        }

    def receive(self, topic: str, payload: bytes, now_ms: int) -> None:
        """Take one message into the open transaction; `now_ms` is Unix time."""
        if self.pending == 0:
            self.store.database.execute("BEGIN IMMEDIATE")
        self.pending += 1
        gw = ""
        try:
            gw, kind, ring = topics.split(topic)
            handler = self._handlers.get(kind)
            if handler is None:
                raise BadReply("not a topic that gateways publish")
            handler(gw, ring, payload, now_ms)
            self._heard[gw] = now_ms
        except (BadReply, Refused) as error:
            self.store.reject(gw, topic, payload, str(error), now_ms)

    def commit(self, now_ms: int) -> list[tuple[str, Ack]]:
        """Make all that was received durable; return (gateway, acknowledgement) to publish."""
        if self.pending == 0:
            return []
        self.tally.flush()
        flushed = self.store.flush(now_ms)
        self.store.database.executemany(
            "UPDATE gateways SET seen_ms = ? WHERE name = ?",
            [(heard_ms, gw) for gw, heard_ms in self._heard.items()],
        )
        self.store.database.execute("COMMIT")
        self.pending = 0
        self._heard.clear()
        newest = self.dictionaries.newest
        return [
            (known.gw, Ack(known.ring, known.log, known.account.high, newest(known.gw)))
            for known in flushed
            if known.account.high
        ]

    def _pack(self, gw: str, ring: str, payload: bytes, now_ms: int) -> None:
        pack = packs.decode(self.dictionaries.inflate(gw, payload))
        _check_pack(pack, gw)
        first, last = pack.seq, pack.seq + len(pack.items) - 1
        known = self.store.stream(gw, pack.log_id, ring, pack.low, now_ms)
        self.store.give_up(known, pack.low, LOST, now_ms)
        account = known.account
        if account.has(first, last) and not self.store.was_given_up(known, first, last):
            known.duplicates += len(pack.items)
            return
        if not account.takes(first, last):
            raise Refused(f"pack: {first}..{last} is too far above {account.high}")
        life_id = self.lives.life(known.gateway_id, ring, pack.log_id, pack.boot, now_ms)
        here = self.store.numbers(known, first, last)
        rows: list[tuple[Any, ...]] = []
        counted: list[tuple[int, Sample]] = []
        gaps: list[tuple[int, Gap]] = []
        for seq, item in enumerate(pack.items, first):
            if isinstance(item, Gap):
                gaps.append((seq, item))
            elif seq not in here:
                point_id = self.store.point(known.gateway_id, item.point, item.unit, now_ms, ring)
                rows.append(row(known, seq, point_id, item, pack.clock))
                counted.append((point_id, item))
        self.tally.add(life_id, ring, pack.clock == FIXED_UP, counted, now_ms)
        new = self.store.readings(rows)
        new += sum(self.store.gap(known, seq, gap, now_ms) for seq, gap in gaps)
        known.duplicates += len(pack.items) - new
        if first <= account.high:
            self.store.fill(known, first, last)
        account.add(first, last)
        self.store.bridge(known)

    def _state(self, gw: str, _: str, payload: bytes, now_ms: int) -> None:
        told = _map(payload, BIRTH_BYTES_MAX)
        state = _text(told, "state")
        gateway_id = self.store.gateway(gw, now_ms)
        database = self.store.database
        self.lives.presence(gateway_id, state, now_ms)
        if state != "online":
            database.execute(
                "UPDATE gateways SET state = ? WHERE gateway_id = ?", (state, gateway_id)
            )
            return
        if told.get("gw", gw) != gw:
            raise BadReply(f"birth: {told['gw']!r} speaks for {gw}")
        version, boot = _text(told, "version"), _count(told, "boot")
        devices, points = _devices(told.get("devices", {})), _points(told.get("points", []))
        logs = _logs(told.get("logs", {}))
        database.execute(
            "UPDATE gateways SET state = ?, version = ?, boot = ? WHERE gateway_id = ?",
            (state, version, boot, gateway_id),
        )
        database.execute("DELETE FROM devices WHERE gateway_id = ?", (gateway_id,))
        database.executemany(
            "INSERT INTO devices VALUES (?, ?, ?, ?)", [(gateway_id, *one) for one in devices]
        )
        due = []
        for name, kind, unit, ring, every_ms in points:
            point_id = self.store.point(gateway_id, name, unit, now_ms)
            due.append((point_id, every_ms))
            database.execute(
                "UPDATE points SET kind = ?, ring = ?, every_ms = ? WHERE point_id = ?",
                (kind, ring, every_ms, point_id),
            )
        ended = told.get("ended")
        life = boot, ended if ended in ENDS else None, version
        self.lives.birth(gateway_id, logs, life, due, now_ms)
        self.dictionaries.learn({**told, "gw": gw})

    def _health(self, gw: str, _: str, payload: bytes, now_ms: int) -> None:
        told = _plain(_map(payload, HEALTH_BYTES_MAX))
        body = json.dumps(told, sort_keys=True)
        gateway_id = self.store.gateway(gw, now_ms)
        self.lives.health(gateway_id, told, now_ms)
        minute = now_ms // MINUTE_MS
        self.store.database.execute(
            "INSERT OR REPLACE INTO health VALUES (?, ?, ?, ?)", (gateway_id, minute, now_ms, body)
        )
        self.store.database.execute(
            "DELETE FROM health WHERE gateway_id = ? AND minute <= ?",
            (gateway_id, minute - HEALTH_MINUTES),
        )

    def _now(self, gw: str, _: str, payload: bytes, now_ms: int) -> None:
        samples, partial = packs.read_snapshot(self.dictionaries.inflate(gw, payload))
        for sample in samples:
            _check_sample(sample)
        gateway_id = self.store.gateway(gw, now_ms)
        if not partial:  # the whole truth of its moment: points that are gone leave it
            self.store.database.execute("DELETE FROM latest WHERE gateway_id = ?", (gateway_id,))
        self.store.database.executemany(
            "INSERT OR REPLACE INTO latest VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (gateway_id, one.point, one.unit, one.low_ms, one.quality) + columns(one.value)
                for one in samples
            ],
        )


def _check_pack(pack: Pack, gw: str) -> None:
    if pack.gw != gw:
        raise BadReply(f"pack: {pack.gw} speaks for {gw}")
    if pack.seq + len(pack.items) > NUMBER_MAX:
        raise BadReply(f"pack: number {pack.seq}")
    if pack.boot > NUMBER_MAX:
        raise BadReply(f"pack: boot {pack.boot}")
    for item in pack.items:
        if isinstance(item, Gap):
            if not 0 <= item.first <= item.last <= NUMBER_MAX or item.count > NUMBER_MAX:
                raise BadReply(f"pack: gap {item.first}..{item.last} of {item.count}")
            if len(item.reason) > TEXT_MAX:
                raise BadReply("pack: a gap's reason is too long")
        else:
            _check_sample(item)


def _check_sample(sample: Sample) -> None:
    if len(sample.point) > TEXT_MAX or len(sample.unit) > TEXT_MAX:
        raise BadReply(f"pack: name {sample.point[:40]!r}… or its unit is too long")
    if sample.high_ms > TIME_MS_MAX:
        raise BadReply(f"pack: {sample.point} at {sample.high_ms} ms")


def _map(payload: bytes, size_max: int) -> dict[Any, Any]:
    if len(payload) > size_max:
        raise BadReply(f"{len(payload)} bytes, more than {size_max}")
    told = cbor.decode(payload)
    if not isinstance(told, dict):
        raise BadReply("not a map")
    return told


def _text(told: dict[Any, Any], key: str) -> str:
    value = told.get(key)
    if not isinstance(value, str) or len(value) > TEXT_MAX:
        raise BadReply(f"{key} is not a short text")
    return value


def _count(told: dict[Any, Any], key: str) -> int:
    value: Any = told.get(key)
    if not topics.is_count(value) or value > NUMBER_MAX:
        raise BadReply(f"{key} is not a count")
    return int(value)


def _logs(told: Any) -> dict[str, bytes]:
    if not isinstance(told, dict) or not all(
        ring in RINGS and topics.is_log_id(log) for ring, log in told.items()
    ):
        raise BadReply("birth: logs are not {ring: log id}")
    return told


def _devices(told: Any) -> list[tuple[str, str, bytes]]:
    if not isinstance(told, dict) or len(told) > DEVICES_MAX:
        raise BadReply(f"birth: devices are not a map of at most {DEVICES_MAX}")
    found = []
    for name, device in told.items():
        if not isinstance(device, dict) or not isinstance(device.get("digest"), bytes):
            raise BadReply(f"birth: device {name!r} has no profile digest")
        name_ = _text({"device": name}, "device")
        found.append((name_, _text(device, "profile"), device["digest"][:DIGEST_MAX]))
    return found


def _points(told: Any) -> list[tuple[str, str, str, str, int]]:
    if not isinstance(told, list) or len(told) > POINTS_MAX:
        raise BadReply(f"birth: points are not a list of at most {POINTS_MAX}")
    found = []
    for one in told:
        if not isinstance(one, list) or len(one) != 5:
            raise BadReply("birth: a point is not [name, kind, unit, ring, every_ms]")
        point = dict(zip(("name", "kind", "unit", "ring", "every_ms"), one, strict=True))
        name, kind, unit = _text(point, "name"), _text(point, "kind"), _text(point, "unit")
        if not senml.is_name(f"{URN}{name}") or point["ring"] not in RINGS:
            raise BadReply(f"birth: point {name!r} of ring {point['ring']!r}")
        found.append((name, kind, unit, point["ring"], _count(point, "every_ms")))
    return found


def _plain(value: Any) -> Any:
    """Return CBOR's values as JSON has them: bytes in hex, decimals as numbers, keys as text."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, bytes):
        return value.hex()
    if value is None or isinstance(value, bool | int | str):
        return value
    number = float(value)
    return number if number - number == 0 else None
