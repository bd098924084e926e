"""Whatever comes in, the readers of field protocols give a telegram or one of our errors."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from drivers.protocol import bthome, cjt188, dlt645, iec62056, mbus, mibeacon, sdi12
from drivers.protocol.frame import FRAME_MAX, Shape, Splitter
from gateway.core.errors import BadReply, ConfigError, Refused
from tests.support.fuzz import parser

READERS = (
    dlt645.read,
    cjt188.read,
    mbus.read,
    iec62056.read,
    sdi12.read,
    sdi12.announced,
    bthome.read,
    mibeacon.read,
)
ROWS = [
    json.loads(row) for row in Path("tests/vectors/field-frames.jsonl").read_text().splitlines()
]
FRAMES = [row["text"].encode() if "text" in row else bytes.fromhex(row["frame"]) for row in ROWS]
TEXT = st.text("0123456789.+-()*!/:\r\n\x01\x02\x03\x06ABCkWh", max_size=40).map(str.encode)
SHAPES = [
    Shape(
        {"start": [b"BM"], "length": {"at": 2, "type": "u16", "plus": 4}, "check": {"is": "sum16"}}
    ),
    Shape({"start": [b"\xaa", b"BMB"], "length": [3, 7], "end": b"\xab"}),
    Shape({"start": [b"$"], "as": "text", "split": ",", "end": b"\r\n"}),
    Shape({"as": "text", "end": b"\n"}),
    Shape({"length": {"min": 3, "max": 9}, "end": b"\xab", "check": {"is": "xor8", "from": 1}}),
]
STREAM = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.sampled_from(
            [b"BM\x00\x04\x00\x00\x00\x93", b"\xaa\x00\xab", b"$1,2\r\n", b"5.5\n", b"BM"]
        ),
    ),
    max_size=12,
).map(b"".join)


@st.composite
def damaged(draw):
    """Draw a published frame with some bytes changed, cut or added."""
    frame = bytearray(draw(st.sampled_from(FRAMES)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(frame)))
        frame[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(frame)


@parser
@given(st.sampled_from(READERS), st.one_of(st.binary(max_size=80), TEXT, damaged()))
def test_readers_of_field_protocols_survive_anything(read, frame):
    try:
        read(frame)
    except (BadReply, Refused):
        return


@parser
@given(st.binary(max_size=120))
def test_mbus_records_survive_anything_behind_a_right_check_sum(records):
    body = b"\x08\x01\x72" + bytes(12) + records
    size = bytes((len(body),))
    frame = b"\x68" + size + size + b"\x68" + body + bytes((sum(body) & 0xFF, 0x16))
    try:
        found = mbus.read(frame)
    except BadReply:
        return
    assert sum(len(name) // 2 + len(data) for name, data in found.items) <= len(records)


@parser
@given(STREAM, st.lists(st.integers(0, 200), max_size=4))
def test_splitter_finds_the_same_frames_however_the_bytes_come(stream, cuts):
    whole = Splitter(SHAPES)
    wanted = whole.feed(stream)
    lumps, last = Splitter(SHAPES), 0
    found = []
    for cut in [*sorted(cuts), len(stream)]:
        found += lumps.feed(stream[last:cut])
        last = max(last, cut)
    assert found == wanted
    assert lumps.flush() == whole.flush()
    assert all(SHAPES[number].refusal(frame) == "" for number, frame in wanted)
    assert len(lumps._got) <= FRAME_MAX


@parser
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "as": st.just("text"),
            "split": st.sampled_from([",", " ", ""]),
            "start": st.lists(st.binary(max_size=3), max_size=2),
            "bytes": st.lists(st.tuples(st.integers(-5, 9), st.binary(max_size=3)), max_size=2),
            "length": st.one_of(
                st.lists(st.integers(-1, 12), max_size=3),
                st.fixed_dictionaries({"min": st.integers(0, 9), "max": st.integers(0, 12)}),
                st.fixed_dictionaries({"at": st.integers(-1, 4), "plus": st.integers(-9, 9)}),
            ),
            "end": st.binary(max_size=2),
            "check": st.fixed_dictionaries({"is": st.sampled_from(["sum8", "crc16", "crc32"])}),
        },
    ),
    st.binary(max_size=40),
)
def test_any_shape_is_refused_or_cuts_any_stream(row, stream):
    try:
        shape = Shape(row)
        splitter = Splitter([shape])
    except ConfigError:
        return
    for _, frame in splitter.feed(stream) + splitter.flush():
        assert frame
        assert shape.refusal(frame) == ""
        assert shape.parts(frame) is not None
