"""Every reader of bytes that others wrote: noise and damage give an answer or our own error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.profile import model
from drivers.profile.compile_cpython import compiled, find
from gateway.agent.plan import is_refused
from gateway.buffer import cursor, payload, segment
from gateway.core import cbor
from gateway.core.clock import SYNCED, Anchor, Stamp
from gateway.core.decimal import decimal
from gateway.core.errors import BadReply
from gateway.core.reading import BULK, Batch, Gap, Point, Reading
from gateway.uplink import pack, topics
from gateway.uplink.deflate_cpython import deflate, inflate
from tests.support.fuzz import parser

if TYPE_CHECKING:
    from collections.abc import Callable

LOG = b"\x01\x02\x03\x04\x05\x06\x07\x08"
TABLE = payload.Table()
TABLE.declare([Point("river-3/level", "", "m", BULK, 1000)])
READING = payload.pack_reading(5, 1, decimal(204, -2), "good")
SAMPLE = cbor.encode([{-2: "urn:dev:tidegate:g:", 0: "a/b", 2: decimal(1, -1), 6: 1_800_000_000}])

PACK = pack.encode(
    Batch(BULK, LOG, 1, 1, 1, [Reading("river-3/level", decimal(204, -2), 5)]),
    lambda boot, at_ms: Stamp(10**12, 10**12, SYNCED),
    "330482-0017",
    {"river-3/level": "m"},
)


def walk(data: bytes) -> list[segment.Entry]:
    """Read a segment to its end."""
    walker = segment.Walker(lambda at, size: data[at : at + size], 7, 1, len(data))
    found = []
    entry = walker.next()
    while entry is not None:
        found.append(entry)
        entry = walker.next()
    return found


# name: (reader, an input it accepts)
PARSERS: dict[str, tuple[Callable[[bytes], object], bytes]] = {
    "cbor": (cbor.decode, cbor.encode({"a": [1, decimal(1, -1), None], 1: b"x"})),
    "acknowledgement": (topics.decode_ack, topics.encode_ack(topics.Ack(BULK, LOG, 9))),
    "pack": (pack.decode, PACK),
    "snapshot": (pack.decode_snapshot, SAMPLE),
    "deflated": (lambda data: inflate(data, 65_536), deflate(SAMPLE)),
    "profile": (model.load, compiled(find("eastron/sdm630"))),
    "segment header": (
        segment.unpack_header,
        segment.pack_header(segment.Header(1, 7, 65_536, 1, 3)),
    ),
    "segment": (walk, bytes(32) + segment.pack_record(1, 0, 1, 1, 7, b"payload")),
    "cursor": (lambda data: cursor.latest([data]), cursor.pack(cursor.Cursor(LOG, 5, 1, 1))),
    "data record": (payload.unpack_data, payload.pack_data(1, 1000, [READING])),
    "time record": (payload.unpack_time, payload.pack_time(Anchor(1, 2, 3, 4, "ntp"))),
    "gap record": (
        payload.unpack_gap,
        payload.pack_gap(1, Gap(BULK, LOG, 1, 2, 2, "evicted"), again=None, void=0),
    ),
    "points record": (payload.unpack_points, payload.pack_points(1, TABLE, 0)[0]),
    "learned": (
        lambda data: is_refused(cbor.decode(data)),
        cbor.encode({"a": [["holding", 1, 2]]}),
    ),
}


@pytest.mark.parametrize("name", sorted(PARSERS))
@parser
@given(st.binary(max_size=200))
def test_parser_answers_or_refuses_random_bytes(name: str, noise: bytes) -> None:
    read, _ = PARSERS[name]
    try:
        read(noise)
    except BadReply as error:
        assert str(error)


@pytest.mark.parametrize("name", sorted(PARSERS))
@parser
@given(st.data())
def test_parser_answers_or_refuses_damaged_input(name: str, data: st.DataObject) -> None:
    read, good = PARSERS[name]
    damaged = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(damaged)))
    for given_bytes in (bytes(damaged), bytes(damaged[:end])):
        try:
            read(given_bytes)
        except BadReply as error:
            assert str(error)


@pytest.mark.parametrize("name", sorted(PARSERS))
def test_parser_example_is_one_it_accepts(name: str) -> None:
    read, good = PARSERS[name]
    assert read(good)
