"""The health check of beat in the compose file: well while beat sends, ill when it stands still."""

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
    """What the health check says of a beat whose file is in this folder."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    kind, check = compose["services"]["beat"]["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    command = check.replace("$$", "$").replace("/tmp/", f"{folder}/")
    environment = {"PATH": os.environ["PATH"], "TICK_SECONDS": "20"}
    return subprocess.run(["sh", "-c", command], env=environment, check=False).returncode == 0


def make_old(folder: Path) -> None:
    for path in folder.glob("beat*"):
        os.utime(path, (0, 0))


def test_beat_is_healthy_as_long_as_it_sends(stack: Stack) -> None:
    assert not is_healthy(stack.folder)
    beat = stack.beat()
    eventually(lambda: is_healthy(stack.folder), what="health")

    for _ in range(3):
        make_old(stack.folder)
        eventually(lambda: is_healthy(stack.folder), what="health after the next tick")
    beat.send_signal(signal.SIGSTOP)
    make_old(stack.folder)
    assert not is_healthy(stack.folder)

    beat.send_signal(signal.SIGCONT)
    eventually(lambda: is_healthy(stack.folder), what="health after the pause")
