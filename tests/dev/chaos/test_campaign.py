"""A short chaos campaign keeps every promise, and detects a missing guard.

`make chaos` runs the long campaign, `make chaos-controls` removes each guard in turn.
"""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.support.stack import ROOT

pytestmark = [pytest.mark.chaos, pytest.mark.integration, pytest.mark.timeout(400)]


def campaign(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dev.chaos", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=380,
    )


def test_a_short_campaign_keeps_every_promise() -> None:
    """Every run must end; the limit is generous, because it depends on the load of the machine."""
    done = campaign("--duration", "15", "--seed", "7", "--within", "240")

    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    assert "BROKEN" not in done.stdout
    faults = re.search(r"^faults: (\d+)", done.stdout, re.MULTILINE)
    runs = re.search(r"^runs: (\d+)", done.stdout, re.MULTILINE)
    assert faults
    assert runs
    assert int(faults[1]) >= 5, done.stdout
    assert int(runs[1]) >= 5, done.stdout
    assert "lost: 0, duplicated: 0, late writes accepted: 0" in done.stdout


def test_a_campaign_detects_a_missing_fence() -> None:
    done = campaign("--seed", "3", "--control", "fence")

    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    assert "without fence: effects happen once" in done.stdout
