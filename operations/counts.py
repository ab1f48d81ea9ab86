"""`summary_counts`: non-negative integers under known keys, and short facts under `meta`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: The keys that handlers may count under. `processed` follows from the outcomes of the items.
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
    """The counts of a run as numbers; what was never counted is 0."""

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
        """Read `summary_counts` as it stands in a row; unknown keys are left out."""
        known = {key: int(stored[key]) for key in COUNT_KEYS if key in stored}
        return cls(**known, meta=dict(stored.get("meta") or {}))

    @property
    def not_attempted(self) -> int:
        """Items that were expected and never reached."""
        return max(0, self.total - self.processed)

    @property
    def changes(self) -> dict[str, int]:
        """What the run did to the world: created, updated, deleted, unchanged, if it said so."""
        keys = ("created", "updated", "deleted", "unchanged")
        return {key: value for key in keys if (value := getattr(self, key))}


def validate_increments(increments: Mapping[str, int]) -> dict[str, int]:
    """The increments, if every one can be added.

    Raises:
        ValueError: an unknown key, or a value that is not a non-negative integer.
    """
    for key, value in increments.items():
        if key not in COUNT_KEYS:
            raise ValueError(f"“{key}” is not a count; known are {', '.join(COUNT_KEYS)}.")
        if type(value) is not int or not 0 <= value <= MAX_COUNT:
            raise ValueError(f"The count “{key}” takes a non-negative integer, not {value!r}.")
    return dict(increments)
