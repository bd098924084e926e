"""Our CBOR against cbor2, an independent implementation, over generated values."""

from __future__ import annotations

import cbor2
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import cbor
from gateway.core.decimal import Decimal, decimal
from gateway.core.errors import BadReply
from tests.support.fuzz import parser

INTS = st.integers(-(2**64), 2**64 - 1)
DECIMALS = st.builds(decimal, st.integers(-(2**62), 2**62), st.integers(-9, -1))
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    INTS,
    st.floats(allow_nan=False),
    st.text(max_size=40),
    st.binary(max_size=40),
    DECIMALS,
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5), st.dictionaries(st.one_of(INTS, st.text()), inner, max_size=5)
    ),
    max_leaves=12,
)


def _oracle(value: object) -> object:
    if isinstance(value, Decimal):
        return cbor2.CBORTag(4, [value.exponent, value.mantissa])
    if isinstance(value, list):
        return [_oracle(one) for one in value]
    if isinstance(value, dict):
        return {key: _oracle(one) for key, one in value.items()}
    return value


@given(VALUES)
def test_cbor_writes_the_bytes_of_cbor2_canonical(value: object) -> None:
    expected = cbor2.dumps(_oracle(value), canonical=True)
    assert cbor.encode_portably(value) == expected
    assert cbor.encode(value) == expected


@given(VALUES)
def test_cbor_reads_back_what_it_wrote(value: object) -> None:
    assert cbor.decode(cbor.encode(value), depth_max=20) == value


@parser
@given(st.binary(max_size=200))
def test_cbor_random_bytes_are_read_or_refused_never_more(data: bytes) -> None:
    try:
        cbor.decode(data)
    except BadReply as error:
        assert error.got == data
