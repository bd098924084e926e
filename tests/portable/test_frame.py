"""Frames: whatever stands before, between and within them, the right ones come, or none."""

from __future__ import annotations

from drivers.protocol import checksum
from drivers.protocol.frame import FRAME_MAX, Shape, Splitter
from gateway.core.errors import ConfigError
from tests.portable.support import raised

PMS = Shape(
    {"start": [b"BM"], "length": {"at": 2, "type": "u16", "plus": 4}, "check": {"is": "sum16"}}
)
PMS_FRAME = bytes.fromhex(
    "424D001C000400070008000400070008" + "0384010E00320006000200009700" + "0238"
)
SDS = Shape(
    {
        "start": [b"\xaa\xc0"],
        "length": [10],
        "check": {"is": "sum8", "from": 2},
        "end": b"\xab",
    }
)
SDS_FRAME = bytes.fromhex("AAC08C009400BCF9D5AB")
NMEA = Shape({"as": "text", "start": [b"$"], "split": ",", "check": {"is": "xor8", "from": 1}})
NMEA_END = Shape(
    {
        "as": "text",
        "start": [b"$"],
        "end": b"\r\n",
        "split": ",",
        "check": {"is": "xor8", "from": 1},
    }
)
NMEA_FRAME = b"$GPGLL,5300.97914,N,00259.98174,E,125926,A*28\r\n"
WIND_FRAME = b"\x02Q,229,002.74,M,00,\x0316\n"  # Gill WindSonic manual, check over what is framed
LINE = Shape({"as": "text", "end": b"\r\n", "split": ","})
MARKED = Shape({"length": [6, 4], "bytes": [[1, b"\x55"], [-1, b"\x99"]], "check": {"is": "xor8"}})
GARBAGE = (
    b"",
    b"\x00",
    b"B",
    b"BMBM",
    b"BM\x00",
    b"\xaa",
    b"\xaa\xc0\xaa",
    b"$GP",
    b"\xff" * 40,
    b"\r\n",
    PMS_FRAME[:-1],
    SDS_FRAME[:-1],
    bytes(range(256)),
)


def frames(shapes, *lumps):
    splitter = Splitter(shapes)
    found = []
    for lump in lumps:
        found += splitter.feed(lump)
    return found + splitter.flush()


def test_checksums_have_the_catalogue_s_check_values():
    # CRC RevEng catalogue, check values over "123456789"; sums by hand: 1DD
    known = {
        ("sum8", 0): "dd",
        ("sum16", 0): "01dd",
        ("neg8", 0): "23",
        ("inv8", 0): "22",
        ("xor8", 0): "31",
        ("crc8", 0): "f4",
        ("crc16", 0): "374b",
        ("crc16", 0xFFFF): "3dbb",
        ("crc16-ccitt", 0): "29b1",
        ("crc16-ccitt", 0xFFFF): "31c3",
        ("crc16-x25", 0): "6e90",
        ("crc32", 0): "2639f4cb",
        ("sum8", 0x58): "35",
        ("inv8", 0x58): "ca",
    }
    for (name, seed), value in known.items():
        assert checksum.compute(name, b"123456789", seed).hex() == value, name
    assert sorted({name for name, _ in known}) == sorted(checksum.SIZES)
    for name in checksum.SIZES:
        assert len(checksum.compute(name, b"")) == checksum.SIZES[name]
    assert "sum8" in str(raised(ConfigError, checksum.compute, "sum9", b""))


def test_frames_of_real_devices_fit_their_shapes_and_no_other():
    whole = ((PMS, PMS_FRAME), (SDS, SDS_FRAME), (NMEA_END, NMEA_FRAME), (LINE, b"1,2\r\n"))
    for shape, frame in whole:
        assert shape.refusal(frame) == ""
        for cut in range(len(frame)):
            assert shape.refusal(frame[:cut])
        for other, _ in whole:
            if other is not shape and other is not LINE:
                assert other.refusal(frame)


def test_frame_every_flipped_bit_is_caught_by_the_check():
    checked = 0
    for shape, frame in ((PMS, PMS_FRAME), (SDS, SDS_FRAME)):
        for place in range(8 * len(frame)):
            bad = bytearray(frame)
            bad[place >> 3] ^= 1 << (place & 7)
            assert shape.refusal(bytes(bad)), place
            assert not Splitter([shape]).feed(bytes(bad))
            checked += 1
    assert checked == 8 * (32 + 10)


