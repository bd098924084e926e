"""AES-128 in one direction (FIPS 197) and CCM over it (RFC 3610), for keys of sensors.

Knows no key, no format and no radio. Only encrypts blocks: CCM needs nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.errors import BadReply

if TYPE_CHECKING:
    from typing import Protocol

    class Block(Protocol):
        """AES-128 with a key: encrypts one block of 16 bytes."""

        def encrypt(self, block: bytes) -> bytes: ...


BLOCK = 16
KEY = 16
_ROUNDS = 10
_DATA_MAX = 1024  # bytes of one sealed text; an advert has 250


def _doubled(value: int) -> int:
    """Return a byte times x in GF(2^8), FIPS 197 §4.2.1."""
    value <<= 1
    return value ^ 0x11B if value & 0x100 else value


def _s_box() -> bytes:
    """Return SubBytes of every byte, FIPS 197 §5.1.1: the inverse, then an affine turn."""
    powers, logs = [1], bytearray(256)  # of 3, which generates the field
    for exponent in range(1, 255):
        powers.append(powers[-1] ^ _doubled(powers[-1]))
        logs[powers[-1]] = exponent
    box = bytearray(256)
    for value in range(256):
        inverse = powers[(255 - logs[value]) % 255] if value else 0
        turned = inverse
        for shift in (1, 2, 3, 4):
            turned ^= (inverse << shift | inverse >> (8 - shift)) & 0xFF
        box[value] = turned ^ 0x63
    return bytes(box)


_BOX = _s_box()
_TWICE = bytes([_doubled(one) for one in _BOX])  # SubBytes and times x in one look


class Cipher:
    """AES-128 with one key of 16 bytes; ValueError if it has another length."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY:
            raise ValueError(f"a key has {KEY} bytes, not {len(key)}")
        self._rounds = _schedule(key)

    def encrypt(self, block: bytes) -> bytes:
        """Return one block of 16 bytes, encrypted (FIPS 197 §5.1)."""
        box, twice, rounds = _BOX, _TWICE, self._rounds
        state = bytes([one ^ two for one, two in zip(block, rounds[0])])
        for number in range(1, _ROUNDS):
            key, mixed = rounds[number], bytearray(BLOCK)
            for at in (0, 4, 8, 12):  # a column: ShiftRows takes its bytes from four of them
                one, two = state[at], state[at + 5 & 15]
                three, four = state[at + 10 & 15], state[at + 15 & 15]
                every = box[one] ^ box[two] ^ box[three] ^ box[four]
                mixed[at] = key[at] ^ every ^ box[one] ^ twice[one] ^ twice[two]
                mixed[at + 1] = key[at + 1] ^ every ^ box[two] ^ twice[two] ^ twice[three]
                mixed[at + 2] = key[at + 2] ^ every ^ box[three] ^ twice[three] ^ twice[four]
                mixed[at + 3] = key[at + 3] ^ every ^ box[four] ^ twice[four] ^ twice[one]
            state = bytes(mixed)
        last = rounds[_ROUNDS]
        return bytes([box[state[at * 5 & 15]] ^ last[at] for at in range(BLOCK)])


def cipher(key: bytes) -> Block:
    """Return AES-128 with `key`, the board's own where its MicroPython has one; see `Cipher`."""
    if len(key) == KEY:
        try:
            import cryptolib  # type: ignore[import-not-found]  # MicroPython's, on most boards
        except ImportError:
            return Cipher(key)
        own: Block = cryptolib.aes(key, 1)  # 1 is ECB: each block by itself
        return own
    return Cipher(key)


def opened(block: Block, nonce: bytes, sealed: bytes, beside: bytes = b"", mic: int = 4) -> bytes:
    """Return the text that `sealed` holds before its `mic` bytes (RFC 3610 §2.5).

    BadReply if the key, the nonce, the text or what stands `beside` it is not the one it was
    sealed with.
    """
    size = len(sealed) - mic
    if not 0 <= size <= _DATA_MAX or not 7 <= len(nonce) <= 13 or len(beside) > 0xFEFF:
        raise BadReply("nothing that could be opened", sealed)
    text = turned(block, nonce, sealed[:size], 1)
    tag = turned(block, nonce, _tag(block, nonce, text, beside, mic), 0)
    different = 0
    for one, two in zip(tag, sealed[size:]):  # all of them: how many are right tells nobody
        different |= one ^ two
    if different:
        raise BadReply("sealed with another key, or changed since", sealed)
    return text


def sealed(block: Block, nonce: bytes, text: bytes, beside: bytes = b"", mic: int = 4) -> bytes:
    """Return `text` encrypted, and the `mic` bytes that prove it (RFC 3610 §2.2 to 2.4)."""
    tag = turned(block, nonce, _tag(block, nonce, text, beside, mic), 0)
    return turned(block, nonce, text, 1) + tag


def turned(block: Block, nonce: bytes, data: bytes, first: int = 1) -> bytes:
    """Return data XORed with the key stream from block `first` on: what CCM does without proof."""
    width = BLOCK - 1 - len(nonce)
    found = bytearray()
    for at in range(0, len(data), BLOCK):
        count = first + at // BLOCK
        stream = block.encrypt(bytes((width - 1,)) + nonce + count.to_bytes(width, "big"))
        found += bytes([one ^ two for one, two in zip(data[at : at + BLOCK], stream)])
    return bytes(found)


def _tag(block: Block, nonce: bytes, text: bytes, beside: bytes, mic: int) -> bytes:
    """Return the CBC-MAC over lengths, nonce, `beside` and text."""
    width = BLOCK - 1 - len(nonce)
    flags = (64 if beside else 0) + (mic - 2) // 2 * 8 + width - 1
    data = bytes((flags,)) + nonce + len(text).to_bytes(width, "big")
    if beside:
        data = _filled(data + len(beside).to_bytes(2, "big") + beside)
    data = _filled(data + text)
    state = bytes(BLOCK)
    for at in range(0, len(data), BLOCK):
        state = block.encrypt(bytes([a ^ b for a, b in zip(state, data[at : at + BLOCK])]))
    return state[:mic]


def _filled(data: bytes) -> bytes:
    return data + bytes(-len(data) % BLOCK)


def _schedule(key: bytes) -> list[bytes]:
    """Return the eleven round keys, FIPS 197 §5.2."""
    words = [key[at : at + 4] for at in range(0, KEY, 4)]
    constant = 1
    while len(words) < 4 * (_ROUNDS + 1):
        last = words[-1]
        if len(words) % 4 == 0:
            last = bytes((_BOX[last[1]] ^ constant, _BOX[last[2]], _BOX[last[3]], _BOX[last[0]]))
            constant = _doubled(constant)
        words.append(bytes([one ^ two for one, two in zip(words[-4], last)]))
    return [b"".join(words[at : at + 4]) for at in range(0, len(words), 4)]
