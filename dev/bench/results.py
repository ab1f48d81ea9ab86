"""The rows that a benchmark prints and writes as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True)
class Row:
    """A way to work, compared with its floor in the same run."""

    name: str
    #: Of the medians, and of the fastest rounds.
    ratio: float
    fastest: float
    #: The medians in milliseconds, or the bytes of what the name calls so.
    way_ms: float
    floor_ms: float
    #: What the ratio shall be at most, or at least.
    target: float | None = None
    is_share: bool = False

    def __str__(self) -> str:
        wanted = ""
        if self.target is not None:
            sign = ">=" if self.is_share else "<="
            wanted = f"   target {sign} {self.target:.2f}"
        return f"{self.name:52} {self.ratio:6.2f} (fastest {self.fastest:.2f}){wanted}"


def compare(
    name: str, way: Sequence[float], floor: Sequence[float], *, target: float | None = None
) -> Row:
    """Return the row of a way that took these seconds, as a multiple of its floor."""
    ratio, fastest = median(way) / median(floor), min(way) / min(floor)
    return Row(name, ratio, fastest, median(way) * 1e3, median(floor) * 1e3, target)


def compare_share(
    name: str, way: Sequence[float], floor: Sequence[float], *, target: float | None = None
) -> Row:
    """Return the row of a way that does less than the floor in a second, as a share of it."""
    ratio, fastest = median(floor) / median(way), min(floor) / min(way)
    return Row(name, ratio, fastest, median(way) * 1e3, median(floor) * 1e3, target, is_share=True)


def write(file: Path | None, rows: Sequence[Row]) -> None:
    """Write the rows as JSON, if there is a file."""
    if file:
        file.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
