from gateway.core import cbor
from gateway.core.clock import BOUNDED, FIXED_UP, SYNCED, Stamp
from gateway.core.decimal import decimal
from gateway.core.errors import BadReply
from gateway.core.reading import BULK, CRIT, NO_REPLY, STALE, Batch, Gap, Reading
from gateway.uplink import pack, senml, topics
from gateway.uplink.pack import Sample

GW = "330482-0017"
WALL = 1_800_000_000_000
LOG = b"\x93\x12\xa4\x55\x01\xee\x8f\x10"
UNITS = {"river-3/level": "m", "meter-1/energy": "kWh", "box-1/humidity": "%RH"}

# RFC 8428 section 6: the example in CBOR, as printed there.
RFC_EXAMPLE = bytes.fromhex(
    "87a721781b75726e3a6465763a6f773a3130653230373361303130383030363a22fb41d303a15b0010622361412005"
    "0067766f6c7461676501615602fb405e066666666666a3006763757272656e74062402fb3ff3333333333333a30067"
    "63757272656e74062302fb3ff4cccccccccccda3006763757272656e74062202fb3ff6666666666666a30067637572"
    "72656e74062102f93e00a3006763757272656e74062002fb3ff999999999999aa3006763757272656e74060002fb3f"
    "fb333333333333"
)

# Ours, by hand: a good level, a silent meter 0.25 s later, and a gap.
GOLDEN = bytes.fromhex(
    "83"  # three records, so three sequence numbers
    "ab"  # the first, with eleven fields: n, u
    "006d" + b"river-3/level".hex() + "01616d"
    "02c482201819"  # v: 25 × 10^-1
    "20181a"  # bver 26, as kWh below is a secondary unit (RFC 8798)
    "21781d" + b"urn:dev:tidegate:330482-0017:".hex() + "221a6b49d200"  # bn, bt
    "63636e7403"  # cnt
    "636c6f6748" + LOG.hex() + "636c6f7709"  # log, low
    "6373657111"  # seq
    "64626f6f7403"  # boot
    "a5"
    "006e" + b"meter-1/energy".hex() + "01636b5768"
    "06c482211819"  # t: 25 × 10^-2 s after bt
    "0840"  # vd, empty: no value …
    "6171686e6f2d7265706c79"  # q: … because nobody answered
    "a2"
    "006b" + b"gateway/gap".hex() + "085820"  # vd: itself CBOR
    "a6016462756c6b0248" + LOG.hex() + "0307040805020667" + b"evicted".hex()
)


# The same readings as releases before the shared base fields packed them, and as they are packed
# now: the device and its moment once each.
BEFORE = bytes.fromhex(
    "85ab006a6d657465722d312f753101615602c482201908fd20181a21781d75726e3a6465763a7469646567617465"
    "3a3333303438322d303031373a221a6b49d20063636e7405636c6f67489312a45501ee8f10636c6f770963736571"
    "1164626f6f7403a3006a6d657465722d312f753201615602c482201908fea4006a6d657465722d322f7531016156"
    "0218e606c482221861a4006a6d657465722d322f753201615602c482212406c482221861a500696d657465722d32"
    "2f6501636b576806c48222186108406171686e6f2d7265706c79"
)
SHARED = bytes.fromhex(
    "8a"
    "ab"
    "00627531" + "016156" + "02c482201908fd" + "20181a"  # u1, V, 230.1, version 26
    "217825" + b"urn:dev:tidegate:330482-0017:meter-1/".hex() + "221a6b49d200"  # bn, bt
    "63636e740a"
    + "636c6f6748"
    + LOG.hex()
    + "636c6f7709"
    + "6373657111"
    + "64626f6f7403"
    + "".join(f"a3006275{digit:x}01615602182a" for digit in (0x32, 0x33, 0x34, 0x35))
    + "a5"
    + "00627531"
    + "016156"
    + "02182a"  # the next device …
    + "217825"
    + b"urn:dev:tidegate:330482-0017:meter-2/".hex()
    + "22c482221b000001a3185c5061"  # … at its own moment: 1 800 000 000.097
    + "".join(f"a3006275{digit:x}01615602182a" for digit in (0x32, 0x33, 0x34))
    + "a3006165"
    + "01636b5768"
    + "02182a"
)


