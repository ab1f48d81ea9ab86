"""Short delays between two reads of a written object."""

from __future__ import annotations

import pytest

from restores import verifying


@pytest.fixture(autouse=True)
def _short_read_back_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifying, "READ_BACK_DELAYS", (0.0, 0.05, 0.2, 0.4))
