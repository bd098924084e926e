"""Writes the CBOR of `cbor.py` through cbor2: the same bytes, several times faster.

Only writing: cbor2 reads what we must refuse (trailing bytes, tags, undefined, simple values),
and checking its answer afterwards costs more than it saves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cbor2

from gateway.core.decimal import Decimal

if TYPE_CHECKING:
    from typing import Any

_DECIMAL_TAG = 4


def encode(value: Any) -> bytes:
    """Return `value` as deterministic CBOR; TypeError or ValueError for what we do not speak."""
    try:
        return cbor2.dumps(value, canonical=True, default=_decimal)
    except cbor2.CBOREncodeError as error:
        raise TypeError(f"no CBOR form: {error}")


def _decimal(encoder: Any, value: Any) -> None:
    if not isinstance(value, Decimal):
        raise TypeError(f"no CBOR form for {type(value).__name__}")
    encoder.encode(cbor2.CBORTag(_DECIMAL_TAG, [value.exponent, value.mantissa]))
