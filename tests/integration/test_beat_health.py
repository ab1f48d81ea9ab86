"""The health check of beat in the compose file reports whether beat sends its ticks."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.stack import ROOT, Stack, eventually

pytestmark = pytest.mark.integration


def is_healthy(folder: Path) -> bool:
    """Run the health check for a beat whose schedule file is in this folder."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    kind, check = compose["services"]["beat"]["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    command = check.replace("$$", "$").replace("/tmp/", f"{folder}/")
    environment = {"PATH": os.environ["PATH"], "TICK_SECONDS": "20"}
    return subprocess.run(["sh", "-c", command], env=environment, check=False).returncode == 0


def age_schedule_files(folder: Path) -> None:
    for path in folder.glob("beat*"):
        os.utime(path, (0, 0))


def test_beat_is_healthy_while_it_sends_ticks(stack: Stack) -> None:
    assert not is_healthy(stack.folder)
    beat = stack.start_beat()
    eventually(lambda: is_healthy(stack.folder), what="health")

    for _ in range(3):
        age_schedule_files(stack.folder)
        eventually(lambda: is_healthy(stack.folder), what="health after the next tick")
    beat.send_signal(signal.SIGSTOP)
    age_schedule_files(stack.folder)
    assert not is_healthy(stack.folder)

    beat.send_signal(signal.SIGCONT)
    eventually(lambda: is_healthy(stack.folder), what="health after the pause")
