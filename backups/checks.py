"""System check of the setting of recorded changes; an error prevents the start."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

#: The database keeps thirty days whatever the setting is, so a lower value would mislead.
_MIN_DAYS, _MAX_DAYS = 30, 36_525


@register
def change_retention_is_valid(**_: Any) -> list[CheckMessage]:
    """Check that the setting is in range."""
    if _MIN_DAYS <= settings.CHANGE_KEEP_DAYS <= _MAX_DAYS:
        return []
    text = f"CHANGE_KEEP_DAYS must be from {_MIN_DAYS} to {_MAX_DAYS:,}."
    return [Error(text, id="backups.E001")]
