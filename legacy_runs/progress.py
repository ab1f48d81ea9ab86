"""The progress of an import, on one terminal line that is rewritten."""

from __future__ import annotations

import time
from collections.abc import Callable

from legacy_runs.importing import Report

WIDTH = 30


def bar(share: float) -> str:
    """Return a progress bar: “[##########....................]  33 %”."""
    done = int(share * WIDTH)
    return f"[{'#' * done}{'.' * (WIDTH - done)}] {int(share * 100):3} %"


def speed(rows: int, seconds: float) -> str:
    """Return the speed as text: “8,000 rows a second”."""
    return f"{rows / max(seconds, 0.001):,.0f} rows a second"


class Progress:
    """The progress line of one import; without `write` nothing is shown."""

    def __init__(self, kind: str, write: Callable[[str], object] | None) -> None:
        self._kind = kind
        self._write = write
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    def show(self, report: Report, share: float | None) -> None:
        """Rewrite the line; without a share there is no bar."""
        line = f"{report.rows:,} so far, {speed(report.rows, self.seconds)}"
        if share is not None:
            line = f"{bar(share)}  {line}"
        self._print(f"\r{self._kind}  {line} ")

    def end(self) -> None:
        """End the line."""
        self._print("\n")

    def _print(self, text: str) -> None:
        if self._write:
            self._write(text)
