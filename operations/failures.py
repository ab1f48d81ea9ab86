"""`failure_summary`: failures grouped by cause, each with a count, its first time and an example."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from operations.reasons import SafeError, get_reason

MAX_CAUSES = 20


@dataclass(frozen=True)
class Failure:
    """One thing that went wrong: its cause, and how many items it stands for."""

    error: SafeError
    at: str
    item: str = ""
    count: int = 1

    def entry(self) -> dict[str, Any]:
        """The failure as it stands in `failure_summary`."""
        entry: dict[str, Any] = {
            "code": self.error.code,
            "message": self.error.message,
            "next_step": self.error.next_step,
            "count": self.count,
            "first_at": self.at,
        }
        return entry | ({"item": self.item} if self.item else {})


def merge_failures(stored: list[dict[str, Any]], added: Iterable[Failure]) -> list[dict[str, Any]]:
    """Stored entries and new failures together: one entry a cause, at most 20 causes.

    A cause is a code with its message. What no longer fits is counted under `other_causes`, so
    that the counts always add up.
    """
    merged = {(entry["code"], entry["message"]): dict(entry) for entry in stored}
    for failure in added:
        entry = failure.entry()
        key = (entry["code"], entry["message"])
        if key not in merged and len(merged) >= MAX_CAUSES - 1:
            entry = _other(entry)
            key = (entry["code"], entry["message"])
        if key in merged:
            merged[key]["count"] += entry["count"]
        else:
            merged[key] = entry
    return list(merged.values())


def _other(entry: dict[str, Any]) -> dict[str, Any]:
    reason = get_reason("other_causes")
    return entry | {"code": reason.code, "message": reason.message, "next_step": reason.next_step}
