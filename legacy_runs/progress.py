"""How far an import is, on one line of a terminal that is written again and again."""

from __future__ import annotations

import time
from collections.abc import Callable

from legacy_runs.importing import Report

WIDTH = 30


def bar(share: float) -> str:
    """“[##########....................]  33 %”."""
    done = int(share * WIDTH)
    return f"[{'#' * done}{'.' * (WIDTH - done)}] {int(share * 100):3} %"


def speed(rows: int, seconds: float) -> str:
    """“8,000 rows a second”."""
    return f"{rows / max(seconds, 0.001):,.0f} rows a second"


class Progress:
    """The line of one import; a terminal sees it, a log does not."""

    def __init__(self, kind: str, write: Callable[[str], object] | None) -> None:
        self._kind = kind
        self._write = write
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    def show(self, report: Report, share: float | None) -> None:
        """Write the line again; without a share nobody knows how much is to come."""
        told = f"{report.rows:,} so far, {speed(report.rows, self.seconds)}"
        line = told if share is None else f"{bar(share)}  {told}"
        self._say(f"\r{self._kind}  {line} ")

    def end(self) -> None:
        """Leave the line."""
        self._say("\n")

    def _say(self, text: str) -> None:
        if self._write:
            self._write(text)
