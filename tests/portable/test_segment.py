"""SGL1 against its golden bytes, every cut of them and every flipped bit."""

from binascii import crc32

from gateway.buffer import cursor, payload
from gateway.buffer.segment import (
    BOOT,
    DATA,
    GAP,
    POINTS,
    TIME,
    Entry,
    Header,
    Walker,
    pack_header,
    pack_record,
    unpack_header,
)
from gateway.core.clock import Anchor
from gateway.core.decimal import Decimal
from gateway.core.errors import BadReply
from gateway.core.reading import Gap

END = 312  # of the last record in the golden segment
LOG_ID = bytes.fromhex("a1b2c3d4e5f60718")


def golden() -> dict[str, bytes]:
    sections = {}
    name = ""
    with open("tests/vectors/sgl1.txt") as file:
        for line in file:
            text = line.split("#")[0].strip()
            if text.startswith("["):
                name = text[1:-1]
                sections[name] = b""
            elif text:
                sections[name] += bytes.fromhex(text)
    return sections


def walker(data: bytes, epoch: int = 9, seq: int = 501) -> Walker:
    def read(at: int, size: int) -> bytes:
        return data[at : at + size]

    return Walker(read, epoch, seq, len(data))


def entries(data: bytes) -> list[Entry]:
    place = walker(data)
    found = []
    while True:
        entry = place.next()
        if entry is None:
            return found
        found.append(entry)


def test_segment_golden_header() -> None:
    data = golden()["segment"][:32]
    header = Header(1, 9, 1024, 501, int.from_bytes(LOG_ID[:4], "little"))
    assert unpack_header(data) == header
    assert pack_header(header) == data


def test_segment_golden_records_are_read() -> None:
    boot, points, time, data = entries(golden()["segment"])
    assert [entry.kind for entry in (boot, points, time, data)] == [BOOT, POINTS, TIME, DATA]
    assert [entry.seq for entry in (boot, points, time, data)] == [501] * 4
    assert [entry.count for entry in (boot, points, time, data)] == [0, 0, 0, 2]
    found = payload.unpack_boot(boot.payload)
    assert (found.boot, found.kernel, found.version, found.log_id) == (7, "0f3a", "0.1", LOG_ID)
    assert found.files == 4
    rows = [(0, "river/level", "m"), (1, "river/pump", "")]
    assert payload.unpack_points(points.payload) == (7, rows)
    assert payload.unpack_time(time.payload) == Anchor(7, 60000, 1767225600000, 12, "ntp")
    readings = [(61000, 0, Decimal(269, -2), "good"), (61250, 1, None, "no-reply")]
    assert payload.unpack_data(data.payload) == (7, readings)


def test_segment_golden_records_are_written() -> None:
    golden_bytes = golden()["segment"]
    table = payload.Table()
    table.number("river/level", "m")
    table.number("river/pump")
    readings = [
        payload.pack_reading(0, 0, Decimal(269, -2), "good"),
        payload.pack_reading(250, 1, None, "no-reply"),
    ]
    anchor = Anchor(7, 60000, 1767225600000, 12, "ntp")
    books = [
        [["crit", bytes(8), 0, 0, 1], ["bulk", LOG_ID, 2, 0, 0]],
        [[1, "bulk", 400, 401, 2, "evicted"]],
        1,
    ]
    written = golden_bytes[:32]
    written += pack_record(
        BOOT, 0, 0, 501, 9, payload.pack_boot(payload.Boot(7, "0f3a", "0.1", LOG_ID, 4, books))
    )
    written += pack_record(POINTS, 0, 0, 501, 9, payload.pack_points(7, table, 0)[0])
    written += pack_record(TIME, 0, 0, 501, 9, payload.pack_time(anchor))
    written += pack_record(DATA, 0, 2, 501, 9, payload.pack_data(7, 61000, readings))
    assert written + bytes(24) == golden_bytes


def test_segment_golden_gap_and_cursor() -> None:
    sections = golden()
    gap = Gap("bulk", LOG_ID, 400, 401, 2, "evicted")
    packed = payload.pack_gap(7, gap, None, 0)
    assert pack_record(GAP, 3, 1, 1, 9, packed) == sections["gap"]
    assert payload.unpack_gap(packed) == (7, gap, None, 0)
    slot = cursor.Cursor(LOG_ID, 500, 7, 5)
    assert cursor.pack(slot) == sections["cursor"]
    assert cursor.slot_at(5) == 4096
    assert cursor.latest([bytes(40), sections["cursor"] + bytes(4056)]) == slot


def test_segment_every_cut_serves_all_records_before_it() -> None:
    data = golden()["segment"]
    whole = entries(data)
    ends = [entry.at + entry.size_bytes for entry in whole]
    # The padding of the last record carries nothing, so cutting it loses nothing.
    lasts = [entry.at + 24 + len(entry.payload) for entry in whole]
    for cut in range(32, len(data)):
        found = entries(data[:cut])
        assert found == whole[: len([end for end in lasts if end <= cut])]
    assert ends[-1] == END


def test_segment_every_flipped_bit_is_caught() -> None:
    data = golden()["segment"]
    whole = entries(data)
    caught = harmless = 0
    for place in range(32, END):
        record = [entry for entry in whole if entry.at <= place][-1]
        padding = place >= record.at + 24 + len(record.payload)
        for bit in range(8):
            damaged = bytearray(data)
            damaged[place] ^= 1 << bit
            found = entries(bytes(damaged))
            if padding:
                harmless += found == whole
                continue
            assert found == [entry for entry in whole if entry != record]
            caught += 1
    assert (caught, harmless) == ((END - 32 - 12) * 8, 12 * 8)


