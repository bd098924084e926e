"""SenML against the RFC's own examples, packs against themselves and against noise."""

from __future__ import annotations

import json
from pathlib import Path

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import cbor
from gateway.core.clock import BOUNDED, FIXED_UP, SYNCED, Stamp
from gateway.core.decimal import decimal
from gateway.core.errors import BadReply
from gateway.core.reading import GOOD, QUALITIES, RINGS, Batch, Gap, Reading
from gateway.uplink import pack, senml
from tests.support.fuzz import parser

VECTORS = [
    json.loads(line)
    for line in (Path(__file__).parents[2] / "vectors" / "senml.jsonl").read_text().splitlines()
]
POINTS = ["river-3/level", "meter-1/voltage_l1", "box-1/humidity"]
UNITS = {"river-3/level": "m", "meter-1/voltage_l1": "V"}

values = st.one_of(
    st.booleans(),
    st.integers(-(1 << 64), (1 << 64) - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.builds(decimal, st.integers(-(10**9), 10**9), st.integers(-9, 3)),
    st.text(max_size=20),
    st.binary(max_size=20),
)
times = st.integers(0, 10**11)
readings = st.builds(Reading, st.sampled_from(POINTS), values, times)
silences = st.builds(
    Reading, st.sampled_from(POINTS), st.none(), times, st.sampled_from(QUALITIES[1:])
)
logs = st.binary(min_size=8, max_size=8)
counts = st.integers(0, 1 << 40)
gaps = st.builds(Gap, st.sampled_from(RINGS), logs, counts, counts, counts, st.text(max_size=9))
batches = st.builds(
    Batch,
    st.sampled_from(RINGS),
    logs,
    st.integers(1, 1 << 60),
    st.just(1),
    st.integers(0, 1 << 30),
    st.lists(readings | silences | gaps, min_size=1, max_size=20),
)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["source"][:40])
def test_senml_rfc_example_resolves_as_the_rfc_says(vector: dict) -> None:
    expected = [
        (name, unit, bytes.fromhex(value["hex"]) if isinstance(value, dict) else value, time_ms)
        for name, unit, value, time_ms in vector["resolved"]
    ]
    found = senml.read(bytes.fromhex(vector["hex"]))
    assert [(one.name, one.unit, one.value, one.time_ms) for one in found] == expected


def test_senml_vectors_are_all_there() -> None:
    assert len(VECTORS) == 12
    assert sum(len(vector["resolved"]) for vector in VECTORS) == 56


@pytest.mark.parametrize(
    ("records", "rule"),
    [
        ([], "array"),
        ({}, "array"),
        ([1], "not a map"),
        ([{0: "a"}], "0 values"),
        ([{0: "a", 2: 1, 3: "x"}], "2 values"),
        ([{2: 1}], "name"),
        ([{0: "水位", 2: 1}], "name"),
        ([{0: "-a", 2: 1}], "name"),
        ([{0: "a", 2: "1"}], "number"),
        ([{0: "a", 2: True}], "number"),
        ([{0: "a", 4: 1}], "true or false"),
        ([{0: "a", 8: "x"}], "bytes"),
        ([{0: "a", 2: 1, 6: float("inf")}], "number"),
        ([{0: "a", 2: 1, "x_": 1}], "understood"),
        ([{0: "a", 2: 1, -1: 27}], "version 27"),
        ([{0: "a", 2: 1, -1: 42}], "version 42"),
        ([{0: "a", 2: 1, -1: 0}], "version 0"),
        ([{0: "a", 2: 1}, {0: "a", 2: 1, -1: 26}], "version changes"),
        ([{0: "a", 2: 1, 6: 1e300}], "time"),
        ([{0: "a", 2: 1}] * 1025, "1025 records"),
    ],
)
def test_senml_broken_rule_is_named(records: object, rule: str) -> None:
    with pytest.raises(BadReply, match=rule):
        senml.read(cbor.encode(records))