def test_frame_a_refusal_says_what_is_wrong_and_the_right_check_sum():
    assert PMS.refusal(PMS_FRAME[:-1] + b"\x39") == ("the check sum is 0239, these bytes have 0238")
    bad = NMEA_FRAME[:-4] + b"29\r\n"
    assert NMEA_END.refusal(bad) == "the check sum is 29, these bytes have 28"
    assert NMEA_END.refusal(NMEA_FRAME[:-3] + b"\xff\r\n") == "it holds bytes that are no text"
    assert SDS.refusal(b"\xaa\xc1" + SDS_FRAME[2:]) == "it begins with AAC1, not AAC0"
    assert SDS.refusal(SDS_FRAME + b"\x00") == "it has 11 bytes, not 10"
    assert SDS.refusal(SDS_FRAME[:-1] + b"\xaa") == "it ends with AA, not AB"
    assert PMS.refusal(PMS_FRAME + b"\x00") == "it has 33 bytes and says it has 32"
    assert MARKED.refusal(b"\x01\x54\x99\x99") == "at 1 stands 54, not 55"
    assert Shape({"length": {"min": 3, "max": 5}}).refusal(b"ab") == "it has 2 bytes, not 3 to 5"
    assert Shape({}).refusal(b"\x00") == ""


def test_frame_every_split_after_any_garbage_gives_the_same_frames():
    checked = 0
    for shape, frame in ((PMS, PMS_FRAME), (SDS, SDS_FRAME), (NMEA_END, NMEA_FRAME)):
        for garbage in GARBAGE:
            if shape is NMEA_END and b"$" in garbage:
                continue
            stream = garbage + frame + garbage + frame
            found = frames([shape], stream)
            assert [each for each in found if each[1] == frame] == [(0, frame)] * 2, garbage
            for cut in range(0, len(stream), 3):
                assert frames([shape], stream[:cut], stream[cut:]) == found
            assert frames([shape], *[stream[at : at + 1] for at in range(len(stream))]) == found
            checked += 1
    assert checked == 3 * len(GARBAGE) - 2


def test_frame_several_shapes_share_a_stream():
    stream = b"\x07" + SDS_FRAME + PMS_FRAME + NMEA_FRAME + SDS_FRAME
    found = [(1, SDS_FRAME), (0, PMS_FRAME), (2, NMEA_FRAME), (1, SDS_FRAME)]
    assert frames([PMS, SDS, NMEA_END], stream) == found
    for size in (1, 2, 7, 31):
        lumps = [stream[at : at + size] for at in range(0, len(stream), size)]
        assert frames([PMS, SDS, NMEA_END], *lumps) == found


def test_frame_the_shortest_of_several_lengths_wins_however_the_bytes_come():
    lengths = Shape({"length": [6, 4], "bytes": [[1, b"\x55"]], "check": {"is": "xor8"}})
    for frame in (b"\x01\x55\x03\x57", b"\x01\x55\x03\x04\x05\x56"):
        assert lengths.refusal(frame) == ""
        assert frames([lengths], frame) == [(0, frame)]
        assert frames([lengths], *[frame[at : at + 1] for at in range(len(frame))]) == [(0, frame)]


def test_lines_that_only_their_end_marks_are_never_cut_in_front():
    stream = b"\xff\xfe3.1\r\n12.5,7\r\n\r\n4\x005.5\r\n9,1\r\n"
    found = [(0, b"12.5,7\r\n"), (0, b"9,1\r\n")]
    assert frames([LINE], stream) == found
    assert frames([LINE], *[stream[at : at + 1] for at in range(len(stream))]) == found
    splitter = Splitter([LINE], midway=True)
    assert splitter.feed(b"2.5\r\n12.5\r\n") == [(0, b"12.5\r\n")]


def test_text_frames_have_columns_and_binary_ones_bytes():
    assert NMEA_END.parts(NMEA_FRAME)[:2] == ["$GPGLL", "5300.97914"]
    assert NMEA_END.parts(NMEA_FRAME)[-1] == "A"
    assert LINE.parts(b" 1.5 , 2\r\n") == ["1.5", "2"]
    assert Shape({"as": "text", "split": " "}).parts(b"a  b c\n") == ["a", "b", "c"]
    assert Shape({"as": "text"}).parts("Acc  0.00 °C\r\n".encode()) == ["Acc  0.00 °C"]
    wind = {"as": "text", "start": [b"\x02"], "split": ",", "check": {"is": "xor8", "from": 1}}
    assert Shape(wind).refusal(WIND_FRAME) == ""
    assert Shape(wind).parts(WIND_FRAME) == ["Q", "229", "002.74", "M", "00", ""]
    assert PMS.parts(PMS_FRAME) == PMS_FRAME
    assert NMEA.parts(NMEA_FRAME.replace(b"\r", b"")) == NMEA_END.parts(NMEA_FRAME)


