"""Every shipped Modbus profile: its plan is the least there can be, and reads all often enough."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.modbus import ModbusDevice
from drivers.profile.bus import MODBUS
from drivers.profile.compile_cpython import load_file
from drivers.profile.model import Profile
from drivers.profile.plan_periods import Ticks
from tools.site.bound import proof
from tools.site.saving import alone, compare, wanted

ROOT = Path(__file__).resolve().parents[2]
PROFILES_MIN = 200
TICKS_MAX = 400  # an hour of 10 s, and a bit


@pytest.fixture(scope="module")
def profiles() -> list[Profile]:
    found = [load_file(path) for path in sorted((ROOT / "profiles").glob("*/*.yaml"))]
    return [one for one in found if one.bus == MODBUS]


def test_plans_of_all_profiles_are_the_least_that_any_order_of_requests_can_take(
    profiles: list[Profile],
) -> None:
    for framing, baud in (("rtu", 9600), ("tcp", 0)):
        dear = [one.name for one in profiles if not proof(alone(one, framing, baud)).exact]
        assert not dear
    assert len(profiles) >= PROFILES_MIN


def test_plans_of_all_profiles_are_never_dearer_than_greedy_or_single_requests(
    profiles: list[Profile],
) -> None:
    compared = 0
    for profile in profiles:
        for every_ms in (0, 7000):  # the profile's own, and one that divides few periods
            found = compare(alone(profile, "rtu", 9600, every_ms))
            if found:
                compared += 1
                assert found.greedy_ratio >= 1
                assert found.single_ratio >= 1
                assert found.proof.ratio < 1.02
                assert found.requests <= found.singles
    assert compared >= 2 * PROFILES_MIN


def late(device: ModbusDevice) -> list[int]:
    """The periods asked for whose fields come later than that, tick for tick."""
    found = []
    plans = iter([one for one in device.plans() if one[0]])
    for chain in device.chains:
        spans = {chain.periods[: place + 1]: next(plans)[1] for place in range(len(chain.periods))}
        for due, held in spans.items():
            fields = [one for period in due for one in wanted(device, period)]
            assert all(any(span.holds(one) for span in held) for one in fields)
        last_ms = dict.fromkeys(chain.periods, 0)
        ticks = Ticks(chain)
        for tick in range(TICKS_MAX):
            now_ms = tick * chain.every[0]
            due = ticks.due(now_ms)
            last_ms.update(dict.fromkeys(due, now_ms))
            found += [one for one in chain.periods if now_ms - last_ms[one] >= one]
    return found


@pytest.mark.parametrize("every_ms", [0, 7000])
def test_plans_of_all_profiles_read_every_point_at_least_as_often_as_asked(
    profiles: list[Profile], every_ms: int
) -> None:
    periods = 0
    for profile in profiles:
        device = alone(profile, "rtu", 9600, every_ms)
        asked = [one for one in device.map.periods() if one]
        assert sorted(one for chain in device.chains for one in chain.periods) == asked
        assert late(device) == []
        periods += len(asked)
    assert periods >= 300