def synced(boot: int, at_ms: int) -> Stamp:
    return Stamp(WALL + at_ms, WALL + at_ms, SYNCED)


def golden_batch() -> Batch:
    items = [
        Reading("river-3/level", decimal(250, -2), 0),
        Reading("meter-1/energy", None, 250, NO_REPLY),
        Gap(BULK, LOG, 7, 8, 2, "evicted"),
    ]
    return Batch(BULK, LOG, 17, 9, 3, items)


def refused(data: bytes) -> str:
    try:
        pack.decode(data)
    except BadReply as error:
        return str(error)
    raise AssertionError("accepted")


def test_senml_rfc_example_is_written_byte_for_byte() -> None:
    field = senml.field
    records = [
        [
            field(senml.BASE_NAME, "urn:dev:ow:10e2073a0108006:"),
            field(senml.BASE_TIME, 1276020076.001),
            field(senml.BASE_UNIT, "A"),
            field(senml.BASE_VERSION, 5),
            field(senml.NAME, "voltage"),
            field(senml.UNIT, "V"),
            field(senml.VALUE, 120.1),
        ]
    ]
    for number, value in enumerate((1.2, 1.3, 1.4, 1.5, 1.6, 1.7)):
        at = field(senml.TIME, number - 5)
        records.append([field(senml.NAME, "current"), at, field(senml.VALUE, value)])
    assert senml.join(records) == RFC_EXAMPLE


def test_senml_rfc_example_is_resolved() -> None:
    found = senml.read(RFC_EXAMPLE)
    assert [one.value for one in found] == [120.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7]
    assert [one.unit for one in found] == ["V"] + 6 * ["A"]
    assert [one.time_ms - 1276020076001 for one in found[1:]] == [
        -5000,
        -4000,
        -3000,
        -2000,
        -1000,
        0,
    ]
    assert found[0].name == "urn:dev:ow:10e2073a0108006:voltage"


def test_pack_is_the_golden_bytes() -> None:
    assert pack.encode(golden_batch(), synced, GW, UNITS) == GOLDEN


def test_pack_says_what_the_batch_said() -> None:
    found = pack.decode(GOLDEN)
    assert (found.gw, found.log_id, found.seq, found.low, found.boot) == (GW, LOG, 17, 9, 3)
    assert found.clock == SYNCED
    assert found.items == [
        Sample("river-3/level", "m", decimal(25, -1), WALL, WALL, "good"),
        Sample("meter-1/energy", "kWh", None, WALL + 250, WALL + 250, NO_REPLY),
        Gap(BULK, LOG, 7, 8, 2, "evicted"),
    ]


def test_pack_of_a_release_before_still_says_what_it_said() -> None:
    found = pack.decode(BEFORE)
    assert (found.seq, found.low, found.boot, found.clock) == (17, 9, 3, SYNCED)
    assert found.items == [
        Sample("meter-1/u1", "V", decimal(2301, -1), WALL, WALL, "good"),
        Sample("meter-1/u2", "V", decimal(2302, -1), WALL, WALL, "good"),
        Sample("meter-2/u1", "V", 230, WALL + 97, WALL + 97, "good"),
        Sample("meter-2/u2", "V", decimal(-5, -2), WALL + 97, WALL + 97, "good"),
        Sample("meter-2/e", "kWh", None, WALL + 97, WALL + 97, NO_REPLY),
    ]


def test_pack_names_a_device_and_its_moment_once() -> None:
    units = {f"meter-{device}/u{phase}": "V" for device in (1, 2) for phase in range(1, 6)}
    units["meter-2/e"] = "kWh"
    items = [Reading(f"meter-1/u{phase}", 42, 0) for phase in range(1, 6)]
    items[0] = Reading("meter-1/u1", decimal(2301, -1), 0)
    items += [Reading(f"meter-2/u{phase}", 42, 97) for phase in range(1, 5)]
    items.append(Reading("meter-2/e", 42, 97))
    assert pack.encode(Batch(BULK, LOG, 17, 9, 3, items), synced, GW, units) == SHARED
    assert [one.low_ms - WALL for one in pack.decode(SHARED).items] == 5 * [0] + 5 * [97]


