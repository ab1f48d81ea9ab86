"""The number of examples of property-based tests: more in CI, where `CI=true`."""

from __future__ import annotations

import os

THOROUGH = os.environ.get("CI") == "true"


def examples(number: int) -> int:
    """Return `number` in CI and a quarter of it elsewhere."""
    return number if THOROUGH else number // 4
