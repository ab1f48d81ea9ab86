"""A short campaign of faults on the real parts keeps every promise, and notices one that is missing.

`make chaos` is the long one, `make chaos-controls` takes every promise away in turn.
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
    """All must end; the time for that is generous, because it depends on what else there is to do."""
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


def test_a_campaign_without_the_fence_is_noticed() -> None:
    done = campaign("--seed", "3", "--control", "fence")

    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    assert "without fence: effects happen once" in done.stdout
