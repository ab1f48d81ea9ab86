"""Short waits between two reads of an object that was written."""

from __future__ import annotations

import pytest

from restores import executing


@pytest.fixture(autouse=True)
def _short_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executing, "LOOKS", (0.0, 0.05, 0.2, 0.4))
