"""The whole agent in virtual time: real rooms, simulated surroundings."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.agent.agent import PULSE_MS, Agent
from gateway.agent.load_cpython import Loaded
from gateway.agent.plan import is_refused
from gateway.core import aio
from gateway.core.errors import ConfigError, LinkError
from gateway.health import STORE_LIMIT_MS, unaccounted
from gateway.uplink.pack import Sample
from tests.gateway.agent.fakes import WALL_MS, FakeLeaves, Platform
from tests.support import virtual
from tools.sim.modbus import Slave
from tools.sim.sensors import SensorSlave, sensor

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.site import Site
    from gateway.uplink.uplink import Ear

URL = "mqtt://127.0.0.1:1883"
SITE = """\
gateway: 330482-0017
platform: mqtt://127.0.0.1:1883
clock: system
buffer: {path: unused, crit: 1MiB, bulk: 4MiB, commit: 5s}
buses:
  lan-1:
    port: tcp://10.0.0.7:502
    devices:
      relay-1: {profile: waveshare/modbus-rtu-relay, unit: 1, every: 1s, alarm: [relay_8]}
  lan-2:
    port: tcp://10.0.0.8
    devices:
      noise-1: {profile: sonbest/sm7901b, unit: 1, every: 2s}
"""


def slaves() -> dict[str, Slave]:
    relay = SensorSlave({1: sensor("waveshare/modbus-rtu-relay")})
    noise = SensorSlave({1: sensor("sonbest/sm7901b")})
    return {"lan-1": relay, "lan-2": noise}


def live(
    folder: Path,
    leaves: FakeLeaves,
    seconds: float,
    meanwhile: Callable[[float], None] | None = None,
    site: str = SITE,
) -> None:
    """Let an agent of SITE live for `seconds`, telling `meanwhile` every second."""
    path = folder / "site.yaml"
    path.write_text(site)
    found, plan = Loaded(path).require()

    async def main() -> None:
        task = asyncio.ensure_future(Agent(found, plan, leaves).run())
        for second in range(int(seconds)):
            await asyncio.sleep(1)
            if task.done():
                task.result()
            if meanwhile:
                meanwhile(second)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    virtual.run(main())


def test_agent_every_reading_of_an_hour_arrives_once(tmp_path: Path) -> None:
    platform = Platform()
    leaves = FakeLeaves(slaves(), platform)
    live(tmp_path, leaves, 3600)
    values = [one for one in platform.arrived.values() if isinstance(one, Sample)]
    relay = [one for one in values if one.point == "relay-1/relay_1"]
    assert 3595 <= len(relay) <= 3601
    assert platform.repeats == 0
    assert all(WALL_MS <= one.low_ms == one.high_ms <= WALL_MS + 3_600_000 for one in values)
    health = platform.told("health")
    assert unaccounted(health) == 0
    assert health["delivered"] and health["gaps"] == 0


def test_agent_whose_clock_was_set_just_before_it_connects_dates_all_it_sends(
    tmp_path: Path,
) -> None:
    class Unset(FakeLeaves):
        """In 1970 for a while, in which no certificate is valid yet."""

        def observe(self, trust_system: bool) -> tuple[int, int, str] | None:
            return super().observe(trust_system) if aio.now_ms() > 32_000 else None

        async def open_link(self, site: Site, ear: Ear) -> Platform:
            if self.observe(True) is None:
                raise LinkError("TLS date: the broker's certificate is not yet valid")
            return await super().open_link(site, ear)

    platform = Platform()
    live(tmp_path, Unset(slaves(), platform), 60)
    values = [one for one in platform.arrived.values() if isinstance(one, Sample)]
    assert len(values) > 400
    assert all(one.low_ms == one.high_ms >= WALL_MS for one in values)


def test_agent_says_at_birth_what_its_points_mean(tmp_path: Path) -> None:
    platform = Platform()
    live(tmp_path, FakeLeaves(slaves(), platform), 8)
    birth = platform.told("state")
    assert (birth["state"], birth["gw"], birth["boot"]) == ("online", "330482-0017", 1)
    assert birth["ended"] == "first"
    points = {row[0]: row[1:] for row in birth["points"]}
    assert points["relay-1/relay_8"][2:] == ["crit", 1000]
    assert points["relay-1/relay_1"][2:] == ["bulk", 1000]
    assert birth["devices"]["noise-1"]["profile"] == "sonbest/sm7901b"


def test_agent_that_was_stopped_says_so_at_its_next_birth(tmp_path: Path) -> None:
    leaves = FakeLeaves(slaves(), Platform())
    for ended in ("first", "stopped", "stopped"):
        live(tmp_path, leaves, 8)
        assert leaves.platform.told("state")["ended"] == ended
        leaves.disk = leaves.disk.copy()


def test_agent_told_to_stop_does_not_wait_for_a_card_that_hangs(tmp_path: Path) -> None:
    leaves = FakeLeaves(slaves(), Platform())

    def hang(second: float) -> None:
        leaves.stuck = second >= 6

    live(tmp_path, leaves, 8, hang)
    leaves.stuck, leaves.disk = False, leaves.disk.copy()
    live(tmp_path, leaves, 3)
    assert leaves.platform.told("state")["ended"] == "crashed"


def test_agent_health_tells_how_long_the_buffer_lasts(tmp_path: Path) -> None:
    platform = Platform()
    live(tmp_path, FakeLeaves(slaves(), platform), 600)
    health = platform.told("health")
    assert health["fill"] == 0.0
    # 63 files of 64 KiB, 7 switches a second of some 6 bytes each, and a little more.
    assert 15 < health["hours_left"] < 30


def test_agent_alarm_channels_do_not_wait_for_the_bulk_commit(tmp_path: Path) -> None:
    platform = Platform()
    live(tmp_path, FakeLeaves(slaves(), platform), 4)
    assert {ring for ring, _ in platform.arrived} == {"crit"}
    live(tmp_path, FakeLeaves(slaves(), platform), 7)
    assert {ring for ring, _ in platform.arrived} == {"crit", "bulk"}


def test_agent_bus_that_is_not_there_costs_the_others_nothing(tmp_path: Path) -> None:
    platform = Platform()
    found = slaves()
    del found["lan-2"]
    live(tmp_path, FakeLeaves(found, platform), 60)
    values = [one for one in platform.arrived.values() if isinstance(one, Sample)]
    assert sum(one.point == "relay-1/relay_1" for one in values) >= 55
    noise = [one for one in values if one.point.startswith("noise-1/")]
    assert noise and {(one.value, one.quality) for one in noise} == {(None, "no-reply")}


def test_agent_bus_that_fails_by_our_own_mistake_is_started_again(tmp_path: Path) -> None:
    platform = Platform()
    found = slaves()
    good = found["lan-2"].answer
    found["lan-2"].answer = lambda unit, message: 1 // 0  # type: ignore[method-assign,return-value]

    def mend(second: float) -> None:
        if second == 20:
            found["lan-2"].answer = good  # type: ignore[method-assign]

    live(tmp_path, FakeLeaves(found, platform), 60, mend)
    values = [one for one in platform.arrived.values() if isinstance(one, Sample)]
    assert sum(one.point == "relay-1/relay_1" for one in values) >= 55
    assert any(one.point.startswith("noise-1/") and one.quality == "good" for one in values)
    assert platform.told("health")["buses"]["lan-2"]["failures"] > 0


def test_agent_watchdog_starves_when_the_storage_hangs(tmp_path: Path) -> None:
    leaves = FakeLeaves(slaves(), Platform())

    def hang(second: float) -> None:
        leaves.stuck = second >= 30

    live(tmp_path, leaves, 30 + 2 * STORE_LIMIT_MS / 1000, hang)
    fed = [alive for _, alive in leaves.heard]
    assert fed == sorted(fed, reverse=True)
    assert 3 <= sum(fed) - STORE_LIMIT_MS // PULSE_MS <= 5  # while it moved, and for its limit
    assert leaves.heard[-1] == ("stalled: store", False)


def test_agent_deflates_and_announces_as_the_site_says(tmp_path: Path) -> None:
    platform = Platform()
    words = "{url: mqtt://127.0.0.1:1883, deflate: true, rate: 64KiB, announce: 3s}"
    live(tmp_path, FakeLeaves(slaves(), platform), 20, site=SITE.replace(URL, words))
    assert platform.deflated >= 3
    assert platform.told("health")["uptime_ms"] >= 16_000


def test_agent_status_line_is_the_accounting_identity(tmp_path: Path) -> None:
    leaves = FakeLeaves(slaves(), Platform())
    live(tmp_path, leaves, 12)
    status, fed = leaves.heard[-1]
    assert fed
    assert status.startswith("sampled ") and " = delivered " in status


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("sonbest/sm7901b", "sonbest/sm7901", "there is no profile 'sonbest/sm7901'"),
        (
            "sonbest/sm7901b",
            "cubic/cm1106",
            "cubic/cm1106 speaks serial, which this version decodes, but does not poll yet",
        ),
        ("alarm: [relay_8]", "alarm: [input_9]", "alarm channel 'input_9' is not in waveshare"),
        ("every: 2s", "every: 2s, pin: 0000000000000000", "pinned is 0000000000000000"),
        ("every: 2s", "every: 2s, settings: {tilt: 1}", "tilt"),
        ("every: 1s", "every: 1ms", "bus lan-1 needs"),
        (
            "      relay-1:",
            "      twin: {profile: senseair/s8, unit: 1}\n      relay-1:",
            "unit 1 is",
        ),
    ],
)
def test_agent_refuses_a_site_that_cannot_work(
    tmp_path: Path, right: str, wrong: str, message: str
) -> None:
    path = tmp_path / "site.yaml"
    assert right in SITE
    path.write_text(SITE.replace(right, wrong))
    with pytest.raises(ConfigError, match="E120") as told:
        Loaded(path).require()
    assert message in str(told.value)


def test_agent_remembers_what_a_device_refused(tmp_path: Path) -> None:
    found = slaves()
    del found["lan-2"].tables[1]["holding"][0x64]  # its model code
    leaves = FakeLeaves(found, Platform())
    live(tmp_path, leaves, 30)
    assert list(leaves.learned.values()) == [[["holding", 0x64, 1]]]
    asked = []
    for learned in ({}, leaves.learned):
        before = found["lan-2"].asked[1]
        again = FakeLeaves(found, Platform())
        again.learned = learned
        live(tmp_path, again, 4)
        asked.append(found["lan-2"].asked[1] - before)
    assert asked[1] < asked[0]


@pytest.mark.parametrize(
    "damaged", [None, [], {"a": 1}, {"a": [1]}, {"a": [[1, 2, 3]]}, {"a": [["holding", 1]]}]
)
def test_agent_memory_that_is_damaged_is_no_memory(damaged: object) -> None:
    assert not is_refused(damaged)
    assert is_refused({"a": [["holding", 1, 2]]})
