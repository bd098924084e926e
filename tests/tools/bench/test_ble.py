"""The bench of adverts, small: its street is foreign, but for a few that look like ours."""

from __future__ import annotations

import random

from drivers.ble_listener import Listener
from drivers.ble_match import Matcher
from drivers.protocol import advert
from tools.bench import ble


def test_bench_street_is_foreign_and_a_few_look_like_ours() -> None:
    chance = random.Random(1)
    profiles = ble.loaded(60)
    assert len(profiles) == 60
    listener = Listener([], Matcher(profiles), 10_000)
    for number in range(500):
        readings = listener.heard(advert.told(*ble.stranger(chance)), 1_000 * number)
        assert readings == []
    assert listener.foreign == 500
    assert 0 < len(listener.strangers()) < 100
    assert any(one.likely == ["govee/h5074"] for one in listener.strangers())
