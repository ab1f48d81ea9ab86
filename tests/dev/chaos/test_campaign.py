"""A short chaos campaign keeps every promise, and notices when one is broken.

`make chaos` runs the long campaign, `make chaos-controls` breaks each promise in turn.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.stack import ROOT

pytestmark = [pytest.mark.chaos, pytest.mark.integration]


def campaign(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a campaign. The time in which runs must end is long: the machine may be busy."""
    return subprocess.run(
        [sys.executable, "-m", "dev.chaos", "--within", "240", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=580,
    )


@pytest.mark.long
def test_a_short_campaign_keeps_every_promise(tmp_path: Path) -> None:
    """It may be void: how much a busy machine does in this time is no promise of the product."""
    path = tmp_path / "report.json"

    done = campaign("--duration", "30", "--seed", "7", "--report", str(path))

    assert done.returncode in (0, 2), done.stdout[-6000:] + done.stderr[-3000:]
    report = json.loads(path.read_text())
    assert not any(report["broken"].values())
    assert report["exercise"]["faults done"] >= 3, done.stdout
    assert report["exercise"]["runs ended"] >= 5, done.stdout
    assert "lost: 0, duplicated: 0, late writes accepted: 0" in done.stdout


@pytest.mark.long
def test_a_campaign_notices_a_broken_promise() -> None:
    """The exit status is 0 only if the checker of the promise noticed, and no other."""
    done = campaign("--seed", "3", "--control", "effects")

    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    assert "control “effects”: effects happen once" in done.stdout
