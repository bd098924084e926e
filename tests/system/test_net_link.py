"""A gateway's own end of the network: slow, unplugged, renumbered, and without a name server."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.support.dns import NameServer
from tests.support.netns import GATEWAY, PLATFORM, Net
from tests.support.scene import GW, scene

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.scene import Scene

pytestmark = pytest.mark.system

BITS_PER_S = 9_600  # the slowest modem still in use
OUTAGE_S, SLOW_S = 6.0, 12.0
PRESENT = "^back .*what=broker"
SNAPSHOT_S, ALARM_S = 8.0, 16.0


def newest(stage: Scene, bus: str) -> int:
    """Return the number of the newest reading of a counter that the platform holds."""
    sql = "SELECT coalesce(max(value), 0) FROM readings JOIN points USING (point_id) WHERE name = ?"
    return int(stage.asked(sql, f"{bus}-1/count")[0][0])


def test_slow_link_brings_alarms_and_the_snapshot_first_and_never_times_out(
    tmp_path: Path,
) -> None:
    with Net() as net, scene(tmp_path, net) as stage:
        stage.broker()
        stage.fusion()
        net.unplug()
        site = stage.site(
            stage.bus("river", "20ms"),
            stage.bus("alarm", "1s", alarm=True),
            announce="4s",
            more=", deflate: true",
        )
        # A third of the agent's patience, so that a storm would begin within the test.
        stage.agent(site, "gateway.uplink.lane.ACK_TIMEOUT_MS=10000")
        time.sleep(OUTAGE_S)
        net.slow(BITS_PER_S)
        net.plug()
        stage.until_said(PRESENT, 20)
        connected_s = time.monotonic()
        alarms, backlog = len(stage.log("alarm").asked), len(stage.log("river").asked)
        stage.until(lambda: stage.asked("SELECT count(*) FROM latest")[0][0] == 2)
        snapshot_s = time.monotonic() - connected_s
        stage.until(lambda: newest(stage, "alarm") >= alarms, ALARM_S)
        alarm_s = time.monotonic() - connected_s
        bulk_then = newest(stage, "river")
        stage.until(lambda: newest(stage, "river") >= backlog, 60)
        bulk_s = time.monotonic() - connected_s
        time.sleep(max(0.0, SLOW_S - bulk_s))
        net.fast()
        end = len(stage.log("river").asked)
        stage.until(lambda: newest(stage, "river") >= end, 20)
        stage.until(lambda: stage.health()["uplink"]["packs"] > 5)
        account = stage.settle(GW, buffered_max=60)
        uplink = stage.health()["uplink"]
        print(f"snapshot {snapshot_s:.1f} s, alarms {alarm_s:.1f} s, backlog {bulk_s:.1f} s")
        print(account, uplink)
    assert snapshot_s <= SNAPSHOT_S
    assert bulk_then < backlog  # the alarms were there first
    assert (uplink["ack_timeouts"], uplink["connects"]) == (0, 1)
    assert account["repeats"] == 0


def test_link_without_names_unplugged_or_renumbered_comes_back_by_itself(tmp_path: Path) -> None:
    with Net() as net, scene(tmp_path, net) as stage:
        with net.inside(PLATFORM):
            names = NameServer(net.platform_address, net.platform_address)
        with names:
            stage.broker()
            stage.fusion()
            net.resolver(hosts="127.0.0.1 localhost\n", resolv_conf="nameserver 192.0.2.1\n")
            site = stage.site(stage.bus("river", "50ms"), url=f"mqtt://broker.test:{stage.port}")
            names.mute = True
            stage.agent(
                site,
                "gateway.uplink.dial_cpython.DNS_S=1",
                "gateway.uplink.dial_cpython.USER_TIMEOUT_MS=4000",
                wrap=("ip", "netns", "exec", net.name(GATEWAY)),
            )
            stage.until_said("^lost what=broker why=.DNS: no answer about broker.test", 10)
            time.sleep(4)  # several threads wait for a name server now
            names.mute = False
            found_s = stage.until_said(PRESENT, 20)
            stage.until(lambda: stage.delivered() > 100)

            net.unplug()
            time.sleep(2)
            net.plug()
            held = newest(stage, "river")
            stage.until(lambda: newest(stage, "river") > held + 20)

            lines = len(stage.said())
            net.renumber()
            lost_s = stage.until_said("^lost what=broker", 12, after=lines)
            back_s = stage.until_said(PRESENT, 12, after=lines)
        stage.until(lambda: newest(stage, "river") > 0.98 * len(stage.log("river").asked))
        account = stage.settle()
        said = [line for line in stage.said() if "broker" in line]
    print(f"names back: {found_s:.1f} s; renumbered: lost {lost_s:.1f} s, back {back_s:.1f} s")
    print(account, *said, sep="\n")
    assert len(said) == 4  # lost and back, twice: no line per try, none for the unplugged seconds
