"""A dead radio link between network namespaces: found in time, healed without loss."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.support.netns import Net
from tests.support.scene import scene

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system

SENDING, IDLE = "330482-0001", "330482-0002"
FOUND_SENDING_S, FOUND_IDLE_S = 16.0, 40.0
LOST = r"^lost what=broker "


def test_half_open_link_is_found_sending_and_idle_and_loses_nothing(tmp_path: Path) -> None:
    with Net() as net, scene(tmp_path, net) as stage:
        stage.broker()
        stage.fusion()
        busy = stage.site(stage.bus("river", "100ms"), gw=SENDING)
        idle = stage.site(stage.bus("tank", "1h"), gw=IDLE, announce="10m")
        stage.agent(busy)
        stage.agent(idle)
        stage.until(lambda: stage.delivered(SENDING) > 20 and stage.delivered(IDLE) == 1)
        time.sleep(1)  # nothing is under way to the idle one any more
        net.half_open()
        sending_s = stage.until_said(LOST, FOUND_SENDING_S, SENDING)
        idle_s = sending_s + stage.until_said(LOST, FOUND_IDLE_S - sending_s, IDLE)
        net.heal()
        before = stage.delivered(SENDING)
        healed_s = time.monotonic()
        stage.until_said("^back .*what=broker", 20, SENDING)
        stage.until_said("^back .*what=broker", 20, IDLE)
        stage.until(lambda: stage.delivered(SENDING) - before > 10 * idle_s * 0.9)
        back_s = time.monotonic() - healed_s
        account = stage.settle(SENDING)
        stage.settle(IDLE)
    print(
        f"found sending {sending_s:.1f} s, idle {idle_s:.1f} s, drained {back_s:.1f} s; {account}"
    )
    assert sending_s > 5  # a link that is merely slow is left in peace
