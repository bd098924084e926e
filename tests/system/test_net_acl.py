"""A broker whose access list forbids what a gateway must do, and is mended while both run."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.mosquitto import OPEN
from tests.support.scene import GW, scene

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system

MINE = f"sensing/1/{GW}"
ALLOWED = ("up/crit", "up/bulk", "state", "now", "health")
FASTER = (
    "gateway.uplink.session.DENIED_MS=2000",
    "gateway.uplink.session.RELIEF_MS=1000",
    "gateway.uplink.lane.ACK_TIMEOUT_MS=2000",
)
DENIED = 'lost what=platform why="broker: denied \\(0x87\\)"'
UNHEARD = "lost what=platform why=.no acknowledgement"


def rules(*, without: str = "") -> str:
    """Return an access list: the platform may all, the gateway what it needs but `without`."""
    rows = ["user platform", "topic readwrite #", "user gateway"]
    rows += [f"topic write {MINE}/{kind}" for kind in ALLOWED if kind != without]
    rows += [f"topic read {MINE}/ack"] if without != "ack" else []
    return "\n".join(rows) + "\n"


def test_denied_lane_stops_within_one_pack_and_goes_on_when_the_list_is_mended(
    tmp_path: Path,
) -> None:
    with scene(tmp_path) as stage:
        acl = tmp_path / "acl"

        def allow(*, without: str = "") -> None:
            acl.write_text(rules(without=without))
            os.kill(broker.pid, signal.SIGHUP)

        acl.write_text(rules(without="up/bulk"))
        broker = stage.broker(OPEN, f"acl_file {acl}")
        stage.fusion()
        buses = stage.bus("river", "50ms"), stage.bus("alarm", "200ms", alarm=True)
        url = f"mqtt://gateway:none@127.0.0.1:{stage.port}"
        stage.agent(stage.site(*buses, url=url, announce="1s"), *FASTER)

        stage.until_said(DENIED, 10)
        begun_s = time.monotonic()
        stage.until(lambda: stage.health().get("uplink", {}).get("puback_denied", 0) >= 2)
        denied = stage.health()
        tries = (time.monotonic() - begun_s) / 2 + 2
        arrived = stage.asked(
            "SELECT ring, count(*) FROM readings JOIN streams USING (stream_id) GROUP BY ring"
        )

        allow(without="ack")
        stage.until(lambda: stage.health()["uplink"]["ack_timeouts"] >= 2)
        stage.until_said(UNHEARD, 1)
        unheard = stage.health()

        said = len(stage.said())
        allow()
        stage.until(lambda: stage.health()["buffered"] < 40 and stage.delivered() > 200)
        stage.until_said("back .*what=platform", 20, after=said)
        account = stage.settle()
        uplink = stage.health()["uplink"]
    print(arrived, denied["uplink"], unheard["uplink"], account, uplink, *stage.said(), sep="\n")
    assert [ring for ring, _ in arrived] == ["crit"]  # which went on
    assert 2 <= denied["uplink"]["puback_denied"] <= tries  # one pack at a time was risked
    assert (denied["gaps"], unheard["gaps"], denied["unaccounted"]) == (0, 0, 0)
    assert uplink["connects"] == 1
