"""What sensors seal is opened once, and only with their key; changing addresses have theirs."""

from __future__ import annotations

from drivers.ble_keys import FORGED, OPENED, PLAIN, REPLAYED, SILENCE_MS, Identity, Seal, changing
from drivers.protocol import aes, atc, bthome, mibeacon
from gateway.core.errors import BadReply, ConfigError
from tests.portable.support import raised

H = bytes.fromhex
KEY = H("231d39c1d7cc1ab1aee224cd096db932")
BTHOME_MAC = H("5448E68F80A5")
# (reader, format, key, address, sealed, plain), as in the tests of Bluetooth-Devices/bthome-ble,
# Bluetooth-Devices/xiaomi-ble and custom-components/ble_monitor
SEALED = (
    (
        bthome,
        "bthome",
        KEY,
        BTHOME_MAC,
        H("41a47266c95f730011223378237214"),
        H("4002ca0903bf13"),
    ),
    (bthome, "bthome", KEY, BTHOME_MAC, H("4187b90011223372b0231f"), H("402101")),
    (
        mibeacon,
        "mibeacon",
        H("a3bfe9853dd85a620debe3620caaa351"),
        H("582d34122089"),
        H("58586f0607892012342d585f176dd54f0200002fa453fa"),
        H("50586f0607892012342d58041002e200"),
    ),
    (
        mibeacon,
        "mibeacon",
        H("19b1c678ab0a8bc3dc77765f059188d4"),
        H("a4c1380efd78"),
        H("585842258878fd0e38c1a405f6538aa72a0062b1a966"),
        H("505842258878fd0e38c1a4024c0126"),
    ),
    (
        mibeacon,
        "mibeacon",
        H("4d8f1373fb4d3bab557d0ebd1c78f8c4"),
        H("a4c138801507"),
        H("5859b5553407158038c1a4bcc732980e000066960f10"),
        H("5059b5553407158038c1a402480127"),
    ),
    (
        mibeacon,
        "mibeacon",
        H("814aac74c4f17b6c1581e1ab87816b99"),
        H("5a582d34125f"),
        H("5858480b685f12342d585a0b1841e2aa000e00a4964fb5"),
        H("5058480b685f12342d585a061002"),
    ),
    (  # version 3, whose keys are shorter and prove nothing
        mibeacon,
        "mibeacon",
        H("b853075158487ca39a5b5ea9"),
        H("f82441c5988b"),
        H("5830b603d28b98c54124f8c34914767 57e00000099".replace(" ", "")),
        H("5030b603d28b98c54124f8"),
    ),
    (
        atc,
        "atc",
        H("b9ea895fac7eea6d30532432a516f3a3"),
        H("a4c1388d18b2"),
        H("11d603fbfa7b6dfb1e26fd"),
        H("b2188d38c1a429094d10ffff3d1104"),
    ),
)


def test_ble_what_sensors_seal_is_opened_with_their_key():
    for reader, name, key, address, sealed, plain in SEALED:
        found, outcome = Seal(name, key).open(sealed, address, 0)
        assert outcome == OPENED, sealed
        assert found[: len(plain)] == plain
        assert reader.read(found).items, sealed


def test_ble_another_key_another_address_and_every_flipped_bit_are_refused():
    checked = 0
    for reader, name, key, address, sealed, _ in SEALED:
        proved = len(key) == aes.KEY
        wrong = bytes((key[0] ^ 1,)) + key[1:]
        assert Seal(name, wrong).open(sealed, address, 0) == (b"", FORGED)
        if reader is not mibeacon:
            assert Seal(name, key).open(sealed, bytes(6), 0) == (b"", FORGED)
        seal, text = Seal(name, key), Seal(name, key).open(sealed, address, 0)[0][-3:]
        for place in range(8 * len(sealed) if proved else 0):
            bad = bytearray(sealed)
            bad[place >> 3] ^= 1 << (place & 7)
            found, outcome = seal.open(bytes(bad), address, 0)
            if reader is mibeacon and outcome == OPENED:  # its frame control is not proved
                assert place < 16 and found[-3:] == text
                seal = Seal(name, key)
            else:
                assert outcome != OPENED, (name, place)
            checked += 1
        for cut in range(len(sealed)):
            assert seal.open(sealed[:cut], address, 0)[1] != OPENED
    assert checked > 700


def test_ble_what_was_opened_once_is_a_replay():
    for _, name, key, address, sealed, _ in SEALED:
        seal = Seal(name, key)
        assert seal.open(sealed, address, 0)[1] == OPENED
        assert seal.open(sealed, address, 1)[1] == REPLAYED
        assert seal.open(sealed, address, 10 * SILENCE_MS)[1] == REPLAYED


