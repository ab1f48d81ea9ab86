"""The kinds of objects that a backup can contain: those of the providers' registry."""

from __future__ import annotations

from collections.abc import Sequence

from django.core.exceptions import ValidationError

from providers.graph.kinds import KINDS


def label_of(kind: str) -> str:
    """Return the plural label of a kind; its key if the kind is no longer known."""
    return KINDS[kind].label_plural if kind in KINDS else kind


def validate_kinds(keys: Sequence[str]) -> None:
    """Accept a non-empty list of known kinds without duplicates.

    Raises:
        ValidationError: the list is empty, or contains a kind twice or an unknown one.
    """
    unknown = [key for key in keys if key not in KINDS]
    if unknown:
        raise ValidationError(f"Unknown kinds: {', '.join(unknown)}. Known: {', '.join(KINDS)}.")
    if not keys or len(set(keys)) != len(keys):
        raise ValidationError("Select at least one kind, and each kind only once.")
