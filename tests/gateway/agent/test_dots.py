"""Gateway ids that some brokers take apart are warned of where such a broker is likely."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.agent.load_cpython import Loaded

if TYPE_CHECKING:
    from pathlib import Path

SITE = """\
platform: {url: "mqtt://127.0.0.1:1883", protocol: "PROTOCOL"}
gateway: NAME
buses:
  lan-1:
    port: tcp://10.0.0.7:502
    devices:
      meter-1: {profile: eastron/sdm630, unit: 1, every: 10s}
"""


@pytest.mark.parametrize(
    ("name", "protocol", "lines"),
    [("weir.3", "3.1.1", [2]), ("weir.3", "5", []), ("weir-3", "3.1.1", [])],
)
def test_site_with_a_dot_in_its_id_is_warned_where_brokers_may_take_it_for_a_stroke(
    tmp_path: Path, name: str, protocol: str, lines: list[int]
) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(SITE.replace("NAME", name).replace("PROTOCOL", protocol))
    loaded = Loaded(path)
    assert [one["line"] for one in loaded.report.rows() if one["code"] == "W122"] == lines
    assert loaded.report.warnings == len(lines)
    loaded.require()