def test_segment_every_flipped_bit_of_the_header_is_caught() -> None:
    data = golden()["segment"][:32]
    for place in range(32):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[place] ^= 1 << bit
            assert unpack_header(bytes(damaged)) is None


def test_segment_records_of_an_older_epoch_are_not_served() -> None:
    data = golden()["segment"]
    old = pack_record(DATA, 0, 1, 503, 8, payload.pack_data(6, 0, [b"\x83\x00\x00\x01"]))
    assert len(entries(data[:END] + old)) == 4
    new = pack_record(DATA, 0, 1, 503, 9, payload.pack_data(6, 0, [b"\x83\x00\x00\x01"]))
    assert len(entries(data[:END] + new)) == 5


def test_segment_numbers_never_run_backwards() -> None:
    data = golden()["segment"][:END]
    again = pack_record(DATA, 0, 1, 502, 9, payload.pack_data(6, 0, [b"\x83\x00\x00\x01"]))
    assert len(entries(data + again)) == 4


def test_segment_a_record_after_damage_is_found_beyond_a_window() -> None:
    record = pack_record(DATA, 0, 1, 900, 9, payload.pack_data(6, 0, [b"\x83\x00\x00\x01"]))
    for distance in (40_000, 16_392, 16_384, 16_376, 8):  # the largest first: heaps are small
        data = bytes(32) + b"\xa5" * distance + record
        place = walker(data)
        entry = place.next()
        assert entry is not None
        assert (entry.at, entry.seq) == (32 + distance, 900)
        assert place.next() is None


def test_segment_what_no_pack_can_carry_has_no_value() -> None:
    none = payload.pack_reading(5, 1, None, "out-of-range")
    assert payload.pack_reading(5, 1, 1 << 64, "good") == none
    assert payload.pack_reading(5, 1, -1 - (1 << 64), "good") == none
    assert payload.pack_reading(5, 1, "x" * 5000, "good") == none
    assert payload.pack_reading(5, 1, (1 << 64) - 1, "good") != none


def test_segment_foreign_payloads_are_bad_replies() -> None:
    strange = (b"", b"\x01", b"\xa0", b"\xa3\x01\x02\x03", b"\xa3\x01\x07\x02\x00\x03\x81\x00")
    readers = (payload.unpack_data, payload.unpack_time, payload.unpack_gap)
    count = 0
    for data in strange:
        for unpack in readers + (payload.unpack_boot, payload.unpack_points):
            try:
                unpack(data)
            except BadReply:
                count += 1
    assert count == 25


def latest(file: bytearray) -> cursor.Cursor | None:
    return cursor.latest([bytes(file[:4096]), bytes(file[4096:])])


def test_cursor_the_higher_generation_holds_and_a_torn_slot_does_not() -> None:
    one = cursor.Cursor(LOG_ID, 10, 1, 4)
    two = cursor.Cursor(LOG_ID, 20, 1, 5)
    file = bytearray(cursor.FILE_BYTES)
    assert latest(file) is None
    for slot in (one, two):
        at = cursor.slot_at(slot.generation)
        file[at : at + 40] = cursor.pack(slot)
    assert latest(file) == two
    for place in range(40):
        torn = bytearray(file)
        torn[4096 + place] ^= 0x10
        assert latest(torn) == one
    assert cursor.latest([b"", b""]) is None
    assert crc32(cursor.pack(two)[:36]) == int.from_bytes(cursor.pack(two)[36:], "little")


def test_data_reads_the_same_whether_quickly_or_strictly() -> None:
    values = [0, 23, 24, 255, 256, 65535, 65536, (1 << 32) + 5, (1 << 64) - 1, -1, -25, -70000]
    values += [Decimal(2305, -1), Decimal(-5, -3), Decimal(123456789012, -7), Decimal(1, -24)]
    values += [None, True, False, "text", b"\x01\x02", 0.5, "x" * 300]
    rows = []
    for place, value in enumerate(values):
        quality = "good" if place % 3 else "out-of-range"
        rows.append(payload.pack_reading(place * 300 - 500, place * 20, value, quality))
    whole = payload.pack_data(77, 1 << 33, rows)
    assert [row[2] for row in payload.unpack_data(whole)[1]] == values
    few = payload.pack_data(7, 12345, rows[12:19])
    for data in (whole, few, payload.pack_data(1, 5, []), few + b"\x00"):
        assert _read(payload.unpack_data, data) == _read(_strictly, data)
    checked = 0
    for place in range(len(few)):
        for byte in (few[place] ^ 1, few[place] ^ 0x20, 0x18, 0x83, 0x84, 0xC4, 0xFB, 0xFF):
            damaged = few[:place] + bytes((byte,)) + few[place + 1 :]
            assert _read(payload.unpack_data, damaged) == _read(_strictly, damaged), damaged
            checked += 1
        assert _read(payload.unpack_data, few[:place]) == _read(_strictly, few[:place])
    assert checked == 8 * len(few)


def _strictly(data):
    quickly = payload._quickly
    payload._quickly = lambda _: None
    try:
        return payload.unpack_data(data)
    finally:
        payload._quickly = quickly


def _read(reader, data):
    try:
        return repr(reader(data))
    except BadReply as error:
        return f"bad: {error}"
