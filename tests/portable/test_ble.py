"""Adverts of a sensor become readings at its channels' pace; repeats, floods and silence do not."""

from __future__ import annotations

from drivers import ble
from drivers.ble import Sensor
from drivers.ble_listener import Listener
from gateway.core.decimal import parse as D
from gateway.core.errors import ConfigError
from tests.portable.ble_things import DOOR, GOVEE, HERE, MINUTE, H, door, govee, plain, values
from tests.portable.support import raised


def test_ble_readings_come_at_the_pace_of_each_channel():
    sensor = Sensor("s", GOVEE.device(), HERE)
    first = sensor.heard(govee(2152), 0)
    assert sorted(plain(first)) == sorted(
        [
            ("s/rssi", -60, 0, "good"),
            ("s/temperature", D("21.52"), 0, "good"),
            ("s/battery", 50, 0, "good"),
        ]
    )
    found = []
    for at_ms in range(1000, 10 * MINUTE + 1, 1000):
        found += sensor.heard(govee(2152 + at_ms // 1000), at_ms)
    assert len(values(found, "temperature")) == 10
    assert len(values(found, "battery")) == 1
    assert len(values(found, "rssi")) == 10
    assert [one.at_ms for one in found if one.point == "s/temperature"] == [
        MINUTE * turn for turn in range(1, 11)
    ]


def test_ble_an_unchanged_advert_says_that_the_value_holds():
    sensor = Sensor("s", GOVEE.device(), HERE)
    found = []
    for at_ms in range(0, 5 * MINUTE, 500):
        found += sensor.heard(govee(2152), at_ms)
    assert values(found, "temperature") == ["21.52"] * 5
    assert sensor.counts["decoded"] == 5
    assert sensor.counts["adverts"] == 600


def test_ble_the_same_packet_is_no_new_measurement():
    sensor = Sensor("s", DOOR.device(), HERE)
    assert values(sensor.heard(door("4000070150"), 0), "battery") == ["80"]
    assert sensor.heard(door("4000070150"), 5 * MINUTE) == []
    assert values(sensor.heard(door("4000080150"), 5 * MINUTE), "battery") == ["80"]
    uncounted = Sensor("s", DOOR.device(), HERE)
    assert values(uncounted.heard(door("400150"), 0), "battery") == ["80"]
    assert values(uncounted.heard(door("400150"), MINUTE), "battery") == ["80"]


def test_ble_states_are_told_when_they_change():
    sensor = Sensor("s", DOOR.device(), HERE)
    found = []
    states = ("402d00", "402d00", "402d01", "402d01", "402d00")
    for number in range(len(states)):
        found += sensor.heard(door(states[number]), 1000 * number)
    assert [(one.value, one.at_ms) for one in found if one.point == "s/open"] == [
        ("closed", 0),
        ("open", 2000),
        ("closed", 4000),
    ]


def test_ble_a_dead_band_leaves_small_changes_out_but_never_for_long():
    sensor = Sensor("s", GOVEE.device(), HERE, bands={"temperature": D("0.5")})
    found = []
    for turn in range(12):
        found += sensor.heard(govee(2000 + turn), turn * MINUTE)
    found += sensor.heard(govee(2150), 12 * MINUTE)
    assert [one.at_ms // MINUTE for one in found if one.point == "s/temperature"] == [0, 10, 12]
    raised(ConfigError, Sensor, "s", GOVEE.device(), HERE, b"", b"", {"nothing": 1})


def test_ble_silence_is_told_with_the_time_it_began():
    sensor = Sensor("s", GOVEE.device(), HERE)
    sensor.heard(govee(2152), 1000)
    found = []
    for at_ms in range(1000, 6 * MINUTE, 1000):
        found += sensor.tick(at_ms)
    stale = [one for one in plain(found) if one[0] == "s/temperature"]
    limit = 1000 + 3 * MINUTE
    assert stale == [("s/temperature", None, limit + turn * MINUTE, "stale") for turn in range(3)]
    assert values(found, "battery") == []
    seen = [one.value for one in found if one.point == "s/last_seen"]
    assert seen[:3] == [0, 60, 120]
    back = sensor.heard(govee(2152), 6 * MINUTE)
    assert values(back, "temperature") == ["21.52"]  # at once, whatever its period


def test_ble_a_sensor_that_was_never_heard_is_stale_too():
    sensor = Sensor("s", GOVEE.device(), HERE)
    found = []
    for at_ms in range(0, 5 * MINUTE, 1000):
        found += sensor.tick(at_ms)
    assert [one[2] for one in plain(found) if one[0] == "s/temperature"] == [
        3 * MINUTE,
        4 * MINUTE,
    ]
    quiet = Sensor("s", GOVEE.device(), HERE)
    for at_ms in range(0, 9 * MINUTE, 1000):
        assert not [one for one in quiet.tick(at_ms, True) if one.quality == "stale"]


def test_ble_values_a_device_never_had_are_not_stale():
    sensor = Sensor("s", DOOR.device(), HERE)
    sensor.heard(door("400150"), 0)
    found = []
    for at_ms in range(0, 5 * MINUTE, 1000):
        found += sensor.tick(at_ms)
    assert {one.point for one in found if one.quality == "stale"} == {"s/battery"}


def test_ble_a_long_sleep_is_not_made_up_for():
    sensor = Sensor("s", GOVEE.device(), HERE)
    sensor.heard(govee(2152), 0)
    assert len(sensor.tick(10_000 * MINUTE)) < 10


def test_ble_floods_are_decoded_so_often_and_no_oftener():
    sensor = Sensor("s", GOVEE.device(), HERE)
    for number in range(2000):
        sensor.heard(govee(number), number)
    assert sensor.counts["flooded"] + sensor.counts["decoded"] == 2000
    assert sensor.counts["decoded"] <= 10 + 2000 // ble.DECODE_COST_MS


def test_ble_damaged_foreign_and_sealed_payloads_bring_nothing():
    sensor = Sensor("s", DOOR.device(), HERE)
    for digits in ("", "40", "4001", "2001ff", "40ff", "42a58068e648540150"):
        assert [one for one in sensor.heard(door(digits), 0) if "rssi" not in one.point] == []
    sealed = door("4187b90011223372b0231f")
    assert sensor.heard(sealed, 5000) == []
    assert (sensor.counts["bad"], sensor.counts["no-key"]) == (6, 1)
    keyed = Sensor("s", DOOR.device(), HERE, H("231d39c1d7cc1ab1aee224cd096db932"))
    assert keyed.heard(door("400150", -50), 0) == []
    assert keyed.heard(sealed, 0) == []  # another device's
    assert (keyed.counts["unsealed"], keyed.counts["forged"]) == (1, 1)
    assert keyed.last_ms is None  # nobody proved to be it


def test_ble_wrong_addresses_and_keys_are_for_a_person():
    raised(ConfigError, Sensor, "s", GOVEE.device(), "C8:25")
    raised(ConfigError, Sensor, "s", GOVEE.device(), "")
    raised(ConfigError, Sensor, "s", GOVEE.device(), HERE, bytes(16))
    raised(ConfigError, Sensor, "s", DOOR.device(), HERE, bytes(15))
    one, other = Sensor("a", GOVEE.device(), HERE), Sensor("b", GOVEE.device(), HERE)
    raised(ConfigError, Listener, [one, other])