def test_senml_legal_oddities_are_read() -> None:
    found = senml.read(
        cbor.encode(
            [
                {-2: "a:", -5: 100, -6: 10, -3: decimal(13000000005, -1), -4: "Cel"},
                {0: "b", 2: 5, 7: 60, "new": [1, 2], 9: "unknown number label"},
                {0: "c", 5: 2, 1: "J", 6: decimal(15, -2)},
            ]
        )
    )
    assert found == [
        senml.Resolved("a:b", "Cel", 105, 10, 1300000000500, {"new": [1, 2]}),
        senml.Resolved("a:c", "J", None, 12, 1300000000650, {}),
    ]


@given(batches, st.integers(0, 10**12), st.sampled_from([SYNCED, FIXED_UP, BOUNDED]))
def test_pack_comes_back_as_it_went(batch: Batch, error_ms: int, clock: str) -> None:
    wall_ms = 1_700_000_000_000

    def stamp(boot: int, at_ms: int) -> Stamp:
        assert boot == batch.boot
        low_ms = wall_ms + at_ms
        return Stamp(low_ms, low_ms + (error_ms if clock == BOUNDED else 0), clock)

    data = pack.encode(batch, stamp, "g-1", UNITS)
    found = pack.decode(data)
    assert (found.gw, found.log_id, found.seq) == ("g-1", batch.log_id, batch.seq)
    assert (found.low, found.boot) == (batch.low, batch.boot)
    assert len(found.items) == len(batch.items)
    for sent, came in zip(batch.items, found.items, strict=True):
        if isinstance(sent, Gap):
            assert came == sent
            continue
        assert (came.point, came.quality) == (sent.point, sent.quality)
        assert (came.value, type(came.value)) == (sent.value, type(sent.value))
        assert came.unit == UNITS.get(sent.point, "")
        assert came.low_ms == wall_ms + sent.at_ms
        assert came.high_ms - came.low_ms == (error_ms if clock == BOUNDED else 0)
        assert came.uptime_ms == (sent.at_ms if clock == BOUNDED else None)
    stamped = any(isinstance(item, Reading) for item in batch.items)
    assert found.clock == (clock if stamped else SYNCED)


@given(batches)
def test_pack_is_what_any_cbor_writer_would_write(batch: Batch) -> None:
    data = pack.encode(batch, lambda boot, at_ms: Stamp(10**12, 10**12, SYNCED), "g-1", UNITS)
    assert cbor2.dumps(cbor2.loads(data), canonical=True) == data


@parser
@given(st.binary(max_size=200))
def test_pack_noise_is_a_bad_reply_and_nothing_else(noise: bytes) -> None:
    with pytest.raises(BadReply):
        pack.decode(noise)


@parser
@given(batches, st.data())
def test_pack_with_a_flipped_bit_never_crashes_the_reader(
    batch: Batch, data: st.DataObject
) -> None:
    whole = pack.encode(batch, lambda boot, at_ms: Stamp(10**12, 10**12, SYNCED), "g-1", UNITS)
    at = data.draw(st.integers(0, 8 * len(whole) - 1))
    flipped = bytearray(whole)
    flipped[at // 8] ^= 1 << at % 8
    try:
        found = pack.decode(bytes(flipped))
    except BadReply:
        return
    assert len(found.items) == len(batch.items)
    assert all(
        isinstance(one, Gap) or one.quality != GOOD or one.value is not None for one in found.items
    )


def test_senml_a_sum_beyond_every_number_is_refused() -> None:
    huge = 1.7e308
    with pytest.raises(BadReply, match="beyond"):
        senml.read(cbor.encode([{senml.NAME: "a", senml.BASE_VALUE: huge, senml.VALUE: huge}]))


def test_snapshot_is_no_larger_than_a_pack_may_be() -> None:
    latest = [Reading(f"device-{number}/text", "x" * 200, number) for number in range(1000)]
    packer = pack.Packer("g-1", {})
    data = packer.snapshot(latest, 1, lambda _, at_ms: Stamp(10**12 + at_ms, 10**12, SYNCED))
    assert senml.PACK_BYTES_MAX - 300 < len(data) <= senml.PACK_BYTES_MAX
    assert len(pack.decode_snapshot(data)) > 200
