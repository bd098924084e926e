"""AES-128 and CCM give what FIPS 197, RFC 3610 and NIST SP 800-38C print; damage is refused."""

from __future__ import annotations

from drivers.protocol import aes
from gateway.core.errors import BadReply
from tests.portable.support import raised

H = bytes.fromhex
BLOCKS = (  # key, plain, sealed: FIPS 197 appendix B and C.1, SP 800-38A F.1.1
    (
        "2b7e151628aed2a6abf7158809cf4f3c",
        "3243f6a8885a308d313198a2e0370734",
        "3925841d02dc09fbdc118597196a0b32",
    ),
    (
        "000102030405060708090a0b0c0d0e0f",
        "00112233445566778899aabbccddeeff",
        "69c4e0d86a7b0430d8cdb78070b4c55a",
    ),
    (
        "2b7e151628aed2a6abf7158809cf4f3c",
        "6bc1bee22e409f96e93d7e117393172a",
        "3ad77bb40d7a3660a89ecaf32466ef97",
    ),
)
RFC = "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf"
NIST = "404142434445464748494a4b4c4d4e4f"
SEALED = (  # key, nonce, beside, text (first byte, how many), bytes of proof, sealed
    (
        RFC,
        "00000003020100a0a1a2a3a4a5",
        8,
        (8, 23),
        8,
        "588c979a61c663d2f066d0c2c0f989806d5f6b61dac38417e8d12cfdf926e0",
    ),
    (
        RFC,
        "00000004030201a0a1a2a3a4a5",
        8,
        (8, 24),
        8,
        "72c91a36e135f8cf291ca894085c87e3cc15c439c9e43a3ba091d56e10400916",
    ),
    (NIST, "10111213141516", 8, (0x20, 4), 4, "7162015b4dac255d"),
    (
        NIST,
        "1011121314151617",
        16,
        (0x20, 16),
        6,
        "d2a1f0e051ea5f62081a7792073d593d1fc64fbfaccd",
    ),
    (
        NIST,
        "101112131415161718191a1b",
        20,
        (0x20, 24),
        8,
        "e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5484392fbc1b09951",
    ),
)


def test_aes_gives_the_blocks_of_the_standard():
    for key, plain, sealed in BLOCKS:
        assert aes.Cipher(H(key)).encrypt(H(plain)).hex() == sealed
        assert aes.cipher(H(key)).encrypt(H(plain)).hex() == sealed  # a board's own, too


def test_ccm_seals_and_opens_as_printed():
    for key, nonce, beside, (first, size), proof, sealed in SEALED:
        text, block = bytes(range(first, first + size)), aes.Cipher(H(key))
        extra = bytes(range(beside))
        assert aes.sealed(block, H(nonce), text, extra, proof).hex() == sealed
        assert aes.opened(block, H(nonce), H(sealed), extra, proof) == text


def test_ccm_refuses_every_flipped_bit_every_cut_and_another_key():
    key, nonce, beside, _, proof, sealed = SEALED[2]
    block, extra, whole = aes.cipher(H(key)), bytes(range(beside)), H(sealed)
    for place in range(8 * len(whole)):
        bad = bytearray(whole)
        bad[place >> 3] ^= 1 << (place & 7)
        raised(BadReply, aes.opened, block, H(nonce), bytes(bad), extra, proof)
    for cut in range(len(whole)):
        raised(BadReply, aes.opened, block, H(nonce), whole[:cut], extra, proof)
    raised(BadReply, aes.opened, aes.cipher(H(RFC)), H(nonce), whole, extra, proof)
    raised(BadReply, aes.opened, block, H(nonce), whole, extra + b"\x00", proof)
    raised(BadReply, aes.opened, block, H(nonce), bytes(2000), extra, proof)
    raised(BadReply, aes.opened, block, b"short", whole, extra, proof)


def test_aes_refuses_keys_of_other_lengths():
    for size in (0, 12, 15, 17, 24, 32):
        raised(ValueError, aes.Cipher, bytes(size))
        raised(ValueError, aes.cipher, bytes(size))
