"""System check of the setting of the audit log; an error prevents the start."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

#: The database keeps a year whatever the setting is, so a lower value would mislead.
_MIN_DAYS, _MAX_DAYS = 365, 36_525


@register
def retention_setting_is_valid(**_: Any) -> list[CheckMessage]:
    """Check that the setting is in range."""
    if _MIN_DAYS <= settings.AUDIT_KEEP_DAYS <= _MAX_DAYS:
        return []
    text = f"AUDIT_KEEP_DAYS must be from {_MIN_DAYS} to {_MAX_DAYS:,}."
    return [Error(text, id="audit.E001")]
