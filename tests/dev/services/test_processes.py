"""How programs are started."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.services.processes import spawn, stop

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def failing(marker: Path, *, times: int) -> Callable[[], None]:
    """Return what fails in the child `times` times; the marker counts, because children share it."""

    def fail() -> None:
        calls = len(marker.read_text()) if marker.exists() else 0
        marker.write_text("x" * (calls + 1))
        if calls < times:
            raise OSError(28, "user namespaces are not allowed here")

    return fail


def test_a_program_starts_at_a_later_attempt(tmp_path: Path) -> None:
    with (tmp_path / "output").open("wb") as output:
        before = failing(tmp_path / "calls", times=3)
        process = spawn(SLEEP, output=output.fileno(), before_exec=before)

    assert process.poll() is None
    stop(process, grace=5)


def test_attempts_to_start_a_program_end(tmp_path: Path) -> None:
    with (tmp_path / "output").open("wb") as output, pytest.raises(subprocess.SubprocessError):
        spawn(SLEEP, output=output.fileno(), before_exec=failing(tmp_path / "calls", times=9))

    assert (tmp_path / "calls").read_text() == "xxxxx"
