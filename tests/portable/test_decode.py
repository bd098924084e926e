from drivers.profile.decode import ORDERS, Layout, arrange, split_type, words
from gateway.core.decimal import parse
from gateway.core.errors import ConfigError

D = parse

# type, order, bits, none, words on the wire, value or None
VECTORS = [
    ("u16", "ABCD", None, [], "1234", 0x1234),
    ("u16", "BADC", None, [], "1234", 0x3412),
    ("u16", "CDAB", None, [], "1234", 0x1234),
    ("s16", "ABCD", None, [], "FF9C", -100),
    ("u8", "ABCD", None, [], "12FE", 0xFE),
    ("u8", "BADC", None, [], "12FE", 0x12),
    ("s8", "ABCD", None, [], "12FE", -2),
    ("u24", "ABCD", None, [], "FF123456", 0x123456),
    ("s24", "ABCD", None, [], "00FFFFFE", -2),
    ("u32", "ABCD", None, [], "12345678", 0x12345678),
    ("u32", "DCBA", None, [], "12345678", 0x78563412),
    ("u32", "CDAB", None, [], "12345678", 0x56781234),
    ("u32", "BADC", None, [], "12345678", 0x34127856),
    ("s32", "CDAB", None, [], "FFFEFFFF", -2),
    ("u48", "ABCD", None, [], "000100000002", (1 << 32) + 2),
    ("u64", "ABCD", None, [], "FFFFFFFFFFFFFFFF", (1 << 64) - 1),
    ("u64", "CDAB", None, [], "0001000200030004", 0x0004000300020001),
    ("s64", "ABCD", None, [], "8000000000000000", -(1 << 63)),
    ("sm16", "ABCD", None, [], "8064", -100),
    ("sm16", "ABCD", None, [], "0064", 100),
    ("sm8", "ABCD", None, [], "0085", -5),
    ("bool", "ABCD", None, [], "0000", False),
    ("bool", "ABCD", None, [], "FF00", True),
    ("bool", "ABCD", None, [], "01", True),
    ("bool", "ABCD", None, [], "00", False),
    ("f32", "ABCD", None, [], "43663333", D("230.2")),
    ("f32", "CDAB", None, [], "33334366", D("230.2")),
    ("f32", "DCBA", None, [], "33336643", D("230.2")),
    ("f32", "BADC", None, [], "66433333", D("230.2")),
    ("f32", "ABCD", None, [], "7FC00000", None),
    ("f32", "ABCD", None, [], "7F800000", None),
    ("f32", "ABCD", None, [], "FF800000", None),
    ("f32", "ABCD", None, [-9999], "C61C3C00", None),
    ("f32", "ABCD", None, [], "80000000", 0),
    ("f32", "ABCD", None, [], "00000001", 0),
    ("f64", "ABCD", None, [], "400921FB54442D18", D("3.14159265358979")),
    ("f16", "ABCD", None, [], "4248", D("3.141")),
    ("bcd8", "ABCD", None, [], "0042", 42),
    ("bcd16", "ABCD", None, [], "1234", 1234),
    ("bcd32", "CDAB", None, [], "56781234", 12345678),
    ("bcd16", "ABCD", None, [], "12A4", None),
    ("bcd64", "ABCD", None, [], "9999999999999999", 9999999999999999),
    ("sbcd16", "ABCD", None, [], "9234", -1234),
    ("sbcd16", "ABCD", None, [], "1234", 1234),
    ("u16", "ABCD", (8, 15), [], "1234", 0x12),
    ("u16", "ABCD", (0, 3), [], "1234", 4),
    ("s16", "ABCD", (4, 7), [], "00F0", -1),
    ("u16", "ABCD", (3, 3), [], "0008", True),
    ("u16", "ABCD", (3, 3), [], "0007", False),
    ("u32", "ABCD", (12, 19), [], "12345678", 0x45),
    ("u16", "ABCD", None, [0xFFFF, 0xFFFE], "FFFE", None),
    ("u16", "ABCD", None, [0xFFFF, 0xFFFE], "FFFD", 0xFFFD),
    ("s16", "ABCD", None, [0x8000], "8000", None),
    ("u16", "ABCD", (0, 3), [15], "123F", None),
    ("u16", "ABCD", None, [0], "0000", None),
    ("str8", "ABCD", None, [], "5345354B00000000", "SE5K"),
    ("str8", "ABCD", None, [], "0053004500350000", "SE5"),
    ("str8", "ABCD", None, [], "5300450035000000", "SE5"),
    ("str4", "BADC", None, [], "45534B35", "SE5K"),
    ("str3", "ABCD", None, [], "41424344", "ABC"),
    ("str4", "ABCD", None, [], "FFFFFFFF", None),
    ("str4", "ABCD", None, ["----"], "2D2D2D2D", None),
    ("str4", "ABCD", None, [], "20412020", "A"),
    ("hex3", "ABCD", None, [], "01ABFF00", "01abff"),
    ("hex2", "ABCD", None, ["ffff"], "FFFF", None),
]


def test_decode_every_vector():
    for name, order, bits, none, wire, value in VECTORS:
        got = Layout(name, order, bits, none).value(bytes.fromhex(wire))
        assert got == (value, "good" if value is not None else "sentinel"), (name, order, wire, got)
        assert isinstance(got[0], bool) == isinstance(value, bool), (name, wire)
    assert len(VECTORS) >= 60


def test_decode_every_vector_goes_back_to_its_bytes():
    done = 0
    for name, order, bits, none, wire, value in VECTORS:
        data = bytes.fromhex(wire)
        # What lies beside the bits of the type, the second spelling of a text, and -0 are lost.
        if value is None or bits or none or len(data) == 1 or name in ("u8", "s8", "u24", "sm8"):
            continue
        if name in ("str8", "str3", "str4", "hex3", "bool") or wire in ("80000000", "00000001"):
            continue
        if name == "f64":  # a float on a board may have 32 bits
            continue
        layout = Layout(name, order, None, [])
        assert layout.pattern(value) == data, (name, order, wire)
        done += 1
    assert done >= 25


def test_decode_orders_undo_themselves():
    data = bytes(range(8))
    for order in ORDERS:
        assert arrange(arrange(data, order), order) == data
    shown = [arrange(b"ABCD", order).decode() for order in ORDERS]
    assert shown == list(ORDERS)


def test_decode_types_are_split_or_refused():
    assert split_type("sbcd32") == ("sbcd", 32)
    assert split_type("str20") == ("str", 20)
    assert split_type("bool") == ("bool", 1)
    for name in ("u17", "u", "", "f8", "str", "str0", "str251", "bool8", "sm32", "16", "U16"):
        try:
            split_type(name)
        except ConfigError:
            continue
        raise AssertionError(name)


def test_decode_register_counts():
    for name, count in (("u8", 1), ("u16", 1), ("u24", 2), ("u48", 3), ("f64", 4), ("str5", 3)):
        assert words(*split_type(name)) == count


def test_decode_values_that_do_not_fit_are_refused():
    cases = [("u16", 65536), ("u16", -1), ("s16", 32768), ("s16", -32769), ("bcd8", 100)]
    cases += [("u8", 256), ("sm16", -32768), ("u16", "a"), ("u16", D("1.5")), ("bool", 2)]
    cases += [("sbcd16", 8000), ("f16", 70000), ("f32", "a"), ("str4", "abcde"), ("str4", 1)]
    for name, value in cases:
        try:
            Layout(name, "ABCD", None, []).pattern(value)
        except ConfigError:
            continue
        raise AssertionError((name, value))
