"""One dead unit of five on a line of 9600 baud: the others must hardly notice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.bench.bus import SLOW_BAUD, Arm, together

pytestmark = pytest.mark.system


def test_one_dead_unit_of_five_costs_the_others_nothing(tmp_path: Path) -> None:
    whole, one_dead = Arm(SLOW_BAUD, 5), Arm(SLOW_BAUD, 5, dead=1)
    together([whole, one_dead], tmp_path, seconds=15)
    assert min(whole.good.values()) > 30, "the line is far too slow to say anything"
    assert len(one_dead.good) == 4
    assert one_dead.rate >= 0.95 * whole.rate
