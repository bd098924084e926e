"""Half an hour of history through a real broker into the real platform, and live values."""

from __future__ import annotations

import pytest

from tests.support.missing import need_broker
from tools.bench import drain
from tools.sim import brokers

pytestmark = pytest.mark.system

HOURS = 0.5


def test_drain_is_much_faster_than_real_time_and_live_values_stay_fresh(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    need_broker(brokers.MOSQUITTO)
    monkeypatch.setattr(drain, "GIVE_UP_S", 120)
    rows = {one["figure"]: one for one in drain.run(HOURS)}
    assert rows["of them the platform holds, each once"]["value"] == HOURS * 36_000
    assert rows["times real time"]["value"] >= drain.REAL_TIME_MIN
    assert rows["their age, the worst"]["value"] <= drain.LIVE_S_MAX
    assert rows["numbered readings afterwards, the oldest"]["value"] <= 12