def test_frame_garbage_without_end_keeps_the_splitter_small_and_quick():
    for junk in (b"\x00", b"B", b"BM\x04\x00", b"\xaa\xc0", b"$", b"\xff\xff", b"1,"):
        splitter = Splitter([PMS, SDS, NMEA_END, LINE])
        for _ in range(40):
            splitter.feed(junk * (256 // len(junk)))
            assert len(splitter._got) <= 2 * FRAME_MAX
        splitter.feed(b"\r\n")
        splitter.flush()
        assert splitter.feed(SDS_FRAME) == [(1, SDS_FRAME)], junk


def test_frame_behind_a_false_start_comes_when_the_line_falls_silent():
    splitter = Splitter([PMS])
    assert splitter.feed(b"BM\x03\x00" + PMS_FRAME) == []
    assert splitter.flush() == [(0, PMS_FRAME)]
    assert splitter.feed(PMS_FRAME) == [(0, PMS_FRAME)]


def test_unsound_shapes_are_a_configuration_error():
    unsound = (
        {"start": [b""]},
        {"split": ","},
        {"end": b"123456789"},
        {"bytes": [[2, b""]]},
        {"bytes": [[-1, b"ab"]]},
        {"check": {"is": "md5"}},
        {"check": {"is": "sum8", "from": -1}},
        {"length": [3], "start": [b"abcd"]},
        {"length": [FRAME_MAX + 1]},
        {"length": {"min": 9, "max": 3}},
        {"length": {"at": 0, "type": "f32"}},
        {"length": {"at": 0, "order": "CDAB"}},
        {"length": {"at": -1}},
    )
    for row in unsound:
        assert str(raised(ConfigError, Shape, row)), row
    for row in ({}, {"start": [b"a"]}, {"length": {"min": 1, "max": 9}}, {"check": {"is": "sum8"}}):
        assert not Shape(row).bounded
        raised(ConfigError, Splitter, [Shape(row)])


def test_frame_a_character_cut_in_two_is_no_check_sum_and_no_error():
    shape = Shape({"as": "text", "check": {"is": "xor8"}})
    assert shape.refusal("abc\xe91\n".encode()).startswith("the check sum is ")
    raised(ConfigError, Shape, {"as": "text", "end": b"\xa9"})


def test_frame_two_lines_are_not_one():
    shape = Shape({"as": "text", "split": ",", "length": {"min": 3, "max": 90}, "end": b"\r\n"})
    assert shape.refusal(b"1,2\r\n3,4\r\n") == "it ends after 5 bytes, and more follows"
    assert shape.refusal(b"1,2\n3,4\r\n") == ""
    assert frames([shape], b"1,2\r\n3,4\r\n") == [(0, b"1,2\r\n"), (0, b"3,4\r\n")]


def test_frame_an_empty_column_moves_no_other():
    for split, line, columns in (
        ("\t", b"\t1\t\t 2\t\r\n", ["", "1", "", "2", ""]),
        (",", b"\x02,1,,2,\x03\r\n", ["", "1", "", "2", ""]),
        ("\r", b"a b\rc d\n", ["a b", "c d"]),
        (" ", b" 1   2\t3 \r\n", ["1", "2", "3"]),
        ("", b" 1 2 \r\n", ["1 2"]),
    ):
        row = {"as": "text", "split": split} if split else {"as": "text"}
        assert Shape(row).parts(line) == columns, split


def test_frame_shapes_that_would_keep_a_board_busy_with_noise_are_refused():
    check = {"is": "crc16"}
    longest = {"length": {"at": 0, "type": "u16"}, "check": check}
    lists = {"length": [1024 - each for each in range(16)], "check": check}
    short = {"length": [256], "check": check}
    Splitter([Shape(short)] * 64)
    Splitter([Shape(longest)] * 16)
    Splitter([Shape(lists)])
    for row, count in ((longest, 17), (lists, 2)):
        error = raised(ConfigError, Splitter, [Shape(row)] * count)
        assert "take too long to tell apart" in str(error)
