"""How often a property is tried: more often in CI, where `CI=true`, than at a desk."""

from __future__ import annotations

import os

THOROUGH = os.environ.get("CI") == "true"


def examples(number: int) -> int:
    """`number` of examples in CI, a quarter of them elsewhere."""
    return number if THOROUGH else number // 4