def test_pack_is_deterministic_cbor() -> None:
    for data in (GOLDEN, SHARED):
        assert cbor.encode(cbor.decode(data)) == data


def test_pack_every_cut_is_refused() -> None:
    for size in range(len(GOLDEN)):
        refused(GOLDEN[:size])
    refused(GOLDEN + b"\x00")


def test_pack_every_kind_of_value_comes_back() -> None:
    values = [0, -5, 12.5, True, False, "open", "", b"\x00", b"", decimal(-1, -3), (1 << 64) - 1]
    items = [Reading("a/b", value, 10 * number) for number, value in enumerate(values)]
    data = pack.encode(Batch(CRIT, LOG, 1, 1, 0, items), synced, GW, {})
    found = pack.decode(data).items
    assert [one.value for one in found] == values
    assert [type(one.value) for one in found] == [type(value) for value in values]


def test_pack_keeps_a_value_with_a_bad_quality() -> None:
    batch = Batch(CRIT, LOG, 1, 1, 0, [Reading("a/b", 7, 0, STALE)])
    assert pack.decode(pack.encode(batch, synced, GW, {})).items == [
        Sample("a/b", "", 7, WALL, WALL, STALE)
    ]


def test_pack_fixed_up_clock_is_said_once_for_the_pack() -> None:
    def stamp(boot: int, at_ms: int) -> Stamp:
        return Stamp(WALL + at_ms, WALL + at_ms, FIXED_UP if at_ms < 5 else SYNCED)

    items = [Reading("a/b", 1, 0), Reading("a/b", 2, 10)]
    found = pack.decode(pack.encode(Batch(CRIT, LOG, 1, 1, 2, items), stamp, GW, {}))
    assert found.clock == FIXED_UP
    assert [one.low_ms for one in found.items] == [WALL, WALL + 10]


def test_pack_bounded_clock_gives_both_bounds_and_the_time_since_boot() -> None:
    def stamp(boot: int, at_ms: int) -> Stamp:
        return Stamp(0, WALL, BOUNDED)

    items = [Reading("a/b", 1, 1_500), Reading("a/b", 2, 11_500)]
    found = pack.decode(pack.encode(Batch(CRIT, LOG, 1, 1, 2, items), stamp, GW, {}))
    assert found.clock == BOUNDED
    earliest = (1 << 28) * 1000  # a smaller SenML time would mean "relative to now"
    assert found.items[0] == Sample("a/b", "", 1, earliest, WALL, "good", 1_500)
    assert found.items[1].uptime_ms == 11_500


def test_pack_of_gaps_only_needs_no_time() -> None:
    batch = Batch(CRIT, LOG, 1, 1, 2, [Gap(BULK, LOG, 1, 64, 64, "evicted")])
    assert pack.decode(pack.encode(batch, synced, GW, {})).items == batch.items


def test_pack_refuses_to_write_what_senml_cannot_say() -> None:
    infinite = float("inf")
    unfit = [
        Reading("a/b", None, 0),
        Reading("a b/c", 1, 0),
        Reading("水/位", 1, 0),
        Reading("a/b", infinite, 0),
        Reading("a/b", infinite - infinite, 0),
        Reading("a/b", 1 << 64, 0),
    ]
    for reading in unfit:
        try:
            pack.encode(Batch(CRIT, LOG, 1, 1, 0, [reading]), synced, GW, {})
        except ValueError:
            continue
        raise AssertionError(f"{reading} was written")


def test_pack_names_the_label_that_is_wrong() -> None:
    def with_label(label: str, value: object) -> bytes:
        records = cbor.decode(GOLDEN)
        records[0][label] = value
        return cbor.encode(records)

    assert pack.decode(with_label("news", 1)).seq == 17  # unknown labels are passed over
    for label, value in [
        ("log", b"short"),
        ("seq", -1),
        ("seq", 8),  # below "low"
        ("cnt", 4),
        ("low", 0),
        ("boot", True),
        ("clk", "sundial"),
        ("q", 5),
        ("q", ""),
        ("thi", "later"),
        ("thi", 5),
        ("new_", 1),  # RFC 8428 section 4.4: must be understood
    ]:
        refused(with_label(label, value))


