"""Observes processes from outside."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from dev.services.processes import parent_of, running_processes

ROOT = Path(__file__).resolve().parents[3]


def eventually(condition: Callable[[], object], *, within: float = 60) -> None:
    """Fail unless `condition()` becomes true in time."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def start_python(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Start a Python process that runs `code`; its output can be read."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def read_until(process: subprocess.Popen[str], text: str) -> list[str]:
    """Return the lines that a process prints, up to and including the one with `text`."""
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return lines
    raise AssertionError(f"it ended without printing {text!r}: {''.join(lines)}")


def processes_with(text: str) -> list[int]:
    """Return the running processes with `text` in their command line."""
    return [pid for pid in running_processes() if text in command_of(pid)]


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def descendants(pid: int) -> list[int]:
    """Return all descendants of a process."""
    parents = {child: parent_of(child) for child in running_processes()}
    pids = [pid]
    for ancestor in pids:
        pids += [child for child, parent in parents.items() if parent == ancestor]
    return pids[1:]
