"""The kinds of objects that a backup can hold: those of the providers' registry."""

from __future__ import annotations

from collections.abc import Sequence

from django.core.exceptions import ValidationError

from providers.graph.kinds import KINDS


def label_of(kind: str) -> str:
    """What people call the kind; its key for one that is no longer known."""
    known = KINDS.get(kind)
    return known.label_plural if known else kind


def validate_kinds(keys: Sequence[str]) -> None:
    """Accept a non-empty list of known kinds, each once.

    Raises:
        ValidationError: it is empty, or names a kind twice or one that does not exist.
    """
    unknown = [key for key in keys if key not in KINDS]
    if unknown:
        raise ValidationError(f"Unknown kinds: {', '.join(unknown)}. Known: {', '.join(KINDS)}.")
    if not keys or len(set(keys)) != len(keys):
        raise ValidationError("Choose at least one kind, and each once.")
