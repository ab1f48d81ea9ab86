"""Processes of two revisions that a benchmark measures in alternation, on the same database."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dev.bench.results import compare, write

ROOT = Path(__file__).resolve().parent.parent.parent


#: The files of this package that a benchmark of revisions imports.
SHARED = ("revisions.py", "database.py", "results.py", "graph.py", "ledger.py")


def result_of(command: Sequence[str], tree: Path) -> Any:
    """Run a command with the code in this folder; return the JSON on the last line that it prints."""
    done = subprocess.run(
        command,
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree), "PYTHONSAFEPATH": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


class Revision:
    """A process that runs a module of the code in a folder with `--serve`.

    The process answers each line of its standard input with a line of JSON. It knows the commands
    `facts`, and `round`, which returns the seconds by name.
    """

    def __init__(self, module: str, folder: Path, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, "--serve"],
            cwd=folder,
            env=os.environ | environment | {"PYTHONPATH": str(folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.times: dict[str, list[float]] = defaultdict(list)
        self.facts: dict[str, tuple[int, int]] = self.ask("facts")

    def ask(self, command: str) -> Any:
        """Send a command and return the answer."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def round(self) -> None:
        """Take each measurement once."""
        for name, seconds in self.ask("round").items():
            self.times[name].append(seconds)

    def end(self) -> None:
        """End the process."""
        self.process.communicate()


def take(
    rounds: int,
    current: Revision,
    baseline: Revision | None,
    report: Callable[[Revision, Revision | None], str],
    file: Path | None = None,
    *,
    floor: str = "",
    target: float | None = None,
) -> None:
    """Measure both revisions in alternation, print the report about them, and end them.

    The file gets the rows: this revision as a share of the other one, which the target is for, or
    without one each name as a multiple of the floor.
    """
    revisions = [current, baseline] if baseline else [current]
    for _ in range(rounds):
        for revision in revisions:
            revision.round()
    sys.stdout.write(report(current, baseline) + "\n")
    rows = []
    for name, taken in current.times.items():
        base = baseline.times.get(name) if baseline else current.times.get(floor)
        if base:
            text = f"{name} / {'baseline' if baseline else floor}"
            rows.append(compare(text, taken, base, target=target if baseline else None))
    write(file, rows)
    for revision in revisions:
        revision.end()


@contextmanager
def checkout(revision: str, module: Path) -> Iterator[Path]:
    """Check a revision out into a temporary folder, with the benchmark that measures it."""
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "baseline"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(folder), revision], check=True)
        try:
            for name in (module.name, *SHARED):
                shutil.copy(module.with_name(name), folder / "dev/bench" / name)
            yield folder
        finally:
            subprocess.run([*git, "remove", "--force", str(folder)], check=True)
