"""`failure_summary`: failures grouped by cause, with a count, the first time and an example."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from operations.reasons import SafeError, get_reason

MAX_CAUSES = 20


@dataclass(frozen=True)
class Failure:
    """A cause, and the number of items that failed for it."""

    error: SafeError
    item: str = ""
    count: int = 1

    def entry(self, at: dt.datetime) -> dict[str, Any]:
        """Return the entry of the failure in `failure_summary`, for a first failure at `at`."""
        entry: dict[str, Any] = {
            "code": self.error.code,
            "message": self.error.message,
            "next_step": self.error.next_step,
            "count": self.count,
            "first_at": at.isoformat(timespec="seconds"),
        }
        if self.item:
            entry["item"] = self.item
        return entry


def merge_failures(
    entries: list[dict[str, Any]], failures: Iterable[Failure], at: dt.datetime
) -> list[dict[str, Any]]:
    """Add new failures of the time `at` to the stored entries: one entry per cause, at most 20 causes.

    A cause is a code with its message. Further causes are counted under `other_causes`, so that
    the counts always add up.
    """
    merged = {(entry["code"], entry["message"]): dict(entry) for entry in entries}
    for failure in failures:
        entry = failure.entry(at)
        key = (entry["code"], entry["message"])
        if key not in merged and len(merged) >= MAX_CAUSES - 1:
            other = get_reason("other_causes")
            entry |= {"code": other.code, "message": other.message, "next_step": other.next_step}
            key = (entry["code"], entry["message"])
        if key in merged:
            merged[key]["count"] += entry["count"]
        else:
            merged[key] = entry
    return list(merged.values())
