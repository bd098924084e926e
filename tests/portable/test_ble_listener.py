"""Of all adverts in the air only the site's become readings; strangers cost little, and room."""

from __future__ import annotations

import gc

from drivers.ble import Sensor
from drivers.ble_listener import STRANGERS_MAX, Listener
from drivers.ble_match import Matcher, Source, like
from drivers.protocol.advert import Advert
from tests.portable.ble_things import GOVEE, HERE, MINUTE, NAMED, ODD, THERE, H, door, govee


def test_ble_matching_by_company_service_name_and_what_stands_in_place_of_a_company():
    matcher = Matcher(NAMED)
    assert matcher.likely(govee(100)) == ["govee"]
    assert matcher.likely(Advert(HERE, 0, "Govee_H5074_12", {0xEC88: bytes(4)})) == ["govee"]
    assert matcher.likely(Advert(HERE, 0, "GVH5075_12", {0xEC88: bytes(4)})) == []
    assert matcher.likely(Advert(HERE, 0, "", {0xEC88: bytes(5)})) == []
    assert matcher.likely(Advert(HERE, 0, "", {76: b"\x10\x05abcde"})) == []
    assert matcher.likely(Advert(HERE, 0, "", {76: b"\x02\x15abcde"})) == ["tilt"]
    assert matcher.likely(Advert(HERE, 0, "tps", {2662: b"ab"})) == ["odd"]
    assert matcher.likely(Advert(HERE, 0, "", {2662: b"ab"})) == []
    assert matcher.likely(Advert(HERE, 0, "", {0x8290: b"ab"})) == ["meter"]
    assert matcher.likely(Advert(HERE, 0, "FR:R2")) == ["radon"]
    assert matcher.likely(Advert(HERE, 0, "FR:X2")) == []
    assert matcher.likely(door("400150")) == ["door"]
    assert matcher.likely(Advert(HERE)) == []
    assert matcher.likely(Advert(HERE, 0, "x", None, None, ["181a", "180f"])) == ["station"]
    assert matcher.likely(Advert(HERE, 0, "x", None, {"181a": b"x"})) == []


def test_ble_names_like_patterns():
    good = ("a", "a"), ("a*", "a"), ("a*", "abc"), ("*c", "abc"), ("a*c", "abc"), ("*", "")
    for pattern, name in good + (("a*b*c", "aXbYc"), ("*b*", "abc"), ("FR:R*", "FR:R20")):
        assert like(pattern, name), (pattern, name)
    for pattern, name in (("a", "ab"), ("a*", "ba"), ("a*a", "a"), ("a*b*c", "acb"), ("*c", "cd")):
        assert not like(pattern, name), (pattern, name)


def test_ble_of_two_companies_the_one_that_changed_is_meant():
    source = Source(ODD)
    old, new = H("660a1503"), H("760a1503")
    both = Advert(HERE, 0, "tps", {0x0A66: H("1503"), 0x0A76: H("1503")})
    assert source.payload(Advert(HERE, 0, "tps", {0x0A66: H("1503")})) == old
    assert source.payload(both, old) == new
    assert source.payload(both, new) == old  # nothing better is known


def test_ble_strangers_are_listed_and_never_published():
    listener = Listener([Sensor("s", GOVEE.device(), HERE)], Matcher(NAMED))
    assert len(listener.heard(govee(2152), 0)) == 3
    assert listener.heard(govee(2152, 50, THERE, -70), 0) == []
    assert listener.heard(govee(2153, 50, THERE, -71), 5) == []
    assert listener.heard(Advert("01:02:03:04:05:06", -40, "phone", {76: b"\x10\x05"}), 0) == []
    [stranger] = listener.strangers()
    assert (stranger.address, stranger.likely, stranger.adverts) == (THERE, ["govee"], 2)
    assert (stranger.first_ms, stranger.last_ms, stranger.rssi) == (0, 5, -71)
    assert (listener.adverts, listener.foreign) == (4, 3)
    assert [one for one in listener.tick(5) if not one.point.startswith("s/")] == []


def test_ble_any_number_of_strangers_takes_bounded_room_and_the_latest_are_kept():
    listener = Listener([], Matcher(NAMED))
    for number in range(3000):
        address = f"{number:012X}"
        listener.heard(govee(1, 1, address), 100 * number)
        if number % 8 == 0:
            gc.collect()  # a small heap in pieces has no room for a table that grows
    assert len(listener.strangers()) == STRANGERS_MAX
    assert {one.address for one in listener.strangers()} == {
        f"{number:012X}" for number in range(3000 - STRANGERS_MAX, 3000)
    }
    for number in range(1000):
        listener.heard(govee(1, 1, f"F{number:011X}"), 300_000)
    assert listener.facts()["unlisted"] == 1000 - 20


def test_ble_a_sensor_that_changes_its_address_is_known_by_its_key():
    sensor = Sensor("s", GOVEE.device(), "", b"", H("ec0234a357c8ad05341010a60a397d9b"))
    listener = Listener([sensor], Matcher(NAMED))
    assert len(listener.heard(govee(2152, 50, "70:81:94:0D:FB:AA"), 0)) == 3
    assert listener.heard(govee(2152, 50, "70:81:94:0D:FB:AB"), 0) == []
    for number in range(500):
        listener.heard(govee(1, 1, f"40:00:00:00:{number >> 8:02X}:{number & 255:02X}"), 1)
    assert len(listener.heard(govee(2160, 50, "70:81:94:0D:FB:AA"), MINUTE)) >= 2
    assert len(listener._nobodys) <= STRANGERS_MAX
