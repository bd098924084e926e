"""The short way to a value against the long one, over every shipped profile and odd registers."""

import random
from pathlib import Path

from drivers.profile.compile_cpython import compile_text
from drivers.profile.decode import ORDERS, Layout
from drivers.profile.image import Image
from drivers.profile.model import load
from drivers.profile.plain import plain
from drivers.profile.slot import Slot
from gateway.core.decimal import decimal

PROFILES = Path(__file__).parents[2] / "profiles"
ODD = [0, 1, 9, 10, 0x7F, 0x7F80, 0x7FC0, 0x7FFF, 0x8000, 0xFF80, 0xFFFE, 0xFFFF, 0x4366, 0x3089]
VALUES_MIN = 20_000  # fewer and the profiles were not found


def test_short_way_says_what_the_long_way_says_for_every_profile():
    chance = random.Random(5)
    short = values = 0
    for path in sorted(PROFILES.glob("*/*.yaml")):
        map_ = load(compile_text(path.read_text(), str(path))).device()
        slots = [slot for slot in map_._slots_in_order if slot.plain]
        for slot in slots:
            place = slot.places[0]
            for turn in range(20):
                image = Image()
                words = [
                    chance.choice(ODD) if turn % 2 else chance.randrange(0x10000)
                    for _ in range(place.channel.count)
                ]
                data = b"".join(word.to_bytes(2, "big") for word in words)
                image.put(place.channel.table, place.address, data)
                quick = slot._plain_news(image)
                values += quick is not None
                if quick is not None:
                    assert repr(quick) == repr(_long_way(slot, image)), (path, slot.id, data)
        short += len(slots)
    assert short > 1_000
    assert values > VALUES_MIN


def test_short_way_is_taken_for_no_sentinel_and_no_strange_float():
    counted = plain(Layout("s16", "ABCD", None, [0x8000]), decimal(1, -1), 0)
    assert counted is not None
    assert counted.value(b"\x80\x00") is None
    assert counted.value(b"\xff\xf6") == -1
    real = plain(Layout("f32", "CDAB", None, []), 1, 0)
    assert real is not None
    for bits in (0x7F800000, 0xFF800000, 0x7FC00000, 0x00000000, 0x80000000, 0x00000001):
        data = bits.to_bytes(4, "big")
        assert real.value(data[2:] + data[:2]) is None
    assert real.value(b"\x66\x66\x43\x66") == decimal(2304, -1)


def test_short_way_is_none_where_bits_or_offsets_or_digits_are_to_be_minded():
    for order in ORDERS:
        assert plain(Layout("u32", order, None, []), 1, 0) is not None
    assert plain(Layout("u16", "ABCD", (0, 3), []), 1, 0) is None
    assert plain(Layout("u16", "ABCD", None, []), 1, 5) is None
    assert plain(Layout("bcd16", "ABCD", None, []), 1, 0) is None
    assert plain(Layout("f32", "ABCD", None, [-999]), 1, 0) is None
    assert plain(Layout("u16", "ABCD", None, []), decimal(1, -11), 0) is None


def _long_way(slot: Slot, image: Image) -> object:
    slot.plain = False
    try:
        return slot.news(image, {}, {}, {})
    finally:
        slot.plain = True
