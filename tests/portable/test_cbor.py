from gateway.core import cbor
from gateway.core.decimal import decimal

# RFC 8949 appendix A, the examples within our subset: diagnostic value, encoding.
VECTORS = [
    (0, "00"),
    (10, "0a"),
    (23, "17"),
    (24, "1818"),
    (100, "1864"),
    (1000, "1903e8"),
    (1000000, "1a000f4240"),
    (1000000000000, "1b000000e8d4a51000"),
    (18446744073709551615, "1bffffffffffffffff"),
    (-18446744073709551616, "3bffffffffffffffff"),
    (-1, "20"),
    (-100, "3863"),
    (-1000, "3903e7"),
    (0.0, "f90000"),
    (1.0, "f93c00"),
    (1.1, "fb3ff199999999999a"),
    (1.5, "f93e00"),
    (65504.0, "f97bff"),
    (100000.0, "fa47c35000"),
    (3.4028234663852886e38, "fa7f7fffff"),
    (1.0e300, "fb7e37e43c8800759c"),
    (5.960464477539063e-8, "f90001"),
    (-4.1, "fbc010666666666666"),
    (float("inf"), "f97c00"),
    (float("-inf"), "f9fc00"),
    (False, "f4"),
    (True, "f5"),
    (None, "f6"),
    (b"", "40"),
    (b"\x01\x02\x03\x04", "4401020304"),
    ("", "60"),
    ("IETF", "6449455446"),
    ("\u00fc", "62c3bc"),
    ("\u6c34", "63e6b0b4"),
    ([], "80"),
    ([1, [2, 3], [4, 5]], "8301820203820405"),
    ({}, "a0"),
    ({1: 2, 3: 4}, "a201020304"),
    ({"a": 1, "b": [2, 3]}, "a26161016162820203"),
    (decimal(27315, -2), "c48221196ab3"),  # §3.4.4
]


def test_cbor_rfc8949_examples_are_written_and_read() -> None:
    for value, text in VECTORS:
        assert cbor.encode(value) == bytes.fromhex(text), text
        assert cbor.encode_portably(value) == bytes.fromhex(text), text
        assert cbor.decode(bytes.fromhex(text)) == value, text


def test_cbor_map_keys_are_written_length_first() -> None:
    assert cbor.encode({"bb": 1, 100: 2, "a": 3, -1: 4}) == bytes.fromhex(
        "a420041864026161036262" + "6201"
    )


def test_cbor_nothing_without_a_form_is_written() -> None:
    for write in (cbor.encode, cbor.encode_portably):
        try:
            write([object()])
        except TypeError:
            continue
        assert False
