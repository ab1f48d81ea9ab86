"""What makes every test faster."""

from __future__ import annotations

import gc


def pytest_collection_finish() -> None:
    """Keep the garbage collector from walking through thousands of collected tests."""
    gc.collect()
    gc.freeze()