def test_pack_of_another_gateway_or_none_is_refused() -> None:
    for name in ("urn:dev:ow:10e2073a0108006:", "urn:dev:tidegate:", "urn:dev:tidegate:a/b:", ""):
        records = cbor.decode(GOLDEN)
        records[0][-2] = name
        refused(cbor.encode(records))
    records = cbor.decode(GOLDEN)
    records[1][-2] = "urn:dev:tidegate:330482-0018:"
    refused(cbor.encode(records))


def test_snapshot_has_no_numbers_and_comes_back() -> None:
    packer = pack.Packer(GW, UNITS)
    latest = [Reading("river-3/level", 2, 5), Reading("meter-1/energy", None, 9, NO_REPLY)]
    found = pack.decode_snapshot(packer.snapshot(latest, 3, synced))
    assert [(one.point, one.value, one.low_ms) for one in found] == [
        ("river-3/level", 2, WALL + 5),
        ("meter-1/energy", None, WALL + 9),
    ]
    assert pack.decode_snapshot(packer.snapshot([], 3, synced)) == []
    unsayable = [Reading("a b/c", 1, 0), Reading("a/b", float("inf"), 0), Reading("a/b", None, 0)]
    assert packer.snapshot(unsayable + latest, 3, synced) == packer.snapshot(latest, 3, synced)
    refused(packer.snapshot(latest, 3, synced))


def test_snapshot_of_some_points_says_so() -> None:
    packer = pack.Packer(GW, UNITS)
    latest = [Reading("river-3/level", 2, 5)]
    assert pack.read_snapshot(packer.snapshot(latest, 3, synced))[1] is False
    some = packer.snapshot(latest, 3, synced, partial=True)
    samples, partial = pack.read_snapshot(some)
    assert (len(samples), partial) == (1, True)
    assert samples == pack.decode_snapshot(packer.snapshot(latest, 3, synced))


def test_ack_comes_back_and_anything_else_is_refused() -> None:
    ack = topics.Ack(BULK, LOG, 1234)
    data = topics.encode_ack(ack)
    assert topics.decode_ack(data) == ack
    knowing = topics.Ack(BULK, LOG, 1234, 0xDEADBEEF)
    assert topics.decode_ack(topics.encode_ack(knowing)) == knowing
    assert len(topics.encode_ack(topics.Ack(BULK, LOG, (1 << 64) - 1, (1 << 32) - 1))) == 47
    bad = [b"", data[:-1], cbor.encode([]), cbor.encode({"ring": "bulk", "seq": 1})]
    bad.append(cbor.encode({"ring": "bulk", "log": LOG, "seq": -1}))
    bad.append(cbor.encode({"ring": "bulk", "log": LOG, "seq": True}))
    bad.append(cbor.encode({"ring": "bulk", "log": LOG, "seq": 1, "dict": "one"}))
    bad.append(cbor.encode({"ring": "tank", "log": LOG, "seq": 1}))
    for payload in bad:
        try:
            topics.decode_ack(payload)
        except BadReply:
            continue
        raise AssertionError(payload)


def test_pack_of_base_fields_alone_is_refused() -> None:
    for data in (b"\x81\xa0", b"\x81\xa1\x21\x61\x61"):
        for read in (pack.decode, pack.decode_snapshot):
            try:
                read(data)
            except BadReply as error:
                assert "no record" in str(error)
                continue
            raise AssertionError(data)


def test_topics_name_their_gateway_and_nothing_else_passes() -> None:
    assert topics.up(GW, BULK) == "sensing/1/330482-0017/up/bulk"
    assert topics.split(topics.up(GW, CRIT)) == (GW, "up", CRIT)
    for kind in (topics.STATE, topics.NOW, topics.HEALTH, topics.ACK):
        assert topics.split(topics.of(GW, kind)) == (GW, kind, "")
    for wrong in (
        "",
        "sensing/1",
        "sensing/2/a/now",
        "sensing/1//now",
        "sensing/1/a/up/tank",
        "sensing/1/a+/now",
        "sensing/1/a/now/x",
        "other/1/a/now",
    ):
        try:
            topics.split(wrong)
        except BadReply:
            continue
        raise AssertionError(wrong)
