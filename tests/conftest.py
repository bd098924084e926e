"""How hard hypothesis tries: enough to work by at home, more under CI=true.

What takes bytes from strangers tries harder still: `tests.support.fuzz.parser`.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile("work", deadline=None)
settings.register_profile(
    "ci", max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("ci" if os.environ.get("CI") else "work")
