"""How hard hypothesis tries, and which tests may run side by side.

Enough examples to work by at home, more under CI=true; what takes bytes from strangers tries harder
still: `tests.support.fuzz.parser`. With several workers (`make test`), the tests that live in real
time stay behind each other in one of them, and begin first: they wait more than they compute. Other
tests of a file stay together, but for those that name a group of their own.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("work", deadline=None)
settings.register_profile(
    "ci", max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("ci" if os.environ.get("CI") else "work")

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the marks in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        alone = _in_real_time(item.path)
        if alone or item.get_closest_marker("xdist_group") is None:
            group = "real time" if alone else item.path.relative_to(HERE).as_posix()
            item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: not _in_real_time(item.path))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much time was simulated, and how fast: a slow simulator finds little."""
    told = [
        pair
        for name in ("passed", "failed")
        for one in terminalreporter.getreports(name)
        for pair in one.user_properties
    ]
    hours = [number for name, number in told if name == "simulated_hours"]
    cpu_s = sum([number for name, number in told if name == "simulated_cpu_s"])
    if hours:
        rate = f"{sum(hours) / max(cpu_s, 0.001):.1f} hours/s of one core"
        line = f"{len(hours)} worlds, {sum(hours):.0f} simulated hours, {rate}"
        terminalreporter.write_line(line)


def _in_real_time(path: Path) -> bool:
    return path.is_relative_to(HERE / "system") or path.name.startswith("test_real_")
