"""A card that stands still for seconds holds nothing up but itself."""

from __future__ import annotations

import pytest

from tools.bench import latency
from tools.powercut import media

pytestmark = pytest.mark.system


def test_disk_that_stalls_for_5_s_does_not_delay_the_loop_and_loses_nothing() -> None:
    found = latency.measure(1, real=not media.refusal())
    print(f"late {max(found.agent_ms)} ms, a bare loop {max(found.bare_ms)} ms")
    assert len(found.agent_ms) > 800
    # Less than all of it: a commit begins somewhere within.
    assert found.slowest_ms > latency.STALL_S * 500, "nothing was written while it stalled"
    # What the machine itself held up is not the agent's doing.
    assert max(found.agent_ms) <= latency.MS_MAX + max(found.bare_ms)
    assert found.account["sampled"] > 300
    assert found.account["lost"] == found.account["gaps"] == found.account["duplicates"] == 0
