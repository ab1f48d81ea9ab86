"""`summary_counts`: non-negative integers with known keys, and short facts under `meta`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: The keys of the counts. `processed` is the sum of `succeeded`, `failed` and `skipped`.
COUNT_KEYS = (
    "total",
    "processed",
    "succeeded",
    "failed",
    "skipped",
    "created",
    "updated",
    "deleted",
    "unchanged",
)
MAX_META_TEXT = 200
MAX_COUNT = 2**53

MetaValue = str | int | bool | None


@dataclass(frozen=True)
class Counts:
    """The counts of a run; a key without a value counts as 0."""

    total: int = 0
    processed: int = 0
    succeeded: int = 0
    failed: int = 0
    skipped: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    meta: Mapping[str, MetaValue] = field(default_factory=dict)

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Counts:
        """Return the counts of a stored `summary_counts`, without unknown keys."""
        known = {key: int(stored[key]) for key in COUNT_KEYS if key in stored}
        return cls(**known, meta=dict(stored.get("meta") or {}))

    @property
    def not_attempted(self) -> int:
        """Items that were expected but not processed."""
        return max(0, self.total - self.processed)

    @property
    def changes(self) -> dict[str, int]:
        """The non-zero counts of created, updated, deleted and unchanged objects."""
        keys = ("created", "updated", "deleted", "unchanged")
        return {key: value for key in keys if (value := getattr(self, key))}


def validate_increments(increments: Mapping[str, int]) -> dict[str, int]:
    """Return the increments as a dict.

    Raises:
        ValueError: a key is unknown, or a value is not a non-negative integer.
    """
    for key, value in increments.items():
        if key not in COUNT_KEYS:
            raise ValueError(f"“{key}” is not a count. Counts are {', '.join(COUNT_KEYS)}.")
        if type(value) is not int or not 0 <= value <= MAX_COUNT:
            raise ValueError(f"The count “{key}” must be a non-negative integer, not {value!r}.")
    return dict(increments)
