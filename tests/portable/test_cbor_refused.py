from gateway.core import cbor
from gateway.core.decimal import decimal
from gateway.core.errors import BadReply

# What a stranger may send and we refuse: bytes, word of the reason.
REFUSED = [
    ("", "cut short"),
    ("0000", "left over"),
    ("1c", "reserved"),
    ("5f42010243030405ff", "indefinite"),
    ("9f01ff", "indefinite"),
    ("a201010102", "stands twice"),
    ("a1410101", "map key"),
    ("a1f501", "map key"),
    ("c249010000000000000000", "tag 2"),
    ("c48100", "two integers"),
    ("c4821a7fffffff01", "exponent"),
    ("c482011bffffffffffffffff", "beyond 64 bits"),
    ("d81c80", "tag 28"),
    ("f7", "simple value 23"),
    ("f820", "simple value 32"),
    ("61ff", "UTF-8"),
    ("9b00000000ffffffff", "claimed"),
    ("5b000001000000000000", "cut short"),
    ("81" * 9 + "01", "nested"),
    ("c4" * 1200, "two integers"),
]


def test_cbor_every_cut_is_an_error() -> None:
    whole = cbor.encode({1: [1.1, "level", b"\x00", None], "q": decimal(-5, -3)})
    for end in range(len(whole)):
        assert _refusal(whole[:end]) is not None, end


def test_cbor_what_we_do_not_speak_is_refused_with_its_reason() -> None:
    for text, word in REFUSED:
        reason = _refusal(bytes.fromhex(text))
        assert reason is not None and word in reason, (text, reason)


def _refusal(data: bytes) -> str | None:
    try:
        cbor.decode(data)
    except BadReply as error:
        assert error.got == data
        return str(error)
    return None
