"""Waits until runs have ended, with a bar on a terminal."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Sequence

from operations.models import OperationRun
from operations.presentation.summary import state_of

BAR_WIDTH = 24
#: How often the runs are read.
INTERVAL_SECONDS = 1.0
_CLEAR_LINE = "\r\033[K"


class RunRemoved(Exception):
    """A run was removed by retention, or never existed."""

    def __init__(self, run_id: int) -> None:
        self.run_id = run_id
        super().__init__(f"There is no run {run_id}.")


def load_runs(run_ids: Sequence[int]) -> list[OperationRun]:
    """Return the runs in the order of their ids.

    Raises:
        RunRemoved: one of them does not exist.
    """
    runs = OperationRun.objects.with_scope().in_bulk(run_ids)
    for run_id in run_ids:
        if run_id not in runs:
            raise RunRemoved(run_id)
    return [runs[run_id] for run_id in run_ids]


def wait_for_runs(run_ids: Sequence[int], timeout: float | None) -> list[OperationRun]:
    """Wait until all runs have ended, or until the timeout in seconds; return them as they are then.

    Raises:
        RunRemoved: one of them does not exist.
    """
    ends_at = None if timeout is None else time.monotonic() + timeout
    is_terminal = sys.stderr.isatty()
    try:
        while True:
            runs = load_runs(run_ids)
            left = None if ends_at is None else ends_at - time.monotonic()
            if not any(run.is_active for run in runs) or (left is not None and left <= 0):
                return runs
            if is_terminal:
                width = shutil.get_terminal_size().columns - 1
                sys.stderr.write(_CLEAR_LINE + progress_line(runs)[:width])
                sys.stderr.flush()
            time.sleep(INTERVAL_SECONDS if left is None else min(INTERVAL_SECONDS, left))
    finally:
        if is_terminal:
            sys.stderr.write(_CLEAR_LINE)
            sys.stderr.flush()


def progress_line(runs: Sequence[OperationRun]) -> str:
    """Return a line with a bar: of the items of one run, or of several runs that have ended."""
    if len(runs) > 1:
        ended = sum(not run.is_active for run in runs)
        return f"{_bar(ended, len(runs))} {ended} of {len(runs)} runs ended"
    (run,) = runs
    counts = run.counts
    words = [state_of(run).word]
    if counts.total:
        words.append(f"{counts.processed} of {counts.total} items")
    if run.phase:
        words.append(run.phase)
    return f"{_bar(counts.processed, counts.total)} Run {run.pk}: {', '.join(words)}"


def _bar(done: int, total: int) -> str:
    filled = min(BAR_WIDTH, BAR_WIDTH * done // total) if total else 0
    return f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}]"