def test_ble_plain_text_is_not_believed_of_whoever_has_a_key():
    for _, name, key, address, sealed, _ in SEALED:
        plain, _ = Seal(name, key).open(sealed, address, 0)
        assert Seal(name, key).open(plain, address, 0) == (b"", PLAIN)


def _bthome(count):
    block, counter = aes.cipher(KEY), count.to_bytes(4, "little")
    sealed = aes.sealed(block, BTHOME_MAC + b"\xd2\xfc\x41" + counter, H("0164"))
    return b"\x41" + sealed[:-4] + counter + sealed[-4:]


def _atc(count):
    block, own = aes.cipher(KEY), bytes(reversed(BTHOME_MAC))
    nonce = own + H("0b161a18") + bytes((count,))
    return bytes((count,)) + aes.sealed(block, nonce, H("786450"), b"\x11")


def test_ble_counters_rise_wrap_and_begin_anew_only_after_silence():
    seal = Seal("bthome", KEY)
    outcomes = [seal.open(_bthome(count), BTHOME_MAC, 0)[1] for count in (7, 9, 8, 9, 7, 4000, 10)]
    opened, again = OPENED, REPLAYED
    assert outcomes == [opened, opened, again, again, again, opened, again]
    seal = Seal("bthome", KEY)
    last = 0xFFFFFFFF
    assert [seal.open(_bthome(count), BTHOME_MAC, 0)[1] for count in (last, 0, last)] == [
        opened,
        opened,
        again,
    ]
    seal = Seal("bthome", KEY)
    assert seal.open(_bthome(90000), BTHOME_MAC, 0)[1] == opened
    assert seal.open(_bthome(1), BTHOME_MAC, SILENCE_MS - 1)[1] == again
    assert seal.open(_bthome(89000), BTHOME_MAC, SILENCE_MS)[1] == again
    assert seal.open(_bthome(1), BTHOME_MAC, SILENCE_MS)[1] == opened
    short = Seal("atc", KEY)
    found = [short.open(_atc(count), BTHOME_MAC, 0)[1] for count in (250, 255, 3, 250, 130, 2)]
    assert found == [opened, opened, opened, again, opened, again]
    assert short.open(_atc(2), BTHOME_MAC, SILENCE_MS)[1] == opened
    assert Seal("atc", KEY).open(_atc(7), BTHOME_MAC, 0)[0] == H(
        "a5808fe64854" + "d007" + "8813" + "ffff" + "50" + "07" + "00"
    )


def test_ble_keys_that_fit_nothing_are_refused():
    raised(ConfigError, Seal, "bthome", bytes(12))
    raised(ConfigError, Seal, "mibeacon", bytes(13))
    raised(ConfigError, Seal, "", bytes(16))
    raised(ConfigError, Identity, bytes(15))


def test_ble_changing_addresses_are_known_by_the_key_of_the_standard():
    # Core Specification vol 3 part H, D.7: ah(IRK, 708194) = 0DFBAA
    mine = Identity(H("ec0234a357c8ad05341010a60a397d9b"))
    assert mine.is_mine(H("7081940dfbaa"))
    assert not mine.is_mine(H("7081940dfbab"))
    assert not mine.is_mine(H("b081940dfbaa"))
    assert not Identity(bytes(16)).is_mine(H("7081940dfbaa"))
    assert [changing(H(one + "0000000000")) for one in ("00", "40", "7f", "80", "c0")] == [
        False,
        True,
        True,
        False,
        False,
    ]
    assert not changing(b"\x40")


def test_ble_atc_of_both_firmwares_and_what_is_neither():
    # theengs/decoder, tests/BLE/test_ble.cpp
    found = dict(atc.read(H("a4c138d5d498ffd33e510b7b62")).items)
    assert found["temperature"] == (-450 & 0xFFFF).to_bytes(2, "little")
    assert found["humidity"] == (6200).to_bytes(2, "little")
    assert (found["voltage"], found["battery"]) == ((2939).to_bytes(2, "little"), b"\x51")
    custom = atc.read(H("628f5238c1a48307e4128f0b64b40f"))
    assert custom.address == "A4C138528F62"
    assert dict(custom.items)["temperature"] == (1923).to_bytes(2, "little")
    for size in range(20):
        if size not in (13, 15):
            raised(BadReply, atc.read, bytes(size))
    raised(BadReply, atc.read, bytes(6) + b"\x7f\xff" + bytes(5))
    raised(BadReply, atc.opened, bytes(13), bytes(6), aes.cipher(KEY))
