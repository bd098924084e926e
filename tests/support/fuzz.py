"""How often a parser is thrown random bytes: ten thousand times in CI, less at the desk."""

from __future__ import annotations

import os

from hypothesis import settings

parser = settings(max_examples=10_000 if os.environ.get("CI") else 200)
