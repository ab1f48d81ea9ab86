"""How programs are started."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from dev.services.launch import launch_command
from dev.services.processes import spawn

SIGPIPE = 1 << (signal.SIGPIPE - 1)


def output_of(tmp_path: Path, *command: str) -> tuple[int, str]:
    """Start a program, wait for its end, and return its status and its output."""
    with (tmp_path / "output").open("wb") as output:
        process = spawn(command, output=output.fileno())
    return process.wait(60), (tmp_path / "output").read_text()


def test_the_output_says_why_a_program_was_not_started(tmp_path: Path) -> None:
    status, output = output_of(tmp_path, "no-such-program")

    assert status == 127
    assert output == "no-such-program was not started: [Errno 2] No such file or directory\n"


def test_a_program_does_not_ignore_a_closed_pipe(tmp_path: Path) -> None:
    """Python does, and a program inherits what its parent ignores."""
    status, output = output_of(tmp_path, "grep", "SigIgn", "/proc/self/status")

    assert status == 0
    assert not int(output.split()[1], 16) & SIGPIPE


def test_a_program_is_not_started_after_the_death_of_its_parent() -> None:
    other = ("--parent", str(os.getppid()), "--death-signal", str(int(signal.SIGTERM)))

    started = subprocess.run(
        launch_command(["echo", "started"], *other), capture_output=True, check=False
    )

    assert (started.returncode, started.stdout, started.stderr) == (1, b"", b"")
